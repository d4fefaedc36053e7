"""The caller's turn: when it ends, drafts in its pauses, words that come late, halves that go together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.effects import RunTool, SendAudio
from engine.core.events import FinalWords, InterimWords, KeyPressed, TranscriberFailed, TranscriberReady
from engine.core.notes import (
    Cut,
    Fault,
    MessageAdded,
    ReplyChosen,
    ReplyEnded,
    ReplyStarted,
    TurnAmended,
    TurnEnded,
)
from engine.core.policy import Tool, ToolKind
from engine.testing import (
    Caller,
    Refuses,
    ScriptedModel,
    ScriptedTool,
    ScriptedTranscriber,
    ScriptedVoice,
    ToolUse,
    World,
    run_call,
)
from tests.core.turn_scenes import LONG, asked, by_hand, policy, said_by, turns, waits


def remarks(world: World) -> list[str]:
    return [note.text for note in world.notes(MessageAdded) if note.role == "remark"]


def ended(world: World) -> list[Cut]:
    return [note.how for note in world.notes(ReplyEnded)]


# --- what is a turn -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lasts", [20, 40])
def test_a_burst_shorter_than_the_onset_is_nothing(lasts: int) -> None:
    world = run_call(policy("Hi."), Caller().coughs(at=1_000, lasts=lasts).hangs_up(at=6_000))
    assert turns(world) == [] and len(world.notes(ReplyStarted)) == 1


def test_a_cough_has_no_words_and_gives_no_turn() -> None:
    world = run_call(policy("Hi."), Caller().coughs(at=1_000, lasts=400).hangs_up(at=6_000))
    assert turns(world) == [] and asked(world) == []


@pytest.mark.parametrize(("shortest", "answers"), [(400, 1), (401, 0)])
def test_speech_shorter_than_the_shortest_turn_is_kept_but_not_answered(shortest: int, answers: int) -> None:
    caller = Caller().says("yes", at=1_000, lasts=400).hangs_up(at=6_000)
    world = run_call(policy(shortest_turn=shortest), caller)
    assert len(turns(world)) == answers
    assert remarks(world) == ([] if answers else ["yes"])


def test_ten_seconds_of_noise_in_a_silent_call_start_no_turn() -> None:
    world = run_call(policy("Hi."), Caller().noise(1_000, 10_000).hangs_up(at=14_000))
    assert turns(world) == [] and asked(world) == [] and world.heard_text == "Hi."


def test_who_talks_and_talks_is_answered_in_the_end() -> None:
    caller = Caller().says("la " * 100 + "la", at=1_000, lasts=20_000).hangs_up(at=30_000)
    world = run_call(policy(longest_turn=10_000), caller)
    assert world.times(TurnEnded)[0] == 11_000 and world.notes(TurnEnded)[0].why == "longest turn"
    said = " ".join(said_by(world, "user"))
    assert said.split().count("la") == 101


# --- words on their way -------------------------------------------------------------------------------


def test_the_turn_waits_for_words_that_come_soon() -> None:
    caller = Caller().says("A table please", at=1_000, lasts=900).hangs_up(at=9_000)
    world = run_call(policy(drafts=False), caller, transcriber=ScriptedTranscriber(final_delay=900))
    assert turns(world) == ["A table please"]
    assert waits(world) == [160 + 900]


def test_interim_words_count_when_the_final_never_comes() -> None:
    caller = Caller().says("A table please", at=1_000, lasts=900).hangs_up(at=9_000)
    world = (
        by_hand(policy(), caller).at(1_500, InterimWords("A table")).at(1_890, InterimWords("A table please"))
    )
    assert turns(world.run()) == ["A table please"]
    assert waits(world) == [600 + 1_000]
    assert len(asked(world)) == 1


@pytest.mark.pipeline
def test_a_final_that_comes_at_once_ends_no_turn_before_its_silence() -> None:
    caller = Caller().says("A table please.", at=1_000, lasts=900).hangs_up(at=9_000)
    world = by_hand(policy(), caller).at(1_900, FinalWords("A table please.")).run()
    assert waits(world) == [480]


LATE = 4_000


def late(final: str, until: int = 9_000, **parts: Any) -> World:
    """A turn taken from interim words at 3,500; the final comes at 4,000, when nothing was heard yet."""
    caller = Caller().says("A table for two", at=1_000, lasts=900).hangs_up(at=until)
    world = by_hand(policy(), caller, model=ScriptedModel(["Yes."], first_token_ms=800), **parts)
    world.at(1_890, InterimWords("A table for two")).at(LATE, FinalWords(final))
    return world.run()


def test_a_late_final_with_the_same_words_changes_nothing() -> None:
    world = late("a table, for two.")
    assert said_by(world, "user") == ["A table for two"]
    assert len(asked(world)) == 1 and world.heard_text == "Yes."


def test_a_late_final_with_other_words_amends_the_turn_and_its_unheard_answer() -> None:
    world = late("A table for you")
    assert said_by(world, "user") == ["A table for you"]
    assert [note.text for note in world.notes(TurnAmended)] == ["A table for you"]
    assert ended(world) == [Cut.DROPPED, Cut.DONE]
    assert asked(world)[-1] == [("user", "A table for you")] and world.heard_text == "Yes."


def test_a_late_final_is_not_said_again_with_what_follows_it() -> None:
    caller = Caller().says("A table for two", at=1_000, lasts=900).says("and a chair", pause=1_700)
    world = by_hand(policy(), caller.hangs_up(at=12_000), model=ScriptedModel(["Yes."], first_token_ms=900))
    world.at(1_890, InterimWords("A table for two")).at(3_900, FinalWords("A table for two"))
    world.at(4_500, FinalWords("and a chair")).run()
    assert said_by(world, "user") == ["A table for two and a chair"]


# --- one turn, one answer -----------------------------------------------------------------------------


def test_two_finals_of_one_turn_are_one_turn_with_one_answer() -> None:
    caller = Caller().says("A table for two", at=1_000, lasts=900).hangs_up(at=9_000)
    world = by_hand(policy(), caller).at(1_500, FinalWords("A table")).at(2_100, FinalWords("for two")).run()
    assert said_by(world, "user") == ["A table for two"]
    assert world.heard_text == "Okay." and len(said_by(world, "assistant")) == 1


@pytest.mark.parametrize("final_delay", [100, 700])
def test_a_final_that_is_said_twice_is_heard_once(final_delay: int) -> None:
    caller = Caller().says("A table for two", at=1_000, lasts=900).hangs_up(at=9_000)
    transcriber = ScriptedTranscriber(final_delay=final_delay, repeats=True)
    world = run_call(policy(), caller, transcriber=transcriber)
    assert said_by(world, "user") == ["A table for two"]
    assert world.heard_text == "Okay."


def test_a_second_final_before_the_answer_is_heard_amends_the_turn() -> None:
    caller = Caller().says("A table for two", at=1_000, lasts=900).hangs_up(at=12_000)
    world = by_hand(policy(), caller, model=ScriptedModel(["Yes."], first_token_ms=1_500))
    world.at(2_000, FinalWords("A table")).at(3_000, FinalWords("for two")).run()
    assert said_by(world, "user") == ["A table for two"]
    assert ended(world) == [Cut.DROPPED, Cut.DONE] and world.heard_text == "Yes."


def test_both_halves_are_one_turn_when_the_caller_goes_on_before_the_answer() -> None:
    caller = Caller().says("I would like a table", at=1_000, lasts=1_200).says("for two.", pause=900)
    world = run_call(policy(), caller.hangs_up(at=12_000), model=ScriptedModel(["Yes."], first_token_ms=900))
    assert said_by(world, "user") == ["I would like a table for two."]
    assert len(turns(world)) == 2 and [note.text for note in world.notes(TurnAmended)] == said_by(
        world, "user"
    )
    assert asked(world)[-1] == [("user", "I would like a table for two.")]
    assert ended(world)[-1] is Cut.DONE and world.heard_text == "Yes."


def test_the_caller_who_goes_on_over_the_answer_cuts_it_and_both_are_in_the_order_of_the_ear() -> None:
    caller = Caller().says("Tell me about it.", at=1_000).says("No wait", pause=1_800).hangs_up(at=15_000)
    world = run_call(policy(), caller, model=ScriptedModel([LONG, "Yes?"]))
    roles = [role for role, _ in world.transcript]
    assert roles == ["user", "assistant", "user", "assistant"]
    assert LONG.startswith(world.transcript[1][1]) and asked(world)[-1] == world.transcript[:3]


def test_a_key_in_the_answer_that_was_not_heard_is_answered_with_the_words() -> None:
    caller = Caller().says("Sales, please.", at=1_000).hangs_up(at=12_000)
    world = World(policy(), caller=caller, model=ScriptedModel(["Yes."], first_token_ms=1_500))
    world.at(2_600, KeyPressed("5")).run()
    assert said_by(world, "user") == ["Sales, please. [keypad: 5]"]
    assert world.heard_text == "Yes."


# --- drafts -------------------------------------------------------------------------------------------


def drafted(caller: Caller, *, replies: Any = ("Yes.",), **parts: Any) -> World:
    model = ScriptedModel(replies, first_token_ms=50)
    return run_call(policy(endpoint_delay=1_200), caller, model=model, **parts)


def test_a_draft_thinks_and_speaks_in_the_pause_and_is_chosen_without_a_second_request() -> None:
    world = drafted(Caller().says("A table please", at=1_000, lasts=900).hangs_up(at=9_000))
    started, chosen = world.notes(ReplyStarted)[0], world.notes(ReplyChosen)[0]
    assert started.draft and (started.at, chosen.at) == (2_160, 3_100)
    assert len(asked(world)) == 1 and asked(world)[0] == [("user", "A table please")]
    assert world.effects(SendAudio)[0][0] == 3_100
    assert world.answer_delays == [1_200]


def test_a_draft_is_dropped_unheard_when_the_caller_goes_on() -> None:
    caller = (
        Caller().says("A table please", at=1_000, lasts=900).says("for two", pause=900).hangs_up(at=9_000)
    )
    world = drafted(caller)
    assert [note.draft for note in world.notes(ReplyStarted)] == [True, True]
    assert ended(world) == [Cut.DROPPED, Cut.DONE]
    assert said_by(world, "user") == ["A table please for two"] == turns(world)
    assert world.heard_text == "Yes."


def test_no_more_drafts_than_the_policy_allows() -> None:
    caller = Caller().says("one thing", at=1_000, lasts=600)
    for _ in range(6):
        caller.says("and one thing", pause=800, lasts=600)
    world = run_call(policy(endpoint_delay=1_000, drafts_per_turn=2), caller.hangs_up(at=25_000))
    assert len(turns(world)) == 1
    assert [note.draft for note in world.notes(ReplyStarted)] == [True, True, False]


@pytest.mark.parametrize("text", ["A table and", "five five five", "um"])
def test_words_that_cannot_be_all_are_not_drafted_on(text: str) -> None:
    world = run_call(policy(), Caller().says(text, at=1_000, lasts=900).hangs_up(at=9_000))
    assert [note.draft for note in world.notes(ReplyStarted)] == [False]


@pytest.mark.parametrize("kind", [ToolKind.ACT, ToolKind.END])
def test_a_draft_has_no_hands(kind: ToolKind) -> None:
    """The tool runs when the draft is chosen, once; that of a draft that was dropped never does."""
    rules = replace(policy(endpoint_delay=1_200), tools=(Tool("book", kind),))
    caller = Caller().says("A table please", at=1_000, lasts=900).says("for two", pause=900, lasts=500)
    model = ScriptedModel([ToolUse("book"), "Done."], first_token_ms=50)
    world = run_call(rules, caller.hangs_up(at=12_000), model=model, tools={"book": ScriptedTool()})
    assert [at for at, _ in world.effects(RunTool)] == [world.times(ReplyChosen)[0]]
    assert world.heard_text == "Done."


def test_a_draft_does_not_hang_up() -> None:
    caller = Caller().says("Goodbye", at=1_000, lasts=900).says("no wait", pause=900, lasts=500)
    model = ScriptedModel([["Bye.", ToolUse("hang_up")]], first_token_ms=50)
    world = World(policy(endpoint_delay=1_200), caller=caller, model=model).run()
    assert said_by(world, "user") == ["Goodbye no wait"]
    assert world.ended_at is not None and world.ended_at > caller.spoken[1][2] + 1_200


def test_a_draft_that_fails_leaves_the_turn_to_be_answered() -> None:
    caller = Caller().says("A table please", at=1_000, lasts=900).hangs_up(at=15_000)
    model = ScriptedModel(["Yes."], faults=[Refuses(), Refuses()])
    world = run_call(policy(endpoint_delay=1_200), caller, model=model)
    assert len(world.notes(Fault)) == 2
    assert world.heard_text == "Yes."


def test_late_text_and_audio_of_a_draft_that_was_dropped_reach_nobody() -> None:
    caller = (
        Caller().says("A table please", at=1_000, lasts=900).says("for two", pause=900).hangs_up(at=9_000)
    )
    model = ScriptedModel(lambda m: "Table only." if m[-1].text.endswith("please") else "For two.", late=True)
    world = run_call(policy(endpoint_delay=1_200), caller, model=model, voice=ScriptedVoice(late=True))
    assert world.heard_text == "For two."


@pytest.mark.parametrize("text", ["yes please", "yes"])
def test_words_of_a_new_stream_are_new_although_the_last_ones_were_never_final(text: str) -> None:
    """The transcriber broke before the final of the first turn; the caller's next words begin alike."""
    caller = Caller().says("yes", at=1_000, lasts=400).says(text, at=8_000, lasts=600).hangs_up(at=14_000)
    world = by_hand(policy("And?"), caller, model=ScriptedModel(["Which one?", "Good."]))
    world.at(1_390, InterimWords("yes")).at(1_600, TranscriberFailed("broken")).at(1_900, TranscriberReady())
    world.at(8_590, InterimWords(text)).at(8_800, FinalWords(text)).run()
    assert said_by(world, "user") == ["yes", text]


def lost_mid_turn(back_at: int | None) -> World:
    """The transcriber breaks when half of a turn is known; the fresh one says all of it at ``back_at``."""
    caller = Caller().says("a table for two please", at=1_000, lasts=900).hangs_up(at=20_000)
    world = by_hand(policy("And?"), caller, model=ScriptedModel(["Which one?"]))
    world.at(1_500, InterimWords("a table")).at(1_600, TranscriberFailed("broken"))
    if back_at is not None:
        world.at(back_at, TranscriberReady()).at(back_at + 900, FinalWords("a table for two please"))
    return world.run()


@pytest.mark.parametrize("back_at", [1_900, 3_000, 6_000])
def test_half_a_turn_waits_for_its_other_half_while_the_transcriber_is_opened_again(back_at: int) -> None:
    world = lost_mid_turn(back_at)
    assert turns(world) == ["a table for two please"]
    assert said_by(world, "assistant") == ["And?", "Which one?"]


def test_half_a_turn_does_not_wait_for_ever() -> None:
    world = lost_mid_turn(None)
    assert turns(world) == ["a table"]
    assert waits(world)[0] <= policy().hearing.open_within + 1_000


def test_words_that_are_final_do_not_wait_for_a_stream_that_was_lost_after_them() -> None:
    caller = Caller().says("a table please", at=1_000, lasts=900).hangs_up(at=9_000)
    world = by_hand(policy("And?"), caller, model=ScriptedModel(["Which one?"]))
    world.at(2_100, FinalWords("a table please")).at(2_150, TranscriberFailed("broken")).run()
    assert waits(world) == [policy().turns.endpoint_delay]


def test_an_empty_final_while_the_agent_speaks_leaves_no_remark() -> None:
    world = by_hand(policy(LONG), Caller().hangs_up(at=12_000)).at(3_000, FinalWords("")).run()
    assert remarks(world) == []
