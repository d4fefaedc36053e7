"""Callers whose words and pauses are exactly known: sentences that are finished, and pauses inside them.

A call of some turns, in virtual time. The transcriber makes words final by itself 100 ms after the last
voiced frame; the model needs 150 ms to its first token and gives 60 a second, the voice 80 ms to its first
audio: 430 ms from the caller's last sound to an answer of seven tokens, before anything is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.core.policy import Opening, Policy, Turns
from engine.testing import Caller, ScriptedModel, ScriptedTranscriber, World
from engine.testing.script import MS_PER_CHARACTER, agent_silent

ANSWER = "Okay, I will look at that now. Is there anything else?"
PAUSES = range(300, 480, 20)
"""ms of an inner pause."""

FINISHED = (
    "I'd like to book a table for two.",
    "Can you tell me when you open tomorrow?",
    "No, thank you.",
    "My train was an hour late this morning.",
    "Yes, please.",
    "I would rather pay by card.",
    "Could you send that to my office?",
    "That sounds good to me.",
    "I have never been there before.",
    "What does the large one cost?",
    "We will be there at eight.",
    "I am calling about my last invoice.",
)
"""What people say when they have finished."""

INSIDE = (
    "I'd like to book a table | for two people tonight.",
    "Could you please send the | invoice to my office?",
    "I am calling because my | heating does not work.",
    "We would like to come at | about eight in the evening.",
    "The last time I was there | nobody knew about it.",
    "Can you tell me whether the | pool is open on Sunday?",
    "I think it was on Monday | or on Tuesday morning.",
    "My daughter wants to | change her lesson next week.",
    "I need a new card because | the old one is broken.",
    "Would it be possible to | have it delivered?",
    "He said that I should | call you again today.",
    "It is the blue one with | the wooden handle.",
)
"""Sentences with a pause (``|``) where people make one, some of them after words that could be all."""

BETWEEN = (
    "Hello. | I'd like to book a table for two.",
    "Yes. | That is my address.",
    "I have a question. | Do you deliver on Sundays?",
    "It arrived this morning. | But the box was empty.",
    "No, thank you. | That was all.",
    "Good evening. | My name is on the list.",
)
"""Turns of two sentences, with a pause between them."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What became of the turns of a call or of many: ms from the last sound to the answer, early answers."""

    turns: int
    delays: tuple[int, ...]
    early: int
    """Turns in which the agent was heard before they were over."""


def as_written(text: str) -> str:
    """A transcriber that punctuates as the text does."""
    return text


def no_stops(text: str) -> str:
    """A transcriber that writes no punctuation."""
    return text.replace(".", "").replace("?", "").replace(",", "")


def all_stops(text: str) -> str:
    """A transcriber that takes whatever it has for a sentence."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def call(texts: Sequence[str], pause: int, turns: Turns, hears: Callable[[str], str] = as_written) -> Talk:
    """One call: after each answer the caller says the next text, with ``pause`` ms where it has a ``|``."""
    caller = Caller()
    for text in texts:
        before, _, after = text.partition(" | ")
        spoken = f"{before} {after}".strip()
        letters = sum(map(len, spoken.split()))
        lasts = MS_PER_CHARACTER * len(spoken)
        cut = lasts * sum(map(len, before.split())) // letters
        pauses = [(cut, pause)] if after else []
        caller.says(spoken, when=agent_silent(800), lasts=lasts, pauses=pauses)
    caller.hangs_up(pause=5_000)
    world = World(
        Policy(opening=Opening(message="Hello, how can I help?"), turns=turns),
        caller=caller,
        transcriber=ScriptedTranscriber(endpointing_ms=100, interim_every=None, hears=hears),
        model=ScriptedModel([ANSWER]),
    ).run()
    ear = world.phone.ear
    delays, early = [], 0
    for _, begins, ends in caller.spoken:
        heard = ear.sound_after(begins)
        if heard is not None and heard < ends:
            early += 1
        elif heard is not None:
            delays.append(heard - ends)
    return Talk(len(caller.spoken), tuple(delays), early)


def talks(texts: Sequence[str], turns: Turns, hears: Callable[[str], str], length: int = 4) -> Talk:
    """The texts in calls of ``length`` turns, over all `PAUSES` where they have one."""
    pauses: Sequence[int] = PAUSES if any("|" in text for text in texts) else (0,)
    found = [
        call(texts[at : at + length], pause, turns, hears)
        for pause in pauses
        for at in range(0, len(texts), length)
    ]
    delays = tuple(delay for talk in found for delay in talk.delays)
    return Talk(sum(talk.turns for talk in found), delays, sum(talk.early for talk in found))
