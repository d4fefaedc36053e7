"""The clocks against each other, with the two traps; and a call of ten minutes."""

from __future__ import annotations

from time import perf_counter

import pytest

from engine.core.effects import HangUp
from engine.core.events import Drain
from engine.core.notes import TurnEnded
from engine.core.policy import Ending, Idle, LadderStep, Limits, Opening, Policy, Speaker, StepEnding, Tool
from engine.testing import Caller, ScriptedTool, ToolUse, World, replay
from tests.core.clock_scenes import GREETING, ending, fired, model, spoken, when

HELLO = ("Are you still there?",)


def test_trap_1_an_awaiting_message_starts_dead_air_anew() -> None:
    """With two messages left the call lives for three rounds."""
    policy = Policy(opening=GREETING, idle=Idle(HELLO, 6_000, 2, dead_air=10_000))
    world = World(policy, caller=Caller()).run()
    ends = [end for _, _, end in spoken(world)]
    assert fired(world) == [
        ("awaiting_response", ends[0] + 6_000), ("awaiting_response", ends[1] + 6_000),
        ("dead_air", ends[2] + 10_000),
    ]  # fmt: skip
    assert ending(world) == ("silence", ends[2] + 10_000)


def test_trap_2_where_dead_air_is_shorter_no_message_is_ever_heard() -> None:
    policy = Policy(opening=GREETING, idle=Idle(HELLO, 6_000, 2, dead_air=5_999))
    world = World(policy, caller=Caller()).run()
    assert [text for text, _, _ in spoken(world)] == ["Good evening."]
    assert ending(world)[0] == "silence"


def test_at_the_same_millisecond_the_message_comes_first() -> None:
    policy = Policy(opening=GREETING, idle=Idle(HELLO, 6_000, 1, dead_air=6_000))
    world = World(policy, caller=Caller()).run()
    ends = [end for _, _, end in spoken(world)]
    assert fired(world) == [("awaiting_response", ends[0] + 6_000), ("dead_air", ends[1] + 6_000)]


def test_awaiting_messages_do_not_move_the_ladder_nor_it_them() -> None:
    """What the agent says counts for neither as the caller's silence, nor as the caller's word."""
    ladder = (LadderStep(10_000, "One?"), LadderStep(4_000, "Two?"))
    policy = Policy(opening=GREETING, idle=Idle(HELLO, 6_000, 2, ladder, dead_air=None))
    world = World(policy, caller=Caller()).run(60_000)
    ends = [end for _, _, end in spoken(world)]
    assert fired(world) == [
        ("awaiting_response", ends[0] + 6_000), ("inactivity", ends[1] + 4_000),
        ("inactivity", ends[2] + 4_000), ("awaiting_response", ends[3] + 6_000),
    ]  # fmt: skip


def test_each_step_of_the_ladder_starts_dead_air_anew_and_its_end_comes_first() -> None:
    ladder = (LadderStep(8_000, "One?"), LadderStep(8_000, "Bye.", StepEnding.SOFT))
    policy = Policy(opening=GREETING, idle=Idle(ladder=ladder, dead_air=10_000))
    world = World(policy, caller=Caller()).run()
    assert [name for name, _ in fired(world)] == ["inactivity", "inactivity"]
    assert ending(world) == ("inactivity", spoken(world)[-1][2])


def test_a_long_step_never_comes_where_dead_air_is_shorter() -> None:
    policy = Policy(opening=GREETING, idle=Idle(ladder=(LadderStep(12_000, "One?"),), dead_air=10_000))
    assert [name for name, _ in fired(World(policy, caller=Caller()).run())] == ["dead_air"]


@pytest.mark.parametrize("fallback", [3_000, 9_000])
def test_the_fallback_and_dead_air(fallback: int) -> None:
    opening = Opening(first=Speaker.CALLER, fallback_after=fallback, fallback_message="Hello?")
    world = World(Policy(opening=opening, idle=Idle(dead_air=6_000)), caller=Caller()).run()
    if fallback < 6_000:
        (_, _, heard) = spoken(world)[0]
        assert fired(world) == [("opening_fallback", 3_000), ("dead_air", heard + 6_000)]
    else:
        assert fired(world) == [("dead_air", 6_000)]


def test_the_longest_call_cuts_short_whatever_the_others_plan() -> None:
    idle = Idle(HELLO, 3_000, 99, (LadderStep(20_000, "One?"),), dead_air=5_000)
    policy = Policy(opening=GREETING, idle=idle, limits=Limits(longest=17_000, longest_message="Time is up."))
    world = World(policy, caller=Caller()).run()
    assert {name for name, at in fired(world)} == {"awaiting_response", "longest_call"}
    assert ending(world) == ("max_duration", spoken(world)[-1][2])


def test_the_longest_call_ends_a_soft_farewell_of_another_clock() -> None:
    """Dead air's end message is being said when the time is up: it is cut, and the last reason holds."""
    policy = Policy(
        opening=GREETING,
        idle=Idle(dead_air=5_000),
        limits=Limits(longest=6_500, longest_message="Time is up."),
        ending=Ending(message="It seems that nobody is there any more, so goodbye."),
    )
    world = World(policy, caller=Caller()).run()
    assert fired(world)[-1] == ("longest_call", 6_500)
    assert ending(world) == ("max_duration", spoken(world)[-1][2])
    assert spoken(world)[-1][0] == "Time is up."


def test_a_strict_farewell_is_said_to_its_end_though_the_time_is_up() -> None:
    message = "It seems that nobody is there any more, so goodbye."
    policy = Policy(
        opening=GREETING, idle=Idle(dead_air=5_000), limits=Limits(longest=6_500),
        ending=Ending(message=message, strict=True),
    )  # fmt: skip
    world = World(policy, caller=Caller()).run()
    assert spoken(world)[-1][0] == message
    assert ending(world) == ("silence", spoken(world)[-1][2])


@pytest.mark.parametrize("silence", [300, 599, 601, 900])
def test_the_end_of_the_turn_comes_before_any_idle_clock(silence: int) -> None:
    """Idle clocks far shorter than the caller's pause do not fire while the turn is open."""
    policy = Policy(opening=GREETING, idle=Idle(HELLO, silence, 9, dead_air=None))
    caller = Caller().says("I would like a table", at=1_000)
    world = World(policy, caller=caller, model=model("Sure.")).run(5_000)
    (turn,) = world.notes(TurnEnded)
    (_, _, answered) = next(said for said in spoken(world) if said[0] == "Sure.")
    clocks = [at for _, at in fired(world) if at > 1_060]
    assert turn.waited == 600
    assert clocks[0] == answered + silence


def test_the_tool_s_clock_goes_on_while_the_idle_clocks_wait() -> None:
    idle = Idle(HELLO, 1_000, 9, (LadderStep(1_200, "One?"),), dead_air=1_500)
    policy = Policy(idle=idle, tools=(Tool("look"),), limits=Limits(longest=60_000))
    tools = {"look": ScriptedTool(delay_ms=30_000)}
    caller = Caller().says("Do you have a table?", at=100)
    world = World(policy, caller=caller, model=model(ToolUse("look"), "No."), tools=tools).run(6_000)
    (_, _, answered) = spoken(world)[0]
    assert [name for name, at in fired(world) if at <= answered] == ["tool"]
    assert fired(world)[1] == ("awaiting_response", answered + 1_000)


def test_drain_and_the_longest_call_whichever_is_first() -> None:
    policy = Policy(idle=Idle(dead_air=None), limits=Limits(longest=10_000))
    assert ending(World(policy, caller=Caller()).at(2_000, Drain(7_999)).run()) == ("drained", 9_999)
    assert ending(World(policy, caller=Caller()).at(2_000, Drain(8_001)).run()) == ("max_duration", 10_000)


def test_a_call_of_ten_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    """A talk every half minute; every clock is set and none is in the way. The time it took is printed."""
    idle = Idle(HELLO, 25_000, 3, (LadderStep(26_000, "One?"),), dead_air=29_000)
    policy = Policy(
        opening=GREETING, idle=idle, limits=Limits(longest=600_000, longest_message="Time is up.")
    )
    caller = Caller()
    for turn in range(29):
        caller.says(f"And what about number {turn}?", at=12_000 + turn * 20_000, pauses=[(500, 300)])
    started = perf_counter()
    world = World(
        policy, caller=caller, model=model("That one is blue and quite large. And it is cheap.")
    ).run()
    took = perf_counter() - started
    with capsys.disabled():
        print(f"\nten minutes of a call in {took:.2f} s, {len(world.log)} steps")
    assert fired(world)[-1] == ("longest_call", 600_000)
    assert ending(world) == ("max_duration", spoken(world)[-1][2])
    assert when(world, HangUp) == [spoken(world)[-1][2]]
    assert len(world.notes(TurnEnded)) == 29
    assert [text for text, _, _ in spoken(world)].count(
        "That one is blue and quite large. And it is cheap."
    ) == 29
    assert world.phone.ear.gaps() == []
    assert replay(world.policy, world.log).messages == world.messages
