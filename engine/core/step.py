"""What one step of a call works with: the policy, the time, the alarms, and the effects so far."""

from __future__ import annotations

from engine.core.deadlines import Deadlines
from engine.core.effects import Effect
from engine.core.policy import Policy


class Step:
    """Handed to every machine of a call. ``now`` is call time in ms."""

    __slots__ = ("deadlines", "effects", "now", "policy")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = 0
        self.deadlines = Deadlines()
        self.effects: list[Effect] = []

    def emit(self, effect: Effect) -> None:
        """Ask the world for something, after all that was asked before."""
        self.effects.append(effect)

    def take(self) -> list[Effect]:
        """The effects of this step; the next one starts empty."""
        effects, self.effects = self.effects, []
        return effects
