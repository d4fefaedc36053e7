"""Where the words of a text begin, from the characters that ElevenLabs times."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from engine.audio.mulaw import BYTES_PER_MS
from engine.core.events import SpokenWord

_SURE = 3
"""Letters that must agree for a stretch to be found again after one that did not fit."""


class WordTimes:
    """The words of one piece, timed as alignments of its context come in.

    An alignment holds ``chars``, ``charStartTimesMs`` and ``charDurationsMs`` of one chunk; its times count
    from the chunk's own beginning, so every chunk starts where the one before ended. Chunks cut words, and
    some models send a first stretch of a sentence and then the sentence once more from its beginning.
    Spaces are not compared. Characters that are not in the text leave their words untimed.
    https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input
    """

    def __init__(self, text: str) -> None:
        self._words = text.split()
        self._letters = "".join(self._words)
        self._begins = {at: n for n, at in enumerate(accumulate(map(len, self._words), initial=0))}
        """At which letter which word begins."""
        self._timed = 0
        """Letters that have been timed."""
        self._told = 0
        """Words that have been told; told once, in their order."""
        self._ends = 0.0
        """ms at which the last chunk ends."""

    def take(self, alignment: Mapping[str, Any]) -> tuple[SpokenWord, ...]:
        """The words that begin in a chunk.

        Raises `KeyError`, `TypeError`, `ValueError` or `IndexError` for a malformed alignment.
        """
        chars, starts = alignment["chars"], alignment["charStartTimesMs"]
        timed = [
            (letter, start)
            for char, start in zip(chars, starts, strict=True)
            for letter in char
            if not letter.isspace()
        ]
        stretch = "".join(letter for letter, _ in timed)
        at = self._place(stretch)
        offset = 0.0 if at == 0 else self._ends
        if starts:
            self._ends = offset + starts[-1] + alignment["charDurationsMs"][-1]
        if at is None:
            return ()
        self._timed = max(self._timed, at + len(stretch))
        words = []
        for n, (_, start) in enumerate(timed, at):
            if (word := self._begins.get(n, -1)) >= self._told:
                words.append(SpokenWord(self._words[word], round((offset + start) * BYTES_PER_MS)))
                self._told = word + 1
        return tuple(words)

    def _place(self, stretch: str) -> int | None:
        """At which letter a stretch begins: where the last one ended, at the start, or further on."""
        if self._letters.startswith(stretch, self._timed):
            return self._timed
        if self._letters.startswith(stretch):
            return 0
        found = self._letters.find(stretch, self._timed) if len(stretch) >= _SURE else -1
        return None if found < 0 else found
