"""A language model behind chat completions: OpenAI, Ollama, vLLM, llama.cpp and others.

Follows https://developers.openai.com/api/reference/resources/chat (messages, tools, stream events). What
other servers do differently is listed at `ChatReply`.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from engine.core.conversation import Message
from engine.core.events import Usage
from engine.providers.contracts import Finished, ModelEvent, TextDelta, ToolCallDelta, ToolSpec
from engine.providers.llm.openai_events import MALFORMED, SURVIVED, JsonEvents
from engine.providers.llm.openai_model import OpenAIModel
from engine.providers.llm.openai_options import Options, token_limit
from engine.providers.openai_http import BASE_URL, OpenAIClient, UnsupportedParameter

_REASONS = {"length": "length", "content_filter": "length"}
"""Finish reasons of a reply that was cut short; what stands unfinished in it is not for the caller."""


class OpenAIChatModel(OpenAIModel):
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

        ``temperature`` (0 to 2) is left out for models that refuse it, ``max_tokens`` goes out under the name
        that the model takes. ``extra`` are more fields of the request, such as ``top_p`` or what a compatible
        server has of its own. Raises `EngineError` that names the option.
        """
        options = Options(model, temperature, max_tokens, reasoning_effort, limit=token_limit(model))
        fixed: dict[str, Any] = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
        if reasoning_effort is not None:
            fixed["reasoning_effort"] = reasoning_effort
        super().__init__(OpenAIClient(api_key, base_url), options, fixed, extra)

    async def generate(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncIterator[ModelEvent]:
        """Stream one reply. Closing the iterator, or cancelling its task, closes the connection at once.

        A refusal of the model is its text. Raises `ProviderError`; where the model does not take one of the
        options, the next attempt goes without it.
        """
        body = {**self._fixed, **self._options.fields, "messages": [chat_message(m) for m in messages]}
        if tools:
            body["tools"] = [chat_tool(tool) for tool in tools]
        events, reply = JsonEvents(), ChatReply()
        try:
            async with self._client.post("/chat/completions", {**body, **self._extra}) as response:
                async for chunk in response.content.iter_any():
                    for event in events.feed(chunk):
                        for delta in self._take(reply, event):
                            yield delta
                    if events.done:
                        break
                if not (reply.finished or events.done):
                    raise self._client.broken("broke off in the middle of its reply")
                for delta in reply.tool_calls():
                    yield delta
                yield Finished(reply.reason, reply.usage)
                if events.done:
                    await self._client.read_to_end(response)
        except UnsupportedParameter as refused:
            refused.retryable = self._options.refused(refused.parameter)
            raise

    def _take(self, reply: ChatReply, event: Mapping[str, Any]) -> Sequence[ModelEvent]:
        if event is MALFORMED:
            return (SURVIVED,)
        if error := event.get("error"):
            raise self._client.told(error if isinstance(error, dict) else {"message": error})
        try:
            return list(reply.take(event))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise self._client.broken("sent an event that is not one of a chat completion") from None


def chat_message(message: Message) -> dict[str, Any]:
    """A message of the conversation as chat completions want it."""
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call, "content": message.text}
    if not message.tool_requests:
        return {"role": message.role, "content": message.text}
    calls = [
        {
            "id": asked.tool_call,
            "type": "function",
            "function": {"name": asked.name, "arguments": asked.arguments},
        }
        for asked in message.tool_requests
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}


def chat_tool(tool: ToolSpec) -> dict[str, Any]:
    """A tool as chat completions want it."""
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    about = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": about}


@dataclass(slots=True)
class _Call:
    """A tool call as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def complete(self) -> bool:
        """Whether its arguments are whole: JSON cannot go on after its end."""
        try:
            orjson.loads(self.arguments)
        except orjson.JSONDecodeError:
            return False
        return True


class ChatReply:
    """A reply put together from its chunks.

    Compatible servers are met half-way: chunks without choices or with nothing but a role, no usage, usage
    with every chunk, a tool call whole in one delta, without an id, without an index or all under index 0,
    ``stop`` after tool calls, an end without ``[DONE]``.
    """

    def __init__(self) -> None:
        self._calls: dict[object, _Call] = {}
        self._current: dict[object, object] = {}
        self._given = False
        self._called = False
        self._finish = ""
        self.usage = Usage()
        """What the reply cost; 0 where the server does not say."""

    @property
    def finished(self) -> bool:
        """The model has said why it ended."""
        return bool(self._finish)

    @property
    def reason(self) -> str:
        """Why it ended, in the contract's words."""
        return _REASONS.get(self._finish) or ("tools" if self._called else "stop")

    def take(self, event: Mapping[str, Any]) -> Iterator[TextDelta | ToolCallDelta]:
        """Take a chunk; gives its text, and the tool calls when it is the last."""
        if usage := event.get("usage"):
            kept = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            self.usage = Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0, kept)
        for choice in (event.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            if text := delta.get("content") or delta.get("refusal"):
                yield TextDelta(str(text))
            for part in delta.get("tool_calls") or ():
                self._add(part)
            if finish := choice.get("finish_reason"):
                self._finish = finish
                yield from self.tool_calls()

    def tool_calls(self) -> Iterator[ToolCallDelta]:
        """All tool calls, in the order in which they began; given once."""
        if not self._given:
            self._given = bool(self._finish)
            self._called = bool(self._calls)
            for call in self._calls.values():
                yield ToolCallDelta(call.id or f"call_{uuid.uuid4().hex}", call.name, call.arguments or "{}")

    def _add(self, part: Mapping[str, Any]) -> None:
        """A part of a tool call: of the one that has its index, unless it plainly begins another."""
        about = part.get("function") or {}
        id_, name, arguments = part.get("id") or "", about.get("name") or "", about.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = orjson.dumps(arguments).decode()
        index = part.get("index")
        call = self._calls.get(self._current.get(index))
        another = call is None or (id_ and call.id and id_ != call.id)
        if another or (call and name and not id_ and call.complete):
            call = _Call()
            self._current[index] = len(self._calls)
            self._calls[len(self._calls)] = call
        assert call is not None
        call.id = call.id or id_
        call.name = call.name or name
        call.arguments += arguments
