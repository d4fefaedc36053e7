"""Both of OpenAI's APIs for language models against the stand-in: the contract, and every option."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.core.conversation import Message, ToolRequest
from engine.errors import EngineError
from engine.providers.contracts import Finished, LanguageModel, TextDelta, ToolSpec, Warms
from engine.providers.llm.openai_chat import OpenAIChatModel
from engine.providers.llm.openai_responses import OpenAIResponsesModel
from fixtures.openai import OpenAI, Reply
from fixtures.openai_forms import MODELS, ToolCall
from fixtures.openai_playbook import by_playbook
from tests.providers.model_conformance import PLAYBOOK, Make, ModelConformance
from tests.providers.openai_bench import HELLO, KINDS, Kind, connect, reply, vendor

__all__ = ["vendor"]

VO_MODELS = (
    "gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-3.5-turbo-1106 gpt-3.5-turbo-16k gpt-3.5-turbo-0613 gpt-4-turbo"
    " gpt-4-turbo-2024-04-09 gpt-4-turbo-preview gpt-4-0125-preview gpt-4-1106-preview gpt-4-0613 gpt-4"
    " gpt-4o"
).split()
SIZE = {"type": "object", "properties": {"size": {"enum": ["small", "large"]}}, "required": ["size"]}
BREW = ToolSpec("brew", "Makes a drink.", SIZE)
RING = ToolSpec("ring", "Rings a bell.")


class OpenAIConformance(ModelConformance):
    KIND: Kind

    @pytest.fixture
    async def make(self) -> AsyncIterator[Make]:
        vendors: list[OpenAI] = []

        def make(first_token_ms: float = 0, tokens_per_second: float | None = None) -> LanguageModel:
            vendor = waiting.pop()
            vendor.first_token, vendor.tokens_per_second = first_token_ms, tokens_per_second or 0
            return connect(self.KIND, vendor)

        for _ in range(2):
            vendor = OpenAI(answer=by_playbook(PLAYBOOK))
            await vendor.start()
            vendors.append(vendor)
        waiting = list(vendors)
        yield make
        for vendor in vendors:
            await vendor.stop()


class TestChat(OpenAIConformance):
    KIND = OpenAIChatModel


class TestResponses(OpenAIConformance):
    KIND = OpenAIResponsesModel


def test_the_stand_in_has_all_models_of_the_list() -> None:
    assert len(VO_MODELS) == 13
    assert set(VO_MODELS) <= set(MODELS)


@pytest.mark.parametrize("model", [*VO_MODELS, "gpt-4.1", "gpt-4o-mini"])
@pytest.mark.parametrize(
    ("kind", "limit"), [(OpenAIChatModel, "max_tokens"), (OpenAIResponsesModel, "max_output_tokens")]
)
async def test_each_option_is_sent_to_each_model(vendor: OpenAI, model: str, kind: Kind, limit: str) -> None:
    await reply(connect(kind, vendor, model, temperature=0, max_tokens=300), tools=[BREW])
    sent = vendor.requests[0].body
    assert sent["model"] == model
    assert sent["temperature"] == 0
    assert {name: value for name, value in sent.items() if "tokens" in name} == {limit: 300}
    assert sent["stream"] is True
    assert vendor.requests[0].headers["authorization"] == f"Bearer {vendor.api_key}"


@pytest.mark.parametrize("model", ["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5-mini"])
@pytest.mark.parametrize(
    ("kind", "limit"),
    [(OpenAIChatModel, "max_completion_tokens"), (OpenAIResponsesModel, "max_output_tokens")],
)
async def test_reasoning_models_get_what_they_take(
    vendor: OpenAI, model: str, kind: Kind, limit: str
) -> None:
    await reply(connect(kind, vendor, model, temperature=0.5, max_tokens=300, reasoning_effort="low"))
    sent = vendor.requests[0].body
    assert "temperature" not in sent
    assert {name: value for name, value in sent.items() if "tokens" in name} == {limit: 300}
    assert sent.get("reasoning_effort") == "low" or sent["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_that_is_told_not_to_reason_takes_a_temperature(vendor: OpenAI, kind: Kind) -> None:
    await reply(connect(kind, vendor, "gpt-5.1", temperature=0.5, reasoning_effort="none"))
    assert vendor.requests[0].body["temperature"] == 0.5


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_not_set_is_not_sent(vendor: OpenAI, kind: Kind) -> None:
    await reply(connect(kind, vendor))
    names = {"model", "stream"} | {"messages", "input", "stream_options", "store"}
    assert set(vendor.requests[0].body) <= names


@pytest.mark.parametrize("kind", KINDS)
async def test_more_fields_of_the_request_can_be_set(vendor: OpenAI, kind: Kind) -> None:
    await reply(connect(kind, vendor, extra={"top_p": 0.5}))
    assert vendor.requests[0].body["top_p"] == 0.5


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reply_ends_at_the_token_limit(vendor: OpenAI, kind: Kind) -> None:
    vendor.replies.append(Reply("word " * 40))
    text, _, finished = await reply(connect(kind, vendor, max_tokens=20))
    assert len(text.split()) == 20
    assert finished.reason == "length"
    assert finished.usage.output_tokens == 20


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_at_once_come_whole_and_in_order(vendor: OpenAI, kind: Kind) -> None:
    calls = [ToolCall("brew", '{"size": "small", "for": "Zoë"}'), ToolCall("ring"), ToolCall("brew", "{}")]
    vendor.replies.append(Reply("One moment.", calls))
    text, made, finished = await reply(connect(kind, vendor), tools=[BREW, RING])
    assert text == "One moment."
    assert [(call.tool_call, call.name, call.arguments) for call in made] == [
        (call.id, call.name, call.arguments) for call in calls
    ]
    assert finished.reason == "tools"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_filtered_reply_was_cut_short_and_a_refusal_is_said(vendor: OpenAI, kind: Kind) -> None:
    vendor.replies.extend([Reply("Well, the", finish="content_filter"), Reply(refusal="I cannot do that.")])
    assert (await reply(connect(kind, vendor)))[2].reason == "length"
    text, _, finished = await reply(connect(kind, vendor))
    assert text == "I cannot do that."
    assert finished.reason == "stop"


CONVERSATION = (
    Message("system", "Be brief."),
    Message("user", "A coffee."),
    Message("assistant", tool_requests=(ToolRequest("c1", "brew", "{}"), ToolRequest("c2", "ring", "{}"))),
    Message("tool", '{"ok": true}', tool_call="c1"),
    Message("tool", "", tool_call="c2"),
    Message("assistant", "Here you are."),
    Message("assistant", "Anything else?", (ToolRequest("c3", "ring", "{}"),)),
    Message("tool", "{}", tool_call="c3"),
    Message("user", "No."),
)


def chat_call(id_: str, name: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": "{}"}}


async def test_a_conversation_as_chat_completions_have_it(vendor: OpenAI) -> None:
    await reply(connect(OpenAIChatModel, vendor), CONVERSATION, [BREW, RING])
    sent = vendor.requests[0].body
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A coffee."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [chat_call("c1", "brew"), chat_call("c2", "ring")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"ok": true}'},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "assistant", "content": "Here you are."},
        {"role": "assistant", "content": "Anything else?", "tool_calls": [chat_call("c3", "ring")]},
        {"role": "tool", "tool_call_id": "c3", "content": "{}"},
        {"role": "user", "content": "No."},
    ]
    assert [tool["function"] for tool in sent["tools"]] == [
        {"name": "brew", "description": "Makes a drink.", "parameters": SIZE},
        {"name": "ring", "description": "Rings a bell.", "parameters": {"type": "object", "properties": {}}},
    ]


async def test_a_conversation_as_responses_have_it(vendor: OpenAI) -> None:
    await reply(connect(OpenAIResponsesModel, vendor), CONVERSATION, [BREW])
    sent = vendor.requests[0].body
    assert sent["input"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A coffee."},
        {"type": "function_call", "call_id": "c1", "name": "brew", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "ring", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": '{"ok": true}'},
        {"type": "function_call_output", "call_id": "c2", "output": ""},
        {"role": "assistant", "content": "Here you are."},
        {"role": "assistant", "content": "Anything else?"},
        {"type": "function_call", "call_id": "c3", "name": "ring", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c3", "output": "{}"},
        {"role": "user", "content": "No."},
    ]
    tool = {"type": "function", "name": "brew", "description": "Makes a drink.", "parameters": SIZE}
    assert sent["tools"] == [tool | {"strict": False}]
    assert sent["store"] is False


@pytest.mark.parametrize("kind", KINDS)
async def test_the_connection_is_used_again(vendor: OpenAI, kind: Kind) -> None:
    model = connect(kind, vendor)
    for _ in range(3):
        deltas = [delta async for delta in model.generate(HELLO, ())]
        assert isinstance(deltas[-1], Finished)
    assert {request.connection for request in vendor.requests} == {0}
    await model.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_closing_a_reply_ends_its_request_at_once(vendor: OpenAI, kind: Kind) -> None:
    vendor.tokens_per_second = 0.01
    model = connect(kind, vendor)
    deltas = model.generate(HELLO, ())
    assert isinstance(await anext(deltas), TextDelta)
    await deltas.aclose()  # type: ignore[attr-defined]
    assert (await vendor.received(1, lambda request: request.over)).aborted
    await model.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_models_of_a_server_can_be_asked_for(vendor: OpenAI, kind: Kind) -> None:
    model = kind(vendor.api_key, model="gpt-4o", base_url=vendor.url)
    assert await model.models() == MODELS
    await model.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"model": ""}, "model.model"),
        ({"temperature": 2.1}, "model.temperature"),
        ({"temperature": -0.1}, "model.temperature"),
        ({"max_tokens": 0}, "model.max_tokens"),
        ({"base_url": "localhost:11434/v1"}, "OPENAI_BASE_URL"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(kind: Kind, settings: dict[str, Any], field: str) -> None:
    with pytest.raises(EngineError, match=f"^{field}: "):
        kind("key", **({"model": "gpt-4o"} | settings))


def test_responses_take_no_small_limit() -> None:
    with pytest.raises(EngineError, match=r"model.max_tokens: must be 16 or more"):
        OpenAIResponsesModel("key", model="gpt-4o", max_tokens=15)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_first_request_goes_over_the_connection_that_was_warmed(kind: Kind, vendor: OpenAI) -> None:
    model = connect(kind, vendor)
    assert isinstance(model, Warms)
    await model.warm()
    assert vendor._runner is not None and vendor._runner.server is not None
    (warm,) = vendor._runner.server.connections
    await reply(model)
    assert list(vendor._connections) == [id(warm)]


async def test_a_server_that_is_not_there_is_not_told_of_before_the_request() -> None:
    model = OpenAIChatModel("key", model="gpt-4o", base_url="http://127.0.0.1:1/v1")
    await model.warm()
    await model.close()
