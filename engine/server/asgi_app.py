"""The engine inside an ASGI application (FastAPI, Starlette, any other), which needs none of them to exist.

Follows https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any
from urllib.parse import parse_qsl

from engine.runtime.socket import WebSocketWriter
from engine.runtime.twilio_door import Answer, TwilioDoor, Webhook
from engine.runtime.worker import Worker

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LONGEST_FORM = 64 * 1024
"""Bytes. Twilio's forms are a few thousand."""


class AsgiApp:
    """Twilio's routes as an ASGI application: ``app.mount("/twilio", AsgiApp(worker))``.

    Below where it is mounted: ``voice`` (the number's webhook), ``media``, ``dialled`` and ``status``. The
    worker must be running (`worker_lifespan`).
    """

    def __init__(self, worker: Worker) -> None:
        self._door = TwilioDoor(worker)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request or websocket."""
        if scope["type"] == "http":
            await self._webhook(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._media(scope, receive, send)

    async def _webhook(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None or scope["method"] not in ("GET", "POST"):
            answer = Answer(413 if body is None else 405, "", "text/plain")
        else:
            form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
            answer = await self._door.answer(
                Webhook(
                    target=_target(scope),
                    host=_header(scope, b"host") or "",
                    peer=_peer(scope),
                    signature=_header(scope, b"x-twilio-signature"),
                    form=dict(form),
                )
            )
        content_type = f"{answer.content_type}; charset=utf-8".encode()
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(b"content-type", content_type)],
            }
        )
        await send({"type": "http.response.body", "body": answer.body.encode()})

    async def _media(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        signature = _header(scope, b"x-twilio-signature")
        await receive()
        if not self._door.accepts_stream(_target(scope), _peer(scope), signature):
            await send({"type": "websocket.close", "code": 1008})  # before accept: HTTP 403
            return
        await send({"type": "websocket.accept"})
        writer = WebSocketWriter(
            lambda text: send({"type": "websocket.send", "text": text}),
            lambda code: send({"type": "websocket.close", "code": code}),
        )
        stream = self._door.open_stream(writer)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                stream.receive(message.get("text") or message.get("bytes") or b"")
        finally:
            stream.lost()
            writer.lost()
            await writer.closed()


@asynccontextmanager
async def worker_lifespan(worker: Worker, drain: float = 60.0) -> AsyncIterator[None]:
    """Run ``worker`` while the application runs: ``FastAPI(lifespan=lambda app: worker_lifespan(worker))``.

    ASGI servers close all websockets before they tell the application to shut down. So that calls need not
    die of that, SIGTERM and SIGINT first drain the worker for up to ``drain`` seconds, and only then reach
    the server. A second signal reaches it at once.
    """
    async with worker:
        with _signals_drain_first(worker, drain):
            yield


class _signals_drain_first:  # noqa: N801 - reads as the statement it is used in
    """Takes the server's signal handlers for a while; gives each signal on when the worker is drained."""

    def __init__(self, worker: Worker, drain: float) -> None:
        self._worker = worker
        self._drain = drain
        self._loop = asyncio.get_running_loop()
        self._previous: dict[int, Any] = {}
        self._draining: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._previous[number] = signal.signal(number, self._signalled)
            except ValueError:  # not the main thread: the server has no signal handlers there either
                return

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._signalled:
                signal.signal(number, previous)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        if self._draining is None:
            self._draining = self._loop.create_task(self._drain_then(number))
        else:
            self._pass_on(number)

    async def _drain_then(self, number: int) -> None:
        await self._worker.drain(self._drain)
        self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        self.__exit__()
        signal.raise_signal(number)


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None if it is longer than `LONGEST_FORM`."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LONGEST_FORM:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _target(scope: MutableMapping[str, Any]) -> str:
    """The path as it was asked for, with the query string."""
    raw: bytes | None = scope.get("raw_path")
    path = raw.split(b"?")[0].decode("latin-1") if raw else scope["path"]
    query: str = scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


def _header(scope: MutableMapping[str, Any], name: bytes) -> str | None:
    value: bytes | None = next((value for key, value in scope["headers"] if key == name), None)
    return None if value is None else value.decode("latin-1")


def _peer(scope: MutableMapping[str, Any]) -> str:
    client = scope.get("client")
    return client[0] if client else ""
