"""The laws of a call under random events: many sequences, progress and result.

    python benchmarks/laws.py                      # 100,000 sequences of 40 events, on all cores
    python benchmarks/laws.py --count 5000 --steps 200 --first 7

Each sequence is a call of its own, with a policy of its own, drawn from its number; every law is checked
after every step, and at the end the steps are taken again and must have the same effects. A sequence that
breaks a law is reported with its number, ``engine.testing.fuzz(number, steps)`` shows it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

if __package__ in (None, ""):  # started as a file: the benchmarks' other modules are beside it
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.report import Cell, Result, show
from engine.testing import LawBroken, fuzz

BATCH = 500


def take(first: int, count: int, steps: int) -> tuple[int, list[tuple[int, str]]]:
    """Take the sequences from ``first`` on; how many, and each one that broke a law, with what it broke."""
    broken = []
    for seed in range(first, first + count):
        try:
            fuzz(seed, steps)
        except LawBroken as error:
            broken.append((seed, str(error).partition("\n")[0]))
    return count, broken


def run(
    count: int = 100_000, steps: int = 40, first: int = 0, processes: int = 0, *, quiet: bool = True
) -> Result:
    """Take ``count`` sequences of ``steps`` events, on all cores or so many ``processes``."""
    began, done = time.perf_counter(), 0
    broken: list[tuple[int, str]] = []
    end = first + count
    with ProcessPoolExecutor(processes or os.cpu_count() or 1) as pool:
        batches = [pool.submit(take, at, min(BATCH, end - at), steps) for at in range(first, end, BATCH)]
        for batch in as_completed(batches):
            taken, found = batch.result()
            done += taken
            broken += found
            if not quiet:
                rate = done / (time.perf_counter() - began)
                print(f"\r{done:>9,} of {count:,}  {rate:,.0f} a second", end="", flush=True)
    took = time.perf_counter() - began
    rows: list[list[Cell]] = [[done, done * steps, len(broken), round(done * steps / took)]]
    return {
        "title": "The laws of a call under random events",
        "columns": ["sequences", "events", "broke a law", "events a second"],
        "rows": rows,
        "notes": [f"Sequence {seed}: {what}" for seed, what in sorted(broken)],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Take the sequences and print what broke; 1 if anything did."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="sequences (default: 100,000)")
    parser.add_argument("--steps", type=int, default=40, help="events of each (default: 40)")
    parser.add_argument("--first", type=int, default=0, help="number of the first sequence (default: 0)")
    parser.add_argument("--processes", type=int, default=0, help="default: one a core")
    wanted = parser.parse_args(argv)
    result = run(wanted.count, wanted.steps, wanted.first, wanted.processes, quiet=False)
    show(result)
    return int(bool(result["notes"]))


if __name__ == "__main__":
    sys.exit(main())
