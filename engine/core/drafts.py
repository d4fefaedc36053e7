"""How many drafts may be made: thinking in a pause is bought with requests that nobody may ever hear."""

from __future__ import annotations

from collections import deque

from engine.core.caller import CallerTurn
from engine.core.step import Step

MINUTE = 60_000


class Drafts:
    """The allowance of drafts of one call."""

    def __init__(self) -> None:
        self._made: deque[int] = deque()

    def allowed(self, step: Step, turn: CallerTurn) -> bool:
        """Whether one more may be made, for ``turn``."""
        turns = step.policy.turns
        while self._made and step.now - self._made[0] >= MINUTE:
            self._made.popleft()
        return (
            turns.drafts and turn.drafts < turns.drafts_per_turn and len(self._made) < turns.drafts_per_minute
        )

    def made(self, step: Step, turn: CallerTurn) -> None:
        """One was made."""
        turn.drafts += 1
        self._made.append(step.now)
