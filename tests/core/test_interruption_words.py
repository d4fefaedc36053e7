"""What the caller's words do to a speaking agent: backchannels, words that always or never stop it, echo."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.effects import SendClear
from engine.core.events import FinalWords, InterimWords
from engine.core.notes import Interrupted, MessageAdded
from engine.core.policy import Opening, Policy
from engine.testing import Caller, Phone, World, run_call
from tests.core.turn_scenes import LONG, actions, asked, by_hand, heard_twice, policy, said_by, turns

LISTENING = ("mm-hm", "uh-huh", "yeah", "right")


def over_greeting(text: str, *, at: int = 2_000, end: int = 16_000, **how: Any) -> Caller:
    return Caller().says(text, at=at, **how).hangs_up(at=end)


def remarks(world: World) -> list[str]:
    return [note.text for note in world.notes(MessageAdded) if note.role == "remark"]


# --- words that do and do not interrupt ---------------------------------------------------------------


@pytest.mark.parametrize("text", ["mm-hm", "Yeah, right.", "uh-huh mm-hm"])
@pytest.mark.parametrize("lasts", [300, 900])
def test_a_backchannel_never_ends_the_reply_and_leaves_a_remark(text: str, lasts: int) -> None:
    world = run_call(policy(LONG, never_interrupt=LISTENING), over_greeting(text, lasts=lasts))
    assert turns(world) == [] and remarks(world) == [text]
    assert actions(world) == ["hold", "resume"] and said_by(world, "assistant") == [LONG]
    assert said_by(world, "user") == [] and len(heard_twice(world)) <= 1


def test_a_backchannel_in_the_silence_is_a_turn() -> None:
    world = run_call(
        policy("Hi.", never_interrupt=LISTENING), Caller().says("yeah", at=3_000).hangs_up(at=9_000)
    )
    assert turns(world) == ["yeah"] and world.heard_text == "Hi. Okay."


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("no", False), ("no no", False), ("I said no", True), ("stop", True), ("yeah stop", True),
        ("yeah yeah yeah no", False),
    ],
)  # fmt: skip
def test_words_needed_and_words_that_always_stop(text: str, stops: bool) -> None:
    rules = policy(LONG, words_to_interrupt=3, always_interrupt=("stop",), never_interrupt=LISTENING)
    world = run_call(rules, over_greeting(text, end=20_000))
    assert ("stop" in actions(world)) is stops
    assert turns(world) == [text]
    if not stops:
        assert world.heard_text == f"{LONG} Okay."
        assert world.times(Interrupted)[1] <= world.caller.spoken[0][2] + 700


def test_the_caller_who_may_never_interrupt_is_answered_afterwards() -> None:
    rules = policy(LONG, interruptible=False)
    world = run_call(rules, over_greeting("I would like a table, please.", end=20_000))
    assert actions(world) == [] and world.heard_text == f"{LONG} Okay."
    assert world.phone.ear.gaps() == [] and turns(world) == ["I would like a table, please."]


# --- the uninterruptible greeting ---------------------------------------------------------------------

GREETING = Policy(opening=Opening(message=LONG, uninterruptible=True))


@pytest.mark.parametrize("text", ["A table, please.", "stop"])
def test_speech_over_the_greeting_does_not_stop_it_and_is_answered(text: str) -> None:
    world = run_call(GREETING, over_greeting(text, end=20_000))
    assert actions(world) == [] and world.effects(SendClear) == []
    assert said_by(world, "assistant") == [LONG, "Okay."] and said_by(world, "user") == [text]


def test_the_model_is_asked_with_the_callers_words_last() -> None:
    world = run_call(GREETING, over_greeting("A table, please.", end=20_000))
    assert asked(world) == [[("assistant", LONG), ("user", "A table, please.")]]


def test_what_is_said_bit_by_bit_over_the_greeting_is_one_turn() -> None:
    caller = Caller().says("A table, please.", at=1_500).says("For two.", pause=1_500).hangs_up(at=20_000)
    world = run_call(GREETING, caller)
    assert said_by(world, "user") == ["A table, please. For two."] and len(asked(world)) == 1


def test_speech_that_outlasts_the_greeting_is_answered_when_it_is_over() -> None:
    world = run_call(GREETING, over_greeting("A table, please.", at=7_000, lasts=3_000, end=20_000))
    assert turns(world) == ["A table, please."] and world.answer_delays == [160 + 100 + 150 + 80]


# --- echo ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("echo_db", [-40.0, -25.0, -24.5])
def test_the_agents_echo_does_not_interrupt_it(echo_db: float) -> None:
    world = run_call(policy(LONG), Caller().hangs_up(at=12_000), phone=Phone(echo_db=echo_db))
    assert actions(world) == [] and said_by(world, "assistant") == [LONG]


def test_the_caller_interrupts_through_the_echo() -> None:
    world = run_call(policy(LONG), over_greeting("wait, stop please"), phone=Phone(echo_db=-25.0))
    assert world.stop_delays[0] <= 200 and turns(world) == ["wait, stop please"]


def test_the_agents_own_words_heard_back_are_no_turn() -> None:
    world = by_hand(policy(LONG), Caller().hangs_up(at=12_000))
    world.at(1_500, InterimWords("Once upon")).at(1_900, FinalWords("Once upon a time.")).run()
    assert actions(world) == [] and turns(world) == [] and remarks(world) == ["Once upon a time."]
