"""Whether there is room for one more call: free slots, and an event loop that keeps time."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from engine.runtime.lag import RecentLag


class Refusal(StrEnum):
    """Why a call was not taken."""

    DRAINING = "draining"
    """The worker was told to stop."""
    FULL = "full"
    """No slot is free."""
    LATE = "late"
    """The event loop runs late: one more call would be heard in those that are up."""
    NO_AGENT = "no_agent"
    """No agent answers the number, or it cannot be run."""


class Admission:
    """Decides whether a call is taken, and counts those that are not.

    ``most_calls``: slots; None: as many as the loop bears. ``most_lag``: seconds of the loop's p99; None:
    however late it runs. A call takes its slot when it rings, and gives it back when it is over and freed,
    which its own deadline sees to where its stream never comes.
    """

    def __init__(self, most_calls: int | None, most_lag: float | None) -> None:
        self.draining = False
        self.lag = RecentLag()
        self.refused: Counter[Refusal] = Counter()
        self._most_calls = most_calls
        self._most_lag = most_lag

    def refusal(self, calls: int) -> Refusal | None:
        """Why a call that comes now, beside ``calls`` that are there, cannot be taken; None: it can."""
        if self.draining:
            return Refusal.DRAINING
        if self._most_calls is not None and calls >= self._most_calls:
            return Refusal.FULL
        if self._most_lag is not None and self.lag.p99 > self._most_lag:
            return Refusal.LATE
        return None
