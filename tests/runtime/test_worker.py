"""The worker: many calls, the files of a call, draining, and everything given back."""

from __future__ import annotations

import asyncio
import gc
import json
import wave
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.agent import Agent
from engine.agent.problems import SHORTEST
from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.notes import Closed, EndReason
from engine.errors import EngineError
from engine.observe.replay import replay
from engine.runtime.admission import Refusal
from engine.runtime.carrier import StreamOnlyLeg
from engine.runtime.lag import SAMPLES
from engine.runtime.session import Listener, Session
from engine.runtime.twilio_door import TwilioDoor
from engine.runtime.worker import Caller, Settings, Worker
from tests.runtime.phones import InstantPhone
from tests.stand_ins import GREETING, PIECE, greeter, stand_ins

INSECURE = Settings(insecure=True, most_lag=None)
ONE_CALL = Settings(insecure=True, most_lag=None, most_calls=1)


async def hold_a_call(door: TwilioDoor) -> None:
    """Greeting, one turn, one answer, hang-up."""
    phone = InstantPhone(door, token=None)
    await phone.played(PIECE)
    phone.say()
    await phone.played(2 * PIECE)
    phone.send("stop")


async def test_two_hundred_calls_leave_nothing_behind() -> None:
    providers = stand_ins("good morning")
    async with Worker(greeter(), INSECURE, providers=providers) as worker:
        door = TwilioDoor(worker)
        await hold_a_call(door)  # what is made once is made now
        await asyncio.gather(*(session.wait_closed() for session in worker.sessions.values()))
        tasks = len(asyncio.all_tasks())
        for _ in range(20):
            await asyncio.gather(*(hold_a_call(door) for _ in range(10)))
            await asyncio.gather(*(session.wait_closed() for session in list(worker.sessions.values())))
        assert worker.sessions == {}
        assert len(asyncio.all_tasks()) == tasks
        opened = [*providers.transcriber.streams, *providers.voice.streams]
        assert len(opened) == 402
        assert {stream.closed for stream in opened} == {1}
        assert len(providers.model.asked) == 201
        gc.collect()
        assert [each for each in gc.get_objects() if isinstance(each, Session)] == []
    assert providers.transcriber.closed and providers.model.closed and providers.voice.closed


async def test_a_call_leaves_its_files(tmp_path: Path) -> None:
    settings = Settings(insecure=True, most_lag=None, calls=tmp_path)
    agent = greeter(record={"audio": True}, metadata={"shop": 7})
    async with Worker(agent, settings, providers=stand_ins("good morning")) as worker:
        await hold_a_call(TwilioDoor(worker))
        (session,) = worker.sessions.values()
        await session.wait_closed()
    folder = tmp_path / session.call_id
    names = ["journal.jsonl", "record.json", "recording.wav", "report.html", "transcript.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    record = json.loads((folder / "record.json").read_text())
    assert record["end"]["reason"] == "caller_hung_up"
    assert record["metadata"] == {"shop": 7}
    assert sorted(record["files"]) == names
    said = {line["text"]: line["role"] for line in json.loads((folder / "transcript.json").read_text())}
    assert said == {GREETING: "assistant", "good morning": "user", "You said good morning.": "assistant"}
    with wave.open(str(folder / "recording.wav")) as recording:
        assert recording.getnchannels() == 2
        assert 0 <= recording.getnframes() - round(record["duration"] * 8000) <= 500 * 8  # played in no time
        assert any(recording.readframes(recording.getnframes()))
    assert replay(folder / "journal.jsonl").same


async def test_a_transcriber_that_refuses_is_asked_again_and_the_call_goes_on() -> None:
    providers = stand_ins("good morning", refusals=1)
    async with Worker(greeter(), INSECURE, providers=providers) as worker:
        door = TwilioDoor(worker)
        phone = InstantPhone(door, token=None)
        await phone.played(PIECE)
        await providers.transcriber.opened.get()
        phone.say()
        await phone.played(2 * PIECE)
        (session,) = worker.sessions.values()
        phone.send("stop")
        await session.wait_closed()
        assert session.reason is EndReason.CALLER_HUNG_UP


async def test_calls_beyond_the_most_are_refused() -> None:
    async with Worker(greeter(), ONE_CALL, providers=stand_ins()) as worker:
        door = TwilioDoor(worker)
        first = InstantPhone(door, token=None)
        second = InstantPhone(door, token=None)
        assert (first.closed, second.closed) == (None, 1013)
        assert len(worker.sessions) == 1
        assert worker.admission.refused == {Refusal.FULL: 1}
        await first.played(PIECE)
        (session,) = worker.sessions.values()
        first.send("stop")
        await session.wait_closed()
        assert worker.refusal is None
        third = InstantPhone(door, token=None)
        await third.played(PIECE)
        third.send("stop")


async def test_a_loop_that_runs_late_takes_no_new_calls_until_it_keeps_time_again() -> None:
    patient = Settings(insecure=True, most_lag=1000.0)
    async with Worker(greeter(), patient, providers=stand_ins("good morning")) as worker:
        door = TwilioDoor(worker)
        phone = InstantPhone(door, token=None)
        await phone.played(PIECE)
        lag = worker.admission.lag
        lag.add(1001.0)
        assert worker.refusal is None, "one hiccup"
        lag.add(1001.0)
        assert InstantPhone(door, token=None).closed == 1013
        assert worker.admission.refused == {Refusal.LATE: 1}
        phone.say()
        await phone.played(2 * PIECE)
        for _ in range(SAMPLES - 1):
            lag.add(0.0)
        assert worker.refusal is None
        phone.send("stop")


async def test_a_slot_is_held_while_it_rings_and_given_back_when_no_stream_comes() -> None:
    agent = greeter(limits={"join": SHORTEST})
    async with Worker(agent, ONE_CALL, providers=stand_ins()) as worker:
        session = worker.create(Caller("1", "2"), lambda call_id: StreamOnlyLeg())
        assert session is not None
        assert (worker.refusal, worker.ringing) == (Refusal.FULL, 1)
        await session.wait_closed()
        assert session.reason is EndReason.UNJOINED
        assert (worker.refusal, worker.ringing) == (None, 0)


async def test_each_number_gets_its_agent_and_a_number_without_one_is_refused() -> None:
    def choose(to: str, from_: str) -> Agent | None:
        return greeter(opening={"message": f"This is {to}."}) if to == "1" else None

    async with Worker(choose, INSECURE, providers=stand_ins()) as worker:
        session = worker.create(Caller("2", "1"), lambda call_id: StreamOnlyLeg())
        assert session is not None
        assert session.call.policy.opening.message == "This is 1."
        assert worker.create(Caller("2", "3"), lambda call_id: StreamOnlyLeg()) is None
        assert list(worker.sessions.values()) == [session]


async def test_an_agent_that_cannot_be_run_refuses_the_call(caplog: pytest.LogCaptureFixture) -> None:
    agent = greeter(tools=[{"name": "look", "handler": "nowhere:look"}])
    async with Worker(lambda to, from_: agent, INSECURE, providers=stand_ins()) as worker:
        assert worker.create(Caller(), lambda call_id: StreamOnlyLeg()) is None
        assert worker.sessions == {}
    assert "nowhere" in caplog.text


async def test_an_agent_that_cannot_be_run_is_told_at_the_start() -> None:
    agent = greeter(tools=[{"name": "look", "handler": "nowhere:look"}])
    with pytest.raises(EngineError, match="nowhere"):
        async with Worker(agent, INSECURE, providers=stand_ins()):
            pass


async def test_a_tool_that_is_passed_takes_the_place_of_a_handler() -> None:
    agent = greeter(tools=[{"name": "look"}])
    async with Worker(agent, INSECURE, providers=stand_ins(), tools={"look": lambda: 1}) as worker:
        assert worker.create(Caller(), lambda call_id: StreamOnlyLeg()) is not None


async def test_a_drain_lets_calls_go_on_and_takes_no_new_ones() -> None:
    async with Worker(greeter(), INSECURE, providers=stand_ins("good morning")) as worker:
        door = TwilioDoor(worker)
        phone = InstantPhone(door, token=None)
        await phone.played(PIECE)
        draining = asyncio.ensure_future(worker.drain(3600))
        await asyncio.sleep(0)
        assert worker.draining
        assert InstantPhone(door, token=None).closed == 1013
        phone.say()
        await phone.played(2 * PIECE)
        assert not draining.done()
        phone.send("stop")
        assert await draining == 0


async def test_leaving_the_worker_ends_its_calls() -> None:
    ends: list[Closed] = []

    def watch(session: Session) -> Listener:
        def step(now: int, event: Event | None, effects: Sequence[Effect]) -> None:
            ends.extend(effect for effect in effects if isinstance(effect, Closed))

        return step

    async with Worker(greeter(), INSECURE, providers=stand_ins(), watch=[watch]) as worker:
        phone = InstantPhone(TwilioDoor(worker), token=None)
        await phone.played(PIECE)
    assert [end.reason for end in ends] == [EndReason.DRAINED]
    assert phone.closed == 1000


async def test_the_lag_of_the_loop_is_measured() -> None:
    lags: asyncio.Queue[float] = asyncio.Queue()
    async with Worker(greeter(), INSECURE, providers=stand_ins(), lag=lags.put_nowait):
        assert await lags.get() >= 0


@pytest.mark.parametrize("overflow", ["voice.example.com", "15550100", "ftp://x.example", "sip:"])
def test_a_way_out_that_twilio_could_not_take_is_refused(overflow: str) -> None:
    with pytest.raises(EngineError, match="calls beyond the limit"):
        Settings(insecure=True, overflow=overflow)


@pytest.mark.parametrize("public_url", ["", "https://voice.example.com"])
def test_settings_that_let_anybody_in_are_refused(public_url: str) -> None:
    with pytest.raises(EngineError, match="TWILIO_AUTH_TOKEN"):
        Settings(public_url=public_url)


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC1")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "secret")
    settings = Settings.from_environment("https://voice.example.com")
    assert settings.account is not None
    assert (settings.account.sid, settings.account.auth_token) == ("AC1", "secret")
    assert "secret" not in repr(settings)
    assert Settings.from_environment(insecure=True).account is None
