"""Model text to speakable pieces: markup off, an early first piece, then sentence by sentence.

A piece is cut at its full stop, not one token later, wherever the text rules the doubtful stops out
(abbreviations, initials, decimals), because the wait for the next token is silence on the line.
"""

from __future__ import annotations

import re

_ENDERS = ".!?…\n"
_WIDE_ENDERS = "。！？"
_CLAUSES = ",;:–—"
_WIDE_CLAUSES = "，；：、"
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
"""Kana and Chinese characters, which are written without spaces: a text may end after any of them."""
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof sr jr st no nr vs etc e.g i.e approx dept inc ltd co corp fig a.m p.m u.s u.k "
    "tel ext jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun ave blvd rd "
    "bzw z.b usw str sra srta ud uds m mme mlle".split()
)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_BULLET = re.compile(r"(?m)^\s*(?:[-*•]|#{1,6})\s+")
_MARKS = re.compile(r"[*`~#|]+|(?<!\w)_+|_+(?!\w)")
_PICTURES = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]+")
_SPACE = re.compile(r"\s+")
_SPEAKABLE = re.compile(r"\w", re.UNICODE)


def clean(text: str) -> str:
    """The text without markup, pictures and doubled spaces: what a voice should say."""
    text = _LINK.sub(r"\1", text)
    text = _TAG.sub(" ", text)
    text = _BULLET.sub("", text)
    text = _MARKS.sub("", text)
    text = _PICTURES.sub("", text)
    text = _SPACE.sub(" ", text).strip()
    return text if is_speakable(text) else ""


def is_speakable(text: str) -> bool:
    """Whether there is anything in the text that a voice could say."""
    return _SPEAKABLE.search(text) is not None


class Segmenter:
    """Cuts streamed text into pieces. ``first`` and ``longest`` are characters (see `policy.Replies`)."""

    def __init__(self, first: int, longest: int) -> None:
        self._first = first
        self._longest = longest
        self._rest = ""
        self._given = 0

    def feed(self, text: str) -> list[str]:
        """More text from the model; the pieces that it completes, clean."""
        self._rest += text
        pieces = []
        while (cut := self._cut()) > 0:
            piece, self._rest = self._rest[:cut], self._rest[cut:]
            pieces += self._kept(piece)
        return pieces

    def finish(self, *, truncated: bool = False) -> list[str]:
        """The model is done; the last piece. A truncated text ends at its last whole clause or word."""
        rest, self._rest = self._rest, ""
        if truncated:
            rest = self._whole(rest)
        return self._kept(rest)

    def drop(self) -> None:
        """Forget the text that is no whole piece."""
        self._rest = ""

    def _kept(self, piece: str) -> list[str]:
        piece = clean(piece)
        if not piece:
            return []
        self._given += 1
        return [piece]

    def _whole(self, rest: str) -> str:
        clause = max((i for i in range(len(rest)) if _ends_clause(rest, i)), default=0)
        if clause > 0:
            return rest[:clause] + ("。" if rest[clause] in _WIDE_CLAUSES else ".")
        if self._given:
            return ""
        return rest if _UNSPACED.match(rest[-1:]) else rest.rpartition(" ")[0]

    def _cut(self) -> int:
        """Where the buffer can be cut; 0 if not yet."""
        rest = self._rest
        for index, char in enumerate(rest):
            if (char in _ENDERS and self._ends(index)) or char in _WIDE_ENDERS:
                return index + 1
            early = not self._given and index >= self._first
            if early and _ends_clause(rest, index):
                return index + 1
        if len(rest) > self._longest:
            return rest.rfind(" ", 1, self._longest) + 1
        return 0

    def _ends(self, index: int) -> bool:
        """Whether the mark at ``index`` ends a sentence.

        After a number it may be a decimal point, or the mark of a list's item.
        """
        rest = self._rest
        after = rest[index + 1 : index + 2]
        if rest[index] == "\n":
            return True
        if after and not after.isspace():
            return after in "\"')]”’" and rest[index + 2 : index + 3].isspace()
        if rest[index] != ".":
            return True
        before = rest[:index].split()
        word = before[-1].lower().lstrip("(\"'“‘") if before else ""
        if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word != "i"):
            return False
        if word[-1:].isdigit():
            return bool(after) and len(before) > 1
        return True


def _ends_clause(text: str, index: int) -> bool:
    """Whether the character at ``index`` ends a clause; between digits a comma does not."""
    mark = text[index]
    return mark in _WIDE_CLAUSES or (mark in _CLAUSES and text[index + 1 : index + 2].isspace())
