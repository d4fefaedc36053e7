"""The least that holds a call on the `websockets` library: every frame is decoded, looked at and sent back.

No vendor, no decision: what it costs is what the socket and the messages cost. Prints the address of its
voice webhook.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from contextlib import suppress

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from engine.audio.level import level_dbfs


async def echo(socket: ServerConnection) -> None:
    """One call."""
    with suppress(ConnectionClosed):
        await _answer(socket)


async def _answer(socket: ServerConnection) -> None:
    stream = ""
    async for text in socket:
        message = json.loads(text)
        if message["event"] == "start":
            stream = message["streamSid"]
        elif message["event"] == "media":
            frame = b64decode(message["media"]["payload"])
            level_dbfs(frame)
            media = {"payload": b64encode(frame).decode()}
            await socket.send(json.dumps({"event": "media", "streamSid": stream, "media": media}))


async def run() -> None:
    """Serve until the process is ended."""
    async with serve(echo, "127.0.0.1", 0, compression=None) as media:
        port = next(iter(media.sockets)).getsockname()[1]
        twiml = f'<Response><Connect><Stream url="ws://127.0.0.1:{port}/"/></Connect></Response>'

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(twiml)}\r\nConnection: close\r\n\r\n"
            writer.write((head + twiml).encode())
            await writer.drain()
            writer.close()

        webhook = await asyncio.start_server(answer, "127.0.0.1", 0)
        print(f"http://127.0.0.1:{webhook.sockets[0].getsockname()[1]}/", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
