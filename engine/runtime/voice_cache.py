"""Finished speech of fixed texts, kept for the next call: a greeting is made once, not once a call."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from engine.core.events import SpokenWord

LIMIT_BYTES = 8 * 1024 * 1024
"""A thousand seconds of µ-law: some hundred texts."""


@dataclass(frozen=True, slots=True)
class Speech:
    """A text as it was spoken: µ-law at 8 kHz, and where its words begin."""

    audio: bytes
    words: tuple[SpokenWord, ...] = ()


class VoiceCache:
    """Speech by text, of one voice; the least recently used goes first when the bound is reached."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._held: OrderedDict[str, Speech] = OrderedDict()
        self._bytes = 0

    def get(self, text: str) -> Speech | None:
        """The speech of ``text``, if it was kept."""
        if (speech := self._held.get(text)) is not None:
            self._held.move_to_end(text)
        return speech

    def put(self, text: str, speech: Speech) -> None:
        """Keep ``speech``, unless it alone is larger than the bound."""
        if (old := self._held.pop(text, None)) is not None:
            self._bytes -= len(old.audio)
        self._held[text] = speech
        self._bytes += len(speech.audio)
        while self._bytes > self._limit:
            self._bytes -= len(self._held.popitem(last=False)[1].audio)
