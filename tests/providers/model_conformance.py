"""What every language model must do: subclass `ModelConformance` and give it a fixture named ``make``.

``make(first_token_ms, tokens_per_second)`` makes a model that talks as the playbook `PLAYBOOK` does, and as
slowly as asked. Whatever should come is waited for; a model that keeps silent fails by time-out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import pytest

from engine.core.conversation import Message, ToolRequest
from engine.playbooks.tools import find_slots
from engine.providers.contracts import Finished, LanguageModel, TextDelta, ToolCallDelta, ToolSpec

PLAYBOOK = "appointment_desk"
PATIENCE = 10  # seconds until a model that gives nothing has failed

PROMPT = Message("system", "You are the desk of a clinic.")
PARAMETERS = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
TOOLS = (ToolSpec("find_slots", "Free times of a day.", PARAMETERS), ToolSpec("book_appointment", "Book it."))
GREETED = (PROMPT, Message("assistant", "Hello!"), Message("user", "Is anybody there?"))
ASKS_FOR_A_TOOL = (PROMPT, Message("user", "I'd like an appointment on Friday for a cleaning."))


class Make(Protocol):
    """Makes a model; see the module."""

    def __call__(
        self, first_token_ms: float = 0, tokens_per_second: float | None = None
    ) -> LanguageModel: ...


Delta = TextDelta | ToolCallDelta | Finished


async def reply(
    model: LanguageModel, messages: Sequence[Message], tools: Sequence[ToolSpec] = TOOLS
) -> tuple[str, list[ToolCallDelta], Finished]:
    """One whole reply: its text, its tool calls and its end, which must be the last."""
    async with asyncio.timeout(PATIENCE):
        deltas = [delta async for delta in model.generate(messages, tools)]
    *before, finished = deltas
    assert isinstance(finished, Finished)
    assert not any(isinstance(delta, Finished) for delta in before)
    text = "".join(delta.text for delta in before if isinstance(delta, TextDelta))
    return text, [delta for delta in before if isinstance(delta, ToolCallDelta)], finished


async def no_task_left(before: set[asyncio.Task[object]]) -> None:
    """Wait until no task is there that was not there before; fails by time-out."""
    async with asyncio.timeout(PATIENCE):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)


class ModelConformance:
    """The contract of `engine.providers.contracts.LanguageModel`, as tests."""

    @pytest.fixture
    async def model(self, make: Make) -> AsyncIterator[LanguageModel]:
        model = make()
        yield model
        await model.close()

    async def test_text_streams_and_the_end_comes_last(self, model: LanguageModel) -> None:
        async with asyncio.timeout(PATIENCE):
            deltas = [delta async for delta in model.generate(GREETED, TOOLS)]
        *words, finished = deltas
        assert len(words) > 3
        assert all(isinstance(word, TextDelta) and word.text for word in words)
        assert isinstance(finished, Finished)
        assert finished.reason == "stop"
        assert finished.usage.input_tokens > 0
        assert finished.usage.output_tokens > 0

    async def test_the_same_question_without_tools_is_answered_too(self, model: LanguageModel) -> None:
        text, calls, finished = await reply(model, GREETED, ())
        assert text
        assert not calls
        assert finished.reason == "stop"

    async def test_a_tool_call_comes_whole_and_its_result_is_understood(self, model: LanguageModel) -> None:
        _, calls, finished = await reply(model, ASKS_FOR_A_TOOL)
        assert finished.reason == "tools"
        (call,) = calls
        assert call.name == "find_slots"
        assert "day" in json.loads(call.arguments)
        asked = ToolRequest(call.tool_call, call.name, call.arguments)
        found = json.dumps(find_slots(**json.loads(call.arguments)))
        answered = Message("tool", found, tool_call=call.tool_call)
        text, calls, finished = await reply(
            model, [*ASKS_FOR_A_TOOL, Message("assistant", tool_requests=(asked,)), answered]
        )
        assert "Which time would you like?" in text
        assert not calls
        assert finished.reason == "stop"

    async def test_every_tool_call_has_an_id_of_its_own(self, model: LanguageModel) -> None:
        ids = [(await reply(model, ASKS_FOR_A_TOOL))[1][0].tool_call for _ in range(3)]
        assert all(ids)
        assert len(set(ids)) == 3

    async def test_any_order_of_roles_is_taken(self, model: LanguageModel) -> None:
        odd = [
            *(PROMPT, PROMPT, Message("user", "Hello?"), Message("user", "Hello?")),
            *(
                Message("system", "The caller pressed 1."),
                Message("assistant", "Yes."),
                Message("assistant", ""),
            ),
            Message("user", "Is anybody there?"),
        ]
        text, _, finished = await reply(model, odd)
        assert text
        assert finished.reason == "stop"

    async def test_replies_at_the_same_time_do_not_mix(self, model: LanguageModel) -> None:
        alone = await reply(model, GREETED), await reply(model, ASKS_FOR_A_TOOL)
        together = await asyncio.gather(*(reply(model, (GREETED, ASKS_FOR_A_TOOL)[n % 2]) for n in range(6)))
        for n, (text, calls, finished) in enumerate(together):
            assert text == alone[n % 2][0]
            assert [call.name for call in calls] == [call.name for call in alone[n % 2][1]]
            assert finished == alone[n % 2][2]

    async def test_closing_an_iterator_ends_only_that_reply(self, make: Make) -> None:
        model = make(tokens_per_second=200)
        before = asyncio.all_tasks()
        one, other = aiter(model.generate(GREETED, TOOLS)), aiter(model.generate(GREETED, TOOLS))
        async with asyncio.timeout(PATIENCE):
            await anext(one)
            await anext(other)
            await one.aclose()  # type: ignore[attr-defined]
            with pytest.raises(StopAsyncIteration):
                await anext(one)
            rest = [delta async for delta in other]
        assert isinstance(rest[-1], Finished)
        await model.close()
        await no_task_left(before)

    @pytest.mark.parametrize("slow", [{"first_token_ms": 60_000}, {"tokens_per_second": 0.01}])
    async def test_a_cancelled_reply_ends_at_once_and_the_next_is_well(
        self, make: Make, slow: dict[str, float]
    ) -> None:
        model, quick = make(**slow), make()
        before, given = asyncio.all_tasks(), asyncio.Event()

        async def generate() -> None:
            async for _ in model.generate(GREETED, TOOLS):
                given.set()

        task = asyncio.create_task(generate())
        if "tokens_per_second" in slow:
            await asyncio.wait_for(given.wait(), PATIENCE)
        else:
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await reply(quick, GREETED))[0]
        await model.close()
        await quick.close()
        await no_task_left(before)

    async def test_it_may_be_closed_twice(self, make: Make) -> None:
        model = make()
        assert (await reply(model, GREETED))[0]
        await model.close()
        await model.close()

    async def test_nothing_of_the_conversation_is_in_its_repr(self, model: LanguageModel) -> None:
        _, calls, _ = await reply(model, ASKS_FOR_A_TOOL)
        assert json.loads(calls[0].arguments)["day"] not in repr(calls[0])
