"""Both sides against OpenAI's SDK: its types take every event, and its client gets on with the stand-in."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

pytest.importorskip("openai", reason="the extra 'openai' is not installed")

import openai
from openai.types import realtime as types
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

from engine.audio import mulaw
from engine.core.conversation import Message, ToolRequest
from engine.providers.contracts import ToolSpec
from fixtures.openai_forms import Reply, ToolCall
from fixtures.openai_realtime import API_KEY, GREETING
from tests.providers.realtime.bench import (
    HELLO,
    SAYINGS,
    SOUND,
    UTTERANCES,
    begun,
    failure,
    opened,
    reply,
    say,
    stand_in,
)
from tests.providers.transcriber_conformance import HUSH, feed
from tests.providers.voice_conformance import collect

CLIENT_EVENTS = {
    "session.update": types.SessionUpdateEventParam,
    "input_audio_buffer.append": types.InputAudioBufferAppendEventParam,
    "input_audio_buffer.commit": types.InputAudioBufferCommitEventParam,
    "input_audio_buffer.clear": types.InputAudioBufferClearEventParam,
    "conversation.item.truncate": types.ConversationItemTruncateEventParam,
    "conversation.item.delete": types.ConversationItemDeleteEventParam,
    "response.create": types.ResponseCreateEventWithReferencesParam,
    "response.cancel": types.ResponseCancelEventParam,
}
SERVER_EVENTS = {
    kind.model_fields["type"].annotation.__args__[0]: kind
    for kind in RealtimeServerEvent.__origin__.__args__  # type: ignore[attr-defined]
}
TOLD = {
    "session.created",
    "session.updated",
    "error",
    "input_audio_buffer.cleared",
    "input_audio_buffer.committed",
    *(
        f"conversation.item.{what}"
        for what in (
            "added",
            "done",
            "truncated",
            "deleted",
            "input_audio_transcription.delta",
            "input_audio_transcription.completed",
            "input_audio_transcription.failed",
        )
    ),
    *(
        f"response.{what}"
        for what in (
            "created",
            "done",
            "output_item.added",
            "output_item.done",
            "content_part.added",
            "content_part.done",
            "output_audio.delta",
            "output_audio.done",
            "output_audio_transcript.delta",
            "output_audio_transcript.done",
            "function_call_arguments.delta",
            "function_call_arguments.done",
        )
    ),
}
"""All that the stand-in says."""
MORE_THAN_TYPED = {"object", "id", "expires_at", "event_id"}
"""Fields of sessions that the server has, and that the SDK's type (that of the request) does not name."""


def fits(event: Mapping[str, Any]) -> bool:
    """Whether an event of the client has all that the SDK's type of it has to have, and nothing else."""
    try:
        parsed = evaluated(TypeAdapter(CLIENT_EVENTS[event["type"]]).validate_python(event))
    except ValidationError:
        return False
    return bool(parsed == event)  # what the type does not name is not in it any more


def evaluated(value: Any) -> Any:
    """The same with its lazy lists read, so that what is in them is checked too."""
    if isinstance(value, Mapping):
        return {name: evaluated(each) for name, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [evaluated(each) for each in value]
    return value


def unknown(value: Any, path: str = "") -> Iterator[str]:
    """The fields of a parsed event that its types do not name."""
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}" for name in value.model_extra or ())
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from unknown(each, path)


async def test_every_event_of_a_call_is_as_the_sdk_has_it() -> None:
    vendor = stand_in(inaudible=1, tokens_per_second=200, sayings=SAYINGS * 3)
    vendor.replies.extend(
        [
            Reply("One moment.", [ToolCall("brew", '{"size": "large"}', "call_1")]),
            Reply("It is on its way."),
            Reply("Now then, where were we, my friend?"),
            Reply("One two three.", finish="length"),
            Reply(refusal="The server had an error."),
        ]
    )
    options: dict[str, Any] = {"language": "en", "keywords": ["latte"], "speed": 1.0, "max_tokens": 900}
    async with opened(vendor, **options) as bench:
        voice = await bench.line.voice.open()
        voice.say(1, 0, "Good morning.")
        await collect(voice, 1)
        feed(bench.stream, SOUND * 2 + mulaw.silence(2_500))
        conversation = [*HELLO[:1], Message("assistant", "Good morning.")]
        for utterance in (*UTTERANCES, UTTERANCES[0]):
            words = await say(bench.stream, utterance.audio)
            conversation.append(Message("user", words.text))
            feed(bench.stream, mulaw.silence(1_000))
        brew = ToolSpec("brew", "Makes a drink.", {"type": "object", "properties": {}})
        said = await reply(bench.line, 1, conversation, [brew])
        asked = tuple(ToolRequest(call.tool_call, call.name, call.arguments) for call in said.calls)
        conversation.append(Message("assistant", said.text, asked))
        conversation.append(Message("tool", '"brewing"', tool_call="call_1"))
        conversation.append(Message("system", "The caller pressed 1."))
        said = await reply(bench.line, 2, conversation, [brew])
        bench.line.truncate(2, 300)
        deltas, _ = await begun(bench.line, 3, conversation)
        await deltas.aclose()  # type: ignore[attr-defined]
        bench.line.truncate(3, 0)
        await reply(bench.line, 4, conversation)
        next(item for item in bench.connection.items if item.cut).audio_ms = 50.0
        bench.line.truncate(2, 100)
        await failure(bench.line, 5, conversation)
        received, sent = bench.connection.received, bench.connection.sent

    assert {event["type"] for event in received} == set(CLIENT_EVENTS)
    assert [event for event in received if not fits(event)] == []
    told = {event["type"] for event in sent}
    assert told == TOLD
    for event in sent:
        parsed = SERVER_EVENTS[event["type"]].model_validate(event)
        assert parsed.event_id.startswith("event_")
        assert {name.rpartition(".")[2] for name in unknown(parsed)} <= MORE_THAN_TYPED


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "response.create", "response": {"input": [{"type": "item_reference"}]}},
        {"type": "response.create", "response": {"input": [], "temperature": 1}},
        {"type": "response.create", "response": {"conversation": 1}},
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0},
        {"type": "session.update", "session": {"type": "realtime", "voice": "marin"}},
    ],
)
def test_the_types_tell_right_from_wrong(wrong: dict[str, Any]) -> None:
    assert not fits(wrong)


async def test_the_sdks_client_holds_a_conversation_with_the_stand_in() -> None:
    async with stand_in() as vendor:
        sockets = vendor.url.replace("http://", "ws://")
        async with (
            openai.AsyncOpenAI(api_key=API_KEY, base_url=vendor.url, websocket_base_url=sockets) as client,
            client.realtime.connect(model="gpt-realtime-2.1") as connection,
        ):
            pcmu = {"format": {"type": "audio/pcmu"}}
            hears = {**pcmu, "turn_detection": None, "transcription": {"model": "gpt-transcribe"}}
            session = {"type": "realtime", "audio": {"input": hears, "output": pcmu}}
            await connection.session.update(session=session)
            audio = UTTERANCES[0].audio + mulaw.silence(HUSH)
            await connection.input_audio_buffer.append(audio=base64.b64encode(audio).decode())
            await connection.input_audio_buffer.commit()
            await connection.response.create()
            said, heard = "", ""
            async with asyncio.timeout(10):
                async for event in connection:
                    if event.type == "conversation.item.input_audio_transcription.completed":
                        heard = event.transcript
                    elif event.type == "response.output_audio_transcript.delta":
                        said += event.delta
                    elif event.type == "response.done":
                        break
        assert (heard, said) == (SAYINGS[0], GREETING.text)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"type": "input_audio_buffer.commit"}, "buffer only has 0.00ms of audio."),
        ({"type": "response.cancel"}, "Cancellation failed: no active response found"),
        ({"type": "conversation.item.delete", "item_id": "x"}, "the item with id 'x' does not exist."),
        (
            {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "x"}]}},
            "not found.",
        ),
        ({"type": "input_audio_buffer.append", "audio": "?"}, "Invalid request: "),
        ({"type": "nonsense"}, "Invalid value: 'nonsense'."),
    ],
)
async def test_what_the_vendor_refuses_the_stand_in_refuses(event: dict[str, Any], told: str) -> None:
    async with opened(stand_in()) as bench:
        await bench.connection.socket.send_json({"type": "ping"})  # type: ignore[union-attr]  # is left out
        bench.stream._send(json.dumps({**event, "event_id": "mine"}))  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            await bench.connection.until(lambda one: one.sent[-1]["type"] == "error")
        error = bench.connection.sent[-1]["error"]
        assert told in error["message"]
        assert error["event_id"] == "mine"
        assert (await reply(bench.line, 1)).text == GREETING.text, "and the session goes on"


async def test_a_second_response_is_refused_while_one_is_active() -> None:
    async with opened(stand_in(tokens_per_second=50)) as bench:
        deltas, _ = await begun(bench.line, 1)
        bench.line._sessions[-1].responses._active = None  # type: ignore[attr-defined]  # as if it were over
        error = await failure(bench.line, 2)
        assert "conversation_already_has_active_response" in error.reason
        assert error.retryable
        await deltas.aclose()  # type: ignore[attr-defined]
