"""The engine's conversation as the input of a response: pure.

The engine's conversation is the truth. What OpenAI's server holds is only better where it says the same: the
caller's own sound, and the model's own speech as far as it was heard. So each request names all of its input;
where an item of the server has a message's very words, a reference to it stands in the message's place
(https://developers.openai.com/api/docs/guides/realtime-conversations), and everything else goes as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.audio.mulaw import BYTES_PER_MS
from engine.core.conversation import Message
from engine.providers.contracts import ToolSpec

Event = dict[str, Any]
"""A JSON object of the protocol."""
_ROLES = ("user", "assistant")
"""Whose messages have a sound."""


@dataclass(eq=False, slots=True)
class Item:
    """A message that the server holds with its sound. ``role``: ``user`` or ``assistant``."""

    id: str
    role: str
    text: str = field(default="", repr=False)
    """What is said in it, with single blanks; empty as long as that is not known."""
    audio: int = 0
    """µ-law bytes of an assistant's speech that have come."""
    cut: bool = False
    """Only a first part of it was heard, and the server holds no more than that."""

    def begins_with(self, text: str) -> bool:
        """Whether ``text`` may be what is left of this item: whole words of its beginning."""
        cut_word = text[-1:].isalnum() and self.text[len(text) : len(text) + 1].isalnum()
        return self.text.startswith(text) and not cut_word


class Items:
    """What the server holds of a conversation, in its order."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}

    def add(self, item_id: str, role: str) -> Item:
        """The server has a new item; what it says comes later."""
        item = self._items[item_id] = Item(item_id, role)
        return item

    def get(self, item_id: str) -> Item | None:
        """The item of this id, unless it is forgotten or never was."""
        return self._items.get(item_id)

    def forget(self, item_id: str) -> None:
        """The item is not referred to any more."""
        self._items.pop(item_id, None)

    def clear(self) -> None:
        """Refer to nothing that there is now."""
        self._items.clear()

    def cut(self, spoken: Iterable[Item], heard_ms: int, *, whole: bool) -> list[Event]:
        """What to send when only ``heard_ms`` of a response's items were heard.

        An item of which nothing was heard is deleted, one of which a part was heard is truncated. ``whole``:
        the response came to its proper end, so that the server holds no more sound than has come here.
        """
        events: list[Event] = []
        for item in [item for item in spoken if item.id in self._items]:
            sounds = item.audio // BYTES_PER_MS
            heard = min(heard_ms, sounds)
            heard_ms -= heard
            about: Event = {"event_id": f"cut-{item.id}", "item_id": item.id}
            if heard <= 0:
                self.forget(item.id)
                events.append({"type": "conversation.item.delete", **about})
            elif heard < sounds or not whole:
                item.cut = True
                item.audio = heard * BYTES_PER_MS
                part = {"content_index": 0, "audio_end_ms": heard}
                events.append({"type": "conversation.item.truncate", **about, **part})
        return events

    def input_for(self, messages: Sequence[Message]) -> list[Event]:
        """The ``input`` of a response for a conversation without its `instructions`.

        The last messages find their items first: they are the likeliest to have some, after a new connection
        the only ones.
        """
        places = {item.id: place for place, item in enumerate(self._items.values())}
        left = {
            role: [item for item in self._items.values() if item.role == role and item.text]
            for role in _ROLES
        }
        references: dict[int, list[Item]] = {}
        for number in reversed(range(len(messages))):
            message = messages[number]
            if message.role not in _ROLES or not message.text:
                continue
            if found := _last_run(left[message.role], _plain(message.text)):
                references[number] = found
                for items in left.values():
                    while items and places[items[-1].id] >= places[found[0].id]:
                        items.pop()
        input_: list[Event] = []
        for number, message in enumerate(messages):
            if number in references:
                input_ += [{"type": "item_reference", "id": item.id} for item in references[number]]
                input_ += _tool_items(message)
            else:
                input_ += [*_text_items(message), *_tool_items(message)]
        return input_


def instructions(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """The system messages at the beginning as one text, and the conversation that follows."""
    count = 0
    while count < len(messages) and messages[count].role == "system":
        count += 1
    return "\n\n".join(message.text for message in messages[:count]), messages[count:]


def tool(spec: ToolSpec) -> Event:
    """A tool as the protocol wants it."""
    parameters = dict(spec.parameters) or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "name": spec.name,
        "description": spec.description,
        "parameters": parameters,
    }


def _last_run(items: Sequence[Item], text: str) -> list[Item]:
    """The last of the items that, one after the other, say exactly ``text``; none if there are none."""
    for first in reversed(range(len(items))):
        rest = text
        for last in range(first, len(items)):
            item = items[last]
            if rest == item.text or (item.cut and item.begins_with(rest)):
                return list(items[first : last + 1])
            if item.cut or not rest.startswith(item.text) or rest[len(item.text)] != " ":
                break
            rest = rest[len(item.text) + 1 :]
    return []


def _text_items(message: Message) -> list[Event]:
    if message.role == "tool" or not message.text:
        return []
    kind = "output_text" if message.role == "assistant" else "input_text"
    content = [{"type": kind, "text": message.text}]
    return [{"type": "message", "role": message.role, "content": content}]


def _tool_items(message: Message) -> list[Event]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call, "output": message.text}]
    return [
        {
            "type": "function_call",
            "call_id": asked.tool_call,
            "name": asked.name,
            "arguments": asked.arguments,
        }
        for asked in message.tool_requests
    ]


def _plain(text: str) -> str:
    return " ".join(text.split())
