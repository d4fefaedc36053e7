"""Bare websocket echo servers: what the sockets of a call cost where nothing is done with them.

    python -m benchmarks.echo --library picows

Every media message is parsed (orjson), its base64 decoded, and the same audio goes back as a media message:
50 messages in and 50 out a second and call. The address is printed as a JSON line; it serves until its
standard input is closed.
"""

from __future__ import annotations

import argparse
import sys
from binascii import a2b_base64
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import orjson
import uvloop

from engine.wire.twilio_stream import Encoder
from fixtures.told import commands, tell

_ENCODER = Encoder("MZ" + "0" * 32)


def answer(text: str | bytes) -> str | None:
    """The message that goes back; None for what is no audio."""
    message = orjson.loads(text)
    if message["event"] != "media":
        return None
    return _ENCODER.media(a2b_base64(message["media"]["payload"]))


async def with_picows() -> int:
    """Serve with picows; the port."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

    class Listener(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type is WSMsgType.CLOSE:
                transport.disconnect()
            elif (back := answer(frame.get_payload_as_bytes())) is not None:
                transport.send(WSMsgType.TEXT, back.encode())

    server = await ws_create_server(lambda request: Listener(), "127.0.0.1", 0, use_aiofastnet=False)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def with_aiohttp() -> int:
    """Serve with aiohttp; the port."""
    from aiohttp import web

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is not web.WSMsgType.TEXT:
                break
            if (back := answer(message.data)) is not None:
                await socket.send_str(back)
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    return port


async def with_websockets() -> int:
    """Serve with websockets; the port."""
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed

    async def echo(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in socket:
                if (back := answer(text)) is not None:
                    await socket.send(back)

    server = await serve(echo, "127.0.0.1", 0, compression=None)
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


LIBRARIES: dict[str, Callable[[], Awaitable[int]]] = {
    "picows": with_picows,
    "aiohttp": with_aiohttp,
    "websockets": with_websockets,
}


async def _main(library: str) -> None:
    tell(url=f"ws://127.0.0.1:{await LIBRARIES[library]()}/")
    async for _ in commands():
        pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the standard input is closed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.echo")
    parser.add_argument("--library", choices=LIBRARIES, required=True)
    uvloop.run(_main(parser.parse_args(arguments).library))
    return 0


if __name__ == "__main__":
    sys.exit(main())
