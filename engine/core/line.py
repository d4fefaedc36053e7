"""The call's life: created, open (in a seam between two streams too), ending, closed; and the one reason.

The reason is set once, in `end`. Until then the call may be *leaving*: a farewell is on its way, and a soft
one can be taken back.
"""

from __future__ import annotations

from enum import StrEnum

from engine.core.effects import CloseStream, CloseTranscriber, HangUp
from engine.core.notes import Closed, Ending, EndReason, SeamClosed, SeamOpened
from engine.core.step import Step

BY_THE_OTHER_SIDE = frozenset({EndReason.CALLER_HUNG_UP, EndReason.UNJOINED, EndReason.TRANSFERRED})
"""Reasons with which the caller's leg is gone or somebody else's: the carrier need not be told."""


class Phase(StrEnum):
    """Where the call is in its life."""

    CREATED = "created"
    OPEN = "open"
    SEAM = "seam"
    ENDING = "ending"
    CLOSED = "closed"


class Line:
    """The one owner of whether the call lives, and of why it does not any more."""

    def __init__(self) -> None:
        self.phase = Phase.CREATED
        self.reason: EndReason | None = None
        self.joined_at: int | None = None
        self.leaving: EndReason | None = None
        """The reason for which a farewell is being said."""
        self.strict = False
        """The farewell cannot be taken back."""
        self.transferring = False

    @property
    def live(self) -> bool:
        """The caller is there: the stream is up, and the call is not over."""
        return self.phase is Phase.OPEN

    @property
    def over(self) -> bool:
        """The reason is set."""
        return self.reason is not None

    def join(self, step: Step) -> None:
        """The stream is up for the first time."""
        limits = step.policy.limits
        self.phase = Phase.OPEN
        self.joined_at = step.now
        step.deadlines.cancel("join")
        step.deadlines.set("no_frames", step.now + limits.no_frames)
        if limits.longest is not None:
            step.deadlines.set("longest_call", step.now + limits.longest)

    def open_seam(self, step: Step, why: str, within: int) -> None:
        """The stream went away; the next one has ``within`` ms to come."""
        self.phase = Phase.SEAM
        step.deadlines.set("seam", step.now + within)
        step.emit(SeamOpened(step.now, why))

    def close_seam(self, step: Step) -> None:
        """A new stream carries the call on."""
        self.phase = Phase.OPEN
        step.deadlines.cancel("seam")
        step.deadlines.set("no_frames", step.now + step.policy.limits.no_frames)
        step.emit(SeamClosed(step.now))

    def end(self, step: Step, reason: EndReason, detail: str = "") -> None:
        """Set the reason, tell the carrier if it does not know, and close when it has answered."""
        if self.over:
            return
        self.reason = reason
        self.phase = Phase.ENDING
        step.deadlines.clear()
        step.emit(Ending(step.now, reason, detail))
        if reason in BY_THE_OTHER_SIDE or not step.policy.carrier.hangs_up:
            self.close(step)
            return
        step.emit(HangUp())
        step.deadlines.set("carrier", step.now + step.policy.limits.carrier)

    def close(self, step: Step) -> None:
        """The call is over; nothing is asked for after this."""
        assert self.reason is not None
        self.phase = Phase.CLOSED
        step.deadlines.clear()
        step.emit(CloseStream())
        step.emit(CloseTranscriber())
        step.emit(Closed(step.now, self.reason))
