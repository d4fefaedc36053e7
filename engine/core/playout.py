"""The ledger of a reply's audio: given ≥ sent ≥ heard, in samples, and the four things one can do to it.

``given`` came from the voice, ``sent`` went to the carrier at least once, ``heard`` was played to the
caller: the carrier's marks say so, and between two marks the clock does, never beyond the next mark that
has not come back. Marks carry a generation, because a carrier echoes every pending mark after ``clear``:
those of an old generation move nothing.
"""

from __future__ import annotations

from collections import deque

from engine.audio.level import EchoFloor, level_dbfs
from engine.audio.mulaw import attenuate
from engine.core.effects import AudioHeard, SendAudio, SendClear, SendMark
from engine.core.step import Step

BYTES_PER_MS = 8
FRAME = 160
"""Samples of a carrier's frame: only whole ones are sent, the last one padded."""
KEEP = 20_000 * BYTES_PER_MS
"""Heard audio kept for a resume; more than the longest word by far."""
QUIET = bytes(code for code in range(256) if (code | 0x80) >= 0xF0)
"""The µ-law codes whose size is below 120 of 32,768: nobody hears them."""


class _Run:
    """A stretch of audio that the carrier plays without a break, from ``position`` on."""

    __slots__ = ("asked_at", "position", "starts_at")

    def __init__(self, position: int, asked_at: int) -> None:
        self.position = position
        self.asked_at = asked_at
        self.starts_at: int | None = None


class Playout:
    """The ledger of the live reply. Positions are samples from the reply's first."""

    def __init__(self, echo: EchoFloor) -> None:
        self.given = 0
        self.sent = 0
        self.heard = 0
        self.complete = False
        self.paused = False
        self.ducked = False
        self._echo = echo
        self._generation = 0
        self._audio = bytearray()
        self._base = 0
        self._cursor = 0
        self._marked = 0
        self._marks: deque[int] = deque()
        self._flight: deque[tuple[int, bytes, _Run]] = deque()
        self._run: _Run | None = None
        self._dry_at = 0
        self._echoed: tuple[int, int] | None = None
        self.played_to = 0
        """Call time at which the last audio that was heard came to its end."""
        self.begun_at = 0
        """Call time at which the reply's first audio was sent: none of it can have been heard before."""

    def begin(self) -> None:
        """Start the ledger of a new reply; nothing of the one before is at the carrier any more."""
        self.given = self.sent = self.heard = 0
        self.complete = self.paused = self.ducked = False
        self._audio.clear()
        self._base = self._cursor = 0
        self._leave_run()

    def give(self, payload: bytes) -> None:
        """More audio from the voice."""
        self._audio += payload
        self.given += len(payload)

    def take_back(self, position: int) -> None:
        """Forget the audio from ``position`` on, as far as none of it was sent."""
        self.given = min(self.given, max(position, self.sent))
        del self._audio[self.given - self._base :]

    def finish(self) -> None:
        """The reply has all its audio; the last frame is filled with silence."""
        if self.complete:
            return
        self.complete = True
        rest = -self.given % FRAME
        self._audio += b"\xff" * rest
        self.given += rest

    @property
    def unheard(self) -> int:
        """Audio that was given and not yet heard, ms."""
        return (self.given - self.heard) // BYTES_PER_MS

    @property
    def done(self) -> bool:
        """All of a complete reply was heard."""
        return self.complete and self.heard >= self.given and not self.paused

    @property
    def playing_since(self) -> int | None:
        """Call time at which the audio that is playing began to; None while none was acknowledged."""
        return None if self._run is None else self._run.starts_at

    @property
    def dry_at(self) -> int:
        """Call time at which the carrier will have played all it was sent."""
        return self._dry_at

    # --- sending --------------------------------------------------------------------------------------

    def pump(self, step: Step) -> None:
        """Send what the lead allows, and set the alarm for the next sending."""
        limits = step.policy.playout
        step.deadlines.cancel("pump")
        if self.paused:
            return
        while self._cursor < self.given:
            ahead = max(0, self._dry_at - step.now)
            if ahead >= limits.lead:
                step.deadlines.set("pump", self._dry_at - limits.lead + limits.chunk)
                return
            size = (limits.first_chunk if self._run is None else limits.chunk) * BYTES_PER_MS
            end = min(self._cursor + size, self.given)
            if end < self._cursor + size and not self.complete:
                if ahead > limits.lead // 2:
                    step.deadlines.set("pump", self._dry_at - limits.lead // 2)
                    return
                end -= (end - self._cursor) % FRAME
                if end == self._cursor:
                    return
            self._send(step, end)
        if self.complete and self._marked < self._cursor:
            self._mark(step)

    def _send(self, step: Step, end: int) -> None:
        payload = bytes(self._audio[self._cursor - self._base : end - self._base])
        if not self.sent:
            self.begun_at = step.now
        if self.ducked:
            payload = attenuate(payload, step.policy.turns.duck_db)
        if self._run is None or self._dry_at < step.now:
            self._run = _Run(self._cursor, step.now)
            self._dry_at = step.now
            self._marked = self._cursor
            self._echoed = None
        step.emit(SendAudio(payload))
        self._echo.forget(step.now)
        for start in range(0, len(payload), FRAME):
            at = self._dry_at + start // BYTES_PER_MS
            self._echo.played(at, level_dbfs(payload[start : start + FRAME]))
        self._flight.append((self._cursor, payload, self._run))
        first_chunk = self._cursor == self._run.position
        self._dry_at += len(payload) // BYTES_PER_MS
        self._cursor = end
        self.sent = max(self.sent, end)
        enough = end - self._marked >= step.policy.playout.mark_every * BYTES_PER_MS
        if first_chunk or enough or (self.complete and end >= self.given):
            self._mark(step)

    def _mark(self, step: Step) -> None:
        self._marked = self._cursor
        self._marks.append(self._cursor)
        step.emit(SendMark(f"{self._generation}.{self._cursor}"))

    # --- hearing --------------------------------------------------------------------------------------

    def echo(self, step: Step, name: str) -> None:
        """The carrier sent a mark back: everything before it was heard."""
        generation, _, position = name.partition(".")
        if generation != str(self._generation) or not position.isdigit():
            return
        at = int(position)
        if at not in self._marks:
            return
        while self._marks and self._marks[0] <= at:
            self._marks.popleft()
        if self._run is not None and at > self._run.position:
            self._echoed = (at, step.now)
        self._hear(step, at)

    def position(self, now: int) -> int:
        """What the carrier is playing at call time ``now``, by the last mark and the clock.

        Where a stretch was sent again, this lies before ``heard``; as long as none of its marks came back,
        it is the stretch's start.
        """
        if self._echoed is None:
            return self._flight[0][0] if self._flight else self._cursor
        at, when = self._echoed
        limit = self._marks[0] if self._marks else at
        return max(min(at + (now - when) * BYTES_PER_MS, limit), at)

    def _hear(self, step: Step, position: int) -> None:
        self.heard = max(self.heard, position)
        while self._flight and self._flight[0][0] < position:
            start, payload, run = self._flight.popleft()
            if run.starts_at is None:
                told = step.now - (position - run.position) // BYTES_PER_MS
                run.starts_at = max(run.asked_at, told, self.played_to)
            taken = position - start
            if taken < len(payload):
                self._flight.appendleft((position, payload[taken:], run))
                payload = payload[:taken]
            at = run.starts_at + (start - run.position) // BYTES_PER_MS
            step.emit(AudioHeard(payload, at))
            self.played_to = at + len(payload) // BYTES_PER_MS
        self._forget()

    def _forget(self) -> None:
        old = self.heard - KEEP - self._base
        if old > KEEP:
            del self._audio[:old]
            self._base += old

    def settle(self, step: Step) -> None:
        """Take the clock's word for what was heard since the last mark."""
        self._hear(step, self.position(step.now))

    def assume_heard(self, step: Step) -> None:
        """The carrier's acknowledgements do not come: what should have been played counts as heard."""
        self._marks.clear()
        for _, _, run in self._flight:
            run.starts_at = run.asked_at if run.starts_at is None else run.starts_at
        self._hear(step, self._cursor)

    # --- the four operations --------------------------------------------------------------------------

    def stop(self, step: Step) -> None:
        """Fall silent for good: what was heard stays, the rest never existed."""
        self._silence(step)
        self.complete = True
        self.given = self.sent = max(self.heard, 0)
        self._audio.clear()
        self._base = self._cursor = self.given

    def hold(self, step: Step) -> None:
        """Fall silent, keeping what was not heard."""
        self._cursor = self._silence(step)
        self.paused = True

    def resume(self, step: Step, position: int) -> None:
        """Go on after a hold or a duck, from ``position``."""
        if not self.paused:
            self._silence(step)
        self.paused = self.ducked = False
        self._cursor = max(position, self._base)
        self.pump(step)

    def duck(self, step: Step) -> None:
        """Go on at once, lower."""
        self._cursor = self._silence(step)
        self.ducked = True
        self.pump(step)

    def _silence(self, step: Step) -> int:
        position = self.position(step.now)
        self._hear(step, position)
        if self._dry_at > step.now or self._flight or self._marks:
            step.emit(SendClear())
            self._echo.cleared(step.now)
        step.deadlines.cancel("pump")
        self._leave_run()
        self._dry_at = step.now
        return position

    def _leave_run(self) -> None:
        self._generation += 1
        self._marks.clear()
        self._flight.clear()
        self._run = None
        self._echoed = None
        self._marked = self._cursor

    def audible_end(self, start: int, end: int) -> int:
        """Where the sound between two positions ends, without the silence after it."""
        sound = bytes(self._audio[max(0, start - self._base) : max(0, end - self._base)])
        return start + len(sound.rstrip(QUIET))
