"""How the benchmarks of the CPU time: medians of several runs, each beside a baseline of the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.report import Cell

REPEATS = 7


@dataclass(frozen=True, slots=True)
class Row:
    """One measured line: what it is, µs per unit, and which baseline it stands beside."""

    name: str
    value: float
    group: str


def microseconds(run: Callable[[], None], units: int, repeats: int = REPEATS) -> float:
    """Median CPU time of ``run`` in µs for each of its ``units``."""
    times = []
    for _ in range(repeats):
        before = time.process_time()
        run()
        times.append((time.process_time() - before) / units * 1e6)
    return statistics.median(times)


def rows_with_ratio(rows: Sequence[Row]) -> list[list[Cell]]:
    """Rows with their ratio to the baseline before them, whose group begins with "baseline"."""
    found: list[list[Cell]] = []
    baseline = rows[0].value
    for row in rows:
        if row.group.startswith("baseline"):
            baseline = row.value
        found.append([row.name, row.value, row.value / baseline, row.group])
    return found
