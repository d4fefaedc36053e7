"""Whether a model read out the text that it was given: pure."""

from __future__ import annotations

import re
import unicodedata

_WILD = frozenset("NS")
"""First letters of the Unicode categories that are read out as words: numbers, and symbols such as a €."""
_READ_AS_WORDS = frozenset("%&@#*/§")
_GAP = "\0"


def says(transcript: str, text: str) -> bool:
    """Whether a transcript is of somebody reading out ``text``: the same letters in the same order.

    Case, blanks and punctuation are left aside. A number or a symbol may stand as any words in the other.
    """
    spoken, written = _letters(transcript), _letters(text)
    return _fits(written, spoken) or _fits(spoken, written)


def _fits(pattern: str, letters: str) -> bool:
    """Whether they are the same, with anything at all in the gaps of ``pattern``."""
    parts = re.split(f"{_GAP}+", pattern)
    return re.fullmatch(".*".join(map(re.escape, parts)), letters.replace(_GAP, "")) is not None


def _letters(text: str) -> str:
    """The letters of a text, and a gap for each sign that is read out as a word."""
    kept = []
    for sign in unicodedata.normalize("NFKC", text).casefold():
        category = unicodedata.category(sign)[0]
        if category in "LM":
            kept.append(sign)
        elif category in _WILD or sign in _READ_AS_WORDS:
            kept.append(_GAP)
    return "".join(kept)
