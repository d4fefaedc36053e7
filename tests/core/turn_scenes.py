"""Small scenes for the tests of turn-taking: a long thing for the agent to say, and what to ask of a call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.core.effects import StartModel
from engine.core.notes import Interrupted, SpeechStarted, TurnEnded
from engine.core.policy import Opening, Policy, Turns
from engine.testing import Caller, ScriptedTranscriber, Silent, World

LONG = (
    "Once upon a time there was a small house at the end of a long road, "
    "and in it lived an old man with a green parrot who could sing."
)
"""7.86 s as the scripted voice says it; no word of it occurs in what the callers say."""


def policy(greeting: str = "", **turns: Any) -> Policy:
    """An agent that opens with ``greeting`` (empty: it waits), with these ``turns``."""
    return Policy(opening=Opening(message=greeting), turns=replace(Turns(), **turns))


def by_hand(rules: Policy, caller: Caller, **parts: Any) -> World:
    """A call whose transcriber says nothing by itself: the test gives the words with `World.at`."""
    return World(rules, caller=caller, transcriber=ScriptedTranscriber(faults=Silent()), **parts)


def turns(world: World) -> list[str]:
    """What the call took as turns of the caller."""
    return [note.text for note in world.notes(TurnEnded)]


def waits(world: World) -> list[int]:
    """From the end of the caller's speech to the end of each turn, ms."""
    return [note.at - note.speech_ended for note in world.notes(TurnEnded)]


def actions(world: World) -> list[str]:
    """What the caller's sounds did to the agent."""
    return [note.action for note in world.notes(Interrupted)]


def asked(world: World) -> list[list[tuple[str, str]]]:
    """The conversation of each request to the model, as ``(role, text)``."""
    return [[(m.role, m.text) for m in request.messages] for _, request in world.effects(StartModel)]


def said_by(world: World, role: str) -> list[str]:
    """The messages of one side."""
    return [text for who, text in world.transcript if who == role]


def stretches(world: World, who: str) -> list[int]:
    """When each stretch of someone's speech began (call time, ms)."""
    return [note.at for note in world.notes(SpeechStarted) if note.who == who]


def heard_twice(world: World) -> dict[str, int]:
    """Words of which the ear got a part more than once, and how many ms of them."""
    tape = world.voice.tape
    found: dict[str, int] = {}
    reached: dict[int, int] = {}
    for span in world.phone.ear.spans:
        if span.place is None or span.reply is None:
            continue
        end = span.place + len(span.payload)
        again = min(reached.get(span.reply, span.place), end) - span.place
        word = next((w for w in tape.words if w.start <= span.place < w.end), None)
        if again > 0 and word is not None:
            found[word.text] = found.get(word.text, 0) + again // 8
        reached[span.reply] = max(reached.get(span.reply, 0), end)
    return found
