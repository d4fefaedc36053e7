"""A reply that another request goes on with: what it says again is taken out.

A model that is asked to continue may go on from where the first one broke off, or say all of it anew. Its
words are held back for as long as they repeat the ones that were said already; the first word beyond them,
or the first one that differs, is where its own text begins.
"""

from __future__ import annotations

from engine.core.words import after_words, words_of


class Continuation:
    """Takes a repetition of ``said`` off the front of streamed text."""

    def __init__(self, said: str) -> None:
        self._said = words_of(said)
        self._held = ""
        self._open = not self._said

    def feed(self, text: str) -> str:
        """More text; what of it is new. The last word waits, for more of it may come."""
        if self._open:
            return text
        self._held += text
        spoken = words_of(self._held)
        whole = spoken if self._held[-1:].isspace() else spoken[:-1]
        if whole[: len(self._said)] != self._said[: len(whole)]:
            return self._release(self._held)
        if len(whole) > len(self._said) or len(spoken) > len(self._said):
            return self._release(after_words(self._held, len(self._said)))
        return ""

    def finish(self) -> str:
        """The text is over; what of the held back is new."""
        if self._open:
            return ""
        spoken = words_of(self._held)
        if spoken[: len(self._said)] == self._said[: len(spoken)]:
            return self._release(after_words(self._held, len(self._said)))
        return self._release(self._held)

    def _release(self, text: str) -> str:
        self._open, self._held = True, ""
        return text
