"""Every benchmark, one after the other: ``python -m benchmarks``, or some of them by name.

Each prints its own table, with its baseline from the same run; those that need recorded speech or a library
that is not here say so and are passed over. Times of different machines or days do not compare.
"""

from __future__ import annotations

import subprocess
import sys

ALL: dict[str, list[str]] = {
    "frame": [],
    "audio": [],
    "endpointing": [],
    "bargein": ["--minutes", "2"],
    "noise": [],
    "recogniser": ["--quick"],
    "laws": ["--count", "20000"],
}
"""Module -> the arguments with which it takes about a minute at most."""


def main() -> int:
    """Run the benchmarks that are named, or all; returns how many failed."""
    wanted = sys.argv[1:] or list(ALL)
    unknown = [name for name in wanted if name not in ALL]
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}: there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    failed = 0
    for name in wanted:
        print(f"\n=== {name} ===", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *ALL[name]]
        failed += subprocess.run(command, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
