"""All results as one page that stands alone: no script, nothing fetched, light and dark, fit for a phone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from benchmarks.report import COMPILED, cell_text

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 10, 44
"""The plot's margins."""
COLOURS = 8

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --line: #d7dce2; --paper: #ffffff;
  --c0: #1f6fd1; --c1: #d1551f; --c2: #1f8f5f; --c3: #9a4fc4; --c4: #b08900; --c5: #c42f63; --c6: #2f9aa8;
  --c7: #6b7280 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4b0; --line: #39414b;
  --paper: #14171b; --c0: #6aa9f5; --c1: #f58d5f; --c2: #5fcf9c; --c3: #c894ea; --c4: #e0bd4a; --c5: #f2789f;
  --c6: #6fd3df; --c7: #a0a8b3 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: .5rem 0 }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.5rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem }
nav a { color: var(--c0); margin-right: 1rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th { color: var(--soft); font-weight: 600; vertical-align: bottom }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper) }
ul { padding-left: 1.2rem; color: var(--soft); font-size: .875rem }
svg { width: 100%; max-width: 44rem; height: auto; display: block; margin: 1rem 0 0 }
svg text { fill: var(--soft); font-size: 13px; font-family: inherit }
.grid { stroke: var(--line) }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round }
.key { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; color: var(--ink) }
.key i { display: inline-block; width: 1rem; height: .25rem; margin-right: .4rem; vertical-align: middle }
""" + "".join(
    f".s{n} {{ stroke: var(--c{n}) }} .b{n} {{ background: var(--c{n}) }}\n" for n in range(COLOURS)
)


def write_page(results: Path, order: Sequence[str]) -> None:
    """Draw ``index.html`` of all results in a folder; those of ``order`` first, and in that order."""
    results.mkdir(exist_ok=True)
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in results.glob("*.json")}
    names = [name for name in order if name in found] + sorted(set(found) - set(order))
    (results / "index.html").write_text(page([found[name] for name in names]), encoding="utf-8")


def page(results: Sequence[Mapping[str, Any]]) -> str:
    """The page of these results."""
    links = "\n".join(f'<a href="#{escape(each["name"])}">{escape(each["name"])}</a>' for each in results)
    body = "".join(_section(each) for each in results)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Benchmarks</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>Benchmarks</h1>\n"
        "<p>Each table is of one run on the machine named below it. Figures of different machines or days do"
        f" not compare; each stands beside a baseline of its own run.</p>\n<nav>{links}</nav>\n{body}"
        "</body>\n</html>\n"
    )


def _section(result: Mapping[str, Any]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in result.get("machine", {}).items())
    took = f"; the run took {result['seconds']} s" if "seconds" in result else ""
    compiled = ", compiled" if result["name"].endswith(COMPILED) else ""
    title = f'<h2 id="{escape(result["name"])}">{escape(result["title"] + compiled)}</h2>\n'
    about = f"<ul><li>Machine: {escape(machine + took)}.</li></ul>\n"
    return title + _body(result) + about


def _body(result: Mapping[str, Any]) -> str:
    """Table, notes, plot and parts."""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in result["columns"])
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell_text(cell))}</td>" for cell in row) + "</tr>\n"
        for row in result["rows"]
    )
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table>"
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in result["notes"])
    parts = "".join(f"<h3>{escape(part['title'])}</h3>\n{_body(part)}" for part in result.get("parts", ()))
    return (
        f'<div class="scroll">{table}</div>\n'
        + (f"<ul>\n{notes}</ul>\n" if notes else "")
        + plot(result)
        + parts
    )


# --- plots --------------------------------------------------------------------------------------------


def plot(result: Mapping[str, Any]) -> str:
    """The curves of a result as SVG with a key; nothing where there are none."""
    curves = {name: points for name, points in result.get("curves", {}).items() if points}
    if not curves:
        return ""
    across = _ticks([point[0] for points in curves.values() for point in points])
    up = _ticks([point[1] for points in curves.values() for point in points])

    def place(x: float, y: float) -> tuple[float, float]:
        wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return (
            LEFT + wide * (x - across[0]) / (across[-1] - across[0]),
            TOP + high * (1 - (y - up[0]) / (up[-1] - up[0])),
        )

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(result["title"])}">']
    for value in across:
        x, bottom = place(value, up[0])
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom:.1f}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{value:g}</text>')
    for value in up:
        left, y = place(across[0], value)
        parts.append(f'<line class="grid" x1="{left:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for number, (name, points) in enumerate(curves.items()):
        line = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in points)
        title = f"<title>{escape(name)}</title>"
        parts.append(f'<polyline class="curve s{number % COLOURS}" points="{line}">{title}</polyline>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    names = f"{result.get('x', '')} (across), {result.get('y', '')} (up)"
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(names)}</text></svg>')
    key = "".join(
        f'<li><i class="b{number % COLOURS}"></i>{escape(name)}</li>' for number, name in enumerate(curves)
    )
    return "\n".join(parts) + f'\n<ul class="key">{key}</ul>\n'


def _ticks(values: Sequence[float], about: int = 6) -> list[float]:
    """Round figures from below the least value to above the largest, ``about`` so many."""
    least, most = min(values), max(values)
    span = (most - least) or abs(most) or 1.0
    rough = span / about
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = floor(least / step), ceil(most / step)
    return [round(at * step, 10) for at in range(first, max(last, first + 1) + 1)]
