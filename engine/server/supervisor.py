"""Several workers behind one port: a parent that starts them, replaces what dies, and passes signals on.

Each worker is a process of its own with one event loop. They share the listening socket, which the parent
keeps, so that connections wait while a worker is started again. The parent itself serves nothing.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from engine.errors import EngineError
from engine.server.commons import Board, CallOwners, Load, Place
from engine.server.shared_worker import MakeWorker, work

_log = logging.getLogger(__name__)

FIRST_RESTART_S = 0.5
"""How long a worker that died stays away; twice as long each time, up to `LONGEST_RESTART_S`."""
LONGEST_RESTART_S = 30.0
SETTLED_S = 60.0
"""A worker that lived this long died of something new: it is back after `FIRST_RESTART_S`."""
_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class _Seat:
    """One worker's place: the process in it, or when the next one is due (monotonic clock, s)."""

    place: Place
    process: SpawnProcess | None = None
    told: Connection | None = None
    started: float = 0.0
    due: float | None = 0.0
    pause: float = FIRST_RESTART_S
    ready: bool = False
    """Whether a worker has served here."""


class Supervisor:
    """Runs ``workers`` processes that serve ``listener``, until SIGTERM or SIGINT has reached this process.

    ``make_worker`` makes the `Worker` in each of them and must be picklable. ``drain``: seconds that live
    calls may go on for after the first signal; a second one ends them now.
    """

    def __init__(
        self, listener: socket.socket, make_worker: MakeWorker, *, workers: int, drain: float
    ) -> None:
        self._listener = listener
        self._make_worker = make_worker
        self._workers = workers
        self._drain = drain
        self._seats: list[_Seat] = []
        self._stopping = False
        self._ready = False
        self._failed: str | None = None

    def run(self, listening: Callable[[], None] = lambda: None) -> None:
        """Start the workers, and return when the last of them has ended. Only in the main thread.

        ``listening`` is called when all of them serve. Raises `EngineError` if one of them cannot be started
        for a reason that the user can put right.
        """
        with TemporaryDirectory(prefix="engine-") as name, _signals() as signals:
            folder = Path(name)
            self._board = Board(folder, self._workers)
            self._owners = CallOwners(folder)
            self._seats = [_Seat(Place(number, self._workers, folder)) for number in range(self._workers)]
            try:
                while any(seat.process is not None or seat.due is not None for seat in self._seats):
                    self._turn(signals, listening)
            finally:
                self._kill()
                self._board.close()
        if self._failed is not None:
            raise EngineError(self._failed)

    def _turn(self, signals: socket.socket, listening: Callable[[], None]) -> None:
        """Start who is due, wait for something to happen, and see to it."""
        for seat in self._seats:
            if seat.due is not None and seat.due <= monotonic():
                self._start(seat)
        processes = [seat.process.sentinel for seat in self._seats if seat.process is not None]
        pipes = [seat.told for seat in self._seats if seat.told is not None]
        dues = [seat.due for seat in self._seats if seat.due is not None]
        happened = wait([signals, *processes, *pipes], min(dues) - monotonic() if dues else None)
        if signals in happened:
            for _ in signals.recv(64):
                self._stop()
        for seat in self._seats:
            if seat.told is not None and seat.told in happened:
                self._hear(seat, seat.told)
            if seat.process is not None and seat.process.sentinel in happened:
                self._bury(seat, seat.process)
        if not self._ready and all(seat.ready for seat in self._seats):
            self._ready = True
            listening()

    def _start(self, seat: _Seat) -> None:
        seat.told, theirs = _SPAWN.Pipe(duplex=False)
        seat.process = _SPAWN.Process(
            target=work,
            args=(seat.place, self._listener, self._make_worker, self._drain, theirs),
            name=f"worker {seat.place.number}",
        )
        seat.process.start()
        theirs.close()
        _log.info("worker %d is process %d", seat.place.number, seat.process.pid)
        seat.started, seat.due = monotonic(), None

    def _hear(self, seat: _Seat, told: Connection) -> None:
        """A worker serves, or says why it cannot."""
        try:
            why: str | None = told.recv()
        except EOFError:
            why = None
        else:
            seat.ready = seat.ready or why is None
        told.close()
        seat.told = None
        if why is None:
            return
        if self._ready:
            _log.error("worker %d: %s", seat.place.number, why)
        else:
            self._failed = why
            self._stop()

    def _bury(self, seat: _Seat, process: SpawnProcess) -> None:
        """A worker has ended; another one takes its place, unless all are to end."""
        process.join()
        number, code = seat.place.number, process.exitcode
        process.close()
        seat.process = None
        self._board.write(number, Load(0, False))
        self._owners.forget(number)
        if self._stopping:
            return
        now = monotonic()
        if now - seat.started >= SETTLED_S:
            seat.pause = FIRST_RESTART_S
        seat.due = now + seat.pause
        _log.error("worker %d ended with status %s; it starts again in %.1f s", number, code, seat.pause)
        seat.pause = min(2 * seat.pause, LONGEST_RESTART_S)

    def _stop(self) -> None:
        """Pass a signal on. Who is not there any more needs none, and nobody is started again."""
        self._stopping = True
        for seat in self._seats:
            seat.due = None
            if seat.process is not None:
                seat.process.terminate()

    def _kill(self) -> None:
        """Leave nobody behind: does nothing but where `run` ends by an error of its own."""
        for seat in self._seats:
            if seat.process is not None:
                seat.process.kill()
                seat.process.join()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """SIGTERM and SIGINT as bytes to read."""
    read, write = socket.socketpair()
    read.setblocking(False)
    write.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    wakeup = signal.set_wakeup_fd(write.fileno())
    try:
        yield read
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, previous in before.items():
            signal.signal(number, previous)
        read.close()
        write.close()
