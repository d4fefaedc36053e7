"""The idle clocks alone: they run while the line is quiet, stop where they are, and words start them anew."""

from __future__ import annotations

import pytest

from engine.core.idle import AWAITING, DEAD_AIR, LADDER, NOISE, Idle
from engine.core.policy import Idle as Rules
from engine.core.policy import LadderStep, Policy, StepEnding
from engine.core.step import Step

LADDER_RULES = (LadderStep(30_000, "One?"), LadderStep(15_000, "Two?"), LadderStep(10_000, "Bye."))


def made(rules: Rules) -> tuple[Idle, Step]:
    """Idle clocks of a call that joined at 0 ms and is quiet."""
    idle, step = Idle(), Step(Policy(idle=rules))
    idle.joined(step)
    idle.update(step, busy=False, sounding=False)
    return idle, step


def test_dead_air_and_the_ladder_run_from_joining_and_awaiting_does_not() -> None:
    _, step = made(Rules(("Hello?",), ladder=LADDER_RULES, dead_air=40_000))
    assert (step.deadlines.at(DEAD_AIR), step.deadlines.at(LADDER)) == (40_000, 30_000)
    assert step.deadlines.at(AWAITING) is None


def test_clocks_that_are_not_set_do_not_exist() -> None:
    idle, step = made(Rules(dead_air=None))
    idle.agent_finished(step)
    assert len(step.deadlines) == 0


def test_what_breaks_the_quiet_stops_the_clocks_where_they_are() -> None:
    idle, step = made(Rules(dead_air=30_000))
    step.now = 10_000
    idle.update(step, busy=True, sounding=False)
    assert step.deadlines.at(DEAD_AIR) is None
    step.now = 25_000
    idle.update(step, busy=False, sounding=False)
    assert step.deadlines.at(DEAD_AIR) == 45_000


def test_words_start_the_clocks_anew_and_disarm_awaiting() -> None:
    idle, step = made(Rules(("Hello?",), awaiting_after=5_000, dead_air=30_000))
    idle.agent_finished(step)
    assert step.deadlines.at(AWAITING) == 5_000
    step.now = 4_000
    idle.caller_spoke(step)
    assert step.deadlines.at(AWAITING) is None
    assert step.deadlines.at(DEAD_AIR) == 34_000


@pytest.mark.parametrize("most", [0, 1, 3])
def test_awaiting_messages_come_in_order_and_at_most_so_often(most: int) -> None:
    idle, step = made(Rules(("A?", "B?"), awaiting_after=1_000, awaiting_most=most, dead_air=None))
    heard = []
    for _ in range(5):
        idle.agent_finished(step)
        if step.deadlines.at(AWAITING) is None:
            break
        step.deadlines.cancel(AWAITING)
        heard.append(idle.fire_awaiting(step))
        idle.caller_spoke(step)
    assert heard == ["A?", "B?", "A?"][:most]


def test_the_ladder_goes_up_step_by_step_and_words_take_it_back() -> None:
    idle, step = made(Rules(ladder=LADDER_RULES, dead_air=None))
    step.now = 30_000
    assert idle.fire_ladder(step).message == "One?"
    idle.climb(step)
    assert step.deadlines.at(LADDER) == 45_000
    step.now = 40_000
    idle.caller_spoke(step)
    assert step.deadlines.at(LADDER) == 70_000
    assert idle.fire_ladder(step).message == "One?"


def test_the_ladder_ends_with_its_last_step() -> None:
    idle, step = made(Rules(ladder=(LadderStep(5_000, "Bye.", StepEnding.SOFT),), dead_air=None))
    step.deadlines.cancel(LADDER)
    assert idle.fire_ladder(step).ending is StepEnding.SOFT
    idle.climb(step)
    assert step.deadlines.at(LADDER) is None


def test_what_the_agent_says_between_the_steps_does_not_move_the_ladder() -> None:
    idle, step = made(Rules(ladder=LADDER_RULES, dead_air=30_000))
    step.now = 20_000
    idle.agent_finished(step)
    assert (step.deadlines.at(LADDER), step.deadlines.at(DEAD_AIR)) == (30_000, 50_000)


def test_noise_suspends_the_clocks_up_to_its_cap_in_one_silence() -> None:
    idle, step = made(Rules(dead_air=30_000, noise_cap=10_000))
    step.now = 4_000
    idle.update(step, busy=False, sounding=True)
    assert (step.deadlines.at(DEAD_AIR), step.deadlines.at(NOISE)) == (None, 14_000)
    step.now = 10_000
    idle.update(step, busy=False, sounding=False)
    assert (step.deadlines.at(DEAD_AIR), step.deadlines.at(NOISE)) == (36_000, None)
    step.now = 20_000
    idle.update(step, busy=False, sounding=True)
    assert step.deadlines.at(NOISE) == 24_000
    step.now = 24_000
    step.deadlines.cancel(NOISE)
    idle.fire_noise()
    idle.update(step, busy=False, sounding=True)
    assert step.deadlines.at(DEAD_AIR) == 40_000


def test_words_give_noise_its_allowance_back() -> None:
    idle, step = made(Rules(dead_air=30_000, noise_cap=10_000))
    idle.fire_noise()
    step.now = 1_000
    idle.caller_spoke(step)
    idle.update(step, busy=False, sounding=True)
    assert step.deadlines.at(NOISE) == 11_000
