"""The word lists: there for each language, never empty where promised, and never at odds with each other."""

from __future__ import annotations

import pytest

from engine.agent.phrases import always_interrupt, never_interrupt, phrase_key
from engine.core.words import strip_phrases, words_of

LANGUAGES = ["en", "es", "fr", "de", "it", "pt", "nl"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lists_do_not_overlap(language: str) -> None:
    never = [phrase_key(phrase) for phrase in never_interrupt(language)]
    always = [phrase_key(phrase) for phrase in always_interrupt(language)]
    assert len(never) > 20
    assert len(always) > 10
    assert not set(never) & set(always)
    assert len(set(never)) == len(never)
    assert len(set(always)) == len(always)


@pytest.mark.parametrize("text", ["Mm-hm.", "Uh-huh, right.", "Okay, I see.", "Yeah yeah.", "mm hmm, sure"])
def test_english_listening_leaves_no_words(text: str) -> None:
    assert strip_phrases(words_of(text), never_interrupt("en-US")) == ()


@pytest.mark.parametrize("text", ["Okay, but Tuesday", "yes on Friday", "right now"])
def test_what_says_more_leaves_words(text: str) -> None:
    assert strip_phrases(words_of(text), never_interrupt("en")) != ()


def test_a_region_has_the_words_of_its_language() -> None:
    assert never_interrupt("de-CH") == never_interrupt("de")
    assert always_interrupt("PT-br") == always_interrupt("pt")


def test_an_unknown_language_keeps_the_mere_sounds() -> None:
    assert "mm-hm" in never_interrupt("th")
    assert "yeah" not in never_interrupt("th")
    assert always_interrupt("th") == ()
