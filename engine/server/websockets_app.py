"""The engine on a bare server of the ``websockets`` library: webhook and media socket on one port.

That library reads GET requests only, so the number's webhook must be set to GET.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from engine.runtime.socket import WebSocketWriter
from engine.runtime.twilio_door import TwilioDoor, Webhook
from engine.runtime.worker import Worker

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response


class WebSocketsApp:
    """What ``websockets.asyncio.server.serve`` wants: ``serve(app, process_request=app.process_request)``.

    ``voice`` (the number's webhook), ``dialled`` and ``status`` are answered under any prefix, and every
    other path that is asked for as a websocket is the media socket.
    """

    def __init__(self, worker: Worker) -> None:
        self._door = TwilioDoor(worker)

    async def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a webhook, or let a media socket through."""
        signature = request.headers.get("X-Twilio-Signature")
        peer = str(connection.remote_address[0])
        if "Upgrade" in request.headers:
            if self._door.accepts_stream(request.path, peer, signature):
                return None
            return connection.respond(403, "Twilio's signature is missing or wrong\n")
        answer = await self._door.answer(
            Webhook(
                target=request.path,
                host=request.headers.get("Host", ""),
                peer=peer,
                signature=signature,
                form={},
            )
        )
        response = connection.respond(answer.status, answer.body)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = f"{answer.content_type}; charset=utf-8"
        return response

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve one media socket to its end."""
        from websockets.exceptions import ConnectionClosedError

        writer = WebSocketWriter(connection.send, connection.close)
        stream = self._door.open_stream(writer)
        try:
            with suppress(ConnectionClosedError):
                async for message in connection:
                    stream.receive(message)
        finally:
            stream.lost()
            writer.lost()
            await writer.closed()
