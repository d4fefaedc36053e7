"""The report of a call: one HTML page that needs nothing else, to look at, to listen to and to send.

Everything a page says stands in its HTML, escaped; script only draws the waveforms, zooms and plays. A
content security policy allows that one script by its hash, so nothing that was said on a call can ever run.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from urllib.parse import quote

import orjson

from engine.core.notes import EndReason
from engine.observe.latency import answer_ms, latencies, percentile, shares, waterfall
from engine.observe.report_timeline import ReportLine, items, legend, outcome
from engine.observe.timeline import Timeline, Turn
from engine.observe.waveform import PEAKS_PER_SECOND, Waveform
from engine.observe.wording import STAGE_WORDS, words

_PAGE = Path(__file__).parent / "page"

_FAILURES = (EndReason.CONNECTION_ERROR, EndReason.PROVIDER_ERROR, EndReason.ENGINE_ERROR)


@dataclass(frozen=True, slots=True)
class Report:
    """What the page shows. ``audio_file``: the recording beside the page, for where it is not inside."""

    call_id: str
    direction: str
    when: str
    facts: Sequence[tuple[str, str]]
    timeline: Timeline
    lines: Sequence[ReportLine]
    waveform: Waveform | None = None
    audio_file: str = ""


def render(report: Report) -> str:
    """The page."""
    script, style = (
        (_PAGE / name).read_text("utf-8").replace("\r\n", "\n") for name in ("report.js", "report.css")
    )
    line, wave = report.timeline, report.waveform
    inside = wave.audio if wave else b""
    beside = report.audio_file if wave and not inside else ""
    values = {
        "script": script,
        "script_hash": b64encode(sha256(script.encode()).digest()).decode(),
        "style": style,
        "title": escape(f"Call {report.call_id}"),
        "eyebrow": escape(f"Call {report.call_id}"),
        "headline": f"{escape(report.direction.capitalize())} call",
        "badge": _badge(line),
        "lede": escape(report.when),
        "tiles": _tiles(line),
        "length": f"{max(1.0, line.length / 1000, len(wave.caller) / PEAKS_PER_SECOND if wave else 0):.3f}",
        "items": "\n".join(items(line, report.lines)),
        "legend": legend(),
        "audio_source": f' src="{escape(quote(beside))}"' if beside else "",
        "transcript": "".join(map(_spoken, report.lines)) or '<li class="none">Nobody said anything.</li>',
        "latency": _latency(line),
        "events": _events(line),
        "facts": "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in report.facts
        ),
        "turns": _waterfalls(line),
        "peaks": _peaks(wave),
        "recording": b64encode(inside).decode(),
    }
    template = (_PAGE / "report.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


# --- head ---------------------------------------------------------------------------------------------


def _badge(line: Timeline) -> str:
    if line.closed is None or line.reason is None:
        return '<span class="badge live">Live</span>'
    kind = "badge bad" if line.reason in _FAILURES else "badge"
    return f'<span class="{kind}">{escape(words(line.reason))}</span>'


def _tiles(line: Timeline) -> str:
    answers = [ms for turn in line.turns if (ms := answer_ms(line, turn)) is not None]
    half, most = (percentile(answers, 50), max(answers)) if answers else (None, None)
    stopped = sum(each.outcome == "stop" and each.by_sound for each in line.interruptions)
    tiles = (
        ("Duration", _clock(line.length), ""),
        ("Turns", str(len(line.turns)), ""),
        ("Typical answer", _ms_tile(half), ""),
        ("Slowest answer", _ms_tile(most), ""),
        ("Interruptions", str(stopped), ""),
        ("Errors", str(len(line.faults)), "bad" if line.faults else ""),
    )
    return "".join(
        f'<div class="{kind}"><dt>{name}</dt><dd>{value}</dd></div>' for name, value, kind in tiles
    )


def _ms_tile(ms: int | None) -> str:
    return "–" if ms is None else f"{ms:,} <small>ms</small>".replace(",", "\u202f")


# --- transcript and tables ----------------------------------------------------------------------------


def _spoken(line: ReportLine) -> str:
    seek = (
        f'<button type="button" class="seek" data-at="{line.start:.3f}" '
        f'aria-label="Go to {_clock(round(line.start * 1000))}">{_clock(round(line.start * 1000))}</button>'
    )
    if line.role == "tool":
        outcome = "failed: " if line.failed else ""
        text = f"<code>{escape(line.name)}({escape(line.arguments)})</code> → {outcome}{escape(line.text)}"
    else:
        text = escape(line.text)
    who = {"user": "Caller", "assistant": "Agent", "remark": "Caller, aside", "tool": "Tool"}[line.role]
    tag = '<span class="tag">interrupted</span>' if line.interrupted else ""
    return f'<li class="{line.role}">{seek}<p><span class="who">{who}</span>{text}{tag}</p></li>'


def _latency(line: Timeline) -> str:
    rows = "".join(
        f"<tr{' class=total' if each.stage == 'answer' else ''} {_measures(each.stage)}>"
        f"<td>{STAGE_WORDS[each.stage][0].capitalize()}</td>"
        f"<td>{each.p50}</td><td>{each.p90}</td><td>{each.p99}</td><td>{each.count}</td></tr>"
        for each in latencies(line)
    )
    if not rows:
        return '<p class="none">Nothing was measured: the caller had no turn that was answered.</p>'
    head = "<tr><th>ms</th><th>p50</th><th>p90</th><th>p99</th><th>n</th></tr>"
    overlap = (
        '<p class="hint">The agent already thinks while it waits for the end of the turn: '
        "stages overlap, and add up to more than the answer.</p>"
    )
    return f"{overlap}<table>{head}{rows}</table>"


def _events(line: Timeline) -> str:
    rows: list[tuple[int, str, str]] = [(each.at, "", f"Clock: {words(each.clock)}") for each in line.clocks]
    for fault in line.faults:
        rows.append((fault.at, "fault", f"Error, {fault.role}: {fault.reason}"))
    rows += [(each.since, "", outcome(each)) for each in line.interruptions]
    for seam in line.seams:
        lasted = "" if seam.end is None else f" for {seam.end - seam.start} ms"
        rows.append((seam.start, "", f"Stream away{lasted}"))
    for keys in line.keys:
        rows.append((keys.at, "", f"Keys pressed: {keys.digits}"))
    if line.closed is not None and line.reason is not None:
        rows.append((line.closed, "", f"End: {words(line.reason)}{_detail(line)}"))
    if not rows:
        return '<p class="none">None.</p>'
    cells = "".join(
        f'<tr><td>{_clock(at - line.origin)}</td><td class="{kind}">{escape(text)}</td></tr>'
        for at, kind, text in sorted(rows)
    )
    return f'<table class="events">{cells}</table>'


def _detail(line: Timeline) -> str:
    return f" ({line.detail})" if line.detail else ""


# --- waterfalls ---------------------------------------------------------------------------------------


def _waterfalls(line: Timeline) -> str:
    bars = [bar for turn in line.turns for bar in waterfall(line, turn)]
    first = min((bar.start for bar in bars), default=0)
    last = max((bar.end for bar in bars), default=0)
    cards = "".join(_waterfall(line, turn, min(0, first), max(1, last)) for turn in line.turns)
    return cards or '<p class="none">The caller had no turn.</p>'


def _waterfall(line: Timeline, turn: Turn, first: int, last: int) -> str:
    share = 100 / (last - first)
    rows = "".join(
        f'<div class="row" {_measures(bar.stage)}><span>{STAGE_WORDS[bar.stage][0]}</span><div class="track">'
        f'<i class="zero" style="--a:{-first * share:.2f}"></i>'
        f'<div style="--a:{(bar.start - first) * share:.2f};--w:{(bar.end - bar.start) * share:.2f}">'
        f'<i class="fill {bar.stage.replace(" ", "-")}"></i><span>{bar.end - bar.start}</span>'
        "</div></div></div>"
        for bar in waterfall(line, turn)
    )
    answer = answer_ms(line, turn)
    total = "no answer heard" if answer is None else f"{answer} ms"
    parts = [f"{STAGE_WORDS[stage][0]} {ms}" for stage, ms in shares(line, turn)] if answer else []
    added = f'<p class="sum">{" + ".join(parts)} = {answer} ms</p>' if parts else ""
    return (
        f'<article class="turn"><h3><span class="no">{turn.number}</span><q>{escape(turn.text)}</q>'
        f'<span class="ms">{total}</span></h3>{added}{rows}</article>'
    )


# --- small things -------------------------------------------------------------------------------------


def _measures(stage: str) -> str:
    """What the stage measures, for whoever points at it."""
    name, meaning = STAGE_WORDS[stage]
    return f'data-tip="{escape(f"{name.capitalize()}: {meaning}")}"'


def _clock(ms: int) -> str:
    seconds = max(0, ms) / 1000
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def _peaks(wave: Waveform | None) -> str:
    if wave is None:
        return "null"
    tracks = {
        side: b64encode(peaks).decode() for side, peaks in (("caller", wave.caller), ("agent", wave.agent))
    }
    return orjson.dumps({"rate": PEAKS_PER_SECOND, **tracks}).decode()
