"""The stand-alone media worker: webhooks, media sockets, health and metrics on one port."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Callable

from aiohttp import web

from engine.errors import EngineError
from engine.runtime.worker import Worker
from engine.server.aiohttp_app import aiohttp_routes
from engine.server.metrics import CONTENT_TYPE, Metrics

CLOSE_WITHIN_S = 5.0
"""How long open connections may take to end when the server stops."""
RETRY_AFTER = "5"
"""Seconds after which asking again is worth it: as far back as admission looks at the event loop's lag."""


def make_app(worker: Worker, metrics: Metrics) -> web.Application:
    """The worker's application: ``/twilio/...``, ``/healthz``, ``/readyz`` and ``/metrics``."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        if (refusal := worker.refusal) is not None:
            return web.Response(status=503, text=f"{refusal}\n", headers={"Retry-After": RETRY_AFTER})
        return web.Response(text="ready\n")

    async def figures(request: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    metrics.follow(worker)
    app = web.Application()
    app.add_routes(aiohttp_routes(worker))
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", figures)])
    return app


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
        await _listen(runner, host, port)
        listening(runner.addresses[0][1])
        await _until_drained(worker, drain)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EngineError(f"port {port} on {host} is already in use: choose another one") from None
        raise EngineError(f"port {port} on {host} cannot be listened on: {error.strerror}") from None


async def _until_drained(worker: Worker, drain: float) -> None:
    """Wait for a signal, and then for the calls. New streams of live calls are still let in meanwhile."""
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, None)
    try:
        await signals.get()
        draining = asyncio.ensure_future(worker.drain(drain))
        again = asyncio.ensure_future(signals.get())
        await asyncio.wait((draining, again), return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not draining.done():
            draining.cancel()
            await worker.drain(0)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
