"""The connections of a port that several workers share: each is given to the worker whose it is.

All workers accept from one listening socket. Whoever gets a connection looks at its first line without taking
it: a media socket names its call's worker in its path (``/media/<number>``), and if that is another one, the
connection itself is sent there, unread, over a Unix socket. From then on its frames cost what they cost on a
port of its own.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from array import array
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.server.commons import Place

_log = logging.getLogger(__name__)

FIRST_LINE_WITHIN_S = 10.0
"""How long a peer may take for its first line."""
LONGEST_LINE = 2048
HAND_OVER_WITHIN_S = 2.0
"""How long a worker that is to be given a connection may have its hands full."""
_RETRY_S = 0.005
_STREAM = re.compile(rb"GET \S*/media/([0-9]{1,4})/?[ ?]")


class Connections:
    """Accepts from ``listener`` while it is entered, and serves with ``protocol`` what is for this worker."""

    def __init__(
        self, place: Place, listener: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._place = place
        self._listener = listener
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        path = Path(place.socket(place.number, "connections"))
        path.unlink(missing_ok=True)
        self._given = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._given.bind(str(path))
        self._given.setblocking(False)
        listener.setblocking(False)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._loop.add_reader(self._given.fileno(), self._take_given)
        self._start(self._accept())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.remove_reader(self._given.fileno())
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._given.close()
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._listener)
            except OSError as error:  # no descriptors left, as a rule: those that are open must end first
                _log.warning("no connection can be accepted: %s", error)
                await asyncio.sleep(1.0)
                continue
            self._start(self._direct(connection))

    async def _direct(self, connection: socket.socket) -> None:
        """Find out whose a connection is, and see to it that he gets it."""
        try:
            async with asyncio.timeout(FIRST_LINE_WITHIN_S):
                line = await self._first_line(connection)
        except (OSError, asyncio.CancelledError) as error:
            connection.close()
            if isinstance(error, OSError):  # gone already, or too slow
                return
            raise
        found = _STREAM.match(line)
        number = int(found[1]) if found else self._place.number
        if number == self._place.number or number >= self._place.workers:
            await self._serve(connection)
        else:
            await self._give(connection, number)

    async def _first_line(self, connection: socket.socket) -> bytes:
        """What the connection begins with, up to `LONGEST_LINE` bytes; all of it is left to be read."""
        seen = -1
        while True:
            await self._readable(connection)
            line = connection.recv(LONGEST_LINE, socket.MSG_PEEK)
            if b"\n" in line or len(line) in (seen, LONGEST_LINE, 0):
                break
            seen = len(line)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)  # readable: more than now
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return line

    async def _readable(self, connection: socket.socket) -> None:
        readable: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(connection.fileno(), _resolve, readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(connection.fileno())

    async def _serve(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError as error:
            _log.debug("a connection was gone before it was served: %s", error)
            connection.close()

    async def _give(self, connection: socket.socket, number: int) -> None:
        """Send a connection to another worker. It is closed where that one is gone or takes nothing."""
        descriptors = array("i", [connection.fileno()])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
        to = self._place.socket(number, "connections")
        try:
            with connection:
                async with asyncio.timeout(HAND_OVER_WITHIN_S):
                    while True:
                        try:
                            self._given.sendmsg([b"."], rights, 0, to)
                            return
                        except BlockingIOError:
                            await asyncio.sleep(_RETRY_S)
        except OSError as error:  # a TimeoutError among them
            _log.warning("worker %d cannot be given a stream of its own: %s", number, error or "it is busy")

    def _take_given(self) -> None:
        while True:
            try:
                _, descriptors, _, _ = socket.recv_fds(self._given, 1, 1)
            except BlockingIOError:
                return
            for descriptor in descriptors:
                connection = socket.socket(fileno=descriptor)
                connection.setblocking(False)
                self._start(self._serve(connection))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
