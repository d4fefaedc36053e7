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
from concurrent.futures import ProcessPoolExecutor, as_completed

from engine.testing import LawBroken, fuzz

BATCH = 500


def run(first: int, count: int, steps: int) -> tuple[int, list[tuple[int, str]]]:
    """Take the sequences from ``first`` on; how many, and each one that broke a law, with what it broke."""
    broken = []
    for seed in range(first, first + count):
        try:
            fuzz(seed, steps)
        except LawBroken as error:
            broken.append((seed, str(error).partition("\n")[0]))
    return count, broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="sequences (default: 100,000)")
    parser.add_argument("--steps", type=int, default=40, help="events of each (default: 40)")
    parser.add_argument("--first", type=int, default=0, help="number of the first sequence (default: 0)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    wanted = parser.parse_args()
    began, done = time.perf_counter(), 0
    broken: list[tuple[int, str]] = []
    end = wanted.first + wanted.count
    with ProcessPoolExecutor(wanted.processes) as pool:
        batches = [
            pool.submit(run, first, min(BATCH, end - first), wanted.steps)
            for first in range(wanted.first, end, BATCH)
        ]
        for batch in as_completed(batches):
            count, found = batch.result()
            done += count
            for seed, what in found:
                print(f"\nsequence {seed}: {what}")
            broken += found
            took = time.perf_counter() - began
            print(f"\r{done:>9,} of {wanted.count:,}  {done / took:,.0f} a second", end="", flush=True)
    took = time.perf_counter() - began
    print(f"\n{done:,} sequences, {done * wanted.steps:,} events, {took:.0f} s: {len(broken)} broke a law")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
