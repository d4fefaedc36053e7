"""Servers that speak chat completions almost as OpenAI does, told by what they send; and OpenAI's own SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("openai", reason="the extra 'openai' is not installed")

import openai

from engine.core.events import Usage
from engine.providers.contracts import ProviderError, ToolCallDelta
from engine.providers.llm.openai_chat import OpenAIChatModel
from engine.providers.llm.openai_events import LONGEST_EVENT, MALFORMED, JsonEvents
from engine.providers.llm.openai_options import takes_temperature, token_limit
from fixtures.openai import GREETING, OpenAI, Reply
from fixtures.openai_forms import MODELS, ToolCall
from tests.providers.openai_bench import connect, failure, reply, vendor

__all__ = ["vendor"]


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps({"object": "chat.completion.chunk", "choices": choices} | more)


def call(name: str = "", arguments: str = "", **more: Any) -> dict[str, Any]:
    function = {"name": name} if name else {}
    return {"function": function | {"arguments": arguments}} | more


async def calls_of(
    vendor: OpenAI, *deltas: list[dict[str, Any]], finish: str = "tool_calls"
) -> list[ToolCallDelta]:
    lines = [chunk({"tool_calls": delta}) for delta in deltas]
    vendor.replies.append(Reply(raw=[*lines, chunk({}, finish), "[DONE]"]))
    _, calls, finished = await reply(connect(OpenAIChatModel, vendor))
    assert finished.reason == "tools"
    return calls


async def test_no_usage_no_done_and_chunks_of_nothing(vendor: OpenAI) -> None:
    raw = [chunk(), chunk({"role": "assistant"}), chunk({"content": "Well."}), chunk({"content": ""}, "stop")]
    vendor.replies.append(Reply(raw=raw))
    text, _, finished = await reply(connect(OpenAIChatModel, vendor))
    assert text == "Well."
    assert finished.reason == "stop"
    assert finished.usage == Usage(0, 0)


async def test_tool_calls_of_a_reply_that_breaks_off_are_not_given(vendor: OpenAI) -> None:
    """Half the arguments may be valid JSON all the same."""
    vendor.replies.append(Reply(raw=[chunk({"tool_calls": [call("book", '{"table": 1}', index=0)]})]))
    text, error = await failure(connect(OpenAIChatModel, vendor))
    assert text == "" and "broke off in the middle of its reply" in error.reason


async def test_usage_with_every_chunk_and_done_without_a_reason(vendor: OpenAI) -> None:
    usage = [{"prompt_tokens": 9, "completion_tokens": n} for n in (1, 2)]
    raw = [chunk({"content": "We"}, usage=usage[0]), chunk({"content": "ll"}, usage=usage[1]), "[DONE]"]
    vendor.replies.append(Reply(raw=raw))
    text, _, finished = await reply(connect(OpenAIChatModel, vendor))
    assert text == "Well"
    assert finished.usage == Usage(9, 2)


async def test_whole_calls_without_an_id_or_an_index(vendor: OpenAI) -> None:
    calls = await calls_of(vendor, [call("brew", '{"a": 1}')], [call("ring", "{}")], finish="stop")
    assert [(made.name, made.arguments) for made in calls] == [("brew", '{"a": 1}'), ("ring", "{}")]
    assert len({made.tool_call for made in calls}) == 2
    assert all(made.tool_call for made in calls)


async def test_calls_all_under_index_0(vendor: OpenAI) -> None:
    calls = await calls_of(
        vendor, [call("brew", "{}", index=0, id="a"), call("brew", "{}", index=0, id="b")], finish="stop"
    )
    assert [made.tool_call for made in calls] == ["a", "b"]


async def test_a_name_and_an_id_that_are_repeated_with_every_part(vendor: OpenAI) -> None:
    parts = [[call("brew", part, index=0, id="a")] for part in ('{"size"', ': "small"', "}")]
    (made,) = await calls_of(vendor, *parts)
    assert (made.tool_call, made.name, made.arguments) == ("a", "brew", '{"size": "small"}')


async def test_calls_whose_parts_come_mixed(vendor: OpenAI) -> None:
    calls = await calls_of(
        vendor,
        [call("brew", "", index=0, id="a")],
        [call("ring", '{"n"', index=1, id="b")],
        [call("", "{}", index=0)],
        [call("", ": 2}", index=1)],
    )
    assert [(made.name, made.arguments) for made in calls] == [("brew", "{}"), ("ring", '{"n": 2}')]


async def test_arguments_as_an_object_or_not_at_all(vendor: OpenAI) -> None:
    as_object = {"index": 0, "function": {"name": "brew", "arguments": {"size": "small"}}}
    calls = await calls_of(vendor, [as_object], [{"index": 1, "function": {"name": "ring"}}])
    assert [json.loads(made.arguments) for made in calls] == [{"size": "small"}, {}]


async def test_a_call_cut_by_the_limit_is_given_as_it_is(vendor: OpenAI) -> None:
    vendor.replies.append(
        Reply(raw=[chunk({"tool_calls": [call("brew", '{"si', index=0)]}), chunk({}, "length")])
    )
    _, (made,), finished = await reply(connect(OpenAIChatModel, vendor))
    assert made.arguments == '{"si'
    assert finished.reason == "length"


async def test_a_server_that_wants_no_key_and_knows_other_models(vendor: OpenAI) -> None:
    vendor.api_key, vendor.models = "", ("llama3.2:3b",)
    model = connect(OpenAIChatModel, vendor, "llama3.2:3b", temperature=1, max_tokens=50)
    assert (await reply(model))[0] == GREETING.text
    assert vendor.requests[0].body["max_tokens"] == 50


@pytest.mark.parametrize(
    ("model", "limit", "temperature"),
    [
        ("gpt-4o", "max_tokens", True),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "max_tokens", True),
        ("gpt-oss:20b", "max_tokens", True),
        ("gpt-35-turbo", "max_tokens", True),
        ("qwen3:8b", "max_tokens", True),
        ("o3-mini", "max_completion_tokens", False),
        ("openai/gpt-5.1", "max_completion_tokens", False),
        ("gpt-5-chat-latest", "max_completion_tokens", True),
    ],
)
def test_models_by_their_names(model: str, limit: str, temperature: bool) -> None:
    assert token_limit(model) == limit
    assert takes_temperature(model, None) is temperature
    assert takes_temperature(model, "none")


def test_events_come_however_the_stream_is_cut() -> None:
    stream = b': comment\r\nevent: x\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata:{"b": "\xc3\xa9"}\n\n'
    stream += b"id: 7\n\ndata: [DONE]\n\n"
    for size in range(1, len(stream)):
        events = JsonEvents()
        found = [event for at in range(0, len(stream), size) for event in events.feed(stream[at : at + size])]
        assert found == [{"a": 1}, {"b": "é"}], size
        assert events.done


def test_one_event_that_is_no_json_is_left_out_and_the_second_ends_it() -> None:
    events = JsonEvents()
    assert events.feed(b'data: {"a": 1}\n\ndata: {{\n\ndata: {"a": 2}\n\n') == [{"a": 1}, MALFORMED, {"a": 2}]
    with pytest.raises(ProviderError, match="no JSON"):
        events.feed(b"data: [2]\n\n")


def test_nothing_counts_after_the_last_event() -> None:
    events = JsonEvents()
    assert events.feed(b'data: {"a": 1}\n\ndata: [DONE]\n\ndata: {"a": 2}\n\n') == [{"a": 1}]
    assert events.feed(b'data: {"a": 3}\n\n') == []


@pytest.mark.parametrize("line", [b"data: x", b"data: x\n"], ids=["one line", "many lines"])
def test_an_event_without_an_end_is_given_up(line: bytes) -> None:
    events = JsonEvents()
    with pytest.raises(ProviderError, match="does not end"):
        for _ in range(3 * LONGEST_EVENT // 10000):
            events.feed(line * (10000 // len(line)))


async def test_openais_own_sdk_reads_the_stand_in(vendor: OpenAI) -> None:
    brew = ToolCall("brew", '{"size": "small"}')
    vendor.replies.extend([Reply("Well.", [brew])] * 4)
    async with openai.AsyncOpenAI(api_key=vendor.api_key, base_url=vendor.url, max_retries=0) as client:
        assert {model.id async for model in client.models.list()} == set(MODELS)
        hello: list[Any] = [{"role": "user", "content": "Hello?"}]
        async with client.chat.completions.stream(model="gpt-4o", messages=hello) as chat:
            completion = await chat.get_final_completion()
        whole = await client.chat.completions.create(model="gpt-4o", messages=hello)
        for choice in (completion.choices[0], whole.choices[0]):
            assert choice.finish_reason == "tool_calls"
            assert choice.message.content == "Well."
            assert choice.message.tool_calls is not None
            function = choice.message.tool_calls[0].to_dict()["function"]
            assert {"name": "brew", "arguments": brew.arguments}.items() <= dict(function).items()
        async with client.responses.stream(model="gpt-4o", input=hello) as stream:
            streamed = await stream.get_final_response()
        for response in (streamed, await client.responses.create(model="gpt-4o", input=hello)):
            assert response.output_text == "Well."
            assert [item.type for item in response.output] == ["message", "function_call"]
            assert response.usage is not None
        async with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input="Well.", response_format="pcm"
        ) as speech:
            assert len(await speech.read()) == 5 * 60 * 48
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await client.responses.create(model="gpt-none", input=hello)
        with pytest.raises(openai.BadRequestError, match="must be followed by tool messages"):
            asked = whole.choices[0].message.to_dict()
            await client.chat.completions.create(model="gpt-4o", messages=[*hello, asked])  # type: ignore[list-item]
