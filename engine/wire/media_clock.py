"""Media time of a carrier's frames, from the carrier's timestamps and the number of samples."""

from __future__ import annotations

from engine.audio.mulaw import BYTES_PER_MS

GAP_MS = 20
"""Less than a frame is jitter of the timestamps, not missing audio."""
MAX_GAP_MS = 60_000
"""More than this is a broken timestamp, not missing audio."""


class MediaClock:
    """Where each frame of one stream lies, in ms from the first sample.

    Samples are counted; the carrier's timestamps are only asked whether audio is missing before a frame.
    A timestamp that goes back by a frame or more, or ahead by over `MAX_GAP_MS`, is not believed and
    the count goes on; if a second one agrees with it, the carrier's clock was set anew, and it is followed
    from there without moving ours. A µ-law sample is one byte.
    """

    __slots__ = ("_base", "_doubted_base", "_samples")

    def __init__(self, start: int = 0) -> None:
        self._samples = start * BYTES_PER_MS
        self._base: int | None = None
        self._doubted_base: int | None = None

    def missing(self, timestamp: int) -> int | None:
        """Milliseconds missing before the frame with this timestamp (ms), 0 as a rule; the clock skips them.

        None for a timestamp that is not believed.
        """
        now = self._samples // BYTES_PER_MS
        base = timestamp - now
        if self._base is None:
            self._base = base
        ahead = base - self._base
        if -GAP_MS < ahead < GAP_MS:
            return 0
        if GAP_MS <= ahead <= MAX_GAP_MS:
            self._samples += ahead * BYTES_PER_MS
            return ahead
        doubted, self._doubted_base = self._doubted_base, base
        if doubted is not None and abs(base - doubted) < GAP_MS:
            self._base = base
        return None

    def advance(self, samples: int) -> int:
        """Count a frame; the media time of its first sample, ms."""
        at = self._samples // BYTES_PER_MS
        self._samples += samples
        return at
