"""Two workers that share their calls' webhooks and streams, each behind a port of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest
from aiohttp import web

from engine.core.notes import EndReason
from engine.runtime.admission import Refusal
from engine.runtime.worker import Worker
from engine.server.commons import Place
from engine.server.connections import Connections
from engine.server.metrics import Metrics
from engine.server.peers import Peers
from engine.server.standalone import listen, make_app
from tests.stand_ins import PIECE, Twilio, greeter, settings, stand_ins, twilio_api

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="workers share a port on POSIX only")


class Member:
    """One of the workers, its port, and Twilio towards that port."""

    def __init__(self, number: int, folder: Path, http: aiohttp.ClientSession, api: str) -> None:
        self.place = Place(number, 2, folder)
        self.metrics = Metrics()
        self.worker = Worker(
            greeter(),
            settings(api, most_calls=2),
            providers=stand_ins("good morning"),
            lag=lambda seconds: self.peers.publish(),
        )
        self.peers = Peers(self.place, self.worker, self.metrics)
        self.listener = listen("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        self.twilio = Twilio(http, self.port)
        self.alone = AsyncExitStack()
        """What the worker needs to be reached by the other one."""

    async def enter(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self.worker)
        app = make_app(self.worker, self.metrics, self.peers)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None
        await stack.enter_async_context(self.alone)
        await self.alone.enter_async_context(self.peers)
        await self.alone.enter_async_context(Connections(self.place, self.listener, runner.server))


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Member, Member]]:
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            api = await stack.enter_async_context(twilio_api())
            first, second = (Member(number, Path(folder), http, api.base) for number in range(2))
            await first.enter(stack)
            await second.enter(stack)
            yield first, second


async def get(member: Member, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{member.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize("lands", [0, 1])
async def test_a_stream_reaches_its_call_wherever_it_lands(pair: tuple[Member, Member], lands: int) -> None:
    path, token = await pair[0].twilio.ring("CA1")
    assert path == "/twilio/media/0"
    (session,) = pair[0].worker.sessions.values()
    phone = await pair[lands].twilio.open(path, token)
    await phone.listen(PIECE)
    await phone.say()
    await phone.listen(2 * PIECE)
    await phone.hang_up()
    await session.wait_closed()
    assert session.reason is EndReason.CALLER_HUNG_UP
    assert not pair[1].worker.sessions


async def test_a_new_call_goes_to_the_worker_with_the_fewest(pair: tuple[Member, Member]) -> None:
    first, second = pair
    for number in range(4):
        await first.twilio.ring(f"CA{number}")
    assert [len(member.worker.sessions) for member in pair] == [2, 2]
    assert 'engine_slots_reserved{worker="1"} 2.0' in (await get(first, "/metrics"))[1]
    assert (await get(first, "/readyz"))[0] == 503
    for session in [*first.worker.sessions.values(), *second.worker.sessions.values()]:
        assert not session.joined


async def test_it_is_refused_only_where_all_are_full_and_counted_once(pair: tuple[Member, Member]) -> None:
    first, second = pair
    for number in range(4):
        await second.twilio.ring(f"CA{number}")
    status, twiml = await first.twilio.ask("/twilio/voice", {"CallSid": "CA9"})
    assert status == 200 and twiml is not None and twiml.find("Reject") is not None
    refused = first.worker.admission.refused + second.worker.admission.refused
    assert refused == {Refusal.FULL: 1}
    session = next(iter(second.worker.sessions.values()))
    await first.twilio.ask("/twilio/status", {"CallSid": call_of(second, session), "CallStatus": "canceled"})
    await session.wait_closed()
    path, _ = await first.twilio.ring("CA9")
    assert path == "/twilio/media/1"


async def test_the_room_of_a_worker_that_fills_up_at_that_moment_is_not_believed(
    pair: tuple[Member, Member],
) -> None:
    first, second = pair
    await first.twilio.ring("CA1")
    second.worker.admission.draining = True  # and its row on the board still says that it takes calls
    path, _ = await first.twilio.ring("CA2")
    assert path == "/twilio/media/0"
    assert not second.worker.admission.refused


async def test_word_of_a_calls_end_reaches_its_worker(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await first.twilio.ring("CA1")
    (session,) = first.worker.sessions.values()
    await second.twilio.ask("/twilio/status", {"CallSid": "CA1", "CallStatus": "completed"})
    await session.wait_closed()
    assert session.reason is EndReason.CALLER_HUNG_UP


async def test_a_webhook_that_is_asked_again_elsewhere_is_one_call(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await first.twilio.ring("CA1")
    path, token = await second.twilio.ring("CA1")
    assert path == "/twilio/media/0"
    assert not second.worker.sessions
    phone = await second.twilio.open(path, token)
    await phone.listen(PIECE)
    await phone.hang_up()


async def test_strangers_are_turned_away_wherever_they_land(pair: tuple[Member, Member]) -> None:
    first, second = pair
    path, token = await first.twilio.ring("CA1")
    assert (await second.twilio.ask("/twilio/voice", {"CallSid": "CA2"}, "wrong"))[0] == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await second.twilio.open(path, token, signed=False)
    assert refused.value.status == 403
    phone = await second.twilio.open(path, "another")
    assert await phone.listen_to_end() == 1008
    assert not second.worker.sessions


async def test_a_worker_that_is_gone_takes_its_streams_along_and_nothing_else(
    pair: tuple[Member, Member],
) -> None:
    first, second = pair
    path, token = await first.twilio.ring("CA1")
    await first.alone.aclose()
    with pytest.raises(aiohttp.ClientError):
        await second.twilio.open(path, token)
    assert (await second.twilio.ask("/twilio/status", {"CallSid": "CA1", "CallStatus": "completed"}))[
        0
    ] == 204
    path, token = await second.twilio.ring("CA2")
    assert path == "/twilio/media/1"
    assert 'engine_slots_taken{worker="1"} 1.0' in (await get(second, "/metrics"))[1]


async def test_a_first_line_may_come_in_pieces(pair: tuple[Member, Member]) -> None:
    first, second = pair
    await first.worker.drain(0)
    with socket.create_connection(("127.0.0.1", second.port)) as peer:
        peer.setblocking(False)
        loop = asyncio.get_running_loop()
        for piece in (b"GET /twilio/me", b"dia/0 HT", b"TP/1.1\r\nHost: x\r\n\r\n"):
            await loop.sock_sendall(peer, piece)
            await get(second, "/healthz")  # a round trip, so that the piece has been looked at
        assert b"403" in await loop.sock_recv(peer, 100)


def call_of(member: Member, session: object) -> str:
    """Twilio's name of a call."""
    return next(f"CA{n}" for n in range(4) if member.peers.door.session_of(f"CA{n}") is session)
