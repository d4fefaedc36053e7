"""The first words: greeting, delay, fallback (F16 to F18, F74); what the model is given (F12, F21, F25)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.conversation import Message, ToolRequest
from engine.core.effects import SendAudio, SendClear, Speak, StartModel
from engine.core.events import KeyPressed, ModelDone, ModelText, SayNow, StreamOpened, UserText
from engine.core.policy import Idle, LadderStep, Opening, Policy, Speaker
from engine.testing import Caller, ScriptedVoice, World
from tests.core.clock_scenes import FIRST_AUDIO, LONG, NO_CLOCKS, ending, fired, model, roles, spoken, when

HELLO = "Good evening, this is the bank."


def policy(*clocks: Idle, **opening: Any) -> Policy:
    return Policy(opening=Opening(**opening), idle=clocks[0] if clocks else NO_CLOCKS)


# --- the agent opens ------------------------------------------------------------------------------------


@pytest.mark.parametrize("joins", [0, 3_000])
@pytest.mark.parametrize("delay", [0, 500, 2_000])
def test_the_greeting_comes_word_for_word_after_its_delay_and_no_model_is_asked(
    joins: int, delay: int
) -> None:
    world = World(policy(message=HELLO, delay=delay), caller=Caller(joins=joins)).run(joins + 8_000)
    (text, start, _) = spoken(world)[0]
    assert (text, start) == (HELLO, joins + delay + FIRST_AUDIO)
    assert when(world, Speak)[0] == joins + delay
    assert when(world, StartModel) == []


def test_a_greeting_s_audio_may_be_kept() -> None:
    world = World(policy(message=HELLO), caller=Caller()).run(1_000)
    assert all(effect.keep for _, effect in world.effects(Speak))


def test_without_a_message_the_model_makes_one() -> None:
    world = World(
        Policy(prompt="Be kind.", opening=Opening(prompt="Greet the caller."), idle=NO_CLOCKS),
        caller=Caller(),
    ).run(8_000)
    (request,) = world.model.requests
    assert [(m.role, m.text) for m in request.messages] == [
        ("system", "Be kind."),
        ("system", "Greet the caller."),
    ]
    assert roles(world) == [("system", "Be kind."), ("assistant", "Hello.")]


def test_an_uninterruptible_greeting_is_heard_to_its_end_and_the_caller_answered_then() -> None:
    caller = Caller().says("Yes yes I know.", at=600)
    world = World(policy(message=LONG, uninterruptible=True), caller=caller, model=model("Well then.")).run(
        15_000
    )
    assert [text for text, _, _ in spoken(world)] == [LONG, "Well then."]
    assert when(world, SendClear) == []
    assert ("user", "Yes yes I know.") in roles(world)


def test_an_interruptible_one_is_not() -> None:
    caller = Caller().says("Yes yes I know.", at=600)
    world = World(policy(message=LONG), caller=caller, model=model("Well then.")).run(15_000)
    assert LONG not in world.heard_text
    assert spoken(world)[-1][0] == "Well then."


@pytest.mark.parametrize("delay", [0, 2_000])
def test_a_caller_s_hello_does_not_take_the_greeting_s_place(delay: int) -> None:
    """F16: the exact text is the first thing heard. Whoever picks up says hello before hearing anything."""
    world = World(
        policy(message=HELLO, delay=delay),
        caller=Caller().says("Hello?", at=0, lasts=300),
        voice=ScriptedVoice(first_audio_ms=700),
        model=model("How can I help?"),
    ).run(9_000)
    assert spoken(world)[0][0] == HELLO


# --- the caller opens -----------------------------------------------------------------------------------


def test_nothing_is_heard_until_the_caller_has_spoken() -> None:
    world = World(policy(first=Speaker.CALLER), caller=Caller().says("Hi, who is this?", at=9_000)).run(
        15_000
    )
    assert when(world, SendAudio)[0] > 9_000 + 16 * 65
    assert spoken(world)[0][0] == "Okay."


def test_no_message_at_all_means_the_same() -> None:
    world = World(policy(), caller=Caller()).run(20_000)
    assert when(world, SendAudio) == [] and when(world, StartModel) == []


def test_the_idle_clocks_protect_a_line_on_which_nobody_opens() -> None:
    idle = Idle(ladder=(LadderStep(6_000, "Hello?"),), dead_air=10_000)
    world = World(policy(idle, first=Speaker.CALLER), caller=Caller()).run()
    (_, _, heard) = spoken(world)[0]
    assert fired(world) == [("inactivity", 6_000), ("dead_air", heard + 10_000)]
    assert ending(world)[0] == "silence"


FALLBACK: dict[str, Any] = {
    "first": Speaker.CALLER,
    "fallback_after": 5_000,
    "fallback_message": "Is somebody there?",
}


@pytest.mark.parametrize("joins", [0, 4_000])
def test_a_silent_caller_gets_the_fallback(joins: int) -> None:
    world = World(policy(**FALLBACK), caller=Caller(joins=joins)).run(joins + 9_000)
    assert fired(world) == [("opening_fallback", joins + 5_000)]
    assert spoken(world)[0][:2] == ("Is somebody there?", joins + 5_000 + FIRST_AUDIO)


def test_a_fallback_may_be_the_model_s() -> None:
    opening = {**FALLBACK, "fallback_message": "", "fallback_prompt": "Ask who is there."}
    world = World(policy(**opening), caller=Caller()).run(9_000)
    assert world.model.requests[0].messages[-1] == Message("system", "Ask who is there.")
    assert spoken(world)[0][0] == "Hello."


def test_a_caller_who_opens_needs_no_fallback() -> None:
    world = World(policy(**FALLBACK), caller=Caller().says("Hello there.", at=3_000)).run(20_000)
    assert fired(world) == [] and [text for text, _, _ in spoken(world)] == ["Okay."]


def test_a_caller_who_is_just_opening_is_not_talked_over() -> None:
    world = World(policy(**FALLBACK), caller=Caller().says("Hello there.", at=4_800)).run(20_000)
    assert fired(world) == [] and [text for text, _, _ in spoken(world)] == ["Okay."]


def test_a_sound_without_words_only_delays_it() -> None:
    """Looked at again every 500 ms, until the sound has turned out to be nothing."""
    world = World(policy(**FALLBACK), caller=Caller().coughs(at=4_700)).run(9_000)
    assert fired(world) == [("opening_fallback", 5_500)]


@pytest.mark.parametrize(
    "event",
    [
        KeyPressed("1"),
        pytest.param(UserText("Hello.")),
    ],
)
def test_keys_and_typed_text_open_the_call_too(event: KeyPressed | UserText) -> None:
    world = World(policy(**FALLBACK), caller=Caller()).at(1_000, event).run(15_000)
    assert fired(world) == [] and [text for text, _, _ in spoken(world)] == ["Okay."]


@pytest.mark.parametrize("first", ["delay", "fallback"])
def test_words_from_outside_at_that_moment_do_not_swallow_the_opening(first: str) -> None:
    opening = (
        {"message": HELLO, "delay": 5_000} if first == "delay" else {**FALLBACK, "fallback_message": HELLO}
    )
    world = World(policy(**opening), caller=Caller()).at(4_500, SayNow("We are recording this.")).run(15_000)
    assert [text for text, _, _ in spoken(world)] == ["We are recording this.", HELLO]


# --- what the model is given ----------------------------------------------------------------------------

HISTORY = (
    Message("user", "I called yesterday."),
    Message("assistant", tool_requests=(ToolRequest("t1", "look", '{"day": 1}'),)),
    Message("tool", '{"free": 0}', tool_call="t1"),
    Message("assistant", "We were full."),
)


def test_prompt_and_history_stand_first_in_every_request_in_order() -> None:
    full = Policy(
        prompt="Be brief.", initial_messages=HISTORY, opening=Opening(message=HELLO), idle=NO_CLOCKS
    )
    caller = Caller().after_agent("And today?").after_agent("And tomorrow?")
    world = World(full, caller=caller, model=model("No.", "Yes.")).run(20_000)
    assert len(world.model.requests) >= 2
    for request in world.model.requests:
        assert request.messages[:6] == (Message("system", "Be brief."), *HISTORY, Message("assistant", HELLO))
    assert [m.text for m in world.model.requests[-1].messages[6:]] == ["And today?", "No.", "And tomorrow?"]


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("We are open from nine. You can come any time betw", "We are open from nine."),
        ("On Monday, or on Tues", "On Monday."),
        ("We are open on Monday, Tuesday, and Wedn", "We are open on Monday, Tuesday,"),
        ("We are open every day betw", "We are open every day"),
        ("We are open. ", "We are open."),
    ],
)
@pytest.mark.pipeline
def test_a_reply_cut_at_the_token_limit_ends_cleanly(said: str, heard: str) -> None:
    world = World(policy(), caller=Caller(joins=None)).at(0, StreamOpened("s1"))
    world.model._first_token_ms = 10**6
    world.at(100, UserText("When?")).at(150, ModelText(1, 1, said)).at(200, ModelDone(1, 1, "length")).run(
        8_000
    )
    assert world.heard_text == heard
    assert roles(world)[-1] == ("assistant", heard)
