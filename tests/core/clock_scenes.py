"""What the tests of clocks, ends and openings share: short ways to set a scene and to read it off."""

from __future__ import annotations

from itertools import groupby

from engine.core.effects import Effect
from engine.core.notes import ClockFired, Ending
from engine.core.policy import Idle, Opening
from engine.testing import ScriptedModel, World
from engine.testing.model import Reply

GREETING = Opening(message="Good evening.")
NO_CLOCKS = Idle(dead_air=None)
"""No idle clock at all."""
LONG = "It was a long and dark evening and nobody was there to hear the rain fall on the old roof."
FIRST_AUDIO = 80
"""ms that the scripted voice takes to its first audio."""


def model(*replies: Reply) -> ScriptedModel:
    """A model that answers the nth turn with the nth reply."""
    return ScriptedModel(list(replies))


def fired(world: World) -> list[tuple[str, int]]:
    """The clocks that went off, with their times."""
    return [(note.clock, note.at) for note in world.notes(ClockFired)]


def spoken(world: World) -> list[tuple[str, int, int]]:
    """What the ear heard whole of each reply: its words, first sample and last sample (call ms)."""
    replies = [list(words) for _, words in groupby(world.heard, key=lambda word: word.reply)]
    return [(" ".join(word.text for word in words), words[0].start, words[-1].end) for words in replies]


def ending(world: World) -> tuple[str, int]:
    """The one end reason, and when it was set. Fails if there is not exactly one."""
    (note,) = world.notes(Ending)
    assert note.reason is world.reason
    return note.reason.value, note.at


def when(world: World, kind: type[Effect]) -> list[int]:
    """The call times at which an effect was asked for."""
    return [at for at, _ in world.effects(kind)]


def roles(world: World) -> list[tuple[str, str]]:
    """The conversation as ``(role, text)``; a message with tool calls shows their names as its text."""
    return [
        (message.role, " ".join(request.name for request in message.tool_requests) or message.text)
        for message in world.messages
    ]
