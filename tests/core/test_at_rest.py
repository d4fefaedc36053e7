"""Frames of a caller at rest draw no conclusions; a call that drew them would do nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.call import Call
from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.policy import Policy
from engine.testing import fuzz


class BothWays:
    """A call, and beside it one that concludes after every frame."""

    def __init__(self, policy: Policy) -> None:
        self.call = Call(policy)
        self.restless = Call(policy)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.call, name)

    def handle(self, event: Event, now: int) -> list[Effect]:
        self.restless._concluded = False
        return self.same(self.call.handle(event, now), self.restless.handle(event, now))

    def wake(self, now: int) -> list[Effect]:
        return self.same(self.call.wake(now), self.restless.wake(now))

    def same(self, effects: list[Effect], restless: list[Effect]) -> list[Effect]:
        assert restless == effects
        assert self.restless.wake_at == self.call.wake_at
        return effects


@pytest.mark.parametrize("batch", range(4))
def test_a_frame_at_rest_changes_nothing_that_a_conclusion_hangs_on(batch: int) -> None:
    for seed in range(2_000_000 + batch * 250, 2_000_000 + (batch + 1) * 250):
        fuzz(seed, call=BothWays)
