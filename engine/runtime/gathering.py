"""How much of the caller's audio makes a message to the transcriber.

A message for every frame costs more than anything else a call does, and a transcriber decides on longer
stretches anyway. Where its words may end a turn, each frame still goes out at once.
"""

from __future__ import annotations

from typing import Final

from engine.audio.level import DIGITAL_SILENCE
from engine.audio.mulaw import BYTES_PER_MS

GATHERED_MS: Final = 100
"""ms of sound that make a message."""
RESTING_MS: Final = 250
"""ms of a long silence that make one: nothing in it is worth haste."""

_HUSH_MS: Final = 400
"""ms of silence after sound whose frames go out at once: within them the end of the words is decided."""
_DEPTH: Final = 15.0
"""dB below the recent peak at which silence begins."""
_FALL: Final = 0.01
"""dB by which the peak falls in a ms: steady noise soon is no silence any more."""
_SOFT: Final = -50.0
"""dBFS below which nobody speaks."""
_RESTS_MS: Final = 1_200
"""ms so soft that make a long silence; the gap that ends an utterance lies before."""


class Gathering:
    """Holds one caller's audio until it is worth a message. It judges by level alone.

    The first moments of silence after sound go out frame by frame, and so does the first sound after a long
    silence; other audio is held for `GATHERED_MS`, that of a long silence for `RESTING_MS`.
    """

    __slots__ = ("_at", "_held", "_hush", "_peak", "_soft")

    def __init__(self) -> None:
        self._held = bytearray()
        self._at = 0
        self._peak = DIGITAL_SILENCE
        self._hush = 0
        """ms of silence that are still worth haste."""
        self._soft = 0
        """ms for which nobody can have spoken."""

    def add(self, payload: bytes, at: int, level: float) -> bool:
        """Hold µ-law audio of ``level`` dBFS that begins at ``at``, ms of media time, right behind the rest.

        Returns whether what is held is worth a message now.
        """
        if not self._held:
            self._at = at
        self._held += payload
        ms = len(payload) // BYTES_PER_MS
        rested = self._soft > _RESTS_MS
        self._soft = self._soft + ms if level < _SOFT else 0
        rests = self._soft > _RESTS_MS
        self._peak = max(level, self._peak - _FALL * ms)
        if level > self._peak - _DEPTH:
            self._hush = _HUSH_MS
            hurry = rested and not rests
        else:
            self._hush -= ms
            hurry = self._hush >= 0
        return hurry or len(self._held) >= (RESTING_MS if rests else GATHERED_MS) * BYTES_PER_MS

    def joins(self, at: int) -> bool:
        """Whether audio from ``at`` (ms) follows what is held; times leave out what is less than a ms."""
        return not self._held or -1 <= at - self._at - len(self._held) // BYTES_PER_MS <= 1

    def take(self) -> tuple[int, bytes] | None:
        """What is held, behind the media time of its first sample, ms; None where it is nothing."""
        if not self._held:
            return None
        taken = self._at, bytes(self._held)
        self._held.clear()
        return taken
