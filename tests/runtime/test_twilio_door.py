"""The door: what webhooks are answered, and who may come in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from engine.agent import Agent
from engine.core.events import TransferNow
from engine.core.notes import EndReason
from engine.runtime.admission import Refusal
from engine.runtime.registry import Providers
from engine.runtime.twilio_door import Answer, TwilioDoor, Webhook
from engine.runtime.worker import Settings, Worker
from tests.runtime.phones import InstantPhone
from tests.stand_ins import PIECE, TwilioApi, greeter, settings, signature, stand_ins, stream_of, twilio_api

PUBLIC = "https://voice.example.com"


class Bench:
    def __init__(self, worker: Worker, api: TwilioApi) -> None:
        self.worker = worker
        self.api = api
        self.door = TwilioDoor(worker)

    async def ask(self, target: str, **form: str) -> Answer:
        """A signed webhook."""
        signed = signature(PUBLIC + target, form)
        return await self.door.answer(Webhook(target, "127.0.0.1:80", "10.0.0.1", signed, form))

    async def call(self) -> InstantPhone:
        """A call whose greeting was heard."""
        _, token = stream_of(ElementTree.fromstring((await self.ask("/twilio/voice", CallSid="CA1")).body))
        phone = InstantPhone(self.door, token=token)
        await phone.played(PIECE)
        return phone


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    providers = stand_ins("yes")
    async with twilio_api() as api, Worker(greeter(), settings(api.base), providers=providers) as worker:
        yield Bench(worker, api)


async def test_the_stream_and_its_siblings_lie_beside_the_webhook(bench: Bench) -> None:
    answer = await bench.ask("/any/where/voice?agent=7", CallSid="CA1")
    path, _ = stream_of(ElementTree.fromstring(answer.body))
    assert path == "/any/where/media"


async def test_a_webhook_by_get_says_its_values_in_the_query(bench: Bench) -> None:
    assert (await bench.ask("/twilio/voice?CallSid=CA5")).status == 200
    assert (await bench.ask("/twilio/voice?CallSid=CA5")).status == 200
    assert len(bench.worker.sessions) == 1


async def test_a_new_agent_is_made_while_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[Agent] = []

    def build(agent: Agent) -> Providers:
        made.append(agent)
        begun.set()
        assert go_on.wait(10)
        return stand_ins()

    monkeypatch.setattr("engine.runtime.outfit.build", build)
    async with Worker(lambda to, from_: greeter(), Settings(insecure=True)) as worker:
        door = TwilioDoor(worker)
        asked = Webhook("/twilio/voice", "127.0.0.1:80", "127.0.0.1", None, {"CallSid": "CA1"})
        answers = [asyncio.ensure_future(door.answer(asked)) for _ in range(2)]
        assert await asyncio.to_thread(begun.wait, 10)
        assert not any(answer.done() for answer in answers) and worker.sessions == {}
        go_on.set()
        assert {(await answer).status for answer in answers} == {200}
        assert len(worker.sessions) == 1, "asked twice, it is one call"
        again = replace(asked, form={"CallSid": "CA2"})
        assert (await door.answer(again)).status == 200
        assert len(made) == 1 and len(worker.sessions) == 2


async def test_an_agent_that_cannot_be_made_refuses_the_call(caplog: pytest.LogCaptureFixture) -> None:
    agent = greeter(tools=[{"name": "look", "handler": "nowhere:look"}])
    async with Worker(lambda to, from_: agent, Settings(insecure=True), providers=stand_ins()) as worker:
        asked = Webhook("/twilio/voice", "127.0.0.1:80", "127.0.0.1", None, {"CallSid": "CA1"})
        assert "<Reject" in (await TwilioDoor(worker).answer(asked)).body
        assert worker.sessions == {} and worker.admission.refused == {Refusal.NO_AGENT: 1}
    assert "nowhere" in caplog.text


async def test_the_carriers_word_that_the_call_is_over_ends_it(bench: Bench) -> None:
    await bench.call()
    (session,) = bench.worker.sessions.values()
    assert (await bench.ask("/twilio/status", CallSid="CA1", CallStatus="in-progress")).status == 204
    assert not session.closed
    await bench.ask("/twilio/status", CallSid="CA1", CallStatus="completed")
    assert session.reason is EndReason.CALLER_HUNG_UP
    assert (await bench.ask("/twilio/status", CallSid="CA9", CallStatus="completed")).status == 204


async def test_a_transfer_that_fails_brings_the_caller_back_to_the_agent(bench: Bench) -> None:
    phone = await bench.call()
    (session,) = bench.worker.sessions.values()
    session.dispatch(TransferNow("+15550123"))
    await bench.api.asked.wait()
    twiml = ElementTree.fromstring(bench.api.requests[0][1]["Twiml"])
    dial = twiml.find("Dial")
    assert dial is not None
    assert dial.attrib["action"] == PUBLIC + "/twilio/dialled"
    phone.send("stop")
    answer = await bench.ask("/twilio/dialled", CallSid="CA1", DialCallStatus="busy")
    _, token = stream_of(ElementTree.fromstring(answer.body))
    again = InstantPhone(bench.door, token=token)
    await again.played(PIECE)
    assert session.reason is None
    again.say()
    await again.played(2 * PIECE)
    again.send("stop")


async def test_a_transfer_that_was_answered_ends_the_call(bench: Bench) -> None:
    phone = await bench.call()
    (session,) = bench.worker.sessions.values()
    session.dispatch(TransferNow("+15550123"))
    await bench.api.asked.wait()
    phone.send("stop")
    answer = await bench.ask("/twilio/dialled", CallSid="CA1", DialCallStatus="completed")
    assert ElementTree.fromstring(answer.body).find("Hangup") is not None
    await session.wait_closed()
    assert session.reason is EndReason.TRANSFERRED


async def test_a_dial_of_a_call_that_is_gone_ends_there(bench: Bench) -> None:
    answer = await bench.ask("/twilio/dialled", CallSid="CA9", DialCallStatus="busy")
    assert ElementTree.fromstring(answer.body).find("Hangup") is not None


async def test_a_signature_is_good_for_its_own_request_only(bench: Bench) -> None:
    signed = signature(PUBLIC + "/twilio/voice", {"CallSid": "CA1"})
    for target, form in (
        ("/twilio/voice", {"CallSid": "CA2"}),
        ("/twilio/status", {"CallSid": "CA1"}),
        ("/twilio/voice?x=1", {"CallSid": "CA1"}),
    ):
        refused = await bench.door.answer(Webhook(target, "", "127.0.0.1", signed, form))
        assert refused.status == 403
    own = Webhook("/twilio/voice", "", "127.0.0.1", signed, {"CallSid": "CA1"})
    assert (await bench.door.answer(own)).status == 200


@pytest.mark.parametrize(
    ("peer", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.1", 403), ("", 403), ("localhost", 403)]
)
async def test_the_insecure_mode_lets_in_this_machine_only(peer: str, status: int) -> None:
    async with Worker(greeter(), Settings(insecure=True, most_lag=None), providers=stand_ins()) as worker:
        door = TwilioDoor(worker)
        answer = await door.answer(Webhook("/twilio/voice", "127.0.0.1:8000", peer, None, {"CallSid": "CA1"}))
        assert answer.status == status
        assert door.accepts_stream("/twilio/media", peer, None) is (status == 200)
        if status == 200:
            assert "ws://127.0.0.1:8000/twilio/media" in answer.body


@pytest.mark.parametrize(
    ("more", "twiml"),
    [
        ({}, '<Reject reason="busy" />'),
        ({"refusal": "All lines are busy."}, "<Say>All lines are busy.</Say><Hangup />"),
        ({"overflow": "https://b.example/v"}, '<Redirect method="POST">https://b.example/v</Redirect>'),
        ({"overflow": "+15550100"}, '<Dial timeout="30"><Number>+15550100</Number></Dial>'),
        ({"overflow": "sip:a@b.example"}, '<Dial timeout="30"><Sip>sip:a@b.example</Sip></Dial>'),
    ],
)
async def test_a_call_that_there_is_no_room_for(more: dict[str, str], twiml: str) -> None:
    limited = Settings(insecure=True, most_lag=None, most_calls=1, **more)  # type: ignore[arg-type]
    async with Worker(greeter(), limited, providers=stand_ins()) as worker:
        door = TwilioDoor(worker)

        async def ring(sid: str) -> str:
            asked = Webhook("/twilio/voice", "127.0.0.1:80", "127.0.0.1", None, {"CallSid": sid})
            return (await door.answer(asked)).body

        first = await ring("CA1")
        assert twiml in await ring("CA2")
        assert worker.admission.refused == {Refusal.FULL: 1}
        assert "<Connect>" in await ring("CA1"), "a call that has its slot"
        phone = InstantPhone(door, token=stream_token(first))
        await phone.played(PIECE)
        phone.send("stop")


def stream_token(twiml: str) -> str:
    parameter = ElementTree.fromstring(twiml).find("Connect/Stream/Parameter")
    assert parameter is not None
    return parameter.attrib["value"]


async def test_keys_go_out_in_a_seam_that_the_call_survives(bench: Bench) -> None:
    phone = await bench.call()
    (session,) = bench.worker.sessions.values()
    assert await session.leg.press("1") == "ok"
    twiml = ElementTree.fromstring(bench.api.requests[0][1]["Twiml"])
    assert [child.tag for child in twiml] == ["Play", "Connect"]
    phone.stream.lost()
    again = InstantPhone(bench.door, token=stream_of(twiml)[1])
    again.say()
    await again.played(PIECE)
    again.send("stop")
    await session.wait_closed()
    assert session.reason is EndReason.CALLER_HUNG_UP


async def test_a_stream_that_comes_when_its_call_is_over_is_turned_away(bench: Bench) -> None:
    _, token = stream_of(ElementTree.fromstring((await bench.ask("/twilio/voice", CallSid="CA1")).body))
    await bench.ask("/twilio/status", CallSid="CA1", CallStatus="canceled")
    assert InstantPhone(bench.door, token=token).closed == 1008
