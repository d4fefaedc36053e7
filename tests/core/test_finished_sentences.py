"""Finished sentences are answered as soon as they have been thought about, pauses inside them are not.

The transcriber makes words final 100 ms after the last voiced frame, the model needs 150 ms to its first
token and gives 60 a second, the voice needs 80 ms: an answer whose first sentence has seven tokens takes 430.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.core.notes import TurnEnded
from engine.testing import Caller, ScriptedModel, ScriptedTranscriber, World, agent_silent, run_call
from tests.core.turn_scenes import policy, said_by

ANSWER = "Okay, I will look at that now. Is there anything else?"
VENDORS = 100 + 150 + 100 + 80
FINISHED = (
    "I'd like to book a table for two.",
    "Can you tell me when you open tomorrow?",
    "No, thank you.",
    "My train was an hour late this morning.",
    "What does the large one cost?",
    "We will be there at eight.",
)


def with_stops(text: str) -> str:
    """A transcriber that takes whatever it has for a sentence."""
    return text if text.endswith((".", "?")) else f"{text}."


def without(text: str) -> str:
    """A transcriber that writes no punctuation."""
    return text.translate(str.maketrans("", "", ".,?"))


def talk(*texts: str, pause: int = 0, hears: Callable[[str], str] = str) -> World:
    """After each answer the caller says the next text, with a pause where it has a ``|``; frames of 20 ms."""
    caller = Caller()
    for text in texts:
        before, _, after = text.partition(" | ")
        spoken = f"{before} {after}".strip()
        letters = len(spoken.replace(" ", ""))
        pauses = [(letters_of(before) * 80, pause)] if after else []
        caller.says(spoken, when=agent_silent(800), lasts=letters * 80, pauses=pauses)
    transcriber = ScriptedTranscriber(endpointing_ms=100, interim_every=None, hears=hears)
    caller.hangs_up(pause=5_000)
    return run_call(policy("Hello."), caller, transcriber=transcriber, model=ScriptedModel([ANSWER]))


def letters_of(text: str) -> int:
    return len(text.replace(" ", ""))


def test_nothing_but_the_vendors_time_is_left_of_an_answer() -> None:
    world = talk(*FINISHED)
    first, *others = world.answer_delays
    assert len(others) == len(FINISHED) - 1
    assert first <= 500 and max(others) <= 440 and min(others) >= VENDORS


@pytest.mark.parametrize("pause", range(300, 480, 20))
@pytest.mark.parametrize("hears", [str, with_stops, without])
@pytest.mark.parametrize(
    "text",
    [
        "I'd like to book a table | for two people tonight.",
        "I am calling because my | heating does not work.",
        "Hello. | I'd like to book a table for two.",
        "No, thank you. | That was all.",
    ],
)
def test_a_pause_in_what_somebody_says_is_not_answered(
    text: str, hears: Callable[[str], str], pause: int
) -> None:
    world = talk(text, text, text, pause=pause, hears=hears)
    for _, begins, ends in world.caller.spoken:
        heard = world.phone.ear.sound_after(begins)
        assert heard is not None and heard - ends >= VENDORS - 20
    assert len(world.notes(TurnEnded)) == len(said_by(world, "user")) == 3


def test_words_that_cannot_be_all_are_waited_for() -> None:
    world = talk("I am calling because my | heating does not work.", pause=1_400, hears=with_stops)
    assert len(world.notes(TurnEnded)) == 1
