"""A real call through the core, over and over the same: what listeners are given, step by step."""

from __future__ import annotations

from functools import cache

from engine.core import events as ev
from engine.core.policy import Opening, Policy
from tests.observe.small_shell import SmallShell, Step

JOINED = 300
POLICY = Policy(prompt="Take orders.", opening=Opening(message="Hello, what can I get you?"))


def _script() -> list[tuple[int, ev.Event]]:
    """A greeting with its echo; the caller speaks from 3 to 4 s and, over the answer, from 5.3 to 6.3 s."""
    script: list[tuple[int, ev.Event]] = [
        (0, ev.Created("inbound")),
        (50, ev.TranscriberReady()),
        (JOINED, ev.StreamOpened("MZ1", "CA1", "twilio")),
        (4_150, ev.FinalWords("a large latte please")),
        (6_000, ev.InterimWords("no wait make it")),
        (6_450, ev.FinalWords("no wait make it small")),
        (9_000, ev.KeyPressed("5")),
        (12_000, ev.CallerHungUp()),
    ]
    for at in range(0, 11_600, 20):
        spoken = 2_700 <= at < 3_700 or 5_000 <= at < 6_000
        echo = 600 <= at < 1_200
        level = -20.0 if spoken else -40.0 if echo else -60.0
        frame = ev.CallerAudio(b"\x20" * 160, at, level, 0.95 if spoken or echo else 0.01)
        script.append((JOINED + at + 20, frame))
    return script


@cache
def real_steps() -> list[Step]:
    """All steps of the call."""
    answers = ["One large latte coming up, would you like anything else with that today?"] * 3
    answers += ["A small one then."] * 9
    return SmallShell(POLICY, _script(), answers).run(15_000)
