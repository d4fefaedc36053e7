"""Alternatives: when a vendor fails, the same reply goes on with the next one, and nobody hears the seam."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.conversation import Message
from engine.core.effects import CancelModel, OpenTranscriber
from engine.core.notes import EndReason, Fault, ReplyEnded, ToolStarted
from engine.core.policy import (
    Alternatives,
    Carrier,
    Ending,
    Hearing,
    Idle,
    Opening,
    Policy,
    Replies,
    Tool,
    ToolKind,
)
from engine.core.vendors import REST, Vendors
from engine.testing import (
    Caller,
    Fails,
    Refuses,
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

TWO = Alternatives(transcribers=2, models=2, voices=2)
ANSWER = "We are open until six. On Sundays we are closed, I am afraid."
DOWN = [
    Refuses(),
    Refuses(retry_after=700),
    Refuses(retryable=False),
    Silent(),
    Stalls(after=1),
    Fails(after=8),
]


def policy(alternatives: Alternatives = TWO, **replies: int) -> Policy:
    return Policy(
        opening=Opening(message="Hello."),
        idle=Idle(dead_air=None),
        ending=Ending(failure_message="I am sorry."),
        replies=Replies(first_text=1_000, text_gap=1_000, first_audio=1_000, audio_gap=1_000, **replies),
        alternatives=alternatives,
    )


def asks() -> Caller:
    return Caller().after_agent("When do you close?").hangs_up(at=20_000)


def vendors(world: World) -> list[int]:
    return [request.vendor for request in world.model.requests]


@pytest.mark.parametrize("fault", DOWN, ids=str)
def test_the_next_model_goes_on_with_the_same_reply(fault: object) -> None:
    world = run_call(policy(), asks(), model=ScriptedModel([ANSWER], down={0: fault}))  # type: ignore[dict-item]
    assert world.heard_text == f"Hello. {ANSWER}"
    assert vendors(world)[:2] == [0, 1]
    assert [note.role for note in world.notes(Fault)] == ["model"]


@pytest.mark.pipeline
@pytest.mark.parametrize(
    "fault", [Refuses(), Refuses(retry_after=700), Silent(), Stalls(after=500), Fails(after=700)], ids=str
)
def test_the_next_voice_goes_on_where_the_first_broke_off(fault: object) -> None:
    voice = ScriptedVoice(down={0: fault})  # type: ignore[dict-item]
    world = run_call(policy(), asks(), model=ScriptedModel([ANSWER]), voice=voice)
    said = world.heard_text.replace("Hello. Hello.", "Hello.")
    assert said == f"Hello. {ANSWER}"
    assert voice.asked[-1].vendor == 1 and len(world.notes(Fault)) == 1


@pytest.mark.parametrize("fault", [Refuses(), Refuses(retryable=False), Fails(after=2_500)], ids=str)
def test_the_next_transcriber_loses_no_turn(fault: object) -> None:
    transcriber = ScriptedTranscriber(down={0: fault})  # type: ignore[dict-item]
    world = run_call(policy(), asks(), model=ScriptedModel([ANSWER]), transcriber=transcriber)
    assert world.heard_text == f"Hello. {ANSWER}"


def test_a_vendor_that_failed_rests_while_there_is_another() -> None:
    caller = Caller().after_agent("When?").after_agent("And then?").hangs_up(pause=6_000)
    world = run_call(policy(), caller, model=ScriptedModel([ANSWER, "Fine."], down={0: Silent()}))
    assert vendors(world) == [0, 1, 1]


def test_all_models_fail_and_the_caller_is_put_through() -> None:
    rules = Policy(
        ending=Ending(failure_message="I am sorry.", failure_target="+14155550123"),
        replies=Replies(failures=1),
        alternatives=TWO,
        carrier=Carrier(transfers=True),
    )
    caller = Caller().says("When do you close?", at=500)
    world = run_call(rules, caller, model=ScriptedModel([ANSWER], down={0: Refuses(), 1: Refuses()}))
    assert world.heard_text == "I am sorry." and world.reason is EndReason.TRANSFERRED


def test_all_models_fail_and_the_call_ends_with_a_reason() -> None:
    broken = ScriptedModel([ANSWER], down={0: Refuses(), 1: Silent()})
    world = run_call(policy(failures=1), asks(), model=broken)
    assert world.heard_text == "Hello. I am sorry." and world.reason is EndReason.PROVIDER_ERROR


# --- asking two at once -------------------------------------------------------------------------------


def test_a_silent_model_is_hedged_and_the_first_to_speak_is_heard() -> None:
    model = ScriptedModel([ANSWER], down={0: Silent()})
    world = run_call(policy(hedge_after=300), asks(), model=model)
    first, second = model.requests[:2]
    asked = [now for now, _ in world.effects(type(first))]
    assert (first.vendor, second.vendor) == (0, 1) and asked[1] - asked[0] == 300
    assert world.heard_text == f"Hello. {ANSWER}" and world.notes(Fault) == []


def test_a_model_that_speaks_in_time_is_not_hedged() -> None:
    world = run_call(policy(hedge_after=300), asks(), model=ScriptedModel([ANSWER], first_token_ms=200))
    assert vendors(world) == [0] and world.heard_text == f"Hello. {ANSWER}"


def test_the_slower_of_two_is_told_to_stop() -> None:
    model = ScriptedModel([ANSWER], first_token_ms=500)
    world = run_call(policy(hedge_after=300), asks(), model=model)
    assert vendors(world) == [0, 1] and world.heard_text == f"Hello. {ANSWER}"
    assert len(world.notes(ReplyEnded)) == 2


def test_one_of_two_fails_and_the_other_is_waited_for() -> None:
    model = ScriptedModel([ANSWER], first_token_ms=500, down={0: Refuses(after=600)})
    world = run_call(policy(hedge_after=300), asks(), model=model)
    assert vendors(world) == [0, 1] and len(world.notes(Fault)) == 1
    assert world.heard_text == f"Hello. {ANSWER}"


def test_of_two_that_call_the_same_tool_only_the_first_is_obeyed() -> None:
    rules = replace(policy(hedge_after=300), tools=(Tool("book", ToolKind.ACT),))

    def books(messages: tuple[Message, ...]) -> str | list[str | ToolUse]:
        return "Booked." if messages[-1].role == "tool" else [ToolUse("book"), " "]

    model = ScriptedModel(books, first_token_ms=500, tokens_per_second=2)
    world = run_call(rules, asks(), model=model, tools={"book": ScriptedTool("{}")})
    assert vendors(world)[:2] == [0, 1], "both were asked"
    _, first = world.effects(CancelModel)[0]
    assert first.attempt == model.requests[1].attempt
    assert len([note for note in world.notes(ToolStarted) if note.name == "book"]) == 1


# --- the order of preference ----------------------------------------------------------------------------


def test_the_first_that_has_not_failed_lately_is_asked() -> None:
    three = Vendors(3)
    assert three.pick(0) == 0 and three.pick(0, but=0) == 1
    three.failed(0, 1_000)
    assert three.pick(2_000) == 1 and three.pick(2_000, but=1) == 2
    three.failed(1, 3_000)
    three.failed(2, 4_000)
    assert three.pick(5_000) == 0, "all failed: the one whose failure is oldest"
    assert three.pick(1_001 + REST) == 0
    assert Vendors(1).pick(9, but=0) == 0


@pytest.mark.pipeline
def test_what_failed_for_good_while_it_rang_is_told_to_who_picks_up() -> None:
    refuses = ScriptedTranscriber(faults=Refuses(retryable=False))
    world = run_call(policy(Alternatives()), Caller(joins=3_000), transcriber=refuses)
    assert world.heard_text == "I am sorry." and world.reason is EndReason.PROVIDER_ERROR


def test_a_call_that_can_do_without_a_transcript_goes_on_and_tries_again() -> None:
    rules = replace(policy(Alternatives()), hearing=Hearing(optional=True, try_again=5_000))
    transcriber = ScriptedTranscriber(faults=[Refuses(retryable=False), Refuses(retryable=False)])
    caller = Caller().says("Hello?", at=2_000).presses("5#", at=4_000).says("And now?", at=14_000)
    world = World(
        rules,
        caller=caller.hangs_up(at=20_000),
        transcriber=transcriber,
        model=ScriptedModel(["Thank you.", "Yes."]),
    ).run()
    assert world.reason is EndReason.CALLER_HUNG_UP
    assert [at for at, _ in world.effects(OpenTranscriber)] == [0, 5_050, 10_100]
    said = [text for role, text in world.transcript if role == "user"]
    assert said[0] == "[keypad: 5]" and said[-1] == "And now?"
    assert len(world.notes(Fault)) == 2


def test_without_that_it_ends() -> None:
    transcriber = ScriptedTranscriber(faults=Refuses(retryable=False))
    world = run_call(policy(Alternatives()), asks(), transcriber=transcriber)
    assert world.reason is EndReason.PROVIDER_ERROR
