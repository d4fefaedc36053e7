"""The laws under random events and under random calls with a phone, broken vendors and stalls.

The normal run is bounded; ``python benchmarks/laws.py`` takes a hundred thousand sequences.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.policy import OnSound, Opening, Policy, Tool, ToolKind, Turns
from engine.testing import (
    Caller,
    Fails,
    Phone,
    Refuses,
    Repeats,
    ScriptedModel,
    ScriptedTool,
    ScriptedTranscriber,
    ScriptedVoice,
    Silent,
    Stalls,
    ToolUse,
    World,
    agent_silent,
    agent_speaking,
    fuzz,
    replay,
)
from tests.core.turn_scenes import LONG

SEEDS = 3_000
BATCH = 250
FIRST = 1_000_000
"""Other seeds than those of the other runs."""


@pytest.mark.parametrize("batch", range(SEEDS // BATCH))
def test_random_events_break_no_law(batch: int) -> None:
    for seed in range(FIRST + batch * BATCH, FIRST + (batch + 1) * BATCH):
        fuzz(seed)


@given(st.integers(0, 2**48), st.integers(1, 120))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_sequences_of_any_length_break_no_law(seed: int, steps: int) -> None:
    fuzz(seed, steps)


SAYINGS = (
    "Yes.",
    "No, wait a moment.",
    "mm-hm",
    "I would like a table and",
    "um",
    "stop",
    "five five one two",
)
REPLIES = (
    "Okay.",
    LONG,
    f"Yes. {LONG}",
    "For which day would you like it, please?",
    "**Sure!** It costs $12.50.",
)


class Scene:
    """A call of which everything was drawn."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def policy(self) -> Policy:
        rng = self._rng
        turns = Turns(
            on_sound=rng.choice(tuple(OnSound)), drafts=rng.random() < 0.7, interruptible=rng.random() < 0.9,
            endpoint_delay=rng.choice((300, 600, 1_000)), words_to_interrupt=rng.choice((1, 1, 2)),
            shortest_turn=rng.choice((0, 0, 300)), never_interrupt=("mm-hm", "yes"),
            always_interrupt=("stop",),
        )  # fmt: skip
        opening = Opening(message=rng.choice(REPLIES), uninterruptible=rng.random() < 0.2)
        tools = (Tool("look", ToolKind.READ), Tool("book", ToolKind.ACT))
        return Policy(opening=opening, turns=turns, tools=tools)

    def caller(self) -> Caller:
        rng, caller = self._rng, Caller()
        for _ in range(rng.randrange(1, 7)):
            cue = rng.choice(
                (None, agent_silent(rng.choice((0, 300, 900))), agent_speaking(rng.randrange(3_000)))
            )
            pause = 0 if cue else rng.choice((200, 700, 1_500))
            what = rng.random()
            if what < 0.7:
                text = rng.choice(SAYINGS)
                pauses = [(rng.randrange(1, 300), rng.choice((100, 500)))] if rng.random() < 0.3 else []
                caller.says(text, when=cue, pause=pause, pauses=pauses)
            elif what < 0.85:
                caller.coughs(when=cue, pause=pause, lasts=rng.choice((40, 120, 200, 1_500)))
            elif what < 0.95:
                caller.presses("12#"[: rng.randrange(1, 4)], when=cue, pause=pause)
            else:
                caller.drops(when=cue, pause=pause, back_after=rng.choice((400, 3_000)))
        if rng.random() < 0.3:
            caller.noise(rng.randrange(8_000), rng.choice((300, 4_000, 12_000)))
        return caller.hangs_up(pause=rng.choice((500, 6_000))) if rng.random() < 0.7 else caller

    def phone(self) -> Phone:
        rng = self._rng
        return Phone(
            delay_ms=rng.choice((0, 0, 40, 200)),
            jitter=rng.choice(((), (0, 30, 5, 60))),
            stalls=[(rng.randrange(9_000), 500)] if rng.random() < 0.3 else [],
            losses=[(rng.randrange(9_000), 240)] if rng.random() < 0.3 else [],
            echo_db=rng.choice((None, None, -25.0)),
        )

    def faults(self) -> list[Any]:
        rng = self._rng
        some = (
            None,
            None,
            Silent(),
            Refuses(),
            Stalls(rng.choice((3, 400))),
            Fails(rng.choice((4, 500))),
            Repeats(),
        )
        return [rng.choice(some) for _ in range(4)] if rng.random() < 0.5 else []

    def world(self) -> World:
        rng = self._rng
        some = (*REPLIES, ToolUse("look"), [LONG, ToolUse("book")])
        replies: list[Any] = [*(rng.choice(some) for _ in range(6)), "Goodbye then."]
        return World(
            self.policy(),
            caller=self.caller(),
            phone=self.phone(),
            transcriber=ScriptedTranscriber(
                final_delay=rng.choice((60, 300, 1_400)), interim_every=rng.choice((None, 100, 400)),
                faults=rng.choice(([], [Fails(4_000)])), repeats=rng.random() < 0.1,
            ),
            model=ScriptedModel(
                replies, first_token_ms=rng.choice((20, 300, 1_500)), tokens_per_second=rng.choice((8, 60)),
                faults=self.faults(), late=rng.random() < 0.3,
            ),
            voice=ScriptedVoice(
                first_audio_ms=rng.choice((20, 150, 900)), realtime_factor=rng.choice((0.8, 2.0, 8.0)),
                word_times=rng.random() < 0.7, faults=self.faults(), late=rng.random() < 0.3,
            ),
            tools={"look": ScriptedTool(delay_ms=rng.choice((50, 3_000))), "book": ScriptedTool()},
            loop_stalls=[(rng.randrange(12_000), 300)] if rng.random() < 0.3 else [],
            max_ms=400_000,
        )  # fmt: skip


SPLIT = pytest.param(79)


@pytest.mark.parametrize("seed", [SPLIT if seed == 79 else seed for seed in range(150)])
def test_random_calls_keep_the_laws_at_the_ear_and_end(seed: int) -> None:
    world = Scene(random.Random(seed)).world().run()
    assert world.ended_at is not None
    assert replay(world.policy, world.log).messages == world.messages
