"""The longest call (F48), its message (F49), and the worker's drain: ends that nothing holds up."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.effects import HangUp
from engine.core.events import Drain
from engine.core.policy import Ending, Idle, LadderStep, Limits, Opening, Policy, Tool
from engine.testing import Caller, Phone, ScriptedModel, ScriptedTool, ToolUse, World
from tests.core.clock_scenes import FIRST_AUDIO, GREETING, LONG, NO_CLOCKS, ending, fired, model, spoken, when

LIMIT = 8_000
TALKING = {"caller": Caller().says("and then " * 40, at=4_000, lasts=12_000)}
SPEAKING = {"caller": Caller().says("Tell me.", at=3_000), "model": model(LONG + " " + LONG)}
SCENES: dict[str, dict[str, Any]] = {
    "silence": {"caller": Caller()},
    "the caller speaks": TALKING,
    "the agent speaks": SPEAKING,
    "noise": {"caller": Caller().noise(2_000, 30_000)},
    "the agent is held": {
        "caller": Caller().says("Tell me.", at=3_000).coughs(at=7_500, lasts=1_500),
        "model": model(LONG + " " + LONG),
    },
    "the model thinks": {
        "caller": Caller().says("Tell me.", at=4_000),
        "model": ScriptedModel(["No."], first_token_ms=5_500),
    },
    "a tool runs": {
        "caller": Caller().says("Tell me.", at=4_000),
        "model": model(ToolUse("look"), "Found."),
        "tools": {"look": ScriptedTool(delay_ms=9_000)},
    },
    "keys are pressed": {"caller": Caller().presses("123456789", at=7_000)},
    "the stream is away": {"caller": Caller().drops(at=6_000)},
}


def policy(message: str = "", limit: int | None = LIMIT, overrun: int = 15_000, end: str = "") -> Policy:
    limits = Limits(longest=limit, longest_message=message, overrun=overrun)
    tools = (Tool("look", timeout=10_000),)
    return Policy(opening=GREETING, idle=NO_CLOCKS, limits=limits, tools=tools, ending=Ending(message=end))


@pytest.mark.parametrize("scene", SCENES)
def test_the_call_ends_at_the_limit_whatever_is_going_on(scene: str) -> None:
    world = World(policy(), **SCENES[scene]).run()
    assert ending(world) == ("max_duration", LIMIT)
    assert when(world, HangUp) == [LIMIT]
    assert all(end <= LIMIT for _, _, end in spoken(world))


def test_the_limit_counts_from_joining() -> None:
    world = World(policy(), caller=Caller(joins=5_000)).run()
    assert ending(world) == ("max_duration", 5_000 + LIMIT)


@pytest.mark.parametrize("scene", [name for name in SCENES if name != "the stream is away"])
def test_its_message_is_heard_whole_and_nothing_else_is(scene: str) -> None:
    message = "Your time is up, goodbye."
    world = World(policy(message), **SCENES[scene]).run()
    (text, start, heard) = spoken(world)[-1]
    assert (text, start) == (message, LIMIT + FIRST_AUDIO)
    assert ending(world) == ("max_duration", heard)
    assert when(world, HangUp) == [heard]


def test_its_message_stands_before_the_end_message() -> None:
    world = World(policy("Time is up.", end="Goodbye."), caller=Caller()).run()
    assert spoken(world)[-1][0] == "Time is up."
    world = World(policy(end="Goodbye."), caller=Caller()).run()
    assert spoken(world)[-1][0] == "Goodbye."


def test_nobody_interrupts_its_message() -> None:
    caller = Caller().says("No no wait stop, one more thing!", at=LIMIT + 300)
    world = World(policy("Your time is up now, goodbye and thank you."), caller=caller).run()
    (text, _, heard) = spoken(world)[-1]
    assert text == "Your time is up now, goodbye and thank you."
    assert ending(world) == ("max_duration", heard)


def test_the_overrun_is_bounded() -> None:
    world = World(policy(LONG, overrun=2_000), caller=Caller()).run()
    assert ending(world) == ("max_duration", LIMIT + 2_000)
    assert world.phone.ear.silence_after(LIMIT + 1_990) == LIMIT + 2_000


def test_a_phone_far_away_hears_the_message_whole_too() -> None:
    world = World(policy("Your time is up, goodbye."), caller=Caller(), phone=Phone(delay_ms=200)).run()
    (text, _, heard) = spoken(world)[-1]
    assert text == "Your time is up, goodbye."
    assert ending(world) == ("max_duration", heard + 200)


def test_none_is_really_unlimited() -> None:
    world = World(policy(limit=None), caller=Caller()).run(2_400_000)
    assert world.reason is None and fired(world) == []


# --- drain ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", [name for name in SCENES if name != "the stream is away"])
def test_a_drain_says_goodbye_when_its_time_is_up(scene: str) -> None:
    world = World(policy(limit=None), **SCENES[scene]).at(2_000, Drain(5_000, "We must stop here.")).run()
    (text, start, heard) = spoken(world)[-1]
    assert (text, start) == ("We must stop here.", 7_000 + FIRST_AUDIO)
    assert ending(world) == ("drained", heard)


def test_a_drain_without_words_says_the_end_message_if_there_is_one() -> None:
    assert ending(World(policy(), caller=Caller()).at(2_000, Drain(1_000)).run()) == ("drained", 3_000)
    world = World(policy(end="Goodbye."), caller=Caller()).at(2_000, Drain(1_000)).run()
    assert spoken(world)[-1][0] == "Goodbye."


@pytest.mark.parametrize("joins", [None, 20_000])
def test_a_call_that_nobody_joined_is_drained_in_silence(joins: int | None) -> None:
    world = World(policy(), caller=Caller(joins=joins)).at(2_000, Drain(5_000, "Bye.")).run(10_000)
    assert ending(world) == ("drained", 7_000)
    assert world.heard_text == ""


def test_a_call_that_ends_before_is_not_drained() -> None:
    world = World(policy(), caller=Caller().hangs_up(at=3_000)).at(2_000, Drain(5_000)).run()
    assert ending(world)[0] == "caller_hung_up"


def test_the_limit_and_the_ladder_at_the_same_moment_end_the_call_once() -> None:
    idle = Idle(ladder=(LadderStep(LIMIT, "Hello?"),), dead_air=LIMIT)
    limits = Limits(longest=LIMIT)
    world = World(Policy(opening=Opening(), idle=idle, limits=limits), caller=Caller()).run()
    assert ending(world)[1] == LIMIT
