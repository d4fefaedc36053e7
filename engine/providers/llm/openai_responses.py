"""A language model behind OpenAI's Responses API.

Follows https://developers.openai.com/api/reference/resources/responses (input items, tools) and its page on
streaming events. The conversation is sent whole with every request and nothing of it is stored there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from engine.core.conversation import Message
from engine.core.events import Usage
from engine.providers.contracts import Finished, ModelEvent, TextDelta, ToolCallDelta, ToolSpec
from engine.providers.llm.openai_events import MALFORMED, SURVIVED, JsonEvents
from engine.providers.llm.openai_model import OpenAIModel
from engine.providers.llm.openai_options import Options
from engine.providers.openai_http import BASE_URL, OpenAIClient, UnsupportedParameter

FEWEST_TOKENS = 16
"""The smallest token limit that the API takes."""

_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})
_END = frozenset({"response.completed", "response.incomplete"})


class OpenAIResponsesModel(OpenAIModel):
    """One model, its options and its connections; see `engine.providers.contracts.LanguageModel`."""

    def __init__(
        self,
        api_key: str,
        *,
        model: str,
        base_url: str = BASE_URL,
        temperature: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the settings; nothing is connected yet. None is not sent.

        ``temperature`` (0 to 2) is left out for models that refuse it; ``max_tokens`` is at least
        `FEWEST_TOKENS`. ``extra`` are more fields of the request, such as ``text`` or ``top_p``. Raises
        `EngineError` that names the option.
        """
        options = Options(
            model,
            temperature,
            max_tokens,
            reasoning_effort,
            limit="max_output_tokens",
            fewest_tokens=FEWEST_TOKENS,
        )
        fixed: dict[str, Any] = {"model": model, "stream": True, "store": False}
        if reasoning_effort is not None:
            fixed["reasoning"] = {"effort": reasoning_effort}
        super().__init__(OpenAIClient(api_key, base_url), options, fixed, extra)

    async def generate(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncIterator[ModelEvent]:
        """Stream one reply. Closing the iterator, or cancelling its task, closes the connection at once.

        A refusal of the model is its text. Raises `ProviderError`; where the model does not take one of the
        options, the next attempt goes without it.
        """
        items = [item for message in messages for item in response_items(message)]
        body = {**self._fixed, **self._options.fields, "input": items}
        if tools:
            body["tools"] = [response_tool(tool) for tool in tools]
        events, reply = JsonEvents(), ResponseReply()
        try:
            async with self._client.post("/responses", {**body, **self._extra}) as response:
                async for chunk in response.content.iter_any():
                    for event in events.feed(chunk):
                        for delta in self._take(reply, event):
                            yield delta
                    if reply.finished is not None:
                        break
                if reply.finished is None:
                    raise self._client.broken("broke off in the middle of its reply")
                yield reply.finished
                await self._client.read_to_end(response)
        except UnsupportedParameter as refused:
            refused.retryable = self._options.refused(refused.parameter)
            raise

    def _take(self, reply: ResponseReply, event: Mapping[str, Any]) -> Sequence[ModelEvent]:
        if event is MALFORMED:
            return (SURVIVED,)
        try:
            if event["type"] == "error":
                raise self._client.told(event.get("error") or event)
            if event["type"] == "response.failed":
                raise self._client.told(event["response"].get("error") or {})
            return list(reply.take(event))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self._client.broken("sent an event that is not one of a response") from None


def response_items(message: Message) -> Iterator[dict[str, Any]]:
    """A message of the conversation as the Responses API wants it: its text and each tool call apart."""
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.tool_call, "output": message.text}
        return
    if message.text or not message.tool_requests:
        yield {"role": message.role, "content": message.text}
    for asked in message.tool_requests:
        yield {
            "type": "function_call",
            "call_id": asked.tool_call,
            "name": asked.name,
            "arguments": asked.arguments,
        }


def response_tool(tool: ToolSpec) -> dict[str, Any]:
    """A tool as the Responses API wants it. Not ``strict``: that forbids optional arguments."""
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters,
        "strict": False,
    }


class ResponseReply:
    """A reply put together from its events."""

    def __init__(self) -> None:
        self._called = False
        self.finished: Finished | None = None
        """How the reply ended, once it has."""

    def take(self, event: Mapping[str, Any]) -> Iterator[TextDelta | ToolCallDelta]:
        """Take an event; gives text as it comes and a tool call when it is whole. Others say nothing new."""
        kind = event["type"]
        if self.finished is not None:
            return
        if kind in _TEXT:
            if event["delta"]:
                yield TextDelta(str(event["delta"]))
        elif kind == "response.output_item.done":
            item = event["item"]
            if item["type"] == "function_call":
                self._called = True
                yield ToolCallDelta(item["call_id"], item["name"], item["arguments"] or "{}")
        elif kind in _END:
            cost = event["response"].get("usage") or {}
            kept = (cost.get("input_tokens_details") or {}).get("cached_tokens") or 0
            usage = Usage(cost.get("input_tokens") or 0, cost.get("output_tokens") or 0, kept)
            cut = "length" if kind == "response.incomplete" else ""
            self.finished = Finished(cut or ("tools" if self._called else "stop"), usage)
