"""Frames of a caller at rest draw no conclusions; a call that drew them would do nothing else."""

from __future__ import annotations

import pytest

from engine.core.call import Call
from engine.core.caller import Caller
from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.policy import Policy
from engine.testing import fuzz


class Restless(Caller):
    """Never at rest: there is something to conclude after every frame."""

    at_rest = False  # type: ignore[assignment]


class BothWays(Call):
    """A call, and beside it one that concludes after every frame."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.restless = Call(policy)
        self.restless.caller.__class__ = Restless

    def handle(self, event: Event, now: int) -> list[Effect]:
        effects = super().handle(event, now)
        assert self.restless.handle(event, now) == effects
        assert self.restless.wake_at == self.wake_at
        return effects

    def wake(self, now: int) -> list[Effect]:
        effects = super().wake(now)
        assert self.restless.wake(now) == effects
        assert self.restless.wake_at == self.wake_at
        return effects


@pytest.mark.parametrize("batch", range(4))
def test_a_frame_at_rest_changes_nothing_that_a_conclusion_hangs_on(batch: int) -> None:
    for seed in range(2_000_000 + batch * 250, 2_000_000 + (batch + 1) * 250):
        fuzz(seed, call=BothWays)
