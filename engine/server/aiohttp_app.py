"""The engine inside an aiohttp application: webhooks, the media socket, and a drain when the server stops."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import WSMsgType, web

from engine.runtime.media_stream import MediaStream
from engine.runtime.socket import WebSocketWriter
from engine.runtime.twilio_door import Answer, TwilioDoor, Webhook
from engine.runtime.worker import Worker

LONGEST_MESSAGE = 1024 * 1024
"""Bytes. A message beyond this ends the socket; the codec survives all that are shorter."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
WRITE_BUFFER = 16 * 1024
"""Bytes the server holds for a peer that takes nothing, before the writer waits: over a second of audio."""


def aiohttp_routes(worker: Worker, prefix: str = "/twilio") -> list[web.RouteDef]:
    """Twilio's routes under ``prefix``: ``voice`` (the number's webhook), ``media``, ``dialled``, ``status``.

    ``app.add_routes(aiohttp_routes(worker))`` is all an application needs beside `run_worker`.
    """
    door = TwilioDoor(worker)

    return door_routes(door, door.answer, prefix)


def door_routes(
    door: TwilioDoor, answer: Callable[[Webhook], Awaitable[Answer]], prefix: str
) -> list[web.RouteDef]:
    """The routes of a door whose webhooks ``answer`` answers."""

    async def webhook(request: web.Request) -> web.Response:
        form = {} if request.method == "GET" else await request.post()
        answered = await answer(
            Webhook(
                target=request.raw_path,
                host=request.host,
                peer=request.remote or "",
                signature=request.headers.get("X-Twilio-Signature"),
                form={name: value for name, value in form.items() if isinstance(value, str)},
            )
        )
        return web.Response(status=answered.status, text=answered.body, content_type=answered.content_type)

    async def media(request: web.Request) -> web.StreamResponse:
        signature = request.headers.get("X-Twilio-Signature")
        if not door.accepts_stream(request.raw_path, request.remote or "", signature):
            return web.Response(status=403, text="Twilio's signature is missing or wrong\n")
        return await _serve(door, request)

    names = ("voice", "dialled", "status")
    return [
        *(web.post(f"{prefix}/{name}", webhook) for name in names),
        web.get(f"{prefix}/voice", webhook, allow_head=False),
        web.get(f"{prefix}/{door.media}", media, allow_head=False),
    ]


async def _serve(door: TwilioDoor, request: web.Request) -> web.WebSocketResponse:
    websocket = web.WebSocketResponse(
        compress=False, max_msg_size=LONGEST_MESSAGE, writer_limit=WRITE_BUFFER, timeout=2.0
    )
    await websocket.prepare(request)
    if request.transport is not None:
        request.transport.set_write_buffer_limits(high=WRITE_BUFFER)
    writer = WebSocketWriter(websocket.send_str, lambda code: websocket.close(code=code))
    stream = door.open_stream(writer)
    try:
        # In a task of its own, for a message that comes has to pass through all coroutines that wait for it.
        await asyncio.create_task(_receive(websocket, stream), name="media socket")
    finally:
        stream.lost()
        writer.lost()
        await writer.closed()
    return websocket


async def _receive(websocket: web.WebSocketResponse, stream: MediaStream) -> None:
    """Hand on what comes until the socket is closed."""
    while (message := await websocket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
        stream.receive(message.data)


def graceful_exit() -> None:
    """End ``web.run_app``, as its own signal handlers do."""
    raise web.GracefulExit


def run_worker(
    app: web.Application,
    worker: Worker,
    drain: float = 60.0,
    stop: Callable[[], None] | None = graceful_exit,
) -> None:
    """Run ``worker`` for as long as ``app`` runs.

    aiohttp reads nothing from its websockets any more when it tells the application to shut down. So that
    calls need not die of that, SIGTERM and SIGINT are taken over: live calls may go on for ``drain`` seconds,
    and only then ``stop`` is called. A second signal calls it at once. With ``stop`` None the signals are
    left alone, and the host awaits ``worker.drain`` itself before it cleans its runner up.
    """

    async def life(app: web.Application) -> AsyncIterator[None]:
        async with worker:
            if stop is None:
                yield
                return
            with _DrainFirst(worker, drain, stop):
                yield

    async def shutdown(app: web.Application) -> None:
        await worker.drain(0)

    app.cleanup_ctx.append(life)
    app.on_shutdown.append(shutdown)


class _DrainFirst:
    """Takes the loop's handlers of SIGTERM and SIGINT for a while."""

    def __init__(self, worker: Worker, drain: float, stop: Callable[[], None]) -> None:
        self._worker = worker
        self._drain = drain
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._draining: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._signalled)

    def __exit__(self, *_: object) -> None:
        for number in _SIGNALS:
            self._loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        if self._draining is None:
            self._draining = self._loop.create_task(self._drain_then_stop())
        else:
            self._stop()

    async def _drain_then_stop(self) -> None:
        await self._worker.drain(self._drain)
        self._loop.call_soon(self._stop)
