"""What every benchmark gives back, printed as a table and kept as JSON.

A benchmark is a module with ``main(argv)`` for use by hand and ``run(...)``, which returns a `Result`.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from engine.about import how_it_runs

RESULTS = Path(__file__).with_name("results")
COMPILED = "_compiled"
"""Behind the name of a result of an engine that is compiled."""
Cell = str | int | float | None


class Result(TypedDict):
    """A table that can stand alone. Numbers are numbers, so that a later run can be compared with it."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    notes: list[str]
    """Sentences: the method, the units, the doubts."""
    curves: NotRequired[dict[str, list[list[float]]]]
    """Lines of a plot by their name, as points."""
    x: NotRequired[str]
    y: NotRequired[str]
    parts: NotRequired[list[Result]]
    """More tables of the same run."""


class Skipped(SystemExit):
    """A benchmark cannot run here; the message is a sentence that says why and what would help.

    By hand it ends the program with that sentence.
    """


def measure(name: str, arguments: Mapping[str, Any]) -> Result:
    """Run the benchmark in the module of this name. Raises `Skipped`."""
    result: Result = importlib.import_module(f"benchmarks.{name}").run(**arguments)
    return result


def show(result: Result) -> None:
    """Print a result: the title, its table, its notes, its parts."""
    print(f"\n{result['title']}\n")
    rows: list[list[Cell]] = [[*result["columns"]], *result["rows"]]
    lines = [[cell_text(cell) for cell in row] for row in rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(result["columns"]))]
    for line in lines:
        first, *others = zip(line, widths, strict=True)
        cells = [text.rjust(width) for text, width in others]
        print("  ".join([first[0].ljust(first[1]), *cells]).rstrip())
    for note in result["notes"]:
        print(f"- {note}")
    for part in result.get("parts", []):
        show(part)


def cell_text(cell: Cell) -> str:
    """A cell as it is shown: three figures are enough."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)


def save(name: str, result: Result, took: float) -> Path:
    """Write a result, with the machine it is of, to ``results/<name>.json``; the file.

    Of a compiled engine it is ``<name>_compiled.json``.
    """
    RESULTS.mkdir(exist_ok=True)
    name = name + COMPILED if how_it_runs() == "compiled" else name
    file = RESULTS / f"{name}.json"
    whole = {"name": name, "seconds": round(took), "machine": machine(), **result}
    file.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile; None of no values."""
    ranked = sorted(values)
    return ranked[max(0, ceil(len(ranked) * percent / 100) - 1)] if ranked else None


def percentiles(values: Sequence[float]) -> list[Cell]:
    """The 50th, 90th and 99th percentile."""
    return [percentile(values, percent) for percent in (50, 90, 99)]


def distribution(values: Sequence[float]) -> list[list[float]]:
    """The share of values that are no larger, as points for a plot: (value, %)."""
    ranked = sorted(values)
    return [[round(value, 1), round(100 * (at + 1) / len(ranked), 1)] for at, value in enumerate(ranked)]


def machine() -> dict[str, str]:
    """The machine and the versions that a figure depends on. No path, no host name."""
    load = os.getloadavg() if hasattr(os, "getloadavg") else (0.0,)
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "engine": how_it_runs(),
        "load": f"{load[0]:.2f} (last minute)",
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    for package in ("aiohttp", "uvloop", "orjson", "openai", "onnxruntime"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
