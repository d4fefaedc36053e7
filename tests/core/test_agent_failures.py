"""Vendors that are silent, refuse, stall or break, a carrier without marks: no call gets stuck."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.effects import CancelModel, OpenTranscriber, Speak, StartModel
from engine.core.events import ModelDone, ModelText, Survived
from engine.core.notes import Cut, EndReason, Fault, ReplyEnded, ReplyStarted
from engine.core.policy import Ending, Hearing, Idle, Policy, Replies, Tool
from engine.testing import (
    Caller,
    Fails,
    Phone,
    Refuses,
    Repeats,
    ScriptedModel,
    ScriptedTool,
    ScriptedTranscriber,
    ScriptedVoice,
    Silent,
    Stalls,
    ToolUse,
    World,
    run_call,
)
from engine.testing.faults import Fault as VendorFault
from tests.core.turn_scenes import LONG, asked, heard_twice, policy, said_by

SORRY = "Sorry, please say that again."
RULES = replace(policy(drafts=False), ending=Ending(failure_message=SORRY), idle=Idle(dead_air=20_000))
TURN_ENDS = 1_900 + 480


def one_turn(end: int | None = None, then: tuple[str, ...] = ()) -> Caller:
    caller = Caller().says("Tell me.", at=1_000, lasts=900)
    for text in then:
        caller.after_agent(text, pause=1_000)
    return caller if end is None else caller.hangs_up(at=end)


def faults(world: World) -> list[tuple[int, str]]:
    return [(note.at, note.role) for note in world.notes(Fault)]


# --- the model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "noticed"),
    [(Silent(), 6_000), (Refuses(after=50), 50), (Fails(after=0), 150), (Stalls(after=0), 6_000)],
)
def test_a_model_that_says_nothing_is_asked_again_and_answers_once(fault: VendorFault, noticed: int) -> None:
    world = run_call(RULES, one_turn(20_000), model=ScriptedModel(["Once, then."], faults=[fault]))
    assert faults(world) == [(TURN_ENDS + noticed, "model")]
    attempts = [(request.reply, request.attempt) for _, request in world.effects(StartModel)]
    assert attempts == [(1, 1), (1, 2)] and len(asked(world)) == 2
    assert world.heard_text == "Once, then." and len(world.effects(CancelModel)) == 1


def test_late_text_of_the_first_attempt_is_dropped() -> None:
    world = World(RULES, caller=one_turn(30_000), model=ScriptedModel(["Here."], faults=[Silent()]))
    world.at(TURN_ENDS + 6_050, ModelText(1, 1, "There. ")).at(TURN_ENDS + 6_100, ModelDone(1, 1)).run()
    assert world.heard_text == "Here."


def test_a_lone_model_that_asks_for_a_pause_gets_it() -> None:
    faults_of_model = [Refuses(after=50, retry_after=3_000)]
    world = run_call(RULES, one_turn(20_000), model=ScriptedModel(["Here."], faults=faults_of_model))
    assert [at for at, _ in world.effects(StartModel)] == [TURN_ENDS, TURN_ENDS + 50 + 3_000]
    assert world.heard_text == "Here."


@pytest.mark.parametrize("pause", [5_950, 60_000])
def test_a_pause_beyond_the_deadline_is_not_waited_for(pause: int) -> None:
    refused = Refuses(after=50, retry_after=pause)
    world = run_call(RULES, one_turn(20_000), model=ScriptedModel(["Here."], faults=[refused]))
    assert len(world.effects(StartModel)) == 1 and world.heard_text == SORRY


def test_text_of_an_attempt_that_was_refused_is_late_while_its_pause_lasts() -> None:
    refused = Refuses(after=50, retry_after=1_000)
    world = World(RULES, caller=one_turn(20_000), model=ScriptedModel(["Here."], faults=[refused]))
    world.at(TURN_ENDS + 500, ModelText(1, 1, "There. ")).run()
    assert world.heard_text == "Here."


def test_an_interruption_ends_the_pause_of_a_model() -> None:
    caller = one_turn().says("Or wait, tell me more.", at=3_000).hangs_up(at=20_000)
    refused = Refuses(after=50, retry_after=3_000)
    world = run_call(RULES, caller, model=ScriptedModel(["Here."], faults=[refused]))
    assert [request.reply for _, request in world.effects(StartModel)] == [1, 2]
    assert world.heard_text == "Here."


@pytest.mark.parametrize(("fault", "tries"), [(Refuses(), 2), (Refuses(retryable=False), 1), (Silent(), 2)])
def test_a_model_that_fails_for_good_is_apologised_for(fault: VendorFault, tries: int) -> None:
    model = ScriptedModel(["Now then."], faults=[fault] * tries)
    world = run_call(RULES, one_turn(40_000, ("Hello?",)), model=model)
    assert world.heard_text == f"{SORRY} Now then."
    assert [note.kind for note in world.notes(ReplyStarted)] == ["answer", "apology", "answer"]
    assert world.reason is not EndReason.PROVIDER_ERROR


def test_too_many_failures_end_the_call_with_an_apology() -> None:
    world = run_call(RULES, one_turn(None, ("Hello?", "Hello?")), model=ScriptedModel(faults=Refuses()))
    assert world.reason is EndReason.PROVIDER_ERROR
    assert world.heard_text == f"{SORRY} {SORRY}"


def test_an_answer_that_was_heard_forgets_the_failures_before_it() -> None:
    bad = [Refuses(retryable=False)]
    model = ScriptedModel(["Fine."], faults=[*bad, None, *bad, None])
    world = run_call(RULES, one_turn(60_000, ("Hello?", "And?", "And?")), model=model)
    assert world.reason is not EndReason.PROVIDER_ERROR and world.heard_text == f"{SORRY} Fine. {SORRY} Fine."


LATE = "It is late now. The shop will be closed on Monday, I think."


@pytest.mark.parametrize("fault", [Stalls(after=8), Fails(after=8)])
def test_a_model_that_breaks_off_is_gone_on_with_and_repeats_nothing(fault: VendorFault) -> None:
    world = run_call(RULES, one_turn(40_000), model=ScriptedModel([LATE], faults=[fault]))
    assert world.heard_text == LATE and len(asked(world)) == 2
    assert [note.how for note in world.notes(ReplyEnded)] == [Cut.DONE]


@pytest.mark.parametrize("fault", [Stalls(after=8), Fails(after=8)])
@pytest.mark.pipeline
def test_one_that_always_breaks_off_is_heard_up_to_its_last_whole_sentence(fault: VendorFault) -> None:
    world = run_call(RULES, one_turn(40_000), model=ScriptedModel([LATE], faults=fault))
    assert world.heard_text == "It is late now." and len(asked(world)) == 2


@pytest.mark.pipeline
@pytest.mark.parametrize("text", ["", "Cer"])
@pytest.mark.pipeline
def test_a_reply_that_is_cut_before_it_has_said_anything_has_failed(text: str) -> None:
    world = World(RULES, caller=one_turn(20_000), model=ScriptedModel(faults=[Silent()]))
    world.at(TURN_ENDS + 40, ModelText(1, 1, text)).at(TURN_ENDS + 50, ModelDone(1, 1, "length")).run()
    assert faults(world) == [(TURN_ENDS + 50, "model")] and world.heard_text == SORRY


@pytest.mark.pipeline
def test_a_reply_that_is_cut_in_its_second_sentence_ends_with_the_first() -> None:
    world = World(RULES, caller=one_turn(20_000), model=ScriptedModel(faults=[Silent()]))
    world.at(TURN_ENDS + 40, ModelText(1, 1, "It is late. The shop will be clo"))
    world.at(TURN_ENDS + 50, ModelDone(1, 1, "length")).run()
    assert faults(world) == [] and world.heard_text == "It is late."


def test_a_stream_that_is_open_and_says_nothing_speakable_has_failed() -> None:
    world = World(RULES, caller=one_turn(60_000), model=ScriptedModel(["Here."], faults=[Silent()]))
    for at in range(2_580, 30_000, 400):
        world.at(at, ModelText(1, 1, " "))
    world.run()
    assert faults(world) == [(TURN_ENDS + 6_000, "model")] and world.heard_text == "Here."


def test_the_end_that_is_said_twice_is_one_end() -> None:
    world = run_call(RULES, one_turn(20_000), model=ScriptedModel([LONG], faults=Repeats()))
    assert said_by(world, "assistant") == [LONG]


LOOK = Tool("look")
LETS_SEE = ["Let me see.", ToolUse("look")]


@pytest.mark.parametrize("down", [Refuses(retryable=False), Refuses(), Silent()], ids=str)
@pytest.mark.parametrize("drafts", [True, False])
def test_a_model_that_only_promised_an_answer_and_then_failed_is_apologised_for(
    down: VendorFault, drafts: bool
) -> None:
    rules = replace(RULES, tools=(LOOK,), turns=replace(RULES.turns, drafts=drafts))
    model = ScriptedModel([LETS_SEE], faults=[None, *[down] * 2])
    world = run_call(rules, one_turn(18_000), model=model, tools={"look": ScriptedTool("1")})
    assert world.heard_text == f"Let me see. {SORRY}"
    assert said_by(world, "assistant") == ["Let me see.", SORRY]


def test_who_keeps_promising_and_failing_is_given_up() -> None:
    rules = replace(RULES, tools=(LOOK,))
    bad = Refuses(retryable=False)
    model = ScriptedModel([LETS_SEE] * 4, faults=[None, bad, None, bad])
    world = run_call(rules, one_turn(None, ("Hello?",)), model=model, tools={"look": ScriptedTool("1")})
    assert world.reason is EndReason.PROVIDER_ERROR
    assert world.heard_text == f"Let me see. {SORRY} Let me see. {SORRY}"


def test_a_filler_is_no_answer() -> None:
    replies = replace(RULES.replies, filler_after=300, fillers=("One moment.",))
    model = ScriptedModel(faults=[Refuses(after=900, retryable=False)])
    world = run_call(replace(RULES, replies=replies), one_turn(20_000), model=model)
    assert world.heard_text == f"One moment. {SORRY}"
    assert all(request.keep for _, request in world.effects(Speak))


# --- the voice ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "noticed"), [(Silent(), 4_000), (Refuses(after=70), 70), (Fails(after=0), 80)]
)
@pytest.mark.pipeline
def test_a_voice_that_says_nothing_is_asked_again(fault: VendorFault, noticed: int) -> None:
    world = run_call(
        RULES, one_turn(30_000), voice=ScriptedVoice(faults=[fault]), model=ScriptedModel([LONG])
    )
    assert [role for _, role in faults(world)] == ["voice"] and world.heard_text == LONG
    first = world.effects(StartModel)[0][0]
    assert faults(world)[0][0] >= first + noticed
    assert heard_twice(world) == {}


@pytest.mark.pipeline
def test_a_lone_voice_that_asks_for_a_pause_gets_it() -> None:
    voice = ScriptedVoice(faults=[Refuses(after=50, retry_after=3_000)])
    world = run_call(RULES, one_turn(30_000), voice=voice, model=ScriptedModel([LONG]))
    (first, _), (second, _) = world.effects(Speak)[:2]
    assert second - first == 3_050 and [role for _, role in faults(world)] == ["voice"]
    assert world.heard_text == LONG


@pytest.mark.pipeline
def test_a_voice_that_asks_for_longer_than_the_deadline_has_failed() -> None:
    voice = ScriptedVoice(faults=[Refuses(after=50, retry_after=4_000)])
    world = run_call(RULES, one_turn(), voice=voice, model=ScriptedModel([LONG]))
    assert world.reason is EndReason.PROVIDER_ERROR and len(world.voice.asked) == 1


def test_a_lone_transcriber_is_left_alone_for_as_long_as_it_asks() -> None:
    transcriber = ScriptedTranscriber(faults=[Refuses(after=50, retry_after=3_000)])
    world = run_call(RULES, one_turn(20_000), transcriber=transcriber)
    assert [at for at, _ in world.effects(OpenTranscriber)] == [0, 3_050]
    assert said_by(world, "user") == ["Tell me."]


def test_a_transcriber_that_asks_for_longer_than_an_opening_may_take_has_failed() -> None:
    transcriber = ScriptedTranscriber(faults=[Refuses(after=50, retry_after=60_000)])
    world = run_call(RULES, one_turn(20_000), transcriber=transcriber)
    assert world.reason is EndReason.PROVIDER_ERROR and len(world.effects(OpenTranscriber)) == 1


@pytest.mark.parametrize("retryable", [True, False])
@pytest.mark.pipeline
def test_a_voice_that_fails_for_good_ends_the_call(retryable: bool) -> None:
    world = run_call(RULES, one_turn(), voice=ScriptedVoice(faults=Refuses(retryable=retryable)))
    assert world.reason is EndReason.PROVIDER_ERROR and len(world.voice.asked) == (2 if retryable else 1)
    assert said_by(world, "assistant") == []


@pytest.mark.parametrize("fault", [Fails, Stalls])
@pytest.mark.parametrize("after", [450, 600, 650, 900, 2_000])
def test_a_voice_that_breaks_off_goes_on_with_the_word_that_is_not_whole(fault: Any, after: int) -> None:
    voice = ScriptedVoice(faults=[fault(after=after)])
    world = run_call(RULES, one_turn(40_000), voice=voice, model=ScriptedModel([LONG]))
    whole = [word.text for word in world.phone.ear.words(world.clock.now, missing=1)]
    assert _without_one_repeated(whole) == LONG.split() and said_by(world, "assistant") == [LONG]


@pytest.mark.parametrize("after", [450, 600, 2_000])
def test_without_word_times_a_voice_that_breaks_off_repeats_one_word_at_most(after: int) -> None:
    voice = ScriptedVoice(faults=[Fails(after=after)], word_times=False)
    world = run_call(RULES, one_turn(40_000), voice=voice, model=ScriptedModel([LONG]))
    whole = [word.text for word in world.phone.ear.words(world.clock.now, missing=1)]
    assert _without_one_repeated(whole) == LONG.split()


def _without_one_repeated(words: list[str]) -> list[str]:
    """The words less the first that follows its like: where a voice broke at a word's end, none can tell."""
    at = next((n for n in range(1, len(words)) if words[n] == words[n - 1]), len(words))
    return words[:at] + words[at + 1 :]


def test_a_voice_that_says_its_end_twice_is_heard_once() -> None:
    world = run_call(
        RULES, one_turn(30_000), voice=ScriptedVoice(faults=Repeats()), model=ScriptedModel([LONG])
    )
    assert world.heard_text == LONG and heard_twice(world) == {}


def test_a_voice_slower_than_speech_leaves_gaps_but_no_word_is_lost() -> None:
    world = run_call(
        RULES, one_turn(60_000), voice=ScriptedVoice(realtime_factor=0.7), model=ScriptedModel([LONG])
    )
    assert world.heard_text == LONG and said_by(world, "assistant") == [LONG] and faults(world) == []


# --- what costs nothing -------------------------------------------------------------------------------


def test_what_a_vendor_survives_is_on_the_record_and_nothing_follows_from_it() -> None:
    world = World(RULES, caller=one_turn(20_000), model=ScriptedModel(["Here."]))
    world.at(500, Survived("voice", "refused while it rang")).at(1_500, Survived("model", "no JSON")).run()
    assert faults(world) == [(500, "voice"), (1_500, "model")] and world.heard_text == "Here."


# --- the carrier --------------------------------------------------------------------------------------


class Mute(Phone):
    """A phone whose carrier never sends a mark back."""

    def mark(self, name: str) -> None:
        """The call sent a mark, in vain."""


def test_marks_that_never_come_back_do_not_stop_the_talk() -> None:
    caller = Caller().says("Tell me.", at=1_000).says("Go on.", at=9_000).hangs_up(at=20_000)
    world = run_call(
        RULES, caller, phone=Mute(), model=ScriptedModel(["The first thing.", "The other thing."])
    )
    assert said_by(world, "assistant") == ["The first thing.", "The other thing."]
    assert [role for _, role in faults(world)] == ["carrier", "carrier"]


def test_marks_that_never_come_back_do_not_stop_a_long_answer() -> None:
    story = " ".join([LONG] * 4)
    world = run_call(RULES, one_turn(), phone=Mute(), model=ScriptedModel([story]), max_ms=120_000)
    assert said_by(world, "assistant") == [story]


# --- whatever happens ---------------------------------------------------------------------------------

EVERY_FAULT = [
    Silent(),
    Refuses(),
    Refuses(retryable=False),
    Stalls(after=1),
    Stalls(after=700),
    Fails(after=3),
]


@pytest.mark.parametrize("who", ["model", "voice", "transcriber"])
@pytest.mark.parametrize("fault", EVERY_FAULT, ids=str)
def test_no_vendor_can_keep_a_call_from_ending(who: str, fault: VendorFault) -> None:
    vendors: dict[str, Any] = {
        "model": lambda: ScriptedModel([LONG], faults=fault),
        "voice": lambda: ScriptedVoice(faults=fault),
        "transcriber": lambda: ScriptedTranscriber(faults=fault),
    }
    world = run_call(RULES, one_turn(), **{who: vendors[who]()}, max_ms=300_000)
    assert world.ended_at is not None
    assert world.reason in (EndReason.SILENCE, EndReason.PROVIDER_ERROR)


def test_the_rules_say_how_long_and_how_often_a_transcriber_is_opened() -> None:
    rules = replace(RULES, hearing=Hearing(open_within=800, attempts=3, backoff=100))
    world = run_call(rules, one_turn(), transcriber=ScriptedTranscriber(faults=Silent()))
    assert [at for at, _ in world.effects(OpenTranscriber)] == [0, 900, 1_900]
    assert world.reason is EndReason.PROVIDER_ERROR


def test_a_transcriber_that_comes_back_loses_no_turn() -> None:
    caller = Caller().says("Tell me.", at=4_000).hangs_up(at=20_000)
    world = run_call(RULES, caller, transcriber=ScriptedTranscriber(faults=[Fails(after=1_000), Refuses()]))
    assert said_by(world, "user") == ["Tell me."] and len(faults(world)) == 2


def test_a_policy_without_words_of_apology_stays_on_the_line() -> None:
    rules = Policy(turns=RULES.turns, replies=Replies(attempts=1))
    model = ScriptedModel(["Fine."], faults=[Refuses(retryable=False)])
    caller = Caller().says("Tell me.", at=1_000).says("Hello?", at=6_000).hangs_up(at=12_000)
    assert run_call(rules, caller, model=model).heard_text == "Fine."
