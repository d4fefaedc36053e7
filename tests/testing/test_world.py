"""The world: time, order, stalls of the process, the laws; and whole calls with the engine's own call."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.effects import HangUp, SendAudio
from engine.core.events import CallerAudio, Created, KeyPressed
from engine.core.notes import ClockFired, EndReason, Joined, ReplyEnded
from engine.core.policy import Idle, Opening, Policy
from engine.testing import Caller, LawBroken, Phone, ScriptedModel, World, agent_speaking, replay, run_call
from tests.testing.fake_call import FakeCall

POLICY = Policy(opening=Opening(message="Good evening, how can I help?"))


def fake_world(call: FakeCall, **parts: Any) -> World:
    return World(Policy(), caller=Caller(joins=None), call=call, **parts)


def test_the_call_is_woken_at_the_millisecond_it_wants() -> None:
    call = FakeCall()
    call.wake_at = 33

    def later(now: int) -> list[Any]:
        call.wake_at = now + 100
        return []

    call.on_wake = later
    world = fake_world(call).at(133, KeyPressed("1")).run(300)
    assert call.wakes == [33, 133, 233]
    assert [entry for entry in world.log if entry[0] == 133] == [
        (133, KeyPressed("1"), ()),
        (133, "wake", ()),
    ]


def test_a_call_that_cannot_rest_is_reported() -> None:
    call = FakeCall()
    call.wake_at = 50
    with pytest.raises(LawBroken, match="again and again"):
        fake_world(call).run(100)


def test_what_handle_raises_breaks_a_law() -> None:
    def broken(event: Any, now: int) -> list[Any]:
        raise KeyError("oops")

    with pytest.raises(LawBroken, match="never raises: KeyError"):
        fake_world(FakeCall({Created: broken})).run(100)


def test_a_broken_law_is_found_in_the_step_that_breaks_it() -> None:
    call = FakeCall()
    world = fake_world(call)
    call.on = {KeyPressed: [SendAudio(world.voice.tape.record(1, 0, [("one", 100)])[0])]}
    with pytest.raises(LawBroken, match="law 5"):
        world.at(70, KeyPressed("1")).run(100)
    assert world.clock.now == 70


def test_the_laws_can_be_left_out() -> None:
    call = FakeCall({KeyPressed: [HangUp()]})
    call.closed = True
    assert fake_world(call, laws=False).at(70, KeyPressed("1")).run().effects(HangUp) == [(70, HangUp())]


def test_a_stalled_process_gets_its_events_late_and_in_order() -> None:
    call = FakeCall()
    call.wake_at = 120
    call.on_wake = lambda now: setattr(call, "wake_at", 10**9) or []
    world = World(Policy(), caller=Caller(), call=call, loop_stalls=[(100, 95)])
    world.at(110, KeyPressed("1")).at(195, KeyPressed("2")).run(300)
    steps = [
        (now, getattr(event, "digit", getattr(event, "at", event))) for now, event, _ in world.log if now > 90
    ]
    assert steps == [
        (195, 80), (195, "1"), (195, 100), (195, 120), (195, 140), (195, 160), (195, "2"), (195, "wake"),
        (200, 180), (220, 200), (240, 220), (260, 240), (280, 260), (300, 280),
    ]  # fmt: skip


def test_running_in_parts_is_running_at_once() -> None:
    def world() -> World:
        return World(POLICY, caller=Caller().after_agent("Hello, I am here.").hangs_up(at=9_000))

    parts = world().run(3_000)
    assert parts.clock.now == 3_000 and parts.reason is None
    parts.run(lambda world: len(world.notes(ReplyEnded)) == 2)
    assert parts.run().log == world().run().log


# --- the engine's own call ----------------------------------------------------------------------------


def test_a_conversation() -> None:
    caller = Caller(joins=500).after_agent("A table, please.").after_agent("Today.").hangs_up(at=10_000)
    world = run_call(POLICY, caller, model=ScriptedModel(["For which day?", "See you then."]))
    assert world.heard_text == "Good evening, how can I help? For which day? See you then."
    assert world.transcript == [
        ("assistant", "Good evening, how can I help?"), ("user", "A table, please."),
        ("assistant", "For which day?"), ("user", "Today."), ("assistant", "See you then."),
    ]  # fmt: skip
    assert world.times(Joined) == [500]
    assert world.reason is EndReason.CALLER_HUNG_UP
    assert world.ended_at == 10_000
    assert len(world.answer_delays) == 2
    assert world.phone.ear.gaps() == []


def test_an_interruption_is_heard_to_work() -> None:
    caller = (
        Caller()
        .after_agent("Tell me.")
        .says("wait stop", when=agent_speaking(after=1_000))
        .hangs_up(pause=3_000)
    )
    replies = ["It was a long and dark evening, and nobody was there to hear the rain.", "Yes?"]
    world = run_call(POLICY, caller, model=ScriptedModel(replies))
    said = [text for who, text in world.transcript if who == "assistant"]
    assert replies[0].startswith(said[1]) and said[1] != replies[0]
    assert len(world.stop_delays) == 1
    assert said[2] == "Yes?"


@pytest.mark.parametrize(
    "parts",
    [
        {"phone": Phone(delay_ms=60, jitter=(0, 35, 5, 0, 80))},
        {"phone": Phone(stalls=[(1_000, 400), (5_000, 900)], losses=[(2_000, 100)], delay_ms=20)},
        {"loop_stalls": [(500, 300), (2_500, 300), (4_000, 300)]},
    ],
)
def test_the_laws_hold_on_a_bad_network_and_a_stalled_process(parts: dict[str, Any]) -> None:
    caller = (
        Caller().after_agent("Good evening.").says("stop", when=agent_speaking(after=600)).hangs_up(at=15_000)
    )
    world = run_call(
        POLICY, caller, model=ScriptedModel(["It is a long story that begins here.", "Yes?"]), **parts
    )
    assert world.reason is EndReason.CALLER_HUNG_UP
    assert len(world.transcript) >= 4


def test_a_stall_of_the_process_leaves_no_gap_at_the_ear() -> None:
    world = run_call(POLICY, Caller().hangs_up(at=8_000), loop_stalls=[(900, 300)])
    assert world.heard_text == "Good evening, how can I help?"
    assert world.phone.ear.gaps() == []


def test_ten_minutes_replay_with_the_same_effects() -> None:
    policy = Policy(opening=POLICY.opening, idle=Idle(("Hello?",), 20_000, 3, dead_air=None))
    caller = Caller()
    for minute in range(10):
        caller.says("And what about the other one?", at=20_000 + minute * 60_000)
    model = ScriptedModel(["That one is blue and quite large."])
    world = run_call(policy, caller.hangs_up(at=600_000), model=model)
    assert world.ended_at == 600_000
    assert [fired.clock for fired in world.notes(ClockFired)] == ["awaiting_response"] * 3
    assert sum(type(event) is CallerAudio for _, event, _ in world.log) == 29_999
    again = replay(policy, world.log)
    assert again.messages == world.messages
