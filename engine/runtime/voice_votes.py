"""The better voice detector for all calls of a worker: their windows judged together, off the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from engine.audio.mulaw import BYTES_PER_MS
from engine.audio.silero import WINDOW, SileroModel, SileroState
from engine.core.events import Event, VoiceVote

_log = logging.getLogger(__name__)

TICK_S = 0.016
"""Windows last 32 ms: a tick of half of that makes a batch of most calls and delays a vote by 8 ms."""
WAITING = 16
"""Windows of one call that may wait, half a second; the oldest go first, for a late vote is worth nothing."""


class Ballot:
    """One call's place at the detector: give it the caller's audio, and it tells the call `VoiceVote`."""

    def __init__(self, votes: VoiceVotes, tell: Callable[[Event], None]) -> None:
        self.tell = tell
        self.state = SileroState()
        self.windows: deque[tuple[int, bytes]] = deque(maxlen=WAITING)
        """End of the window in ms of media time, and its audio."""
        self.closed = False
        self._votes = votes
        self._fed = 0

    def feed(self, payload: bytes, at: int) -> None:
        """Take the caller's audio (µ-law), its first sample at ``at``, ms of media time."""
        start = at - self._fed % WINDOW // BYTES_PER_MS
        self._fed += len(payload)
        for number, window in enumerate(self.state.feed(payload), 1):
            self.windows.append((start + number * WINDOW // BYTES_PER_MS, window))
        if self.windows:
            self._votes.ask(self)

    def close(self) -> None:
        """No vote is wanted any more."""
        self.closed = True
        self.windows.clear()


class VoiceVotes:
    """Collects the windows of all calls and has them judged in batches, in a thread, one batch at a time.

    Should the detector fail, it votes for a voice: then what the cheap detectors say stands.
    """

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._waiting: set[Ballot] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._judging: asyncio.Task[None] | None = None
        self._failed = False

    def ask(self, ballot: Ballot) -> None:
        """A call has a window to be judged."""
        self._waiting.add(ballot)
        self._arm()

    def close(self) -> None:
        """Judge nothing any more."""
        self._waiting.clear()
        if self._tick is not None:
            self._tick.cancel()

    def _arm(self) -> None:
        if self._waiting and self._tick is None and self._judging is None:
            self._tick = self._loop.call_later(TICK_S, self._start)

    def _start(self) -> None:
        self._tick = None
        self._judging = self._loop.create_task(self._judge(), name="voice votes")

    async def _judge(self) -> None:
        """Judge the oldest window of each call that has one."""
        batch = [(ballot, *ballot.windows.popleft()) for ballot in self._waiting if ballot.windows]
        voices = await asyncio.to_thread(
            self._infer, [ballot.state for ballot, _, _ in batch], [window for _, _, window in batch]
        )
        for (ballot, end, _), voice in zip(batch, voices, strict=True):
            if not ballot.closed:
                ballot.tell(VoiceVote(end, voice))
        self._waiting = {ballot for ballot in self._waiting if ballot.windows}
        self._judging = None
        self._arm()

    def _infer(self, states: list[SileroState], windows: list[bytes]) -> list[float]:
        try:
            return self._model.infer(states, windows)
        except Exception:
            if not self._failed:
                _log.exception("the voice detector failed; the cheap ones decide alone from now on")
            self._failed = True
            return [1.0] * len(windows)
