"""What comes from outside (F83, F20): say this now, typed text, hang up, transfer, voice or text."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import effects
from engine.core.events import HangUpNow, SayNow, SetOutputMedium, TransferNow, Urgency, UserText
from engine.core.notes import Fault, Leaving, MessageAdded
from engine.core.policy import Carrier, Ending, Idle, LadderStep, Opening, Policy, Turns
from engine.testing import Caller, ScriptedModel, ScriptedTranscriber, Stalls, World
from tests.core.clock_scenes import (
    FIRST_AUDIO,
    GREETING,
    LONG,
    NO_CLOCKS,
    ending,
    fired,
    model,
    roles,
    spoken,
    when,
)

ASKS = Caller().says("Tell me a story.", at=200)
SPEAKING, SILENT = 3_500, 9_500
"""The agent has been telling its story for a while; it has told it and nobody speaks."""
SAY = "We close in five minutes."


def world(*events: tuple[int, Any], policy: Policy | None = None, **parts: Any) -> World:
    """The caller asks for a story and gets a long one, unless ``parts`` say otherwise."""
    made = World(policy or Policy(idle=NO_CLOCKS), **{"caller": ASKS, "model": model(LONG, "Yes?"), **parts})
    for at, event in events:
        made.at(at, event)
    return made


def texts(of: World) -> list[str]:
    return [text for text, _, _ in spoken(of)]


# --- say this -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("urgency", [Urgency.NOW, Urgency.NEXT])
def test_into_silence_it_is_said_at_once(urgency: Urgency) -> None:
    call = world((SILENT, SayNow(SAY, urgency))).run(15_000)
    assert spoken(call)[1][:2] == (SAY, SILENT + FIRST_AUDIO)


def test_now_cuts_the_agent_at_once() -> None:
    call = world((SPEAKING, SayNow(SAY, Urgency.NOW))).run(15_000)
    assert call.phone.ear.silence_after(SPEAKING - 100) == SPEAKING
    assert spoken(call)[1][:2] == (SAY, SPEAKING + FIRST_AUDIO)
    assert LONG not in call.heard_text


def test_next_waits_for_the_end() -> None:
    call = world((SPEAKING, SayNow(SAY, Urgency.NEXT))).run(15_000)
    (_, _, told), (text, start, _) = spoken(call)
    assert (texts(call)[0], text, start) == (LONG, SAY, told + FIRST_AUDIO)


def test_later_says_nothing_and_is_known_in_the_next_turn() -> None:
    caller = Caller().says("Tell me a story.", at=200).says("Go on.", at=11_000)
    call = world((SPEAKING, SayNow(SAY, Urgency.LATER)), caller=caller).run(16_000)
    assert texts(call) == [LONG, "Yes?"]
    assert ("system", SAY) in [(m.role, m.text) for m in call.model.requests[-1].messages]


def test_several_are_said_in_order() -> None:
    call = world((SILENT, SayNow("One.")), (SILENT, SayNow("Two.")), (SILENT, SayNow("Three."))).run(15_000)
    assert texts(call)[1:] == ["One.", "Two.", "Three."]


@pytest.mark.parametrize("fixed", [False, True])
def test_it_can_be_made_uninterruptible(fixed: bool) -> None:
    caller = Caller().says("Tell me a story.", at=200).says("no wait stop", at=SILENT + 500)
    call = world((SILENT, SayNow(LONG, uninterruptible=fixed)), caller=caller).run(25_000)
    assert (texts(call)[1] == LONG) is fixed
    assert texts(call)[-1] == "Yes?"


def test_now_does_not_cut_what_cannot_be_interrupted() -> None:
    policy = Policy(opening=Opening(message=LONG, uninterruptible=True), idle=NO_CLOCKS)
    call = world((1_000, SayNow(SAY, Urgency.NOW)), policy=policy, caller=Caller()).run(15_000)
    assert texts(call) == [LONG, SAY]


def test_nothing_is_said_into_the_caller_s_words() -> None:
    caller = Caller().says("Tell me a story.", at=200).says("And another one if you have time", at=SILENT)
    call = world((SILENT + 500, SayNow(SAY)), caller=caller).run(20_000)
    assert texts(call)[1:] == [SAY, "Yes?"]
    assert spoken(call)[1][1] > caller.spoken[1][2]


THINKING = ScriptedModel(["It is noon."], first_token_ms=2_500)


@pytest.mark.parametrize("event", [SayNow(SAY, Urgency.NEXT), SayNow(SAY, Urgency.LATER)])
def test_the_caller_is_answered_all_the_same(event: SayNow) -> None:
    assert "It is noon." in texts(world((2_500, event), model=THINKING).run(15_000))


def test_even_if_it_had_to_be_said_before_the_answer() -> None:
    call = world((2_500, SayNow(SAY, Urgency.NOW)), model=THINKING).run(15_000)
    assert texts(call) == [SAY, "It is noon."]


@pytest.mark.parametrize("event", [SayNow("  "), UserText(" \n")])
def test_nothing_is_not_said(event: SayNow | UserText) -> None:
    call = world((SILENT, event)).run(12_000)
    assert texts(call) == [LONG] and len(call.messages) == 2


# --- typed text -----------------------------------------------------------------------------------------

TYPED = "And what is the time?"


@pytest.mark.parametrize("urgency", [Urgency.NOW, Urgency.NEXT])
def test_typed_text_is_answered_like_words(urgency: Urgency) -> None:
    call = world((SILENT, UserText(TYPED, urgency))).run(15_000)
    assert roles(call)[2:] == [("user", TYPED), ("assistant", "Yes?")]
    assert when(call, effects.StartModel)[-1] == SILENT


def test_next_lets_the_agent_finish_and_is_a_turn_of_its_own() -> None:
    call = world((SPEAKING, UserText(TYPED, Urgency.NEXT))).run(15_000)
    assert texts(call) == [LONG, "Yes?"]
    assert [text for role, text in roles(call) if role == "user"] == ["Tell me a story.", TYPED]


def test_so_is_what_is_said_under_an_agent_who_cannot_be_interrupted() -> None:
    policy = Policy(idle=NO_CLOCKS, turns=Turns(interruptible=False))
    caller = Caller().says("Tell me a story.", at=200).says("Now another one.", at=SPEAKING)
    call = world(policy=policy, caller=caller).run(15_000)
    assert texts(call) == [LONG, "Yes?"]
    assert [text for role, text in roles(call) if role == "user"] == ["Tell me a story.", "Now another one."]


def test_now_cuts_the_agent_and_is_a_turn_of_its_own() -> None:
    call = world((SPEAKING, UserText(TYPED, Urgency.NOW))).run(15_000)
    assert call.phone.ear.silence_after(SPEAKING - 100) == SPEAKING
    assert [role for role, _ in roles(call)] == ["user", "assistant", "user", "assistant"]
    assert roles(call)[2:] == [("user", TYPED), ("assistant", "Yes?")]


def test_later_is_only_remembered() -> None:
    call = world((SILENT, UserText(TYPED, Urgency.LATER))).run(15_000)
    assert roles(call)[2:] == [("user", TYPED)]
    assert texts(call) == [LONG]


def test_words_that_come_late_and_end_the_turn_at_once_come_after_what_was_heard() -> None:
    """The caller has long been silent when the transcriber's only final says what was said."""
    caller = Caller().says("Tell me a story.", at=200).says("No wait", at=4_500)
    slow = ScriptedTranscriber(interim_every=None, final_delay=700)
    call = world(caller=caller, transcriber=slow).run(15_000)
    assert [role for role, _ in roles(call)] == ["user", "assistant", "user", "assistant"]


def test_typed_text_into_a_soft_farewell_keeps_the_call() -> None:
    soft = Policy(opening=GREETING, idle=Idle(dead_air=5_000), ending=Ending(message=LONG))
    call = world((7_000, UserText(TYPED)), policy=soft, caller=Caller(), model=model("Yes?"))
    call.run(15_000)
    assert call.notes(Leaving)[0].at < 7_000
    assert call.reason is None and texts(call)[-1] == "Yes?"


# --- hang up, transfer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [SPEAKING, SILENT])
@pytest.mark.parametrize(
    ("farewell", "message", "heard"),
    [
        ("", "", None),
        ("Bye now.", "", "Bye now."),
        ("", "Goodbye.", "Goodbye."),
        ("Bye now.", "Goodbye.", "Bye now."),
    ],
)
def test_hang_up_now(at: int, farewell: str, message: str, heard: str | None) -> None:
    policy = Policy(idle=NO_CLOCKS, ending=Ending(message=message))
    call = world((at, HangUpNow(farewell)), policy=policy).run()
    if heard is None:
        assert ending(call) == ("requested", at)
    else:
        (text, start, end) = spoken(call)[-1]
        assert (text, start) == (heard, at + FIRST_AUDIO)
        assert ending(call) == ("requested", end)


def test_hang_up_now_is_not_taken_back() -> None:
    caller = Caller().says("Tell me a story.", at=200).says("no no wait", at=SILENT + 400)
    call = world((SILENT, HangUpNow("We have to end this now, goodbye.")), caller=caller).run()
    assert ending(call)[0] == "requested" and texts(call)[-1] == "We have to end this now, goodbye."


def test_the_second_request_changes_nothing() -> None:
    call = world((SILENT, HangUpNow("Bye now.")), (SILENT + 200, HangUpNow("Other words."))).run()
    assert texts(call)[-1] == "Bye now." and len(when(call, effects.HangUp)) == 1


TRANSFERS = Policy(idle=NO_CLOCKS, carrier=Carrier(transfers=True))


@pytest.mark.parametrize("at", [SPEAKING, SILENT])
def test_transfer_now(at: int) -> None:
    call = world((at, TransferNow("+15550100")), policy=TRANSFERS).run()
    assert [(t, e.target) for t, e in call.effects(effects.Transfer)] == [(at, "+15550100")]
    assert ending(call) == ("transferred", at + 2_000)
    assert call.phone.ear.silence_after(at - 10) <= at


def test_where_the_line_cannot_transfer_it_does_not() -> None:
    call = world((SILENT, TransferNow("+15550100"))).run(15_000)
    assert when(call, effects.Transfer) == [] and call.reason is None


def test_a_transfer_and_a_hang_up_are_never_both_asked_for() -> None:
    events = (
        (SILENT, HangUpNow("Goodbye and thank you for calling.")),
        (SILENT + 500, TransferNow("+15550100")),
    )
    call = world(*events, policy=TRANSFERS).run()
    assert not (when(call, effects.Transfer) and when(call, effects.HangUp))


# --- voice or text --------------------------------------------------------------------------------------


def test_a_call_in_text_has_a_transcript_and_no_audio() -> None:
    policy = Policy(opening=GREETING, idle=NO_CLOCKS, medium="text")
    call = world(policy=policy).run(12_000)
    assert roles(call) == [("assistant", "Good evening."), ("user", "Tell me a story."), ("assistant", LONG)]
    assert [note.text for note in call.notes(MessageAdded)] == ["Good evening.", "Tell me a story.", LONG]
    assert when(call, effects.SendAudio) == when(call, effects.Speak) == []


def test_the_medium_changes_with_the_next_reply() -> None:
    caller = Caller().says("Tell me a story.", at=200).says("Go on.", at=11_000).says("And on.", at=15_000)
    events = (SPEAKING, SetOutputMedium("text")), (14_000, SetOutputMedium("voice"))
    call = world(*events, caller=caller, model=model(LONG, "Written.", "Spoken.")).run(20_000)
    assert texts(call) == [LONG, "Spoken."]
    assert [text for role, text in roles(call) if role == "assistant"] == [LONG, "Written.", "Spoken."]


def test_the_clocks_run_in_a_call_in_text() -> None:
    idle = Idle(("Hello?",), 2_000, 1, (LadderStep(5_000, "Are you there?"),), dead_air=8_000)
    policy = Policy(opening=GREETING, idle=idle, medium="text", ending=Ending(message="Bye."))
    call = world(policy=policy, caller=Caller()).run()
    assert fired(call) == [("awaiting_response", 2_000), ("inactivity", 5_000), ("dead_air", 13_000)]
    assert [text for _, text in roles(call)] == ["Good evening.", "Hello?", "Are you there?", "Bye."]
    assert ending(call) == ("silence", 13_000)


@pytest.mark.parametrize(
    "medium",
    [
        "voice",
        pytest.param("text"),
    ],
)
def test_a_model_that_falls_silent_in_the_middle_is_not_waited_for_for_ever(medium: str) -> None:
    policy = Policy(idle=NO_CLOCKS, medium=medium)
    stalls = ScriptedModel(["One sentence. Two sentences are more than one."], faults=Stalls(6))
    call = world(policy=policy, model=stalls).run(40_000)
    assert [note.role for note in call.notes(Fault)] == ["model", "model"]
    assert roles(call)[-1][0] == "assistant"
