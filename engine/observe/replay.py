"""Runs a recorded call again: the same events through a fresh call must give the same effects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from engine.core.call import Call
from engine.observe.codec import dumps, encode
from engine.observe.journal import read_head, read_steps


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step that came out otherwise: ``expected`` stands in the journal, ``got`` came now."""

    line: int
    now: int
    event: str
    expected: list[Any]
    got: list[Any]

    def __str__(self) -> str:
        return (
            f"line {self.line}, {self.now} ms, {self.event}:\n"
            f"  recorded {_listed(self.expected)}\n"
            f"  now      {_listed(self.got)}"
        )


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How a replay went: the steps that were run, and the first that differed, where it stopped."""

    steps: int
    first_difference: Difference | None = None

    @property
    def same(self) -> bool:
        """Every step gave the same effects."""
        return self.first_difference is None

    def __str__(self) -> str:
        if self.first_difference is None:
            return f"{self.steps} steps, all with the same effects"
        return f"{self.steps} steps, the last one differs: {self.first_difference}"


def replay(path: Path) -> ReplayResult:
    """Run the journal at ``path`` through a fresh `Call` and compare effects step by step, by their JSON.

    Raises `EngineError` for a file that is no journal, naming the line and what is wrong with it.
    """
    call = Call(read_head(path).policy)
    steps = 0
    for step in read_steps(path):
        effects = call.wake(step.now) if step.event is None else call.handle(step.event, step.now)
        steps += 1
        got = orjson.loads(dumps([encode(effect) for effect in effects]))
        if got != step.encoded:
            event = "woken" if step.event is None else type(step.event).__name__
            return ReplayResult(steps, Difference(step.line, step.now, event, step.encoded, got))
    return ReplayResult(steps)


def _listed(effects: list[Any]) -> str:
    return orjson.dumps(effects).decode() if effects else "nothing"
