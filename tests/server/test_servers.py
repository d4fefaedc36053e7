"""The same calls through each of the four servers, over real sockets."""

from __future__ import annotations

import aiohttp
import pytest

from engine.core.notes import EndReason
from engine.runtime.worker import Worker
from tests.server.conftest import Serve
from tests.stand_ins import GREETING, PIECE, greeter, settings, stand_ins, twilio_api

POLICY_VIOLATION = 1008


async def test_a_whole_call(serve: Serve) -> None:
    providers = stand_ins("good morning")
    async with twilio_api() as api:
        worker = Worker(greeter(), settings(api.base), providers=providers)
        async with serve(worker) as twilio:
            phone = await twilio.call()
            await phone.listen(PIECE)
            await phone.say()
            await phone.listen(2 * PIECE)
            (session,) = worker.sessions.values()
            await phone.hang_up()
            await session.wait_closed()
    assert session.reason is EndReason.CALLER_HUNG_UP
    said = [(message.role, message.text) for message in session.call.messages]
    assert said == [
        ("assistant", GREETING),
        ("user", "good morning"),
        ("assistant", "You said good morning."),
    ]
    assert providers.transcriber.streams[0].fed.startswith(b"\xff")
    assert [stream.closed for stream in (*providers.transcriber.streams, *providers.voice.streams)] == [1, 1]


async def test_the_agent_hangs_up_at_the_carrier(serve: Serve) -> None:
    agent = greeter(ending={"phrases": ["this is the test"]})
    async with twilio_api() as api:
        worker = Worker(agent, settings(api.base), providers=stand_ins())
        async with serve(worker) as twilio:
            phone = await twilio.call("CA7")
            (session,) = worker.sessions.values()
            await phone.listen_to_end()
            await session.wait_closed()
        assert session.reason is EndReason.AGENT_HUNG_UP
        assert [form for path, form in api.requests if "/Calls/CA7" in path] == [{"Status": "completed"}]


@pytest.mark.parametrize("token", ["wrong", None])
async def test_a_stream_without_the_token_is_turned_away(serve: Serve, token: str | None) -> None:
    providers = stand_ins()
    worker = Worker(greeter(), settings(), providers=providers)
    async with serve(worker) as twilio:
        phone = await twilio.open("/twilio/media", token)
        assert await phone.listen_to_end() == POLICY_VIOLATION
        assert not worker.sessions
    assert not providers.transcriber.streams
    assert not providers.voice.streams


async def test_a_token_is_good_once(serve: Serve) -> None:
    worker = Worker(greeter(), settings(), providers=stand_ins())
    async with serve(worker) as twilio:
        path, token = await twilio.ring()
        first = await twilio.open(path, token)
        await first.listen(PIECE)
        second = await twilio.open(path, token)
        assert await second.listen_to_end() == POLICY_VIOLATION
        assert len(worker.sessions) == 1
        await first.hang_up()
        await first.listen_to_end()


async def test_an_upgrade_that_is_not_signed_is_refused(serve: Serve) -> None:
    providers = stand_ins()
    worker = Worker(greeter(), settings(), providers=providers)
    async with serve(worker) as twilio:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await twilio.open("/twilio/media", None, signed=False)
        assert refused.value.status == 403


@pytest.mark.parametrize("signed", ["", "bm9uc2Vuc2U="])
async def test_a_webhook_that_is_not_signed_is_refused(serve: Serve, signed: str) -> None:
    providers = stand_ins()
    worker = Worker(greeter(), settings(), providers=providers)
    async with serve(worker) as twilio:
        status, twiml = await twilio.ask("/twilio/voice", {"CallSid": "CA1"}, signed)
        assert (status, twiml) == (403, None)
        assert not worker.sessions
    assert not providers.transcriber.streams


async def test_a_webhook_asked_twice_is_one_call(serve: Serve) -> None:
    worker = Worker(greeter(), settings(), providers=stand_ins())
    async with serve(worker) as twilio:
        (_, first), (path, second) = await twilio.ring("CA1"), await twilio.ring("CA1")
        assert first != second
        assert len(worker.sessions) == 1
        phone = await twilio.open(path, second)
        await phone.listen(PIECE)
        await phone.hang_up()
        await phone.listen_to_end()


async def test_a_call_survives_malformed_messages(serve: Serve) -> None:
    worker = Worker(greeter(), settings(), providers=stand_ins())
    async with serve(worker) as twilio:
        phone = await twilio.call()
        (session,) = worker.sessions.values()
        for nonsense in ("", "{", "[]", '{"event": 7}', '{"event": "media"}', "x" * 100_000):
            await phone.websocket.send_str(nonsense)
        await phone.websocket.send_bytes(b"\x00\xff")
        await phone.listen(PIECE)
        await phone.hang_up()
        await session.wait_closed()
        assert session.reason is EndReason.CALLER_HUNG_UP


@pytest.mark.parametrize("how", ["closed", "aborted"])
async def test_a_socket_that_breaks_is_a_seam_that_a_new_stream_closes(
    serve: Serve, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(greeter(), settings(), providers=stand_ins("are you there"))
    async with serve(worker) as twilio:
        phone = await twilio.call()
        await phone.listen(PIECE)
        if how == "closed":
            await phone.websocket.close()
        else:
            phone.abort()
        path, token = await twilio.ring()
        (session,) = worker.sessions.values()
        again = await twilio.open(path, token)
        await again.say()
        await again.listen(PIECE)
        await again.hang_up()
        await session.wait_closed()
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []
        assert ("user", "are you there") in [(m.role, m.text) for m in session.call.messages]
        assert session.reason is EndReason.CALLER_HUNG_UP


async def test_a_worker_that_drains_refuses_new_calls_and_ends_its_own(serve: Serve) -> None:
    async with twilio_api() as api:
        worker = Worker(greeter(), settings(api.base), providers=stand_ins())
        async with serve(worker) as twilio:
            phone = await twilio.call()
            await phone.listen(PIECE)
            (session,) = worker.sessions.values()
            assert await worker.drain(0) == 0
            assert session.reason is EndReason.DRAINED
            await phone.listen_to_end()
            status, twiml = await twilio.ask("/twilio/voice", {"CallSid": "CA2"})
            assert status == 200 and twiml is not None and twiml.find("Reject") is not None


async def test_another_path_is_not_found(serve: Serve) -> None:
    worker = Worker(greeter(), settings(), providers=stand_ins())
    async with serve(worker) as twilio:
        status, _ = await twilio.ask("/twilio/nothing", {})
        assert status == 404
