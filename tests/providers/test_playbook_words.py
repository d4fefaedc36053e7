"""Matching words, reading values, and the grammar made of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.providers.llm import playbook_patterns as patterns
from engine.providers.llm.playbook import PlaybookModel
from engine.providers.llm.playbook_matching import align, nearest, spoken_number, words
from engine.providers.llm.playbook_values import READERS, speak


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I'd like 2, please!", "i'd like two please"),
        ("At 10:30, or 3pm.", "at ten thirty or three p m"),
        ("At 9 p.m. on the 21st", "at nine p m on the twenty one st"),
        ("Call 04 55512", "call zero four five five five one two"),
        ("Café — naïve", "café naïve"),
    ],
)
def test_words_are_plain(text: str, said: str) -> None:
    assert " ".join(words(text)) == said


@pytest.mark.parametrize(
    ("number", "said"), [(7, "seven"), (42, "forty two"), (1205, "one thousand two hundred five")]
)
def test_numbers_are_written_as_they_are_said_and_read_back(number: int, said: str) -> None:
    assert spoken_number(number) == said
    reading = READERS["number"](said.split())
    assert reading is not None
    assert (reading[0].value, reading[1]) == (number, len(said.split()))


def test_a_misheard_word_becomes_the_nearest_known_one() -> None:
    known = ["cappuccino", "latte", "lots", "small"]
    assert nearest("capuchino", known) == "cappuccino"
    assert nearest("latté", known) == "latte"
    assert nearest("mall", known) == "mall"


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ("please can i speak to a person now", True),
        ("speak to person", True),
        ("i want a person to speak", False),
        ("make it small", False),
    ],
)
def test_phrases_are_found_with_small_words_missing(heard: str, found: bool) -> None:
    assert (align("speak to a person".split(), heard.split()) is not None) is found


def test_a_pattern_says_all_its_variants() -> None:
    pattern = patterns.parse("[a | the] (big red | small) dog")
    assert len(pattern.variants()) == 6
    assert ("the", "big", "red", "dog") in pattern.variants()
    with pytest.raises(ValueError, match="closes nothing"):
        patterns.parse("a dog)")
    with pytest.raises(ValueError, match="more than"):
        patterns.parse(" ".join(["(a | b)"] * 13))


@pytest.mark.parametrize(
    ("kind", "said", "value", "used"),
    [
        ("time", "half past two", "14:30", 3),
        ("time", "quarter to nine in the morning", "08:45", 6),
        ("time", "ten thirty p m", "22:30", 4),
        ("time", "nine oh five tomorrow", "09:05", 3),
        ("time", "twelve o'clock", "12:00", 2),
        ("time", "noon", "12:00", 1),
        ("day", "next friday at", "friday", 2),
        ("digits", "double four oh nine", "4409", 4),
        ("number", "two hundred and", 200, 2),
    ],
)
def test_kinds_read_their_values(kind: str, said: str, value: Any, used: int) -> None:
    reading = READERS[kind](said.split())
    assert reading is not None
    assert (reading[0].value, reading[1]) == (value, used)


@pytest.mark.parametrize("kind", sorted(READERS))
def test_other_words_hold_no_value(kind: str) -> None:
    assert READERS[kind](["please"]) is None
    assert READERS[kind]([]) is None


def test_json_is_spoken() -> None:
    assert speak(["09:00", "14:30", "x"]) == "nine, two thirty and x"
    assert speak(["09:00"]) == "nine"
    assert speak(3) == "3"


@pytest.mark.parametrize("name", ["drink_orders", "appointment_desk"])
def test_the_grammar_is_closed_and_its_examples_are_stable(name: str) -> None:
    grammar = PlaybookModel(name).grammar()
    defined = set(re.findall(r"^(?:public )?<(\w+)> =", grammar, re.M))
    assert set(re.findall(r"<(\w+)>", grammar)) <= defined
    sentences = PlaybookModel(name).phrases(300)
    assert sentences == PlaybookModel(name).phrases(300)
    assert len(sentences) >= 300
    assert all(sentence == " ".join(words(sentence)) for sentence in sentences)
