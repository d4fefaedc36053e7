"""An answer that comes too early: taken back at once, both halves one turn; what the call learns from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.effects import StartModel
from engine.core.notes import MessageAdded, ReplyChosen, ReplyStarted, TurnAmended
from engine.core.policy import Tool, ToolKind
from engine.testing import Caller, ScriptedModel, ScriptedTool, ScriptedTranscriber, ToolUse, World, run_call
from tests.core.turn_scenes import LONG, asked, policy, said_by, turns, waits

FIRST, SECOND = "I would like a table.", "For two people please."
BOTH = f"{FIRST} {SECOND}"
BOOK = Tool("book", ToolKind.ACT)


def halves(pause: int, *, end: int = 14_000, first: str = FIRST) -> Caller:
    """Someone who goes on after ``pause`` ms."""
    return Caller().says(first, at=1_000, lasts=900).says(SECOND, pause=pause, lasts=900).hangs_up(at=end)


def quick(caller: Caller, **parts: Any) -> World:
    """The transcriber finds ends by itself; a model and a voice that are quick."""
    transcriber = ScriptedTranscriber(endpointing_ms=100)
    return run_call(policy(), caller, transcriber=transcriber, **parts)


# --- taken back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", range(620, 960, 20))
def test_it_is_silent_within_200_ms_and_both_halves_are_one_turn(pause: int) -> None:
    world = quick(halves(pause), model=ScriptedModel([LONG]))
    goes_on = world.caller.spoken[1][1]
    too_soon = world.phone.ear.sound_after(0)
    assert too_soon is not None and too_soon < goes_on
    assert world.phone.ear.silence_after(goes_on) - goes_on <= 200
    assert said_by(world, "user") == [BOTH] and said_by(world, "assistant") == [LONG]
    assert world.notes(TurnAmended)[-1].text == BOTH
    assert asked(world)[-1] == [("user", BOTH)]


def test_a_second_half_with_a_pause_in_it_is_the_same_turn_too() -> None:
    caller = Caller().says(FIRST, at=1_000, lasts=900)
    caller.says(SECOND, pause=900, lasts=900, pauses=[(300, 180)]).hangs_up(at=14_000)
    transcriber = ScriptedTranscriber(interim_every=None)
    answer = f"Yes. {LONG}"
    world = run_call(policy(), caller, transcriber=transcriber, model=ScriptedModel([answer]))
    assert ("assistant", "Yes.") in [(note.role, note.text) for note in world.notes(MessageAdded)]
    assert said_by(world, "user") == [BOTH] and said_by(world, "assistant") == [answer]


def test_who_goes_on_when_much_was_heard_interrupts_and_both_stand_as_they_were_heard() -> None:
    world = quick(halves(1_100), model=ScriptedModel([LONG, "Yes?"]))
    assert [role for role, _ in world.transcript] == ["user", "assistant", "user", "assistant"]
    assert said_by(world, "user") == [FIRST, SECOND]


def test_what_was_said_to_half_a_turn_stays_on_the_record() -> None:
    world = quick(halves(900), model=ScriptedModel([LONG]))
    notes = [(note.role, note.text, note.amended) for note in world.notes(MessageAdded)]
    assert notes[0] == ("user", FIRST, False) and notes[2] == ("user", BOTH, True)
    assert notes[1][0] == "assistant" and LONG.startswith(notes[1][1])


def test_a_sound_without_words_takes_nothing_back() -> None:
    caller = Caller().says(FIRST, at=1_000, lasts=900).coughs(pause=600).hangs_up(at=14_000)
    world = quick(caller, model=ScriptedModel([LONG]))
    assert said_by(world, "assistant") == [LONG] and world.heard_text == LONG


def test_what_an_early_answer_has_done_is_not_forgotten() -> None:
    rules = replace(policy(), tools=(BOOK,))
    model = ScriptedModel([[ToolUse("book"), "Booked it for you, then."]])
    transcriber = ScriptedTranscriber(endpointing_ms=100)
    world = World(
        rules, caller=halves(900), model=model, transcriber=transcriber, tools={"book": ScriptedTool()}
    )
    world.run()
    assert said_by(world, "user") == [FIRST, SECOND]


# --- finished sentences -------------------------------------------------------------------------------


def drafted_at(world: World) -> list[int]:
    return [note.at for note in world.notes(ReplyStarted) if note.draft]


def test_a_finished_sentence_is_thought_about_as_soon_as_its_words_are_final() -> None:
    world = quick(Caller().says(FIRST, at=1_000, lasts=900).hangs_up(at=9_000))
    assert drafted_at(world) == [2_000] == [at for at, _ in world.effects(StartModel)]
    assert world.times(ReplyChosen) == [1_900 + 480] and world.answer_delays == [480]


def test_words_that_may_go_on_are_thought_about_later() -> None:
    world = quick(Caller().says("A table please", at=1_000, lasts=900).hangs_up(at=9_000))
    assert drafted_at(world) == [1_900 + 160]


@pytest.mark.parametrize("pause", range(120, 480, 40))
def test_a_pause_between_two_sentences_is_no_end(pause: int) -> None:
    world = quick(halves(pause))
    assert turns(world) == [BOTH] and world.heard_text == "Okay."
    sounded = world.phone.ear.sound_after(0)
    assert sounded is not None and sounded >= world.caller.spoken[1][2] + 300


# --- what is learned ----------------------------------------------------------------------------------


def talk(*pauses: int) -> list[int]:
    """The waits of a caller's turns, each a finished sentence or, where there is a pause, two of them."""
    caller = Caller()
    for pause in pauses:
        caller.after_agent(FIRST, pause=1_500, lasts=900)
        if pause:
            caller.says(SECOND, pause=pause, lasts=900)
    transcriber = ScriptedTranscriber(endpointing_ms=100)
    caller.hangs_up(pause=4_000)
    return waits(run_call(policy("Hello."), caller, transcriber=transcriber))


def test_whose_finished_sentences_are_whole_turns_is_answered_sooner() -> None:
    assert talk(0, 0, 0) == [480, 420, 420]


def test_who_goes_on_after_one_is_waited_for_until_three_were_whole() -> None:
    assert talk(0, 300, 0, 0, 0, 0) == [480, 480, 480, 480, 420, 420]


def test_who_was_answered_too_early_is_waited_for_longer() -> None:
    first, second, *others = talk(700, 0, 0, 0, 0)
    assert (first, second) == (480, 630) and others == [615, 600, 585 - 60, 570 - 60]


# --- drafts cost --------------------------------------------------------------------------------------


def test_no_more_drafts_in_a_minute_than_the_policy_allows() -> None:
    caller = Caller()
    for _ in range(6):
        caller.after_agent("A table please", pause=1_500, lasts=600)
    world = run_call(policy("Hello.", drafts_per_minute=4), caller.hangs_up(pause=4_000))
    assert len(turns(world)) == 6 and len(drafted_at(world)) == 4


def test_the_allowance_comes_back_after_a_minute() -> None:
    caller = Caller().says("A table please", at=1_000, lasts=600).says("And a chair please", at=30_000)
    caller.says("One more thing please", at=62_000).hangs_up(pause=4_000)
    world = run_call(policy(drafts_per_minute=1), caller)
    assert len(turns(world)) == 3
    assert [at // 10_000 for at in drafted_at(world)] == [0, 6]
