"""One call's transcriber: a stream that may break and be opened anew without losing a word of the caller."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.audio.mulaw import BYTES_PER_MS
from engine.core.events import Event, FinalWords, TranscriberFailed, TranscriberReady, VendorUsed
from engine.providers.contracts import ProviderError, Transcriber, TranscriberEvent, TranscriberStream
from engine.runtime.following import follow
from engine.runtime.gathering import Gathering
from engine.runtime.tasks import Tasks

KEPT_MS = 15_000
"""Caller audio kept for the next stream: longer than a reconnect, and caught up with in a second."""
KEPT_OWED_MS = 60_000
"""The same while the words of a turn are owed: they must outlast all the streams that may be tried."""
CHARGED_EVERY_MS = 10_000
"""Audio after which it is put on the books: so much of it a crash may leave out."""
_KEPT, _KEPT_OWED, _CHARGED_EVERY = (ms * BYTES_PER_MS for ms in (KEPT_MS, KEPT_OWED_MS, CHARGED_EVERY_MS))
"""The same three in bytes."""


class _MediaTimes:
    """Where the bytes fed to one stream lie in the call's media time. The two drift apart at gaps."""

    __slots__ = ("_at", "_fed", "_lead", "_offsets")

    def __init__(self) -> None:
        self._fed = 0
        self._offsets: list[int] = []
        self._at: list[int] = []
        self._lead: int | None = None
        """By how many bytes media time is ahead of what was fed since the last gap; None: nothing was."""

    def fed(self, payload: bytes, at: int) -> None:
        lead = at * BYTES_PER_MS - self._fed
        # ``at`` leaves out what is less than a millisecond
        if self._lead is None or not -BYTES_PER_MS < lead - self._lead <= 0:
            self._offsets.append(self._fed)
            self._at.append(at)
            self._lead = lead
        self._fed += len(payload)

    def call_time(self, stream_ms: int | None) -> int | None:
        """Media time of the call for a time of the stream, both ms."""
        if stream_ms is None or not self._at:
            return stream_ms
        offset = stream_ms * BYTES_PER_MS
        piece = max(0, bisect_right(self._offsets, offset) - 1)
        return self._at[piece] + (offset - self._offsets[piece]) // BYTES_PER_MS


class Transcription:
    """Feeds the caller to a transcriber and tells the call what it says.

    Audio that no final words cover yet is kept, the last `KEPT_MS` of it (`KEPT_OWED_MS`), and given to a
    stream as soon as that is open: so is what came while it was being opened, and what a broken stream took
    with it. What a stream says after its successor was asked for is not heard any more. ``transcribers`` are
    the vendors in the agent's order of preference; with none the call hears no words. ``charge`` is told how
    much audio each vendor was given, what it was given once more included.
    """

    def __init__(
        self,
        transcribers: Sequence[Transcriber],
        tell: Callable[[Event], None],
        charge: Callable[[VendorUsed], None],
        tasks: Tasks,
    ) -> None:
        self._transcribers = transcribers
        self._tell = tell
        self._charge = charge
        self._tasks = tasks
        self._gathering = Gathering()
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._stream: TranscriberStream | None = None
        self._times = _MediaTimes()
        self._listening: asyncio.Task[None] | None = None
        self._flush_owed = False
        self._vendor = 0
        self._unpaid = 0
        """Bytes that the stream was given and that are not on the books."""

    def open(self, vendor: int = 0) -> None:
        """Open a stream of a vendor, instead of the one there is."""
        self.close()
        if not self._transcribers:
            self._tell(TranscriberReady())
        else:
            self._vendor = vendor
            listening = follow(
                "transcriber", self._transcribers[vendor].open, self._begin, self._hear, self._fail
            )
            self._listening = self._tasks.start(listening, "transcriber")

    def feed(self, payload: bytes, at: int, level: float) -> None:
        """Give µ-law audio of the caller, of ``level`` dBFS, from ``at`` on, ms of media time.

        It reaches the stream when enough of it is gathered, or the words may end here.
        """
        if not self._transcribers:
            return
        if not self._gathering.joins(at):
            self._pass_on()
        if self._gathering.add(payload, at, level):
            self._pass_on()

    def flush(self) -> None:
        """Ask for final words on all that was fed."""
        if not self._transcribers:
            self._tell(FinalWords(""))
            return
        self._flush_owed = True
        self._pass_on()
        if self._stream is not None:
            self._stream.flush()

    def close(self) -> None:
        """End the stream, if there is one or one is being opened."""
        self._stream = None
        self._settle()
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None

    def _begin(self, stream: TranscriberStream) -> None:
        """Give a fresh stream what none before it has made final."""
        self._pass_on()
        self._stream = stream
        self._times = _MediaTimes()
        for at, payload in self._kept:
            self._give(stream, payload, at)
        if self._flush_owed:
            stream.flush()

    def _fail(self, failure: ProviderError) -> None:
        self._stream = self._listening = None
        self._settle()
        self._tell(TranscriberFailed(*failure.told))

    def _pass_on(self) -> None:
        """What was gathered is kept, and given to the stream if there is one."""
        taken = self._gathering.take()
        if taken is None:
            return
        at, payload = taken
        self._kept.append(taken)
        self._kept_bytes += len(payload)
        most = _KEPT_OWED if self._flush_owed else _KEPT
        while self._kept_bytes > most:
            self._kept_bytes -= len(self._kept.popleft()[1])
        if self._stream is not None:
            self._give(self._stream, payload, at)

    def _give(self, stream: TranscriberStream, payload: bytes, at: int) -> None:
        self._times.fed(payload, at)
        stream.feed(payload)
        self._unpaid += len(payload)
        if self._unpaid >= _CHARGED_EVERY:
            self._settle()

    def _settle(self) -> None:
        """Put on the books what the stream was given."""
        if self._unpaid:
            used = VendorUsed("transcriber", self._vendor, audio_ms=self._unpaid // BYTES_PER_MS)
            self._unpaid = 0
            self._charge(used)

    def _hear(self, event: TranscriberEvent) -> None:
        if isinstance(event, FinalWords):
            event = replace(
                event, start=self._times.call_time(event.start), end=self._times.call_time(event.end)
            )
            self._flush_owed = False
            self._forget(event.end)
        self._tell(event)

    def _forget(self, until: int | None) -> None:
        """Final words cover the audio up to ``until``, ms of media time; all of it where that is unknown."""
        while self._kept:
            at, payload = self._kept[0]
            covered = len(payload) if until is None else max(0, until - at) * BYTES_PER_MS
            if covered < len(payload):
                if covered:
                    self._kept[0] = at + covered // BYTES_PER_MS, payload[covered:]
                    self._kept_bytes -= covered
                break
            self._kept.popleft()
            self._kept_bytes -= len(payload)
