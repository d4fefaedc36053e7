"""The ear at the phone: which samples were really played to the caller, when, and which words they made.

It is the truth against which the call's own idea of what was heard is held. Inside, time is counted in
samples (8 a millisecond) from the start of the call; every public time is call time in whole ms.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from engine.audio.mulaw import BYTES_PER_MS, SILENCE
from engine.testing.tape import Tape, TapedWord

_SEAM = BYTES_PER_MS - 1
"""Samples of a word that may count as missing although they were heard: where audio goes on elsewhere on
the tape, its first few can by chance be those of the place before."""
_BREATH = 200
"""ms of quiet inside one stretch of the agent's speech: shorter ones do not make it fall silent."""


@dataclass(slots=True)
class Span:
    """Audio in a row. ``start`` in samples of call time; ``place`` on the tape, None: not voice."""

    start: int
    payload: bytes
    place: int | None
    reply: int | None
    after_clear: bool

    @property
    def end(self) -> int:
        """When its last sample has been played (samples)."""
        return self.start + len(self.payload)


@dataclass(slots=True)
class HeardWord:
    """A word of which something was heard. ``start`` and ``end``: first and last heard sample, call ms."""

    text: str = field(repr=False)
    reply: int
    piece: int
    start: int
    end: int
    missing: int
    """Samples of it that were not heard; 0 for a whole word."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Quiet inside one reply that nobody asked for."""

    start: int
    length: int
    reply: int


class Ear:
    """Spans of audio in the order of time, some of which may still lie ahead."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.spans: list[Span] = []
        self.end = 0
        """When all that the phone holds will have been played (samples of call time)."""
        self._cleared = False
        self._runs: list[tuple[int, int]] = []
        self._next = 0
        self._until = 0
        self._word_starts: list[int] = []
        self._touched: dict[int, tuple[HeardWord, list[tuple[int, int]]]] = {}
        self._words: list[HeardWord] = []

    # --- what the phone tells it ----------------------------------------------------------------------

    def play(self, arrived: int, payload: bytes) -> None:
        """Audio reached the phone at call time ``arrived`` (ms) and is played after what is there."""
        at = max(self.end, arrived * BYTES_PER_MS)
        self.end = at + len(payload)
        begun = self._runs.pop()[0] if self._runs and self._runs[-1][1] == at else at
        self._runs.append((begun, self.end))
        for cutting in self.tape.find(payload):
            part, payload = payload[: cutting.length], payload[cutting.length :]
            place = cutting.start
            if place is not None or part.strip(bytes((SILENCE,))):
                reply = None if place is None else self.tape.reply_at(place)
                self.spans.append(Span(at, part, place, reply, self._cleared))
                self._cleared = False
            at += cutting.length

    def clear(self, at: int) -> None:
        """What is not played by call time ``at`` (ms) never will be."""
        self._cleared = True
        cut = at * BYTES_PER_MS
        self.end = min(self.end, cut)
        while self._runs and self._runs[-1][1] > cut:
            start, _ = self._runs.pop()
            if start < cut:
                self._runs.append((start, cut))
        while self.spans and self.spans[-1].start >= cut:
            self._cleared |= self.spans.pop().after_clear
        if self.spans and self.spans[-1].end > cut:
            last = self.spans[-1]
            last.payload = last.payload[: cut - last.start]

    # --- what a test asks -----------------------------------------------------------------------------

    def played(self, now: int) -> int:
        """Samples played by call time ``now`` (ms), silent ones included."""
        until = now * BYTES_PER_MS
        return sum(min(end, until) - start for start, end in self._runs if start < until)

    def sounding(self, now: int) -> bool:
        """Whether the agent is to be heard at call time ``now`` (ms)."""
        return self._last(now * BYTES_PER_MS, inclusive=True) is not None and not self._quiet(now)

    def silent_since(self, now: int) -> int | None:
        """When the agent's last sound ended; None while it sounds or before it ever did."""
        last = self._last(now * BYTES_PER_MS)
        return None if last is None or not self._quiet(now) else _up(self.spans[last].end)

    def sounding_since(self, now: int) -> int | None:
        """When the stretch of speech began that is to be heard now; None if there is none."""
        if not self.sounding(now):
            return None
        index = self._last(now * BYTES_PER_MS, inclusive=True) or 0
        while index and self.spans[index].start - self.spans[index - 1].end < _BREATH * BYTES_PER_MS:
            index -= 1
        return self.spans[index].start // BYTES_PER_MS

    def sound_after(self, at: int) -> int | None:
        """When the agent is first to be heard at or after call time ``at`` (ms); None: never."""
        after = at * BYTES_PER_MS
        return next((max(span.start, after) // BYTES_PER_MS for span in self.spans if span.end > after), None)

    def silence_after(self, at: int) -> int:
        """When the ear is next silent, at or after call time ``at`` (ms)."""
        end = at * BYTES_PER_MS
        for span in self.spans:
            if span.start > end:
                break
            end = max(end, span.end)
        return _up(end)

    def gaps(self) -> list[Gap]:
        """Quiet inside a reply that no clear explains: the phone ran dry."""
        return [
            Gap(_up(before.end), (after.start - before.end) // BYTES_PER_MS, before.reply)
            for before, after in zip(self.spans, self.spans[1:], strict=False)
            if after.start > before.end
            and before.reply is not None
            and after.reply == before.reply
            and not after.after_clear
        ]

    def words(self, now: int, missing: int = 0) -> list[HeardWord]:
        """The words heard by call time ``now`` (ms), of each of which at most ``missing`` ms is missing."""
        most = missing * BYTES_PER_MS + _SEAM
        return [word for word in self.all_words(now) if word.missing <= most]

    def all_words(self, now: int) -> list[HeardWord]:
        """The words of which anything was heard by ``now`` (ms), in the order in which they were begun.

        The list is the ear's own: it grows, and its words' ``missing`` falls, as time goes on.
        """
        now *= BYTES_PER_MS
        while self._next < len(self.spans):
            span = self.spans[self._next]
            start, end = max(span.start, self._until), min(span.end, now)
            if span.place is not None and start < end:
                place = span.place + start - span.start
                for word in self._taped(place, place + end - start):
                    self._hear(word, place, place + end - start, start)
            if span.end > now:
                break
            self._next += 1
        self._until = max(now, self._until)
        return self._words

    def _taped(self, start: int, end: int) -> list[TapedWord]:
        words = self.tape.words
        self._word_starts += (word.start for word in words[len(self._word_starts) :])
        return words[bisect_right(self._word_starts, start) - 1 : bisect_right(self._word_starts, end - 1)]

    def _hear(self, taped: TapedWord, start: int, end: int, at: int) -> None:
        """The tape from ``start`` to ``end`` (its place) was played from ``at`` on (call time, samples)."""
        first, last = max(start, taped.start), min(end, taped.end)
        if first >= last:
            return
        if taped.start not in self._touched:
            begun = (at + first - start) // BYTES_PER_MS
            word = HeardWord(taped.text, taped.reply, taped.piece, begun, begun, taped.end - taped.start)
            self._touched[taped.start] = (word, [])
            self._words.append(word)
        word, parts = self._touched[taped.start]
        if not word.missing:
            return
        parts.append((first, last))
        parts.sort()
        reached, heard = taped.start, 0
        for begin, until in parts:
            heard += max(0, until - max(begin, reached))
            reached = max(reached, until)
        word.missing = taped.end - taped.start - heard
        word.end = _up(at + last - start)

    def _quiet(self, now: int) -> bool:
        last = self._last(now * BYTES_PER_MS, inclusive=True)
        return last is None or self.spans[last].end <= now * BYTES_PER_MS

    def _last(self, until: int, *, inclusive: bool = False) -> int | None:
        """The last span that began before ``until`` (samples), or at it."""
        for index in range(len(self.spans) - 1, -1, -1):
            if self.spans[index].start < until or (inclusive and self.spans[index].start == until):
                return index
        return None


def _up(samples: int) -> int:
    return -(-samples // BYTES_PER_MS)
