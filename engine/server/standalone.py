"""The stand-alone media worker: webhooks, media sockets, health and metrics on one port."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from engine.errors import EngineError
from engine.runtime.worker import Worker
from engine.server.aiohttp_app import aiohttp_routes, door_routes
from engine.server.metrics import CONTENT_TYPE, Metrics

if TYPE_CHECKING:
    from engine.server.peers import Peers

CLOSE_WITHIN_S = 5.0
"""How long open connections may take to end when the server stops."""
BACKLOG = 1024
"""Connections that may wait to be accepted: a burst of callers, or the time that a worker takes to start."""
RETRY_AFTER = "5"
"""Seconds after which asking again is worth it: as far back as admission looks at the event loop's lag."""


def make_app(worker: Worker, metrics: Metrics, peers: Peers | None = None) -> web.Application:
    """The worker's application: ``/twilio/...``, ``/healthz``, ``/readyz`` and ``/metrics``.

    With ``peers`` it speaks for all workers of its port, and every answer ends its connection, because the
    next request on it may be for another worker.
    """

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        if (refusal := (peers or worker).refusal) is not None:
            return web.Response(status=503, text=f"{refusal}\n", headers={"Retry-After": RETRY_AFTER})
        return web.Response(text="ready\n")

    async def figures(request: web.Request) -> web.Response:
        text = metrics.text() if peers is None else await peers.figures()
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    metrics.follow(worker)
    app = web.Application()
    if peers is None:
        app.add_routes(aiohttp_routes(worker))
    else:
        app.add_routes(door_routes(peers.door, peers.answer, "/twilio"))
        app.on_response_prepare.append(_close_after)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", figures)])
    return app


async def _close_after(request: web.Request, response: web.StreamResponse) -> None:
    if not isinstance(response, web.WebSocketResponse):
        response.headers["Connection"] = "close"
        response.force_close()


async def serve(
    worker: Worker,
    metrics: Metrics,
    *,
    host: str,
    port: int,
    drain: float,
    listening: Callable[[int], None] = lambda port: None,
) -> None:
    """Run ``worker``, which must have been entered, until SIGTERM or SIGINT; then drain it and return.

    ``drain``: seconds that live calls may go on for; a second signal ends them now. ``listening`` is told the
    port, which matters where ``port`` is 0. Raises `EngineError` if the port cannot be had.
    """
    runner = web.AppRunner(make_app(worker, metrics), access_log=None, shutdown_timeout=CLOSE_WITHIN_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listen(host, port)).start()
        with stop_signals() as signals:
            listening(runner.addresses[0][1])
            await until_drained(worker, drain, signals)
    finally:
        await runner.cleanup()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `EngineError` if the port cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EngineError(f"port {port} on {host} is already in use: choose another one") from None
        raise EngineError(f"port {port} on {host} cannot be listened on: {error.strerror}") from None


@contextmanager
def stop_signals() -> Iterator[asyncio.Queue[None]]:
    """A queue that gets an item for each SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, None)
    try:
        yield signals
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def until_drained(worker: Worker, drain: float, signals: asyncio.Queue[None]) -> None:
    """Wait for a signal, and then for the calls. New streams of live calls are still let in meanwhile."""
    await signals.get()
    draining = asyncio.ensure_future(worker.drain(drain))
    again = asyncio.ensure_future(signals.get())
    await asyncio.wait((draining, again), return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if not draining.done():
        draining.cancel()
        await worker.drain(0)
