"""Where the time of an answer goes: each turn's waterfall, and percentiles of its stages over a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from engine.observe.timeline import Interruption, Timeline, Turn

_STAGES = (
    ("turn end", "speech_ended", "turn_ended"),
    ("model", "model_asked", "first_text"),
    ("sentence", "first_text", "voice_asked"),
    ("voice", "voice_asked", "first_audio"),
    ("hand-over", "first_audio", "first_sent"),
    ("carrier", "first_sent", "first_heard"),
)

_OF_ITS_OWN = tuple(
    (stage, "first_text" if stage == "voice" else first, last)
    for stage, first, last in _STAGES
    if stage != "sentence"
)
"""The same for a model that speaks itself: no voice waits for a sentence of it."""

STAGES = (*(name for name, _, _ in _STAGES), "answer", "interruption")
"""The names of all stages, in order.

``turn end``: last sound of the caller to the turn taken as over; ``model``: asked to first text;
``sentence``: first text to the first piece worth speaking; ``voice``: piece (of a model that speaks itself:
first text) to first audio; ``hand-over``: audio (and the end of the turn, for which a draft waits) to the
carrier; ``carrier``: to the caller's ear, as its marks say; ``answer``: last sound of the caller to first
sound of the agent; ``interruption``: onset of the caller's sound to the agent's silence.
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage of a turn: ``start`` and ``end`` in ms after the caller's last sound (or before it)."""

    stage: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class StageLatency:
    """Percentiles (nearest rank) of one stage over ``count`` turns, ms."""

    stage: str
    count: int
    p50: int
    p90: int
    p99: int


def waterfall(timeline: Timeline, turn: Turn) -> list[Bar]:
    """The stages of ``turn`` that are known so far, in order; what was not measured is left out."""
    points = {"speech_ended": turn.speech_ended, "turn_ended": turn.ended}
    if turn.reply is not None:
        points |= timeline.replies[turn.reply].stages
    bars = []
    for stage, first, last in _STAGES if "voice_asked" in points else _OF_ITS_OWN:
        if first not in points or last not in points:
            continue
        start = points[first]
        if stage == "hand-over":
            start = max(start, turn.ended)
        bars.append(Bar(stage, start - turn.speech_ended, max(start, points[last]) - turn.speech_ended))
    return bars


def answer_ms(timeline: Timeline, turn: Turn) -> int | None:
    """From the caller's last sound to the agent's first, ms; None where no answer was heard."""
    heard = None if turn.reply is None else timeline.replies[turn.reply].stages.get("first_heard")
    return None if heard is None else heard - turn.speech_ended


def reaction_ms(interruption: Interruption) -> int | None:
    """From the caller's first sound over the agent to the agent's silence, ms; None where there was none.

    A key or a text silences the agent at once: nothing to measure.
    """
    if interruption.silent is None or not interruption.by_sound:
        return None
    return interruption.silent - interruption.since


def shares(timeline: Timeline, turn: Turn) -> list[tuple[str, int]]:
    """What each stage added to the answer, ms: the part of it that nothing before it covered, zeros left out.

    Stages overlap, because a draft thinks while the turn may still go on; these parts add up to `answer_ms`.
    Time that no stage covers is called ``other``.
    """
    parts: list[tuple[str, int]] = []
    reached = 0
    for bar in waterfall(timeline, turn):
        parts.append(("other", bar.start - reached))
        parts.append((bar.stage, bar.end - max(bar.start, reached)))
        reached = max(reached, bar.end)
    return [(stage, ms) for stage, ms in parts if ms > 0]


def latencies(timeline: Timeline) -> list[StageLatency]:
    """All stages of the call that were measured at least once."""
    values: dict[str, list[int]] = {stage: [] for stage in STAGES}
    for turn in timeline.turns:
        for bar in waterfall(timeline, turn):
            values[bar.stage].append(bar.end - bar.start)
        answer = answer_ms(timeline, turn)
        if answer is not None:
            values["answer"].append(answer)
    for interruption in timeline.interruptions:
        reaction = reaction_ms(interruption)
        if reaction is not None:
            values["interruption"].append(reaction)
    return [
        StageLatency(stage, len(of), percentile(of, 50), percentile(of, 90), percentile(of, 99))
        for stage, of in values.items()
        if of
    ]


def percentile(values: Iterable[int], percent: int) -> int:
    """The nearest-rank percentile: the smallest value that ``percent`` % of the values do not exceed.

    Raises `ValueError` for no values.
    """
    ranked: Sequence[int] = sorted(values)
    if not ranked:
        raise ValueError("no values, no percentile")
    return ranked[max(0, ceil(len(ranked) * percent / 100) - 1)]
