"""The conversation: what was said and heard, in order, and the open turn at its end."""

from __future__ import annotations

import pytest

from engine.core.conversation import STILL_RUNNING, Conversation, Message, ToolRequest

CALL = ToolRequest("t1", "look", "{}")
OTHER = ToolRequest("t2", "look", "{}")


def plain(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in conversation.messages]


def test_it_begins_with_the_prompt_and_the_messages_it_was_given() -> None:
    given = (Message("user", "hi"), Message("assistant", "hello"))
    assert Conversation("Be kind.", given).messages == (Message("system", "Be kind."), *given)
    assert Conversation("", ()).messages == ()
    assert Conversation("", given).last_said == "hello" and Conversation("", given).open_turn is None


def test_the_last_turn_is_open_until_something_is_heard_after_it() -> None:
    talk = Conversation("", ())
    talk.caller_said("A table")
    assert talk.open_turn == "A table"
    talk.amend_turn("A table for two")
    assert plain(talk) == [("user", "A table for two")]
    talk.agent_said("For when?")
    assert talk.open_turn is None and talk.last_said == "For when?"


def test_a_draft_sees_the_open_turn_as_it_will_be() -> None:
    talk = Conversation("", ())
    talk.agent_said("Hello.")
    assert talk.with_turn("A table")[1:] == (Message("user", "A table"),)
    talk.caller_said("A table")
    assert talk.with_turn("A table for two")[1:] == (Message("user", "A table for two"),)
    assert plain(talk)[1:] == [("user", "A table")]


def test_what_neither_side_said_is_a_system_message() -> None:
    talk = Conversation("", ())
    talk.caller_said("A table")
    talk.told("The caller is angry.")
    assert plain(talk)[-1] == ("system", "The caller is angry.")


@pytest.mark.parametrize("order", [("t1", "t2"), ("t2", "t1")])
def test_each_result_stands_behind_its_call_in_the_order_of_the_calls(order: tuple[str, ...]) -> None:
    talk = Conversation("", ())
    talk.tools_called((CALL, OTHER))
    talk.agent_said("One moment.")
    for tool_call in order:
        talk.tool_answered(tool_call, f"result of {tool_call}")
        talk.tool_answered(tool_call, "again")
    assert talk.messages == (
        Message("assistant", tool_requests=(CALL, OTHER)),
        Message("tool", "result of t1", tool_call="t1"),
        Message("tool", "result of t2", tool_call="t2"),
        Message("assistant", "One moment."),
    )


def test_a_call_without_a_result_yet_says_so_and_an_unknown_result_is_dropped() -> None:
    talk = Conversation("", ())
    talk.tools_called((CALL,))
    talk.tool_answered("t9", "whose?")
    assert talk.messages[1:] == (Message("tool", STILL_RUNNING, tool_call="t1"),)


def test_words_on_their_way_stand_in_the_view_with_the_calls_they_came_with_only() -> None:
    talk = Conversation("", ())
    talk.caller_said("Is he in?")
    assert talk.view("One moment.") == talk.messages
    talk.tools_called((CALL,))
    talk.tool_answered("t1", "no")
    assert talk.view("One moment.")[1] == Message("assistant", "One moment.", tool_requests=(CALL,))
    assert talk.messages[1].text == "" and talk.last_said == ""


def test_what_people_say_is_in_no_repr() -> None:
    assert "secret" not in repr(Message("user", "secret")) + repr(ToolRequest("t", "n", "secret"))
