"""One run of the live benchmarks: the phones, the vendors' stand-ins and a system under test, each a process.

The system under test has one core, the others the next one, where there are two.

What the system under test costs is read from Linux while all calls are up: user and system time of its
process tree, how long its threads were ready and something else had the core (``schedstat``), and the memory
that is its own (``smaps_rollup``).
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.lines import Said, write

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Heard:
    """What came of a run."""

    calls: list[dict[str, Any]]
    """By call, see `benchmarks.callers`."""
    notes: list[dict[str, Any]] = field(default_factory=list)
    """What the engine's calls told, see `benchmarks.subjects.engine_app`."""
    connections: dict[str, Any] = field(default_factory=dict)
    """What the stand-ins saw."""
    cpu_ms: float = 0.0
    """CPU of the system under test per second of call, all calls up, ms."""
    waited: float = 0.0
    """Share of the time in which it was ready to run and something else had its core, %."""
    idle_mb: float = 0.0
    busy_mb: float = 0.0

    @property
    def turns(self) -> list[dict[str, Any]]:
        """All turns of the calls that did not fail."""
        return [turn for call in self.calls if "turns" in call for turn in call["turns"]]

    @property
    def failed(self) -> int:
        """Calls that were not held to their end."""
        return sum(1 for call in self.calls if "failed" in call or not call.get("said_all"))


def play(
    command: Sequence[str],
    script: Sequence[Said],
    calls: int,
    *,
    profile: str | None = "reference",
    notes: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Heard:
    """Have ``calls`` callers say ``script`` to the system that ``command`` starts.

    ``command`` prints the address of its voice webhook; with ``notes`` it is given ``--notes FILE``.
    ``profile`` None: no stand-ins, the vendors are those of the environment. Raises `RuntimeError` with what
    a process said that did not start.
    """
    with TemporaryDirectory(prefix="benchmark-") as folder:
        lines, noted = Path(folder, "lines.json"), Path(folder, "notes.jsonl")
        write(lines, script)
        base = {**os.environ, **(environment or {})}
        heard = Heard([])
        vendors = [sys.executable, "-m", "benchmarks.vendors", "--lines", str(lines)]
        vendors += ["--profile", profile or ""]
        with _process(vendors if profile else None, base, core=1) as stand_ins:
            env = {**base, **(json.loads(_line(stand_ins)) if stand_ins else {})}
            asked = [*command, "--notes", str(noted)] if notes else list(command)
            with _process(asked, env, core=0) as subject:
                assert subject is not None
                url = _line(subject)
                heard.idle_mb = _memory_mb(subject.pid)
                _hold(url, lines, calls, base, subject.pid, heard)
            if noted.exists():
                heard.notes = [json.loads(line) for line in noted.read_text().splitlines()]
            if stand_ins:
                stand_ins.send_signal(signal.SIGTERM)
                heard.connections = json.loads(_line(stand_ins))
    return heard


def _hold(url: str, lines: Path, calls: int, env: Mapping[str, str], pid: int, heard: Heard) -> None:
    """Hold the calls, and measure the process while all of them are up."""
    phones = [sys.executable, "-m", "benchmarks.callers", "--url", url, "--lines", str(lines)]
    with _process([*phones, "--calls", str(calls)], env, core=1) as callers:
        assert callers is not None
        line = _line(callers, 600)
        began, before, ready = time.monotonic(), _cpu_seconds(pid), _waited_seconds(pid)
        while line in ("steady", "ending"):
            took, used = time.monotonic() - began, _cpu_seconds(pid) - before
            heard.waited = 100 * (_waited_seconds(pid) - ready) / took
            heard.busy_mb = _memory_mb(pid)
            line = _line(callers, 900)
        heard.calls = json.loads(line)
        up = sum("turns" in call for call in heard.calls)
        heard.cpu_ms = used * 1000 / (took * up) if up else 0.0


@contextmanager
def _process(
    command: Sequence[str] | None, env: Mapping[str, str], *, core: int
) -> Iterator[subprocess.Popen[str] | None]:
    if command is None:
        yield None
        return
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(env), cwd=ROOT)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(process.pid, {cores[core % len(cores)]})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _line(process: subprocess.Popen[str], within: float = START_WITHIN) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], within)
    line = process.stdout.readline() if ready else ""
    if not line:
        raise RuntimeError(f"{' '.join(map(str, process.args))[:120]} said nothing")  # type: ignore[arg-type]
    return line.strip()


# --- Linux --------------------------------------------------------------------------------------------


def _tree(pid: int) -> list[int]:
    """A process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        started = [int(child) for child in children.read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(each for child in started for each in _tree(child))]


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process tree."""
    total = 0
    for each in _tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def _waited_seconds(pid: int) -> float:
    """How long the threads of a process tree were ready to run and did not (proc(5), sched-stats)."""
    total = 0
    for each in _tree(pid):
        for thread in Path(f"/proc/{each}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_text().split()[1])
            except OSError:
                continue
    return total / 1e9


def _memory_mb(pid: int) -> float:
    """The memory that a process tree shares with nobody, MB."""
    total = 0
    for each in _tree(pid):
        try:
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))
    return total / 1024
