"""The report's time axis: what was said, the waits, the interruptions, the clocks, each at its second.

An item knows its second (``--s``) and, if it lasts, its duration (``--d``); the page's style does the rest,
and the axis can be zoomed without touching an item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Protocol

from engine.observe.latency import answer_ms, reaction_ms
from engine.observe.timeline import Interruption, Timeline, Turn
from engine.observe.wording import interruption, turn_reason


class ReportLine(Protocol):
    """A line of the transcript, as `engine.records.transcript.Line` has it; times in seconds from joining."""

    @property
    def role(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def start(self) -> float: ...  # noqa: D102
    @property
    def end(self) -> float | None: ...  # noqa: D102
    @property
    def interrupted(self) -> bool: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def arguments(self) -> str: ...  # noqa: D102
    @property
    def failed(self) -> bool: ...  # noqa: D102


def items(line: Timeline, lines: Sequence[ReportLine]) -> Iterator[str]:
    """Everything on the axis as HTML elements, what lies below first."""
    for side, spans in line.speech.items():
        for span in spans:
            end = line.latest if span.end is None else span.end
            start, lasted = _second(line, span.start), (end - span.start) / 1000
            tip = f"{side.capitalize()} speaks for {lasted:.2f} s"
            yield _item(f"tint {side}", start, tip, duration=lasted)
    for each in line.interruptions:
        yield from _interruption(line, each)
    for turn in line.turns:
        yield from _turn(line, turn)
    for said in lines:
        if said.role != "tool" and said.text.strip():
            yield _said(said)
    yield from _pins(line)


def legend() -> str:
    """What the colours mean."""
    entries = (
        ("--caller", "Caller"),
        ("--agent", "Agent, as heard"),
        ("--cut", "Caller over the agent, until it is silent"),
        ("--faint", "Wait for an answer, ms"),
        ("--clock", "Clock"),
        ("--s-carrier", "Tool"),
        ("--bad", "Error"),
    )
    return "".join(
        f'<span><i class="swatch" style="background:var({colour})"></i>{name}</span>'
        for colour, name in entries
    )


def outcome(each: Interruption) -> str:
    """What came of a sound over the agent's speech, and how fast, as a sentence."""
    took = reaction_ms(each)
    return interruption(each.outcome, each.why) + ("" if took is None else f", silent after {took} ms")


def _interruption(line: Timeline, each: Interruption) -> Iterator[str]:
    start = _second(line, each.since)
    until = each.decided if each.silent is None else each.silent
    tip = outcome(each) + (f"\nEvidence: {each.why}" if each.why else "")
    stopped = each.outcome == "stop"
    kind = "over" if stopped else "over open"
    yield _item(kind, start, tip, duration=0.0 if until is None else (until - each.since) / 1000)
    took = reaction_ms(each)
    reaction = "" if took is None else f" {took} ms"
    yield _item("pin intr", start, tip, f"stop{reaction}" if stopped else each.outcome)


def _turn(line: Timeline, turn: Turn) -> Iterator[str]:
    answer = answer_ms(line, turn)
    tip = f"Turn {turn.number}: {turn.text}\nTaken as over after {turn.waited} ms of silence"
    tip += f": {turn_reason(turn.why)}" if turn.why else ""
    if answer is not None:
        tip += f"\nAnswered after {answer} ms"
        start = _second(line, turn.speech_ended)
        yield _item("gap", start, tip, f"<b>{answer}</b>", duration=answer / 1000, html=True)
    yield _item("pin turn", _second(line, turn.ended), tip, str(turn.number))


def _said(said: ReportLine) -> str:
    """A caption. It may be wider than its sound lasts; the page's script finds it a row."""
    side = "agent" if said.role == "assistant" else "caller"
    kind = f"say {side} cut" if said.interrupted else f"say {side}"
    tip = f"{said.text}\n(interrupted)" if said.interrupted else said.text
    text = f'<span tabindex="0">{escape(said.text)}</span>'
    return _item(kind, said.start, tip, text, html=True)


def _pins(line: Timeline) -> Iterator[str]:
    for clock in line.clocks:
        name = clock.clock.replace("_", " ")
        yield _item("pin low clock", _second(line, clock.at), f"Clock at its limit: {name}", name)
    for run in line.tools.values():
        took = "" if run.ended is None else f"\nTook {run.ended - run.started} ms"
        failed = f"\nFailed: {run.error}" if run.error else ""
        tip = f"Tool {run.name}{took}{failed}"
        yield _item("pin low tool", _second(line, run.started), tip, run.name)
    for keys in line.keys:
        yield _item("pin low key", _second(line, keys.at), "Keys pressed", keys.digits)
    for seam in line.seams:
        yield _item("pin low seam", _second(line, seam.start), "The stream went away", "stream away")
    for fault in line.faults:
        yield _item("pin low fault", _second(line, fault.at), f"{fault.role}: {fault.reason}", "error")


def _item(
    kind: str, start: float, tip: str, text: str = "", *, duration: float | None = None, html: bool = False
) -> str:
    """One element. ``start`` and ``duration`` in seconds; ``text`` is escaped unless it is our ``html``."""
    lasting = "" if duration is None else f";--d:{duration:.3f}"
    shape = "at" if duration is None else "at span"
    return (
        f'<div class="{shape} {kind}" style="--s:{start:.3f}{lasting}" data-tip="{escape(tip)}">'
        f"{text if html else escape(text)}</div>"
    )


def _second(line: Timeline, at: int) -> float:
    return max(0, at - line.origin) / 1000
