"""The phone at the other end, as the carrier shows it: a buffer, marks, clear, and a network in between.

The buffer behaves as Twilio documents it: audio is played in the order of arrival, 8 samples a millisecond;
a mark is echoed when everything before it has been played; ``clear`` empties the buffer and echoes *all*
marks that were still pending, at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.audio.mulaw import BYTES_PER_MS
from engine.core.events import MarkEchoed
from engine.testing.clock import Clock
from engine.testing.ear import Ear
from engine.testing.tape import Tape


@dataclass(slots=True)
class _Mark:
    name: str
    due: int
    echoed: bool = False


class _Way:
    """One direction of the connection: it delays and, being TCP, neither loses nor reorders."""

    def __init__(self, delay: int, jitter: Sequence[int], stalls: Sequence[tuple[int, int]]) -> None:
        self._delay = delay
        self._jitter = jitter or (0,)
        self._stalls = stalls
        self._sent = 0
        self._arrived = 0
        self.straight = delay == 0 and not any(self._jitter) and not stalls

    def arrival(self, sent: int) -> int:
        """When a message that is sent now arrives; messages must be asked for in the order of sending."""
        at = max(self._arrived, sent + self._delay + self._jitter[self._sent % len(self._jitter)])
        self._sent += 1
        for start, lasts in self._stalls:
            if start <= at < start + lasts:
                at = start + lasts
        self._arrived = at
        return at


class Phone:
    """A phone on a network.

    ``delay_ms`` is one way. ``jitter`` are ms added to one message after the other, round and round.
    ``stalls`` are ``(start, ms)`` in which nothing gets through in either direction and then all at once.
    ``losses`` are ``(start, ms)`` of which the caller's audio never comes (the call sees a gap).
    ``echo_db`` is the level of the agent's voice that comes back, relative to what is played; None: none.
    """

    def __init__(
        self,
        *,
        delay_ms: int = 0,
        jitter: Sequence[int] = (),
        stalls: Sequence[tuple[int, int]] = (),
        losses: Sequence[tuple[int, int]] = (),
        echo_db: float | None = None,
    ) -> None:
        self.losses = losses
        self.echo_db = echo_db
        self.ear = Ear(Tape())
        self.uncertainty = max(jitter, default=0) + max((lasts for _, lasts in stalls), default=0)
        """How far off (ms) a call may be that knows when it sent audio, and not yet when it was played."""
        self.to_phone = _Way(delay_ms, jitter, stalls)
        self.to_call = _Way(delay_ms, jitter, stalls)
        self._marks: list[_Mark] = []
        self._clock = Clock()
        self._tell: Callable[[object], None] = lambda _: None

    def connect(self, clock: Clock, tape: Tape, tell: Callable[[object], None]) -> None:
        """Join a world: its clock, what its voice speaks, and where the phone's events go."""
        self._clock, self._tell, self.ear = clock, tell, Ear(tape)

    def say(self, event: object) -> None:
        """Send an event on its way to the call, now."""
        if self.to_call.straight:
            self._tell(event)
        else:
            self._clock.at(self.to_call.arrival(self._clock.now), self._tell, event)

    def audio(self, payload: bytes) -> None:
        """The call sent agent audio."""
        self.ear.play(self.to_phone.arrival(self._clock.now), payload)

    def mark(self, name: str) -> None:
        """The call sent a mark."""
        arrived = self.to_phone.arrival(self._clock.now)
        mark = _Mark(name, max(arrived, -(-self.ear.end // BYTES_PER_MS)))
        self._marks = [pending for pending in self._marks if not pending.echoed]
        self._marks.append(mark)
        self._clock.at(mark.due, self._echo, mark)

    def clear(self) -> None:
        """The call sent a clear."""
        arrived = self.to_phone.arrival(self._clock.now)
        self.ear.clear(arrived)
        for mark in self._marks:
            if mark.due > arrived:
                mark.due = arrived
                self._clock.at(arrived, self._echo, mark)

    def hang_up(self) -> None:
        """The stream is gone: what is in the buffer is never played, no mark is echoed any more."""
        self.ear.clear(self._clock.now)
        for mark in self._marks:
            mark.echoed = True

    def lost(self, at: int) -> bool:
        """Whether the caller's audio of call time ``at`` (ms) never arrives."""
        return any(start <= at < start + lasts for start, lasts in self.losses)

    def _echo(self, mark: _Mark) -> None:
        if not mark.echoed:
            mark.echoed = True
            self.say(MarkEchoed(mark.name))
