"""The ear of a simulated phone: the carrier's play buffer, and what came out of it when.

The buffer behaves as Twilio documents it
(https://www.twilio.com/docs/voice/media-streams/websocket-messages): audio is played in the order of
arrival, 8 samples a millisecond; a mark is echoed when all before it has been played; ``clear`` empties the
buffer, and every mark that is still in it is echoed at once.

The ear has no clock and no task: it is told the time with every call and plays up to it, so a late call
changes nothing in what was heard when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from engine.audio.level import level_dbfs
from engine.audio.mulaw import BYTES_PER_MS, SILENCE

BREATH_MS = 400
"""Quiet of at most this length lies inside one stretch of speech."""
_FRAME = 20 * BYTES_PER_MS
_QUIET = bytes((SILENCE,))


class Ear:
    """One phone's ear. All its times are samples or ms since its stream was opened; they must not go back."""

    def __init__(self, echo: Callable[[str], None], *, audible_over: float = -45.0) -> None:
        """``echo`` is called with the name of each mark that is passed; ``audible_over`` is in dBFS."""
        self.track = bytearray()
        """What was heard so far: µ-law, a byte a sample, silence where nothing was played."""
        self.stretches = 0
        """How many stretches of speech have begun."""
        self._echo = echo
        self._audible_over = audible_over
        self._buffer: deque[bytes | str] = deque()
        self._judged = 0
        self._began = 0
        self._sounded: int | None = None

    def play(self, payload: bytes, now: int) -> None:
        """Audio (µ-law) has arrived, ``now`` in samples."""
        self.advance(now)
        if payload:
            self._buffer.append(payload)

    def mark(self, name: str, now: int) -> None:
        """A mark has arrived. It is echoed at once where the buffer is empty."""
        self.advance(now)
        self._buffer.append(name)
        self._pass_marks()

    def clear(self, now: int) -> None:
        """What is not played by ``now`` never will be."""
        self.advance(now)
        marks = [item for item in self._buffer if isinstance(item, str)]
        self._buffer.clear()
        for name in marks:
            self._echo(name)

    def advance(self, now: int) -> None:
        """Play up to ``now``, samples."""
        while (due := now - len(self.track)) > 0:
            if not self._buffer:
                self.track += _QUIET * due
                break
            item = self._buffer.popleft()
            assert isinstance(item, bytes)
            self.track += item[:due]
            if len(item) > due:
                self._buffer.appendleft(item[due:])
            self._pass_marks()
        self._judge()

    @property
    def next_mark(self) -> int | None:
        """When the next mark will be passed, samples; None: there is none."""
        at = len(self.track)
        for item in self._buffer:
            if isinstance(item, str):
                return at
            at += len(item)
        return None

    # --- what a caller would notice ---------------------------------------------------------------------

    @property
    def audible(self) -> bool:
        """Whether the last 20 ms that were played were audible."""
        return self._sounded is not None and self._judged - self._sounded < _FRAME

    @property
    def silent_ms(self) -> int:
        """For how long nothing audible has been played; since the start, where nothing ever was."""
        return (self._judged - (self._sounded or 0)) // BYTES_PER_MS

    @property
    def talking_ms(self) -> int:
        """How long the present stretch of speech has lasted; 0 while there is none."""
        if self._sounded is None or self.silent_ms > BREATH_MS:
            return 0
        return (self._judged - self._began) // BYTES_PER_MS

    def _pass_marks(self) -> None:
        while self._buffer and isinstance(self._buffer[0], str):
            self._echo(self._buffer.popleft())  # type: ignore[arg-type]

    def _judge(self) -> None:
        """Tell audible frames from silent ones, up to the last whole frame."""
        while self._judged + _FRAME <= len(self.track):
            frame = bytes(self.track[self._judged : self._judged + _FRAME])
            start = self._judged
            self._judged += _FRAME
            if frame.count(_QUIET) == _FRAME or level_dbfs(frame) < self._audible_over:
                continue
            if self._sounded is None or start - self._sounded > BREATH_MS * BYTES_PER_MS:
                self._began = start
                self.stretches += 1
            self._sounded = self._judged
