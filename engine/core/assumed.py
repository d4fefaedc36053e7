"""Words that a turn took as they stood, before the transcriber made them final.

Their final comes later and says them again, alone or with what the caller said next. Here they are known by
their place in the stream, by time, and by the words themselves.
"""

from __future__ import annotations

from engine.core.events import FinalWords
from engine.core.step import Step
from engine.core.words import after_words, words_of

KEEP = 5_000
"""ms within which the final of words that were taken as they stood may come."""


class Assumed:
    """Interim words that ended up in a turn, until their final comes."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._to = 0

    def take(self, step: Step, interim: str, media_end: int) -> None:
        """A turn ends with ``interim`` words, which lie before ``media_end`` (media time, ms)."""
        if interim:
            self._text = f"{self._text} {interim}".strip()
            self._at = step.now
            self._to = media_end

    def pop(self, step: Step, final: FinalWords) -> str:
        """The words that this final may say again; they are assumed no longer. Empty if there are none."""
        self._forget(step)
        text, self._text = self._text, ""
        return "" if final.start is not None and final.start >= self._to else text

    def strip(self, step: Step, interim: str) -> str:
        """An interim without the words that a turn has taken already."""
        self._forget(step)
        rest = without(interim, self._text)
        if rest != interim:
            self._at = step.now
        return rest

    def _forget(self, step: Step) -> None:
        if step.now - self._at > KEEP:
            self._text = ""


def without(text: str, assumed: str) -> str:
    """What ``text`` says after the words of ``assumed``; all of it where it does not begin like them.

    A final may correct what was assumed, so half of the words being the same is enough.
    """
    before, spoken = words_of(assumed), words_of(text)
    if not before:
        return text
    shared = 0
    while shared < min(len(before), len(spoken)) and before[shared] == spoken[shared]:
        shared += 1
    return after_words(text, len(before)) if shared * 2 >= len(before) else text
