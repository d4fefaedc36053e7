"""Random policies: every choice drawn, about half of the numbers at their defaults, some at extremes."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any

from engine.core.conversation import Message
from engine.core.policy import (
    Carrier,
    Ending,
    Idle,
    Keypad,
    LadderStep,
    Limits,
    OnSound,
    Opening,
    Playout,
    Policy,
    Replies,
    Speaker,
    StepEnding,
    Tool,
    ToolKind,
    Turns,
)

TEXTS = (
    "", " ", "yes", "no", "Hello there.", "mm-hm", "wait, stop", "I'd like a table for two and", "um",
    "my number is five five five", "goodbye", "**Sure!** It costs $12.50 (see https://x.org).",
    "\n\n- one\n- two",
    "Good morning, how can I help you today? We are open from nine to five, on Sundays too.",
    "é 你好 \U0001f600", "...",
)  # fmt: skip
TOOLS = (
    Tool("look", ToolKind.READ, 900),
    Tool("book", ToolKind.ACT, 1_500),
    Tool("leave", ToolKind.END, 500),
)


def random_policy(rng: random.Random) -> Policy:
    """A policy that was drawn."""
    opening = Opening(
        rng.choice(tuple(Speaker)), rng.choice(TEXTS), rng.choice(("", "", "Greet.")), rng.choice((0, 300)),
        rng.random() < 0.3, rng.choice((None, 500, 3_000)), rng.choice(TEXTS), rng.choice(("", "Ask.")),
    )  # fmt: skip
    ladder = tuple(
        LadderStep(rng.choice((500, 5_000)), rng.choice(TEXTS), rng.choice(tuple(StepEnding)))
        for _ in range(rng.choice((0, 0, 1, 3)))
    )
    idle = Idle(rng.choice(((), ("Hello?", "Are you there?"))), 700, rng.choice((0, 1, 3)), ladder)
    ending = Ending(rng.choice(TEXTS), rng.choice(((), ("goodbye",))), rng.random() < 0.5, rng.choice(TEXTS))
    return Policy(
        prompt=rng.choice(("", "You are a waiter.")),
        initial_messages=rng.choice(((), (Message("user", "hi"), Message("assistant", "hello")))),
        medium=rng.choice(("voice", "voice", "voice", "text")),
        opening=opening,
        turns=_shaken(rng, replace(Turns(), on_sound=rng.choice(tuple(OnSound)))),
        idle=replace(_shaken(rng, idle), dead_air=rng.choice((None, 4_000, 30_000))),
        limits=_shaken(rng, replace(Limits(), longest_message=rng.choice(TEXTS))),
        ending=ending,
        replies=_shaken(
            rng, replace(Replies(), filler_after=rng.choice((None, 300)), fillers=("One moment.",))
        ),
        playout=rng.choice((Playout(), Playout(lead=200), Playout(lead=20_000, chunk=20, first_chunk=20))),
        keypad=_shaken(rng, Keypad()),
        carrier=Carrier(rng.random() < 0.8, rng.random() < 0.5, rng.random() < 0.5),
        tools=TOOLS[: rng.randrange(4)],
        transfer_target=rng.choice(("", "+15550100")),
    )


def _shaken(rng: random.Random, group: Any) -> Any:
    """A group of the policy with some numbers at extremes and some switches thrown."""
    changes: dict[str, Any] = {}
    for field in fields(group):
        value = getattr(group, field.name)
        if isinstance(value, bool):
            changes[field.name] = rng.random() < 0.5
        elif isinstance(value, int) and value > 0 and rng.random() < 0.3:
            changes[field.name] = rng.choice((1, value // 4 + 1, value * 3))
    return replace(group, **changes)
