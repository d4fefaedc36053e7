"""What the demo's caller says: lines that come with the engine, or WAV files of the user's choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.agent import Agent
from engine.demo.caller import AfterAgent, HangUp, Interrupt, StaySilent, Step
from engine.demo.wav import read_speech
from engine.errors import EngineError

LINES = Path(__file__).with_name("lines")
"""The lines that come with the engine: a folder a playbook, a file a line, named by what it does."""

TEXTS: Mapping[str, Mapping[str, str]] = {
    "appointment_desk": {
        "1-request": "I need an appointment on Tuesday please.",
        "2-interruption": "At eleven please.",
        "3-name": "My name is David Miller.",
        "4-yes": "Yes, that's right.",
        "5-goodbye": "Goodbye.",
    },
    "drink_orders": {
        "1-request": "An iced coffee please.",
        "2-interruption": "Large please.",
        "3-change": "Wait, make it small.",
        "4-yes": "Yes, that's right.",
        "5-goodbye": "Goodbye.",
    },
}
"""The words of those lines by playbook and file name. Each caller interrupts with the second line."""

_INTERRUPT_AFTER = {"appointment_desk": 2_400, "drink_orders": 1_100}
"""ms into the agent's answer, which is a list of times, or of sizes."""

_OPENS_AFTER = 6_000
"""ms of silence on a fresh line after which the caller opens."""


def built_in(agent: Agent) -> list[Step]:
    """The script for an agent with one of the playbooks that come with the engine.

    Raises `EngineError` for other agents, for whom nobody knows what to say.
    """
    playbook = agent.model.playbook
    if playbook not in TEXTS:
        raise EngineError(
            f"the demo has lines only for callers of agents with the playbook {' or '.join(TEXTS)}:"
            " name WAV files with what the caller says, as in --caller FIRST.wav SECOND.wav"
        )
    lines = [read_speech(LINES / playbook / f"{name}.wav") for name in TEXTS[playbook]]
    return _script(lines, _INTERRUPT_AFTER[playbook])


def of_files(files: Sequence[Path]) -> list[Step]:
    """The script for WAV files of the user's choice. Raises `EngineError` for a file that cannot be used."""
    return _script([read_speech(file) for file in files], 1_500)


def _script(lines: Sequence[bytes], interrupt_after: int) -> list[Step]:
    """Say the first line, interrupt with the second, fall silent until the agent asks, say the others.

    A caller with fewer than three lines has none to interrupt with. An agent that waits for the caller to
    open gets the first line after a while; one that does not hang up after the last line is hung up on.
    """
    first, *others = lines
    steps: list[Step] = [AfterAgent(first, patience=_OPENS_AFTER)]
    if len(others) > 1:
        steps.append(Interrupt(others.pop(0), after=interrupt_after))
    steps.append(StaySilent())
    steps += map(AfterAgent, others)
    return [*steps, HangUp()]
