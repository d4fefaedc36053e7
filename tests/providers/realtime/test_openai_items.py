"""Messages to input: what is referred to, what goes as text, and what is sent to forget what nobody heard."""

from __future__ import annotations

import pytest

from engine.core.conversation import Message, ToolRequest
from engine.providers.contracts import ToolSpec
from engine.providers.realtime.openai_items import Item, Items, instructions, tool


def held(*items: tuple[str, str, str]) -> Items:
    """Items of the server: id, role, text; an id that ends in ``~`` was truncated."""
    made = Items()
    for item_id, role, text in items:
        item = made.add(item_id.rstrip("~"), role)
        item.text, item.cut = text, item_id.endswith("~")
    return made


def user(text: str) -> Message:
    return Message("user", text)


def agent(text: str) -> Message:
    return Message("assistant", text)


def brief(items: Items, *messages: Message) -> list[str]:
    """The input in short: ``#id`` for a reference, ``role: text`` for a text."""
    return [
        f"#{item['id']}"
        if item["type"] == "item_reference"
        else f"{item['role']}: {item['content'][0]['text']}"
        for item in items.input_for(messages)
    ]


def test_what_the_server_holds_is_referred_to() -> None:
    items = held(("a", "user", "A latte."), ("b", "assistant", "Which size?"), ("c", "user", "Large."))
    assert brief(items, user("A latte."), agent("Which size?"), user("Large.")) == ["#a", "#b", "#c"]


@pytest.mark.parametrize("text", ["A latte", "a latte.", "A latte. Large.", "A", "", "Another."])
def test_other_words_are_text(text: str) -> None:
    items = held(("a", "user", "A latte."))
    assert brief(items, user(text)) == ([f"user: {text}"] if text else [])


def test_the_role_counts_too() -> None:
    items = held(("a", "user", "Hello."), ("b", "assistant", "Hi."))
    assert brief(items, agent("Hello."), user("Hi.")) == ["assistant: Hello.", "user: Hi."]


def test_blanks_do_not_count() -> None:
    assert brief(held(("a", "user", "A large latte.")), user(" A  large\nlatte. ")) == ["#a"]


def test_a_turn_of_several_transcripts_is_several_references() -> None:
    items = held(("a", "user", "I'd like"), ("b", "user", "a latte"), ("c", "user", "please."))
    assert brief(items, user("I'd like a latte please.")) == ["#a", "#b", "#c"]
    assert brief(items, user("a latte please.")) == ["#b", "#c"]
    assert brief(items, user("I'd like please.")) == ["user: I'd like please."]
    assert brief(items, user("I'd like a")) == ["user: I'd like a"]


def test_what_lies_between_the_parts_of_a_turn_is_passed_over() -> None:
    items = held(
        ("a", "user", "I'd like"),
        ("draft", "assistant", "What would you like?"),
        ("noise", "user", ""),
        ("b", "user", "a latte."),
    )
    assert brief(items, user("I'd like a latte.")) == ["#a", "#b"]


def test_of_equal_items_the_last_ones_are_meant() -> None:
    items = held(("a", "user", "Yes."), ("b", "assistant", "Sure?"), ("c", "user", "Yes."))
    assert brief(items, user("Yes.")) == ["#c"]
    assert brief(items, user("Yes."), agent("Sure?"), user("Yes.")) == ["#a", "#b", "#c"]


def test_after_a_new_connection_only_the_last_messages_have_items() -> None:
    items = held(("a", "user", "Yes."))
    told = brief(items, user("Yes."), agent("Which size?"), user("Large."), agent("All?"), user("Yes."))
    assert told == ["user: Yes.", "assistant: Which size?", "user: Large.", "assistant: All?", "#a"]


def test_the_order_of_the_server_is_kept() -> None:
    items = held(("a", "user", "One."), ("b", "user", "Two."))
    assert brief(items, user("Two."), user("One.")) == ["user: Two.", "#a"]


@pytest.mark.parametrize("heard", ["Hello, how", "Hello,", "Hello, how can I help you?", "Hello"])
def test_of_a_truncated_item_any_first_words_match(heard: str) -> None:
    assert brief(held(("a~", "assistant", "Hello, how can I help you?")), agent(heard)) == ["#a"]


@pytest.mark.parametrize("heard", ["Hello, how c", "how can", "Hello, how can I help you? Yes", "Hell"])
def test_of_a_truncated_item_nothing_else_matches(heard: str) -> None:
    items = held(("a~", "assistant", "Hello, how can I help you?"))
    assert brief(items, agent(heard)) == [f"assistant: {heard}"]


def test_of_a_whole_item_a_part_does_not_match() -> None:
    items = held(("a", "assistant", "Hello, how can I help you?"))
    assert brief(items, agent("Hello, how")) == ["assistant: Hello, how"]


def test_a_truncated_item_ends_what_it_is_part_of() -> None:
    items = held(("a", "assistant", "One moment."), ("b~", "assistant", "It is half past nine."))
    assert brief(items, agent("One moment. It is half")) == ["#a", "#b"]
    items = held(("a~", "assistant", "One moment."), ("b", "assistant", "It is nine."))
    assert brief(items, agent("One moment. It is nine.")) == ["assistant: One moment. It is nine."]


def test_what_is_forgotten_goes_as_text() -> None:
    items = held(("a", "user", "One."), ("b", "user", "Two."))
    items.forget("a")
    items.forget("a")
    assert brief(items, user("One."), user("Two.")) == ["user: One.", "#b"]
    items.clear()
    assert brief(items, user("One."), user("Two.")) == ["user: One.", "user: Two."]


def test_the_forms_of_texts() -> None:
    messages = [user("Hi."), agent("Hello."), Message("system", "The caller pressed 1."), agent("")]
    assert Items().input_for(messages) == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]},
        {
            "type": "message",
            "role": "system",
            "content": [{"type": "input_text", "text": "The caller pressed 1."}],
        },
    ]


@pytest.mark.parametrize("known", [False, True])
def test_tool_calls_and_results_follow_their_words(known: bool) -> None:
    asked = (ToolRequest("call_1", "brew", '{"size":"large"}'), ToolRequest("call_2", "ring", "{}"))
    messages = [
        Message("assistant", "One moment.", asked),
        Message("tool", '"brewing"', tool_call="call_1"),
        Message("tool", "", tool_call="call_2"),
    ]
    items = held(("a", "assistant", "One moment.")) if known else Items()
    said, *calls = items.input_for(messages)
    assert (said["type"] == "item_reference") is known
    assert calls == [
        {"type": "function_call", "call_id": "call_1", "name": "brew", "arguments": '{"size":"large"}'},
        {"type": "function_call", "call_id": "call_2", "name": "ring", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": '"brewing"'},
        {"type": "function_call_output", "call_id": "call_2", "output": ""},
    ]


def test_the_first_system_messages_are_the_instructions() -> None:
    first, second, note = (Message("system", text) for text in ("Be brief.", "It is nine.", "A note."))
    assert instructions([first, second, user("Hi."), note]) == (
        "Be brief.\n\nIt is nine.",
        [user("Hi."), note],
    )
    assert instructions([user("Hi."), note]) == ("", [user("Hi."), note])
    assert instructions([first]) == ("Be brief.", [])
    assert instructions([]) == ("", [])


def test_a_tool() -> None:
    schema = {"type": "object", "properties": {"size": {"type": "string"}}}
    about = {"type": "function", "name": "brew", "description": "Makes it."}
    assert tool(ToolSpec("brew", "Makes it.", schema)) == about | {"parameters": schema}
    assert tool(ToolSpec("brew", "Makes it."))["parameters"] == {"type": "object", "properties": {}}


# --- what nobody heard --------------------------------------------------------------------------------


def spoken(items: Items, *lengths: int) -> list[Item]:
    """Items of an assistant, so many ms each: ``item-0`` and so on."""
    made = []
    for number, ms in enumerate(lengths):
        item = items.add(f"item-{number}", "assistant")
        item.text, item.audio = "Some words.", ms * 8
        made.append(item)
    return made


def cut(heard_ms: int, *lengths: int, whole: bool = True) -> tuple[list[tuple[str, int | None]], list[str]]:
    """What is sent (item and end, None: deleted), and what may still be referred to."""
    items = Items()
    events = items.cut(spoken(items, *lengths), heard_ms, whole=whole)
    sent = []
    for event in events:
        assert event["event_id"] == f"cut-{event['item_id']}"
        if event["type"] == "conversation.item.delete":
            sent.append((event["item_id"], None))
        else:
            assert event["type"] == "conversation.item.truncate"
            assert event["content_index"] == 0
            sent.append((event["item_id"], event["audio_end_ms"]))
    names = [f"item-{number}" for number in range(len(lengths))]
    return sent, [name for name in names if items.get(name)]


def test_what_was_heard_in_part_is_truncated() -> None:
    assert cut(600, 1000) == ([("item-0", 600)], ["item-0"])


def test_what_was_not_heard_is_deleted() -> None:
    assert cut(0, 1000) == ([("item-0", None)], [])
    assert cut(0, 0) == ([("item-0", None)], [])
    assert cut(500, 0) == ([("item-0", None)], [])


@pytest.mark.parametrize("heard_ms", [1000, 1001, 99_999])
def test_what_was_heard_to_its_end_is_left_alone(heard_ms: int) -> None:
    assert cut(heard_ms, 1000) == ([], ["item-0"])


def test_of_a_response_that_broke_off_never_more_than_has_come() -> None:
    assert cut(99_999, 1000, whole=False) == ([("item-0", 1000)], ["item-0"])


def test_several_items_are_one_speech() -> None:
    assert cut(1500, 1000, 800, 300) == ([("item-1", 500), ("item-2", None)], ["item-0", "item-1"])
    assert cut(1000, 1000, 800) == ([("item-1", None)], ["item-0"])


def test_cutting_again_cuts_only_further() -> None:
    items = Items()
    made = spoken(items, 1000)
    items.cut(made, 600, whole=True)
    assert items.cut(made, 800, whole=True) == []
    assert items.cut(made, 200, whole=True)[0]["audio_end_ms"] == 200
    items.cut(made, 0, whole=True)
    assert items.cut(made, 0, whole=True) == []


def test_nothing_that_is_said_is_in_a_repr() -> None:
    assert "latte" not in repr(held(("a", "user", "latte")).get("a"))
