"""Random calls: no order of events breaks a law, and the runner notices one that is broken."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine.core import events
from engine.core.policy import Policy
from engine.testing import LawBroken, fuzz, random_policy
from engine.testing.random_calls import RandomEvents, random_steps
from tests.testing.fake_call import FakeCall


@pytest.mark.parametrize("hundred", range(10))
def test_random_events_break_no_law(hundred: int) -> None:
    for seed in range(hundred * 100, hundred * 100 + 100):
        fuzz(seed)


def test_all_kinds_of_events_are_drawn() -> None:
    rng = random.Random(1)
    steps = random_steps(rng, RandomEvents(rng, Policy()))
    drawn = {type(next(steps)[1]) for _ in range(5_000)}
    assert drawn == set(events.Event.__args__)


def test_the_same_seed_draws_the_same_call() -> None:
    def steps(seed: int) -> list[Any]:
        call = FakeCall()
        fuzz(seed, policy=random_policy(random.Random(seed)), call=call)
        return call.events[: len(call.events) // 2]

    assert steps(7) == steps(7) != steps(8)


def test_a_call_that_raises_is_found() -> None:
    def broken(event: Any, now: int) -> list[Any]:
        raise ValueError("oops")

    with pytest.raises(LawBroken, match="seed 3: ValueError"):
        fuzz(3, steps=500, call=FakeCall({events.MarkEchoed: broken}))
