"""Whole calls with a model that hears and speaks itself, by real sockets: phone, worker, and the stand-in.

They are held once, all at a time, each by a model name of its own so that its connection can be told.
"""

from __future__ import annotations

import asyncio
from array import array
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from engine.agent import Agent
from engine.audio.mulaw import BYTES_PER_MS, SILENCE, decode
from engine.core.effects import Speak, TruncateModel
from engine.core.notes import EndReason
from engine.demo.call import FinishedCall, hold_call
from engine.demo.caller import AfterAgent, HangUp, Interrupt, Step
from engine.observe.replay import replay
from engine.records.record import record_from_journal
from engine.settings import VendorSettings
from fixtures.openai_forms import Reply, ToolCall
from fixtures.openai_realtime import Connection, OpenAIRealtimeServer
from fixtures.tone_speech import CHARACTER, speak
from tests.demo.finished_call import RATE, Call
from tests.stand_ins import LOUD

GREETING = "Hello, this is the desk."
FIRST, SECOND = "tell me of my order", "and that is all"
STORY = "It left us early this morning, and a van will bring it to you on Friday if the weather holds."
ANSWER = "Your order seven left us this morning."
STILL_THERE, FAREWELL, TIME_IS_UP = "Are you still there?", "Thank you for calling.", "Our time is up now."


def find_order() -> str:
    """A tool."""
    return "order seven left this morning"


TOOL = {"name": "find_order", "handler": "tests.runtime.test_realtime_calls:find_order"}
SPEAKS, ENDS = AfterAgent(LOUD * 40, pause=300), HangUp(pause=700)


@dataclass(frozen=True)
class Scene:
    """A call: what is particular to its agent, what its caller does, and what the model says, in order."""

    fields: dict[str, Any]
    script: list[Step]
    replies: tuple[Reply, ...]


SCENES = {
    "gpt-realtime": Scene(
        {},
        [SPEAKS, Interrupt(LOUD * 40, after=2_000), ENDS],
        (Reply(STORY), Reply("All right then.")),
    ),
    "gpt-realtime-1.5": Scene(
        {"idle": {"awaiting_response": {"messages": [STILL_THERE], "timeout": 0.8, "max_per_call": 1}}},
        [SPEAKS, HangUp(pause=2_500)],
        (Reply("And your name?"),),
    ),
    "gpt-realtime-2": Scene(
        {"limits": {"longest": 5, "longest_message": TIME_IS_UP}},
        [SPEAKS, HangUp(pause=60_000)],
        (Reply(STORY),),
    ),
    "gpt-realtime-2.1": Scene(
        {"tools": [TOOL], "ending": {"message": FAREWELL}},
        [SPEAKS, AfterAgent(LOUD * 40, pause=1_100), HangUp(pause=60_000)],
        (Reply("", [ToolCall("find_order")]), Reply(ANSWER), Reply("Bye.", [ToolCall("hang_up")])),
    ),
    "gpt-realtime-mini": Scene({}, [SPEAKS, Interrupt(b"", after=1_000)], (Reply(STORY),)),
}
INTERRUPTED, REMINDED, TIMED, ENDED, LEFT = SCENES


@dataclass
class Held(Call):
    """A call that was held: its files, its phone, and its connection at the vendor."""

    finished: FinishedCall
    connection: Connection

    @cached_property
    def said(self) -> list[tuple[str, str]]:
        """Who said what, by the transcript."""
        return [(line["role"], line["text"]) for line in self.transcript if line["role"] != "tool"]

    @property
    def ear(self) -> bytes:
        """All that came out of the phone, µ-law."""
        return bytes(self.finished.phone.ear.track)

    def asked(self) -> list[dict[str, Any]]:
        """The responses of the conversation that the model was asked for."""
        asked = [event["response"] for event in self.connection.of("response.create")]
        return [response for response in asked if response["conversation"] == "auto"]

    def done(self, *, fixed: bool) -> list[dict[str, Any]]:
        """What the vendor told of finished responses: those with fixed texts, or those of the model."""
        ends = [event["response"] for event in self.connection.sent if event["type"] == "response.done"]
        return [response for response in ends if (response["conversation_id"] is None) is fixed]

    def used(self, role: str) -> dict[str, Any]:
        """What the record says that a role used."""
        return next(each for each in self.record["usage"]["vendors"] if each["role"] == role)


async def hold_all(folder: Path) -> dict[str, Held]:
    """Hold all calls at once."""
    left = {model: list(scene.replies) for model, scene in SCENES.items()}

    async def answer(body: dict[str, Any]) -> Reply:
        model = body["input"][0]["content"].split()[-1]
        return left[model].pop(0)

    async def hold(model: str) -> FinishedCall:
        base = {
            "mode": "realtime",
            "prompt": f"You are {model}",
            "opening": {"message": GREETING},
            "realtime": {"model": model},
            "turns": {"voice_activity": "level"},
        }
        scene = SCENES[model]
        return await hold_call(Agent.model_validate(base | scene.fields), scene.script, folder, limit=20)

    vendor = OpenAIRealtimeServer(
        sayings=(FIRST, SECOND), answer=answer, transcript=40, first_token=60, tokens_per_second=60, rate=6
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in (*VendorSettings.__annotations__, "ENGINE_SETTINGS"):
            patch.delenv(name.upper(), raising=False)
        async with vendor:
            patch.setenv("OPENAI_API_KEY", vendor.api_key)
            patch.setenv("OPENAI_BASE_URL", vendor.url)
            finished = await asyncio.gather(*map(hold, SCENES))
            by_model = {connection.model: connection for connection in vendor.connections}
            for connection in vendor.connections:
                await connection.until(lambda one: one.closed)
    assert len(by_model) == len(vendor.connections) == len(SCENES), "one connection a call"
    return {
        model: Held([], 0, call.folder, call, by_model[model])
        for model, call in zip(SCENES, finished, strict=True)
    }


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Held]:
    """All calls, held."""
    return asyncio.run(hold_all(tmp_path_factory.mktemp("calls")))


@pytest.fixture(params=list(SCENES))
def each(request: pytest.FixtureRequest, calls: dict[str, Held]) -> Held:
    """One call after the other."""
    return calls[request.param]


# --- what is particular to each -------------------------------------------------------------------------


def test_an_interrupted_model_remembers_what_was_heard(calls: dict[str, Held]) -> None:
    call = calls[INTERRUPTED]
    cut = call.said[2][1]
    assert call.said == [
        ("assistant", GREETING), ("user", FIRST), ("assistant", cut), ("user", SECOND),
        ("assistant", "All right then."),
    ]  # fmt: skip
    assert STORY.startswith(cut) and 0 < len(cut) < len(STORY)
    assert call.interrupted["text"] == cut
    (told,) = call.notes(TruncateModel)
    (truncate,) = call.connection.of("conversation.item.truncate")
    assert truncate["audio_end_ms"] == told.heard
    item = next(one for one in call.connection.items if one.id == truncate["item_id"])
    assert item.cut and item.audio_ms == told.heard
    assert item.heard.startswith(cut) and len(item.heard.split()) <= len(cut.split()) + 1
    (input_,) = [response["input"] for response in call.asked()[1:]]
    assert {"type": "item_reference", "id": item.id} in input_
    assert " ".join(cut.split()[-2:]) not in str(input_), "as sound or as text, not as both"
    first, second = call.finished.phone.said
    between = call.ear[first.end * BYTES_PER_MS : (second.start + 1_000) * BYTES_PER_MS]
    played = len(between.strip(bytes((SILENCE,))))
    assert told.heard <= played / BYTES_PER_MS + CHARACTER, "no more than came out of the phone"


def test_a_reminder_is_said_by_the_model_s_voice(calls: dict[str, Held]) -> None:
    call = calls[REMINDED]
    assert [text for _, text in call.said] == [GREETING, FIRST, "And your name?", STILL_THERE]
    assert speak(STILL_THERE).audio in call.ear
    assert [clock["clock"] for clock in call.record["clocks"]] == ["awaiting_response"]
    assert len(call.asked()) == 1, "no turn of the model's"


def test_the_longest_call_ends_with_its_message_in_the_middle_of_a_reply(calls: dict[str, Held]) -> None:
    call = calls[TIMED]
    assert call.finished.reason is EndReason.MAX_DURATION
    assert call.said[-1] == ("assistant", TIME_IS_UP)
    assert speak(TIME_IS_UP).audio in call.ear
    cut = call.said[2][1]
    assert STORY.startswith(cut) and cut != STORY
    assert (
        call.notes(TruncateModel)[0].heard
        == call.connection.of("conversation.item.truncate")[0]["audio_end_ms"]
    )


def test_a_tool_s_result_is_used_and_the_agent_takes_its_leave(calls: dict[str, Held]) -> None:
    call = calls[ENDED]
    assert call.finished.reason is EndReason.AGENT_HUNG_UP
    assert [text for _, text in call.said] == [GREETING, FIRST, ANSWER, SECOND, "Bye.", FAREWELL]
    for text in (GREETING, ANSWER, "Bye.", FAREWELL):
        assert speak(text).audio in call.ear
    results = [item for item in call.asked()[1]["input"] if item["type"] == "function_call_output"]
    assert [find_order() in item["output"] for item in results] == [True]
    assert [tool["name"] for tool in call.record["tools"]] == ["find_order", "hang_up"]


def test_a_caller_who_leaves_ends_the_response_and_the_connection(calls: dict[str, Held]) -> None:
    call = calls[LEFT]
    assert call.finished.reason is EndReason.CALLER_HUNG_UP
    assert [text for _, text in call.said[:2]] == [GREETING, FIRST]
    assert STORY.startswith(call.said[2][1]) and call.said[2][1] != STORY
    assert call.connection.closed


# --- what holds of every call ---------------------------------------------------------------------------


def test_nothing_went_wrong_and_the_journal_tells_the_same_call(each: Held) -> None:
    assert (each.record["error_count"], each.record["faults"]) == (0, [])
    assert not [event for event in each.connection.sent if event["type"] == "error"]
    journal = each.folder / "journal.jsonl"
    assert replay(journal).same
    assert record_from_journal(journal).usage.model_dump() == each.record["usage"]


def test_the_voice_only_says_what_is_fixed(each: Held) -> None:
    fixed = {GREETING, STILL_THERE, FAREWELL, TIME_IS_UP}
    assert {note.text for note in each.notes(Speak)} <= fixed
    for response in each.asked():
        assert response["instructions"].startswith("You are ")


def test_the_record_tells_what_the_vendor_told(each: Held) -> None:
    for role, fixed in (("model", False), ("voice", True)):
        costs = [response["usage"] for response in each.done(fixed=fixed)]
        used = each.used(role)
        assert (used["requests"], used["requests_untold"]) == (len(costs), 0)
        assert used["model"] == each.connection.model
        for unit, part in (("input", "input_token_details"), ("output", "output_token_details")):
            assert used[f"{unit}_tokens"] == sum(cost[f"{unit}_tokens"] for cost in costs) > 0
            sound = sum(cost[part]["audio_tokens"] for cost in costs)
            assert used[f"{unit}_audio_tokens"] == sound
    assert each.used("model")["input_audio_tokens"] > 0
    assert each.used("voice")["output_audio_tokens"] > 0
    wrote = each.used("transcriber")
    transcripts = [
        event["usage"] for event in each.connection.sent if event["type"].endswith("transcription.completed")
    ]
    heard_ms = sum(item.audio_ms or 0 for item in each.connection.items if item.role == "user")
    assert wrote["audio_seconds"] == pytest.approx(heard_ms / 1000, abs=0.01)
    assert wrote["input_audio_tokens"] == sum(cost["input_tokens"] for cost in transcripts) > 0
    assert wrote["audio_seconds"] < each.record["duration"], "silence that nobody listened to costs nothing"


def test_the_recording_has_both_sides_and_the_length_of_the_call(each: Held) -> None:
    caller, agent = each.tracks
    assert abs(len(caller) / RATE - each.record["duration"]) < 0.5
    for track, said in ((caller, LOUD), (agent, speak(GREETING).audio)):
        assert max(map(abs, track)) == max(map(abs, array("h", decode(said)))), "as loud as it was said"


def test_the_model_was_asked_as_often_as_it_had_to_be(calls: dict[str, Held]) -> None:
    assert {model: len(call.asked()) for model, call in calls.items()} == {
        model: len(scene.replies) for model, scene in SCENES.items()
    }
