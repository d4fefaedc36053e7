"""Plain words for what the core and the latencies name."""

from __future__ import annotations

from engine.core.endpointing import Evidence, judge
from engine.core.policy import Turns
from engine.observe.latency import STAGES
from engine.observe.wording import STAGE_WORDS, interruption, turn_reason, words


def test_every_stage_has_words() -> None:
    assert set(STAGE_WORDS) == {*STAGES, "other"}


def test_the_reasons_of_the_core_are_all_put_into_words() -> None:
    for text in ("", "hello there", "yes", "I want the", "my number is five five five", "a b c", "Done."):
        for voted in (False, True):
            why = judge(Evidence(text=text, language="en", voted_over=voted), Turns()).why
            assert why not in turn_reason(why), why


def test_reasons_in_one_line_and_unknown_ones_as_they_are() -> None:
    assert turn_reason("finished, voted over") == "the sentence was complete, the transcriber heard an end"
    assert turn_reason("full moon") == "full moon"


def test_who_interrupted() -> None:
    assert interruption("stop", "words") == "Caller interrupted the agent"
    assert interruption("stop", "say now") == "A message from outside interrupted the agent"
    assert interruption("resume", "no words") == "Sound over the agent, which then went on"


def test_names_as_words() -> None:
    assert words("caller_hung_up") == "Caller hung up"
