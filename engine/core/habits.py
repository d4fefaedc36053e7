"""What a caller's habits teach about the wait: answers that came too early, sentences that proved whole.

Nothing here waits or decides; `endpointing.judge` weighs what was learned with all other evidence.
"""

from __future__ import annotations

from engine.core.step import Step

PROOF = 3
"""Whole turns in a row after which a caller who went on after a finished sentence is trusted again."""


class Habits:
    """How the turns of this call have ended so far."""

    def __init__(self) -> None:
        self.adaptation = 0
        """Extra wait, ms."""
        self._ended_at: int | None = None
        self._ended_finished = False
        self._proof = 0
        """Finished sentences that were whole turns, in a row; below 0 after one that was not."""

    @property
    def trusted(self) -> bool:
        """A finished sentence of this caller is a whole turn, as far as is known."""
        return self._proof > 0

    def turn_over(self, step: Step, *, finished: bool) -> None:
        """A turn is over; ``finished``: its words were a finished sentence."""
        turns = step.policy.turns
        self._confirm()
        self._ended_at = step.now
        self._ended_finished = finished
        self.adaptation = max(0, self.adaptation - turns.adapt_step // 10)

    def went_on(self, step: Step, *, finished: bool) -> bool:
        """Speech began; ``finished``: in a pause after a finished sentence of the same turn.

        Returns whether it began so soon after the end of a turn that this end came too early.
        """
        turns = step.policy.turns
        early = self._ended_at is not None and step.now - self._ended_at <= turns.cutoff_window
        if early:
            self.adaptation = min(self.adaptation + turns.adapt_step, turns.adapt_most)
        if finished or (early and self._ended_finished):
            self._proof = 1 - PROOF
            self._ended_finished = False
        self._confirm()
        self._ended_at = None
        return early

    def _confirm(self) -> None:
        """The last turn was whole: nobody went on in time."""
        if self._ended_at is not None and self._ended_finished:
            self._proof += 1
        self._ended_finished = False
