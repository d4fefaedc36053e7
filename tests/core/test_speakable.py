"""Model text to pieces: where it is cut, what is taken off, and that no word gets lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.speakable import Segmenter, clean


def pieces(
    text: str, *, first: int = 24, longest: int = 220, size: int = 0, truncated: bool = False
) -> list[str]:
    """The pieces of a text that streams in bits of ``size`` characters (0: at once)."""
    segmenter = Segmenter(first, longest)
    bits = [text[at : at + size] for at in range(0, len(text), size)] if size else [text]
    return [piece for bit in bits for piece in segmenter.feed(bit)] + segmenter.finish(truncated=truncated)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello", ["Hello"]),
        ("Hello. How are you?", ["Hello.", "How are you?"]),
        ("Dr. Smith is here. He waits.", ["Dr. Smith is here.", "He waits."]),
        ("Call J. R. at 5 p.m. today.", ["Call J. R. at 5 p.m. today."]),
        ("It is 3.5 percent. Fine.", ["It is 3.5 percent.", "Fine."]),
        ("We open at 9. Come then.", ["We open at 9.", "Come then."]),
        ("1. First\n2. Second", ["1. First", "2. Second"]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ('He said "stop." Then left.', ['He said "stop.', '" Then left.']),
        ("It was me and I. Good.", ["It was me and I.", "Good."]),
        ("See www.example.com for more.", ["See www.example.com for more."]),
        ("Yes, I can do that for you right now, and then some.",
         ["Yes, I can do that for you right now,", "and then some."]),
        ("好的。再见！", ["好的。", "再见！"]),
        ("?! ... -", []),
    ],
)  # fmt: skip
def test_where_text_is_cut(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_only_the_first_piece_is_cut_at_a_comma() -> None:
    text = "Well, that is a very long one, I must say. But this, it seems to me now, is longer."
    assert pieces(text) == [
        "Well, that is a very long one,", "I must say.", "But this, it seems to me now, is longer.",
    ]  # fmt: skip


def test_a_piece_is_given_at_its_full_stop_and_not_a_token_later() -> None:
    segmenter = Segmenter(24, 220)
    assert segmenter.feed("The shop is") == []
    assert segmenter.feed(" open.") == ["The shop is open."]


def test_text_without_an_end_is_cut_between_words() -> None:
    found = pieces("word " * 100, longest=50)
    assert all(len(piece) <= 50 for piece in found) and " ".join(found).split() == ["word"] * 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Bold** and *light* and `code`", "Bold and light and code"),
        ("# Title", "Title"),
        ("- one\n- two", "one two"),
        ("* one", "one"),
        ("See [our site](https://example.com/a?b=c).", "See our site."),
        ("<speak>Hello <break time='1s'/> you</speak>", "Hello you"),
        ("snake_case stays, _this_ goes", "snake_case stays, this goes"),
        ("Great \U0001f600!", "Great !"),
        ("a  b\n\n c", "a b c"),
        ("...", ""),
        ("$12.50 — that's it", "$12.50 — that's it"),
    ],
)
def test_markup_comes_off(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is late. The shop will be closed, and the ow", ["It is late.", "The shop will be closed."]),
        ("It is late. The shop will be clo", ["It is late."]),
        ("The shop will be clo", ["The shop will be"]),
        ("Hel", []),
        ("It is late.", ["It is late."]),
        ("已经很晚了。商店要关门了，老板", ["已经很晚了。", "商店要关门了。"]),
        ("已经很晚了", ["已经很晚了"]),
    ],
)
def test_a_truncated_text_ends_cleanly(text: str, expected: list[str]) -> None:
    assert pieces(text, truncated=True) == expected


@pytest.mark.parametrize("text", ["That would cost 1,000 euros and", "The train leaves at 10:30 from pla"])
def test_a_truncated_text_does_not_cut_a_number(text: str) -> None:
    """Better no price than a wrong one."""
    said = " ".join(pieces(text, truncated=True))
    assert "1." not in said and "10." not in said


def test_comparisons_are_no_markup() -> None:
    assert clean("if a < b and c > d") == "if a < b and c > d"


word = st.from_regex(r"[a-zA-Z]{1,9}[.,!?;:]?", fullmatch=True)


@given(
    st.lists(word | st.sampled_from(("3.5", "Dr.", "e.g.", "12", "no.", "9.")), max_size=60),
    st.integers(0, 9),
)
def test_no_word_is_lost_or_changed_however_the_text_streams(words: list[str], size: int) -> None:
    assert " ".join(pieces(" ".join(words), size=size, longest=60)).split() == words


@given(st.text(max_size=200), st.integers(0, 20), st.booleans())
def test_any_text_can_be_cut(text: str, size: int, truncated: bool) -> None:
    found = pieces(text, size=size, truncated=truncated, longest=40)
    assert all(piece == piece.strip() != "" for piece in found)
    assert "*" not in "".join(found) and "\n" not in "".join(found)
