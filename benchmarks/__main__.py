"""The benchmarks, one after the other, or some of them by name: ``python -m benchmarks [latency ...]``.

Each prints its table and writes ``benchmarks/results/<name>.json`` (``<name>_compiled.json`` where the engine
is compiled); in the end all results that are there
become one page, ``benchmarks/results/index.html``. Those that need recorded speech or a library that is not
here say so and are passed over. Times of different machines or days do not compare.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.page import write_page
from benchmarks.report import COMPILED, RESULTS, Skipped, measure, save, show

ALL: dict[str, dict[str, Any]] = {
    "frame": {},
    "audio": {},
    "endpointing": {},
    "bargein": {},
    "noise": {},
    "recogniser": {"quick": True},
    "people": {},
    "laws": {"count": 20_000},
    "leaks": {},
    "density": {},
    "latency": {},
    "peers": {},
}
"""Module -> the arguments of its ``run`` with which it takes minutes at most. Also the order of the page."""


def one(name: str) -> bool:
    """Run one benchmark in a process of its own, print and keep its result; whether it went well."""
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            result = pool.submit(measure, name, ALL[name]).result()
        except Skipped as reason:
            print(f"\n{name} is passed over: {reason}", flush=True)
            return True
        except Exception as error:
            print(f"\n{name} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return False
    show(result)
    save(name, result, time.monotonic() - began)
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named, or all; returns how many failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", nargs="*", help=f"of {', '.join(ALL)}; none: all")
    parser.add_argument("--page", action="store_true", help="measure nothing, only draw the page again")
    given = parser.parse_args(argv)
    if unknown := [name for name in given.name if name not in ALL]:
        parser.error(f"no benchmark is called {', '.join(unknown)}: there are {', '.join(ALL)}")
    failed = 0 if given.page else sum(not one(name) for name in given.name or ALL)
    write_page(RESULTS, [name + kind for name in ALL for kind in ("", COMPILED)])
    print(f"\n{RESULTS.name}/index.html shows all results")
    return failed


if __name__ == "__main__":
    sys.exit(main())
