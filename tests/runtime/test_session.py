"""The session: events in, effects performed, one timer, one end, whatever the call does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from engine.audio.gates import LevelGate
from engine.core.effects import (
    CloseStream,
    Effect,
    FeedTranscriber,
    HangUp,
    OpenTranscriber,
    OpenVoice,
    RunTool,
    SendAudio,
    SendClear,
    SendMark,
)
from engine.core.events import CallerAudio, CarrierDone, Created, Event, StreamLost, StreamOpened, ToolFailed
from engine.core.notes import Closed, Ending, EndReason
from engine.core.policy import Carrier
from engine.runtime.session import Equipment, Session
from engine.runtime.voice_cache import VoiceCache
from tests.stand_ins import EchoModel, ScriptedTranscriber, ToneVoice


class ScriptedCall:
    """Answers each event with the effects that were set for its type, and takes down what it was told."""

    def __init__(self, **answers: list[Effect]) -> None:
        self.answers = answers
        self.told: list[Event | None] = []
        self.times: list[int] = []
        self.wake_at: int | None = None
        self.closed = False
        self.reason: EndReason | None = None
        self.on: dict[type, Callable[[], None]] = {}
        self.woken = asyncio.Event()

    def handle(self, event: Event, now: int) -> list[Effect]:
        self.told.append(event)
        self.times.append(now)
        self.on.get(type(event), lambda: None)()
        return self.answers.get(type(event).__name__, [])

    def wake(self, now: int) -> list[Effect]:
        self.told.append(None)
        self.times.append(now)
        self.wake_at = None
        self.woken.set()
        return self.answers.get("wake", [])

    def close(self) -> None:
        self.closed, self.reason, self.wake_at = True, EndReason.REQUESTED, None


class Leg:
    """Confirms everything at once."""

    traits = Carrier()

    async def hang_up(self) -> str:
        return "ok"


class Socket:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed: list[int] = []
        self.stalled: Callable[[int], None] | None = None

    def send_text(self, text: str) -> None:
        self.sent.append(text)

    def close(self, code: int = 1000) -> None:
        self.closed.append(code)


def session_of(call: ScriptedCall, model: EchoModel | None = None) -> Session:
    equipment = Equipment(
        transcribers=[ScriptedTranscriber()],
        models=[model or EchoModel()],
        voices=[ToneVoice()],
        voice_cache=VoiceCache(),
        vad=LevelGate(),
        leg=Leg(),
    )
    return Session("c1", call, equipment)  # type: ignore[arg-type]


async def test_effects_are_performed_in_the_turn_in_which_the_event_came() -> None:
    call = ScriptedCall(CallerAudio=[SendAudio(b"\xff"), SendMark("m1"), SendClear()])
    session, socket = session_of(call), Socket()
    assert session.attach(socket, StreamOpened("MZ1")) == 0
    session.hear(b"\xff" * 160, 0)
    assert [text.split('"event":"')[1][:5] for text in socket.sent] == ["media", 'mark"', "clear"]
    assert call.told == [StreamOpened("MZ1"), CallerAudio(b"\xff" * 160, 0, -96.0, 0.0)]


async def test_what_an_effect_leads_to_comes_after_the_effects_beside_it() -> None:
    call = ScriptedCall(Created=[RunTool("t1", "unknown", "{}"), SendMark("m1")], ToolFailed=[SendMark("m2")])
    session, socket = session_of(call), Socket()
    session.attach(socket, StreamOpened("MZ1"))
    session.dispatch(Created())
    assert [type(event) for event in call.told] == [StreamOpened, Created, ToolFailed]
    assert ['"m1"' in text for text in socket.sent] == [True, False]


async def test_the_call_is_woken_when_it_wants_to_be() -> None:
    call = ScriptedCall()
    session = session_of(call)
    call.wake_at = 30
    session.dispatch(Created())
    await call.woken.wait()
    assert call.told == [Created(), None]
    assert call.times[1] >= 30


def test_an_alarm_that_is_overdue_harms_nothing_on_uvloop() -> None:
    """uvloop's loop gives a plain handle, which knows no time, for what is due at once."""
    uvloop = pytest.importorskip("uvloop")

    async def overdue() -> None:
        call = ScriptedCall()
        session = session_of(call)
        for _ in range(2):
            call.wake_at = -1_000
            session.dispatch(Created())
        assert not session.closed
        await call.woken.wait()
        assert call.told == [Created(), Created(), None]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(overdue())


async def test_an_alarm_that_moves_earlier_is_obeyed_and_a_later_one_costs_no_timer() -> None:
    call = ScriptedCall()
    session = session_of(call)
    loop = asyncio.get_running_loop()
    armed: list[float] = []
    call_at = loop.call_at

    def counting(when: float, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        armed.append(when)
        return call_at(when, *arguments, **more)

    loop.call_at = counting  # type: ignore[method-assign]
    try:
        for wake_at in (60_000, 70_000, 80_000, 10):
            call.wake_at = wake_at
            session.dispatch(Created())
    finally:
        loop.call_at = call_at  # type: ignore[method-assign]
    assert len(armed) == 2
    await call.woken.wait()
    assert call.told.count(None) == 1


async def test_an_alarm_that_moved_later_does_not_go_off_early() -> None:
    call = ScriptedCall()
    session = session_of(call)
    call.wake_at = 10
    session.dispatch(Created())
    call.wake_at = 40
    await call.woken.wait()
    assert call.times[-1] >= 40


async def test_the_model_connects_with_the_voice_while_the_phone_rings() -> None:
    class Warm(EchoModel):
        def __init__(self) -> None:
            super().__init__()
            self.warmed = asyncio.Event()

        async def warm(self) -> None:
            self.warmed.set()

    model = Warm()
    session = session_of(ScriptedCall(Created=[OpenVoice()]), model)
    session.dispatch(Created())
    async with asyncio.timeout(5):
        await model.warmed.wait()


def test_an_alarm_that_is_due_at_once_survives_the_next_event_on_uvloop() -> None:
    """uvloop answers a time that has come with a handle that does not know its time."""
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        call = ScriptedCall()
        session = session_of(call)
        call.wake_at = 0
        session.dispatch(Created())
        session.dispatch(Created())
        assert session.reason is None
        await call.woken.wait()
        assert call.told == [Created(), Created(), None]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def test_a_bug_in_the_call_ends_it_on_the_record_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = ScriptedCall(Created=[OpenTranscriber()])
    call.on[CallerAudio] = lambda: 1 / 0
    session, socket = session_of(call), Socket()
    steps: list[tuple[Event | None, list[Effect]]] = []
    session.add_listener(lambda now, event, effects: steps.append((event, list(effects))))
    session.dispatch(Created())
    session.attach(socket, StreamOpened("MZ1"))
    session.hear(b"\xff", 0)
    session.hear(b"\xff", 0)
    await session.wait_closed()
    assert session.reason is EndReason.ENGINE_ERROR
    event, notes = steps[-1]
    assert type(event) is CallerAudio
    assert [type(note) for note in notes] == [Ending, Closed]
    assert socket.closed == [1000]
    assert len([record for record in caplog.records if "fault of the engine" in record.message]) == 1
    assert len(call.told) == 3


async def test_a_bug_in_performing_ends_the_call_as_well() -> None:
    call = ScriptedCall(Created=[FeedTranscriber(None)])  # type: ignore[arg-type]
    session = session_of(call)
    session.dispatch(Created())
    await session.wait_closed()
    assert session.reason is EndReason.ENGINE_ERROR


async def test_a_listener_that_fails_is_told_no_more_and_hurts_nobody() -> None:
    call = ScriptedCall()
    session = session_of(call)
    told: list[Event | None] = []
    times = 0

    def failing(now: int, event: Event | None, effects: object) -> None:
        nonlocal times
        times += 1
        raise OSError("disk full")

    session.add_listener(failing)
    session.add_listener(lambda now, event, effects: told.append(event))
    session.dispatch(Created())
    session.dispatch(Created())
    assert (times, told) == (1, [Created(), Created()])
    assert not session.closed


async def test_the_carriers_answer_comes_back_as_an_event() -> None:
    call = ScriptedCall(Created=[HangUp()])
    call.on[CarrierDone] = call.close
    session = session_of(call)
    session.dispatch(Created())
    await session.wait_closed()
    assert call.told == [Created(), CarrierDone("hang_up", "ok")]
    assert session.reason is EndReason.REQUESTED


async def test_a_closed_call_is_told_nothing_any_more_and_frees_its_streams() -> None:
    call = ScriptedCall(Created=[OpenTranscriber()], StreamLost=[CloseStream()])
    session, socket = session_of(call), Socket()
    freed: list[str] = []
    session.on_freed(lambda: 1 / 0)
    session.on_freed(lambda: freed.append("freed"))
    session.dispatch(Created())
    session.attach(socket, StreamOpened("MZ1"))
    call.on[StreamLost] = call.close
    session.dispatch(StreamLost())
    session.dispatch(Created())
    session.hear(b"\xff", 0)
    await session.wait_closed()
    assert [type(event) for event in call.told] == [Created, StreamOpened, StreamLost]
    assert not session._pending
    assert (freed, socket.closed) == (["freed"], [1000])


async def test_a_second_stream_takes_over_and_goes_on_in_media_time() -> None:
    call = ScriptedCall()
    session, first, second = session_of(call), Socket(), Socket()
    session.attach(first, StreamOpened("MZ1"))
    session.hear(b"\xff" * 160 * 50, 0)
    assert session.attach(second, StreamOpened("MZ2")) >= 1000
    assert first.closed == [1000]
    session.detach(first, StreamLost())
    assert StreamLost() not in call.told
    session.detach(second, StreamLost("gone"))
    assert call.told[-1] == StreamLost("gone")


async def test_a_stalled_socket_is_told_to_the_call() -> None:
    call = ScriptedCall()
    session, socket = session_of(call), Socket()
    session.attach(socket, StreamOpened("MZ1"))
    assert socket.stalled is not None
    socket.stalled(5000)
    assert call.told[-1].waited == 5000  # type: ignore[union-attr]
