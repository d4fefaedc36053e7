"""One of several workers behind one port: what runs in its process."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection

from aiohttp import web

from engine.errors import EngineError
from engine.runtime.worker import Worker
from engine.server.commons import Place
from engine.server.connections import Connections
from engine.server.loop import loop_factory, spare_what_stays
from engine.server.metrics import Metrics
from engine.server.peers import Peers
from engine.server.standalone import CLOSE_WITHIN_S, make_app, stop_signals, until_drained

MakeWorker = Callable[[Metrics, Callable[[float], None]], Worker]
"""Makes a worker that its figures watch and whose loop's lag the function is told."""


def work(
    place: Place, listener: socket.socket, make_worker: MakeWorker, drain: float, told: Connection
) -> None:
    """Be worker ``place.number`` until SIGTERM, or until the parent is gone; then drain.

    ``told`` is sent None when the worker serves, or a sentence why it cannot; then the status is 2.
    """
    os.setsid()  # Ctrl-C is for the parent, which passes it on
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(place, listener, make_worker, drain, told))
    except EngineError as error:
        with suppress(OSError):  # the parent listens until it has been told once
            told.send(str(error))
        sys.exit(2)


async def _serve(
    place: Place, listener: socket.socket, make_worker: MakeWorker, drain: float, told: Connection
) -> None:
    def sampled(lag: float) -> None:
        metrics.lag(lag)
        peers.publish()

    metrics = Metrics()
    worker = make_worker(metrics, sampled)
    peers = Peers(place, worker, metrics)
    async with worker:
        spare_what_stays()
        runner = web.AppRunner(
            make_app(worker, metrics, peers), access_log=None, shutdown_timeout=CLOSE_WITHIN_S
        )
        await runner.setup()
        assert runner.server is not None
        with stop_signals() as signals, _orphaned(signals):
            try:
                async with peers, Connections(place, listener, runner.server):
                    told.send(None)
                    await until_drained(worker, drain, signals)
            finally:
                await runner.cleanup()


@contextmanager
def _orphaned(signals: asyncio.Queue[None]) -> Iterator[None]:
    """Take the end of the parent, however it came about, for a signal to stop."""
    loop = asyncio.get_running_loop()
    parent = parent_process()
    assert parent is not None

    def gone() -> None:
        loop.remove_reader(parent.sentinel)
        signals.put_nowait(None)

    loop.add_reader(parent.sentinel, gone)
    try:
        yield
    finally:
        loop.remove_reader(parent.sentinel)
