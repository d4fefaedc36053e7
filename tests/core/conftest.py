"""The two ways to make a reply: a model with a voice beside it, and a model that speaks itself.

What a caller and a record may expect of a call is the same in both, so the tests of it run in both.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.policy import Policy, speech_to_speech
from engine.testing import World

IN_BOTH = frozenset({
    "test_agent_failures", "test_clocks_awaiting", "test_clocks_dead_air", "test_clocks_ladder",
    "test_clocks_longest", "test_clocks_together", "test_ending", "test_failover", "test_interruption",
    "test_interruption_words", "test_keypad", "test_opening", "test_outside", "test_seam", "test_tools",
    "test_turns",
})  # fmt: skip
"""The modules whose tests run in both modes; ``@pytest.mark.pipeline`` is for what only a pipeline has."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of those modules once in each mode."""
    if metafunc.module.__name__.rpartition(".")[2] in IN_BOTH:
        only = metafunc.definition.get_closest_marker("pipeline")
        metafunc.parametrize("mode", ["pipeline"] if only else ["pipeline", "realtime"], indirect=True)


@pytest.fixture(autouse=True)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the test's worlds speak in its mode."""
    if getattr(request, "param", "pipeline") == "realtime":
        enter = World.__init__

        def enter_speaking(world: World, policy: Policy, **parts: Any) -> None:
            enter(world, speech_to_speech(policy), **parts)

        monkeypatch.setattr(World, "__init__", enter_speaking)
