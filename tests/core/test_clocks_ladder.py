"""The inactivity ladder (F51) and how it ends (F52)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from engine.core.events import KeyPressed, SayNow, Urgency, UserText
from engine.core.notes import Stayed
from engine.core.policy import Idle, LadderStep, Opening, Policy, StepEnding
from engine.testing import Caller, World, agent_speaking
from tests.core.clock_scenes import FIRST_AUDIO, GREETING, ending, fired, model, roles, spoken

BYE = "I think you have left, so I am going to hang up now."


def policy(end: StepEnding = StepEnding.NONE, opening: Opening = GREETING) -> Policy:
    ladder = (
        LadderStep(30_000, "Are you there?"),
        LadderStep(15_000, "Hello, can you hear me?"),
        LadderStep(10_000, BYE, end),
    )
    return Policy(opening=opening, idle=Idle(ladder=ladder, dead_air=None))


def test_30_15_10_is_heard_at_30_45_and_55_seconds_of_silence() -> None:
    world = World(policy(), caller=Caller()).run(100_000)
    said = spoken(world)
    assert [text for text, _, _ in said[1:]] == ["Are you there?", "Hello, can you hear me?", BYE]
    silence, at = 0, []
    for (_, _, end), (_, start, _) in pairwise(said):
        silence += start - FIRST_AUDIO - end
        at.append(silence)
    assert at == [30_000, 45_000, 55_000]
    assert world.reason is None


def test_a_line_that_is_silent_from_the_start_climbs_the_ladder_too() -> None:
    world = World(policy(opening=Opening()), caller=Caller(joins=2_500)).run(40_000)
    assert fired(world) == [("inactivity", 32_500)]


@pytest.mark.parametrize("at", [20_000, 35_000, 52_000])
def test_words_take_the_caller_back_to_the_first_step(at: int) -> None:
    world = World(policy(), caller=Caller().says("Yes.", at=at), model=model("Fine.")).run(at + 36_000)
    answered = next(end for text, _, end in spoken(world) if text == "Fine.")
    assert spoken(world)[-1][0] == "Are you there?"
    assert fired(world)[-1] == ("inactivity", answered + 30_000)


@pytest.mark.parametrize("event", [KeyPressed("1"), UserText("Yes.")])
def test_so_do_keys_and_typed_text(event: KeyPressed | UserText) -> None:
    world = World(policy(), caller=Caller(), model=model("Fine.")).at(35_000, event).run(75_000)
    answered = next(end for text, _, end in spoken(world) if text == "Fine.")
    assert fired(world)[1] == ("inactivity", answered + 30_000)
    assert spoken(world)[-1][0] == "Are you there?"


def test_a_sound_without_words_does_not() -> None:
    world = World(policy(), caller=Caller().coughs(at=35_000)).run(60_000)
    assert [text for text, _, _ in spoken(world)[1:3]] == ["Are you there?", "Hello, can you hear me?"]


@pytest.mark.parametrize("end", [StepEnding.SOFT, StepEnding.STRICT])
def test_the_last_message_is_heard_whole_and_then_the_call_ends(end: StepEnding) -> None:
    world = World(policy(end), caller=Caller()).run()
    (text, _, heard) = spoken(world)[-1]
    assert text == BYE
    assert ending(world) == ("inactivity", heard)


def test_soft_speech_during_the_last_message_keeps_the_call() -> None:
    caller = Caller()
    world = World(policy(StepEnding.SOFT), caller=caller, model=model("Good."))
    world.run(lambda world: len(fired(world)) == 3)
    caller.says("No, I am here.", when=agent_speaking(after=800))
    world.run(world.clock.now + 8_000)
    assert world.reason is None
    assert len(world.notes(Stayed)) == 1
    assert spoken(world)[-1][0] == "Good."
    assert BYE not in world.heard_text
    world.run(world.clock.now + 30_000)
    assert spoken(world)[-1][0] == "Are you there?"


def test_strict_it_ends_regardless_and_no_word_is_lost() -> None:
    caller = Caller()
    world = World(policy(StepEnding.STRICT), caller=caller)
    world.run(lambda world: len(fired(world)) == 3)
    caller.says("No, I am here.", when=agent_speaking(after=800))
    world.run()
    (text, _, heard) = spoken(world)[-1]
    assert text == BYE
    assert ending(world) == ("inactivity", heard)
    assert ("user", "No, I am here.") in roles(world)


@pytest.mark.parametrize("end", [StepEnding.SOFT, StepEnding.STRICT])
def test_a_last_step_without_words_hangs_up_at_its_time(end: StepEnding) -> None:
    ladder = (LadderStep(5_000, "Are you there?"), LadderStep(3_000, "", end))
    world = World(Policy(idle=Idle(ladder=ladder, dead_air=None)), caller=Caller()).run()
    (_, _, heard) = spoken(world)[-1]
    assert ending(world) == ("inactivity", heard + 3_000)


def test_a_step_without_words_only_waits() -> None:
    ladder = (LadderStep(5_000), LadderStep(3_000, "Are you there?"))
    world = World(Policy(idle=Idle(ladder=ladder, dead_air=None)), caller=Caller()).run(20_000)
    assert fired(world)[:2] == [("inactivity", 5_000), ("inactivity", 8_000)]


def test_a_message_that_was_never_heard_does_not_stop_the_ladder() -> None:
    ladder = (LadderStep(5_000, "Are you there?"), LadderStep(3_000, "Hello?"))
    world = World(Policy(idle=Idle(ladder=ladder, dead_air=None)), caller=Caller())
    world.at(5_040, SayNow("We are short of staff.", Urgency.NOW)).run(30_000)
    assert len(fired(world)) == 2
