"""Random worlds: whatever caller, network and vendors do, all laws hold, those about hearing included."""

from __future__ import annotations

import pytest

from engine.testing.random_worlds import random_world
from tests.testing.fake_call import FakeCall


@pytest.mark.parametrize("seed", range(40))
def test_no_world_breaks_a_law(seed: int) -> None:
    world = random_world(seed)
    world.run(90_000)
    assert world.log


def test_the_same_seed_makes_the_same_world() -> None:
    assert random_world(4).run(30_000).log == random_world(4).run(30_000).log


def test_worlds_differ() -> None:
    calls = [FakeCall() for _ in range(8)]
    for seed, call in enumerate(calls):
        random_world(seed, call=call).run(20_000)
    assert len({tuple(map(str, call.events)) for call in calls}) == len(calls)
