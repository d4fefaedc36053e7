"""The websocket writer: order, closing, and peers that take nothing."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from engine.runtime.socket import BACKLOG, WebSocketWriter
from tests.stand_ins import listening


class Peer:
    """Takes messages while ``open`` is set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.taken: list[str] = []
        self.closed: list[int] = []
        self.took = asyncio.Event()

    async def send(self, text: str) -> None:
        await self.open.wait()
        self.taken.append(text)
        self.took.set()

    async def close(self, code: int) -> None:
        self.closed.append(code)


async def test_messages_go_out_in_order_and_closing_comes_last() -> None:
    peer = Peer()
    writer = WebSocketWriter(peer.send, peer.close)
    for text in "abc":
        writer.send_text(text)
    writer.close(1008)
    writer.close(1000)
    writer.send_text("too late")
    await writer.closed()
    assert (peer.taken, peer.closed) == (["a", "b", "c"], [1008])


async def test_a_writer_sleeps_until_there_is_more() -> None:
    peer = Peer()
    writer = WebSocketWriter(peer.send, peer.close)
    writer.send_text("one")
    await peer.took.wait()
    writer.send_text("two")
    writer.close()
    await writer.closed()
    assert peer.taken == ["one", "two"]


async def test_a_peer_that_takes_nothing_is_told_of_again_and_again() -> None:
    peer = Peer()
    peer.open.clear()
    writer = WebSocketWriter(peer.send, peer.close, stall=20)
    waited: asyncio.Queue[int] = asyncio.Queue()
    writer.stalled = waited.put_nowait
    writer.send_text("one")
    first, second = await waited.get(), await waited.get()
    assert 20 <= first < second


async def test_a_peer_that_takes_everything_is_never_told_of() -> None:
    peer = Peer()
    writer = WebSocketWriter(peer.send, peer.close, stall=1)
    told: list[int] = []
    writer.stalled = told.append
    for _ in range(200):
        writer.send_text("x")
        await asyncio.sleep(0)
    writer.close()
    await writer.closed()
    assert len(peer.taken) == 200
    assert told == []


async def test_what_waits_for_a_peer_is_bounded() -> None:
    peer = Peer()
    peer.open.clear()
    writer = WebSocketWriter(peer.send, peer.close)
    told: list[int] = []
    writer.stalled = told.append
    text = "x" * 1000
    for _ in range(BACKLOG // 1000 + 50):
        writer.send_text(text)
    assert 0 < len(told) < 50
    peer.open.set()
    writer.close()
    await writer.closed()
    assert len(peer.taken) + len(told) == BACKLOG // 1000 + 50


async def test_closing_does_not_wait_for_a_peer_that_takes_nothing() -> None:
    peer = Peer()
    peer.open.clear()
    writer = WebSocketWriter(peer.send, peer.close, stall=10)
    writer.send_text("one")
    writer.close()
    await writer.closed()
    assert peer.taken == []


async def test_a_peer_that_is_gone_ends_the_writer() -> None:
    async def send(text: str) -> None:
        raise ConnectionResetError

    peer = Peer()
    writer = WebSocketWriter(send, peer.close)
    writer.send_text("one")
    await writer.closed()
    writer.send_text("two")
    writer.close()
    await writer.closed()
    assert peer.closed == []


async def test_a_real_peer_that_stops_reading_is_noticed() -> None:
    told = asyncio.get_running_loop().create_future()

    async def media(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(compress=False, writer_limit=1024)
        await websocket.prepare(request)
        transport = request.transport
        assert transport is not None
        transport.set_write_buffer_limits(high=1024)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer = WebSocketWriter(websocket.send_str, lambda code: websocket.close(code=code), stall=50)
        writer.stalled = told.set_result
        for _ in range(200):
            writer.send_text("x" * 1000)
        await told
        writer.lost()
        transport.abort()
        return websocket

    app = web.Application()
    app.router.add_get("/", media)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with listening(app) as port:
            deaf.connect(("127.0.0.1", port))
            deaf.sendall(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert await told >= 50
