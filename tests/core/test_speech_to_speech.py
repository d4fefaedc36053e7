"""A model that hears and speaks itself: what its own speech adds to a call (the rest runs in both modes)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.effects import FlushTranscriber, OpenTranscriber, Speak
from engine.core.events import ModelAudio, ModelDone, ModelText
from engine.core.notes import EndReason, Fault, Interrupted, ReplyEnded, TurnEnded
from engine.core.policy import Carrier, Ending, Policy, Replies, Tool, speech_to_speech
from engine.testing import (
    Caller,
    Fails,
    Refuses,
    ScriptedModel,
    ScriptedTool,
    ScriptedTranscriber,
    Silent,
    Stalls,
    ToolUse,
    World,
    agent_speaking,
)
from tests.core.turn_scenes import LONG, policy, said_by, turns

STORY = "It stood there for years and years until a boy came by who had a red kite and no string."


def speaking(greeting: str = "", **turns: Any) -> Policy:
    return speech_to_speech(policy(greeting, **turns))


def asks(*more: str, end: int = 20_000) -> Caller:
    caller = Caller().says("Tell me.", at=500)
    for text in more:
        caller.says(text, when=agent_speaking(1_500))
    return caller.hangs_up(at=end)


def test_the_model_s_own_speech_is_heard_and_the_voice_says_what_is_fixed() -> None:
    caller = Caller().says("Tell me.", at=3_000).hangs_up(at=20_000)
    world = World(speaking("Good evening."), caller=caller, model=ScriptedModel([STORY])).run()
    assert [text for _, text in world.transcript] == ["Good evening.", "Tell me.", STORY]
    assert [request.text for _, request in world.effects(Speak)] == ["Good evening."]
    assert world.heard_text == f"Good evening. {STORY}"
    assert world.model.truncated == []


def test_an_interrupted_model_is_told_how_much_was_heard() -> None:
    world = World(speaking(), caller=asks("wait, stop please"), model=ScriptedModel([STORY, "Yes?"])).run()
    (truncated,) = world.model.truncated
    heard = next(note for note in world.notes(ReplyEnded) if note.reply == 1).heard_ms
    assert (truncated.attempt, truncated.heard) == (1, heard) and heard > 1_000
    assert STORY.startswith(said_by(world, "assistant")[0])


def test_of_a_draft_that_is_dropped_nothing_stays_with_the_model() -> None:
    caller = Caller().says("I need a table.", at=500).says("And two chairs.", pause=500).hangs_up(at=12_000)
    world = World(speaking(endpoint_delay=900), caller=caller, model=ScriptedModel([STORY])).run()
    assert turns(world) == ["I need a table. And two chairs."]
    assert [(told.attempt, told.heard) for told in world.model.truncated] == [(1, 0)]


def test_what_it_wrote_and_did_not_speak_is_left_to_the_voice() -> None:
    world = World(speaking(), caller=asks(), model=ScriptedModel(first_token_ms=60_000))
    world.run(lambda world: bool(world.model.requests))
    asked = world.model.requests[0]
    world.later(100, ModelText(asked.reply, asked.attempt, "It is noon."))
    world.later(200, ModelDone(asked.reply, asked.attempt))
    world.run()
    assert world.heard_text == "It is noon." and said_by(world, "assistant") == ["It is noon."]


def test_a_filler_is_heard_whole_before_the_model_s_own_speech() -> None:
    rules = speech_to_speech(replace(policy(), replies=Replies(filler_after=400, fillers=("Wait.",))))
    model = ScriptedModel([STORY], first_token_ms=1_100)
    world = World(rules, caller=asks(), model=model).run()
    assert world.heard_text == f"Wait. {STORY}"


@pytest.mark.parametrize("fault", [Stalls(12), Fails(12)])
def test_one_that_breaks_off_is_gone_on_with_by_the_voice_and_no_word_comes_twice(fault: Any) -> None:
    caller = Caller().says("Tell me.", at=4_000).hangs_up(at=40_000)
    model = ScriptedModel([STORY], faults=[fault])
    world = World(speaking("Hello and good evening."), caller=caller, model=model).run()
    assert world.heard_text == f"Hello and good evening. {STORY}"
    assert said_by(world, "assistant")[1] == STORY
    assert world.model.truncated[0].attempt == 1 and world.model.truncated[0].heard > 0
    assert world.effects(Speak) != []


def test_speech_of_a_reply_that_is_over_is_dropped() -> None:
    world = World(
        speaking(), caller=asks("wait, stop please", end=9_000), model=ScriptedModel([STORY, "Yes?"])
    )
    world.run(lambda world: bool(world.model.truncated))
    heard = world.heard_text
    world.later(10, ModelAudio(1, 1, b"\x10" * 8_000))
    world.run()
    assert world.heard_text.startswith(heard) and world.heard_text.endswith("Yes?")


def test_tools_in_the_middle_of_its_speech() -> None:
    rules = replace(speaking(), tools=(Tool("look"),))
    model = ScriptedModel([["Let me see.", ToolUse("look")], "At nine."])
    world = World(rules, caller=asks(), model=model, tools={"look": ScriptedTool("nine")}).run()
    assert world.heard_text == "Let me see. At nine." and [role for role, _ in world.transcript] == [
        "user",
        "assistant",
    ]


def test_one_whose_line_is_gone_has_no_last_words() -> None:
    caller = Caller().says("Tell me.", at=500).hangs_up(at=60_000)
    rules = replace(speaking(), ending=Ending(failure_message="I am sorry."))
    gone = ScriptedTranscriber(faults=Refuses(retryable=False))
    world = World(rules, caller=caller, transcriber=gone).run()
    assert world.reason is EndReason.PROVIDER_ERROR
    assert world.effects(Speak) == [] and world.heard_text == ""


def test_one_that_hangs_is_not_waited_for_as_long_as_a_transcriber_is() -> None:
    caller = Caller().says("Tell me.", at=500).hangs_up(at=60_000)
    world = World(speaking(), caller=caller, transcriber=ScriptedTranscriber(faults=Silent())).run()
    assert [at for at, _ in world.effects(OpenTranscriber)] == [0, 5_250, 10_750, 16_750]
    assert world.reason is EndReason.PROVIDER_ERROR
    assert world.notes(Fault)[-1].at == 21_750, "16.75 s after the first"


def test_it_is_handed_over_at_once() -> None:
    caller = Caller().says("Tell me.", at=500).hangs_up(at=60_000)
    ending = Ending(failure_message="I am sorry.", failure_target="+15550100")
    gone = ScriptedTranscriber(faults=Refuses(retryable=False))
    rules = replace(speaking(), ending=ending, carrier=Carrier(transfers=True))
    world = World(rules, caller=caller, transcriber=gone).run()
    assert world.reason is EndReason.TRANSFERRED
    assert world.effects(Speak) == []


# --- a transcriber that says nothing until it is asked --------------------------------------------------


def test_it_is_asked_what_holds_the_agent_while_the_caller_still_speaks() -> None:
    world = World(
        speaking(LONG), caller=Caller().says("wait, stop please " * 4, at=2_000).hangs_up(at=16_000)
    )
    world.run()
    (spoke, until) = world.caller.spoken[0][1:]
    stopped = next(note.at for note in world.notes(Interrupted) if note.action == "stop")
    assert spoke + 500 < stopped < until


def test_and_is_left_alone_where_the_agent_has_nothing_to_say() -> None:
    caller = Caller().says("I need a table for two and a chair for the child", at=500).hangs_up(at=9_000)
    world = World(speaking(), caller=caller).run()
    asked = [at for at, _ in world.effects(FlushTranscriber)]
    assert len(asked) == 1 and asked[0] > world.caller.spoken[0][2]
    assert len(world.notes(TurnEnded)) == 1


def test_a_long_noise_is_still_noise() -> None:
    caller = Caller().noise(2_000, 6_000).hangs_up(at=20_000)
    world = World(speaking(LONG), caller=caller).run()
    assert said_by(world, "assistant") == [LONG] and turns(world) == []
