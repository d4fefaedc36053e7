"""Every sample that the scripted voice ever spoke, so that the phone can tell what it hears.

The samples are loud noise whose *signs* are random: any 64 of them in a row occur once. Signs survive what
the call may do to audio (cutting it anywhere, sending it again, making it lower), so whatever reaches the
phone is found on the tape, and with it the reply, the piece and the word.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass, field

from engine.audio.mulaw import BYTES_PER_MS, SILENCE, encode

_AMPLITUDE = 4000
_LOUD = encode(_AMPLITUDE.to_bytes(2, "little"))[0]
_LOUD_NEGATIVE = _LOUD & 0x7F
_NOISE = bytes(_LOUD if code & 1 else _LOUD_NEGATIVE for code in range(256))
_SIGNS = bytes(
    SILENCE if code in (SILENCE, 0x7F) else _LOUD if code & 0x80 else _LOUD_NEGATIVE for code in range(256)
)
_QUIET = bytes((SILENCE,))
_CERTAIN = 64
_FRAME = 160
"""Samples that identify a place on the tape: one in 2**64 is wrong."""

LEVEL = -18.3
"""dBFS of the scripted voice."""


@dataclass(frozen=True, slots=True)
class TapedWord:
    """A word on the tape: its text, and its first and last sample's place (samples, end exclusive)."""

    text: str = field(repr=False)
    start: int
    end: int
    reply: int
    piece: int


@dataclass(frozen=True, slots=True)
class Cutting:
    """A stretch of audio: ``length`` samples from ``start`` on the tape, or from nowhere (None)."""

    start: int | None
    length: int


class Tape:
    """All that was spoken in one call, in the order in which it was rendered."""

    def __init__(self) -> None:
        self._samples = bytearray()
        self._noise = random.Random(8000)
        self._expected = 0
        self._last = b""
        self._found: list[Cutting] = []
        self._starts: list[int] = []
        self._replies: list[int] = []
        self.words: list[TapedWord] = []

    def record(self, reply: int, piece: int, words: list[tuple[str, int]]) -> tuple[bytes, list[TapedWord]]:
        """Speak words, each ``(text, ms)``; returns the audio (µ-law) and where the words lie on the tape."""
        start = at = len(self._samples)
        taped = []
        for text, ms in words:
            end = at + ms * BYTES_PER_MS
            taped.append(TapedWord(text, at, end, reply, piece))
            at = end
        audio = self._noise.randbytes(at - start).translate(_NOISE)
        self._samples += audio
        self._starts.append(start)
        self._replies.append(reply)
        self.words += taped
        return audio, taped

    def find(self, payload: bytes) -> list[Cutting]:
        """Where the audio comes from. What was never spoken (tones, padding) is cut from nowhere."""
        if payload is self._last:
            return self._found
        signs = payload.translate(_SIGNS)
        if self._samples.startswith(signs, self._expected):
            found = [Cutting(self._expected, len(signs))]
        else:
            found = self._search(signs)
        if found and found[-1].start is not None:
            self._expected = found[-1].start + found[-1].length
        self._last, self._found = payload, found
        return found

    def reply_at(self, place: int) -> int:
        """The reply to which the sample at ``place`` belongs."""
        return self._replies[bisect_right(self._starts, place) - 1]

    def _search(self, signs: bytes) -> list[Cutting]:
        found: list[Cutting] = []
        expected = self._expected
        while signs:
            spoken = signs.lstrip(_QUIET)
            if len(spoken) < len(signs):
                found.append(Cutting(None, len(signs) - len(spoken)))
                signs = spoken
                continue
            spoken = signs.rstrip(_QUIET)
            place = expected
            probe = min(_CERTAIN, self._piece_end(expected) - expected)
            if not probe or not self._samples.startswith(spoken[:probe], expected):
                place = self._samples.rfind(spoken[:_CERTAIN])
            if place < 0:  # tones: on to where something is known again
                unknown = self._unknown(spoken)
                found.append(Cutting(None, unknown))
                signs = signs[unknown:]
                continue
            length = self._same(spoken[: self._piece_end(place) - place], place)
            found.append(Cutting(place, length))
            expected = place + length
            signs = signs[length:]
        return found

    def _unknown(self, signs: bytes) -> int:
        """How many samples pass until a whole frame of the payload was recorded."""
        for start in range(_FRAME, len(signs), _FRAME):
            if self._samples.rfind(signs[start : start + _CERTAIN]) >= 0:
                return start
        return len(signs)

    def _piece_end(self, place: int) -> int:
        """Where the piece at ``place`` ends: beyond it, a few samples may be the same by chance."""
        after = bisect_right(self._starts, place)
        return self._starts[after] if after < len(self._starts) else len(self._samples)

    def _same(self, signs: bytes, place: int) -> int:
        """How many samples from ``place`` on are the same; at least the first ones are."""
        if self._samples.startswith(signs, place):
            return len(signs)
        low, high = min(_CERTAIN, len(signs)), len(signs)
        while high - low > 1:
            middle = (low + high) // 2
            if self._samples.startswith(signs[:middle], place):
                low = middle
            else:
                high = middle
        return low
