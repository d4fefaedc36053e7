"""Whole conversations with the playbook model, told to it message by message."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.core.conversation import STILL_RUNNING, Message, ToolRequest
from engine.playbooks import tools
from engine.providers.contracts import Finished, ProviderError, TextDelta, ToolCallDelta, ToolSpec
from engine.providers.llm.playbook import PlaybookModel

DESK_TOOLS: dict[str, Callable[..., Any]] = {
    "find_slots": tools.find_slots,
    "book_appointment": tools.book_appointment,
}
CONFIRM_SMALL = "That is one small latte with oat milk. Is that right?"


class Talk:
    """A call without sound: the caller's words in, the model's words and tool calls out."""

    def __init__(self, playbook: str, *, transfer: bool = True) -> None:
        self.model = PlaybookModel(playbook)
        self.messages: list[Message] = [Message("system", "ignored")]
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.specs = [ToolSpec(name, "") for name in [*DESK_TOOLS, *["transfer"] * transfer]]

    async def reply(self) -> tuple[str, list[ToolCallDelta], Finished]:
        items = [item async for item in self.model.generate(self.messages, self.specs)]
        assert isinstance(items[-1], Finished)
        text = "".join(item.text for item in items if isinstance(item, TextDelta))
        return text, [item for item in items if isinstance(item, ToolCallDelta)], items[-1]

    async def say(self, text: str) -> str:
        """What the agent says to ``text``, its own tools run on the way."""
        self.messages.append(Message("user", text))
        said: list[str] = []
        while True:
            text, calls, finished = await self.reply()
            said.append(text)
            self.calls += [(call.name, json.loads(call.arguments)) for call in calls]
            assert finished.reason == ("tools" if calls else "stop")
            if calls:
                requests = tuple(ToolRequest(call.tool_call, call.name, call.arguments) for call in calls)
                self.messages.append(Message("assistant", tool_requests=requests))
                self.messages += [self.result(call) for call in calls]
            if not any(call.name in DESK_TOOLS for call in calls):
                break
        whole = " ".join(filter(None, said))
        self.messages.append(Message("assistant", whole))
        return whole

    @staticmethod
    def result(call: ToolCallDelta) -> Message:
        tool = DESK_TOOLS.get(call.name)
        value = tool(**json.loads(call.arguments)) if tool else {"status": "ok"}
        return Message("tool", json.dumps(value), tool_call=call.tool_call)


async def test_an_order_with_corrections_to_its_end() -> None:
    talk = Talk("drink_orders")
    assert await talk.say("um, can I have a latte with oat milk?") == "What size: small, medium or large?"
    assert await talk.say("Large.") == "That is one large latte with oat milk. Is that right?"
    assert await talk.say("No, wait, make it small") == f"All right. {CONFIRM_SMALL}"
    assert await talk.say("no") == "What should I change?"
    assert "one small latte with oat milk and brown sugar" in await talk.say("and brown sugar")
    assert (await talk.say("yes please")).startswith("Thank you. It will be ready in 5 minutes.")
    assert await talk.say("No thanks, that's all") == "Enjoy your drink."
    assert talk.calls == [("hang_up", {})]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("large capuccino", "one large cappuccino"),
        ("a small mocha not a latte", "one small mocha."),
        ("small dark roast double shot iced coffee", "one small dark roast double shot iced coffee."),
        ("16 ounce house coffee", "one sixteen ounce house coffee."),
        ("when do you close and a small latte", "What can I get you?"),
    ],
)
async def test_what_is_understood_of_one_sentence(said: str, expected: str) -> None:
    assert expected in await Talk("drink_orders").say(said)


async def test_the_desk_looks_books_and_says_goodbye() -> None:
    talk = Talk("appointment_desk")
    assert await talk.say("I'd like to book an appointment") == "Which day would suit you?"
    assert "nothing free on Sunday. Which day" in await talk.say("on Sunday")
    assert "On Tuesday we have ten, eleven and two thirty." in await talk.say("then Tuesday")
    assert "nine is not free. On Tuesday we have ten" in await talk.say("at 9")
    assert await talk.say("half past two") == "And your name, please?"
    assert "Tuesday at two thirty for Zoltan Kiss." in await talk.say("Zoltan Kiss")
    assert "Which time would you like?" in await talk.say("no, change the time")
    assert "Tuesday at ten for Zoltan Kiss." in await talk.say("ten")
    assert (await talk.say("yes")).startswith("You are booked for Tuesday at ten.")
    booked = {"day": "tuesday", "time": "10:00", "name": "Zoltan Kiss"}
    assert [arguments for name, arguments in talk.calls if name == "book_appointment"] == [booked]


async def test_everything_said_at_once_is_not_asked_again() -> None:
    talk = Talk("appointment_desk")
    said = await talk.say("An appointment on Friday at nine, my name is Anna Lee please")
    assert said == "Let me see. That is Friday at nine for Anna Lee. Is that right?"


async def test_misunderstanding_escalates_to_a_person() -> None:
    talk = Talk("drink_orders")
    await talk.say("a latte")
    assert await talk.say("fish") == "Sorry, I did not catch that. What size: small, medium or large?"
    assert "You can say small, medium, large," in await talk.say("fish")
    assert "Shall I put you through to a person?" in await talk.say("fish")
    assert await talk.say("no") == "What size: small, medium or large?"
    assert await talk.say("let me speak to someone") == "One moment, I will put you through."
    assert talk.calls == [("transfer", {})]


async def test_without_a_transfer_nobody_is_promised() -> None:
    talk = Talk("drink_orders", transfer=False)
    assert (await talk.say("an operator")).startswith("I'm sorry, nobody can take your call")
    assert all("person" not in said for said in [await talk.say("fish") for _ in range(4)])
    assert talk.calls == []


async def test_repeat_wait_cancel_and_questions() -> None:
    talk = Talk("drink_orders")
    await talk.say("small latte with oat milk")
    assert await talk.say("what did you say?") == CONFIRM_SMALL
    assert await talk.say("hold on") == "Of course, take your time."
    assert await talk.say("sorry, repeat that") == CONFIRM_SMALL
    assert await talk.say("when are you open?") == f"We are open from seven to six. {CONFIRM_SMALL}"
    await talk.say("wait")
    assert "It will be ready" in await talk.say("yes")
    assert (await talk.say("never mind")).startswith("All right, never mind.")
    assert await talk.say("goodbye") == "Enjoy your drink."


async def test_a_reply_that_was_cut_or_never_heard_confuses_nothing() -> None:
    talk = Talk("drink_orders")
    await talk.say("a small latte with oat milk")
    talk.messages[-1] = Message("assistant", "That is one small")
    assert "one large latte with oat milk" in await talk.say("no, large")
    del talk.messages[-1]  # the answer was dropped before a word of it was heard
    assert "one large mocha with oat milk" in await talk.say("a mocha")


async def test_a_yes_to_someone_elses_question_confirms_nothing() -> None:
    talk = Talk("drink_orders")
    await talk.say("a small latte with oat milk")
    talk.messages.append(Message("assistant", "Are you still there?"))
    assert await talk.say("yes") == CONFIRM_SMALL
    assert "It will be ready" in await talk.say("yes")


async def test_the_same_messages_give_the_same_reply_and_no_trace_stays() -> None:
    talk = Talk("drink_orders")
    await talk.say("a small latte")
    drafted = [*talk.messages, Message("user", "no, a mocha")]
    before = await talk.reply()
    first = [item async for item in talk.model.generate(drafted, talk.specs)]
    again = [item async for item in talk.model.generate(drafted, talk.specs)]
    assert first == again
    assert await talk.reply() == before


async def test_a_running_or_failed_tool_is_not_called_again_and_again() -> None:
    talk = Talk("appointment_desk")
    talk.messages.append(Message("user", "an appointment on tuesday"))
    _, (call,), _ = await talk.reply()
    request = ToolRequest(call.tool_call, call.name, call.arguments)
    talk.messages.append(Message("assistant", tool_requests=(request,)))
    waiting = [*talk.messages, Message("tool", STILL_RUNNING, tool_call=call.tool_call)]
    talk.messages = [*waiting, Message("user", "hello?")]
    text, calls, _ = await talk.reply()
    assert (text, calls) == ("Sorry, I did not catch that. One moment, please.", [])
    failed = Message("tool", json.dumps({"error": "down"}), tool_call=call.tool_call)
    talk.messages = [*waiting[:-1], failed]
    text, calls, _ = await talk.reply()
    assert text == "I'm sorry, we have nothing free on Tuesday. Which day would suit you?"
    assert calls == []


async def test_a_transfer_that_failed_is_told() -> None:
    talk = Talk("drink_orders")
    await talk.say("can I speak to a person")
    index = next(i for i, message in enumerate(talk.messages) if message.role == "tool")
    refused = Message("tool", '{"error": "busy"}', tool_call=talk.messages[index].tool_call)
    talk.messages = [*talk.messages[:index], refused]
    assert (await talk.reply())[0].startswith("I'm sorry, nobody can take your call")


async def test_the_agent_speaks_first_with_its_variables() -> None:
    model = PlaybookModel("drink_orders", variables={"shop": "Joe's"})
    items = [item async for item in model.generate([Message("system", "x")], [])]
    assert "".join(item.text for item in items if isinstance(item, TextDelta)).startswith("Welcome to Joe's.")


async def test_a_tool_that_the_agent_lacks_is_named() -> None:
    model = PlaybookModel("appointment_desk")
    assert model.tools == {"find_slots", "book_appointment"}
    with pytest.raises(ProviderError, match="calls the tool 'find_slots'") as told:
        [item async for item in model.generate([Message("user", "tuesday")], [])]
    assert not told.value.retryable


async def test_text_comes_word_by_word() -> None:
    model = PlaybookModel("drink_orders", first_token_ms=1, tokens_per_second=1000)
    items = [item async for item in model.generate([Message("user", "a latte")], [])]
    tokens = [item.text for item in items if isinstance(item, TextDelta)]
    assert tokens == ["What", " size:", " small,", " medium", " or", " large?"]
    assert isinstance(items[-1], Finished)
    assert items[-1].usage.output_tokens == 6
