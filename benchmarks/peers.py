"""The engine beside Pipecat and a bare echo, on the same phones and stand-ins: ``python -m benchmarks.peers``

Pipecat's newest release goes into an environment of its own under ``.cache/`` (``--upgrade`` brings a newer
one), set up as its template for Twilio has it, see `benchmarks.subjects.pipecat_app`; where it cannot be
installed its rows are left out, with the reason. The echo is the cost of the socket alone. One system is
measured at a time, with the phones and the stand-ins in processes of their own.

====================  ==================================================================================
answer                last voiced frame of the caller sent, to the first sample of the agent at the ear
silent                the caller speaks over the agent: from the onset to the agent's silence
holes                 moments of more than 20 ms with nothing to play inside what the agent says
waited                share of the time in which it was ready and another program had its core
CPU                   user and system time of the process tree per second of call, all calls up
memory                what it shares with nobody; per call: what it grew from before the calls to their end
====================  ==================================================================================
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.lines import Said, lines
from benchmarks.report import Cell, Result, Skipped, distribution, percentile, percentiles, show
from benchmarks.scene import ROOT, Heard, play
from benchmarks.vendors import PROFILES

CALLS = (1, 10, 25)
PLACE = ROOT / ".cache" / "pipecat"
REQUIREMENTS = ("pipecat-ai[deepgram,websocket]", "uvicorn", "uvloop")
SUBJECTS = Path(__file__).parent / "subjects"
INTERRUPTION_EVERY = 3
INSTALL_WITHIN_S = 900


@dataclass(frozen=True, slots=True)
class System:
    """What is measured: its name and how it is started."""

    name: str
    command: Sequence[str]
    speaks: bool = True


def run(calls: Sequence[int] = CALLS, turns: int = 6, *, upgrade: bool = False) -> Result:
    """Measure all systems at all numbers of calls."""
    spoken, about = lines("finished")
    script = script_of(spoken, turns)
    systems = [
        System("engine", (sys.executable, "-m", "benchmarks.subjects.engine_app")),
        System("websockets echo", (sys.executable, "-m", "benchmarks.subjects.echo_app"), speaks=False),
    ]
    missing = ""
    try:
        python = installed(upgrade=upgrade)
        peer = System(f"pipecat {version_of(python)}", (str(python), str(SUBJECTS / "pipecat_app.py")))
        systems.insert(1, peer)
    except Skipped as reason:
        missing = str(reason)
    rows: list[list[Cell]] = []
    curves = {}
    for count in calls:
        for system in systems:
            heard = play(system.command, script, count, environment={"LOGURU_LEVEL": "ERROR"})
            rows.append(row(system, count, heard))
            if system.speaks and (answers := _answers(heard)):
                curves[f"{system.name}, {count}"] = distribution(answers)
    notes = [
        PROFILES["reference"].described,
        "Answer: last voiced frame sent to first sample heard, of the turns that were answered within 8 s and"
        " not early. Silent: onset of a caller who speaks over the agent to the agent's silence; never: not"
        " before the caller had finished.",
        "The system under test has one core, phones and stand-ins share another. The same phones, stand-ins,"
        " script and event loop (uvloop) for all; no TLS, no network. One call"
        " costs more per second than one of many, for it wakes an idle core each time: compare at the same"
        " number.",
        about,
        missing,
    ]
    return {
        "title": "The same calls, other engines",
        "columns": [
            "system", "calls", "failed", "answered", "early", "answer p50", "p90", "p99", "silent p50", "p90",
            "never", "holes", "CPU ms/call-s", "waited %", "MB before", "MB/call",
        ],
        "rows": rows,
        "notes": [note for note in notes if note],
        "curves": curves,
        "x": "answer, ms",
        "y": "share of turns, %",
    }  # fmt: skip


def script_of(spoken: Sequence[Said], turns: int) -> list[Said]:
    """Sentences in turn, every third one spoken over the agent."""
    return [
        replace(spoken[at % len(spoken)], over=at % INTERRUPTION_EVERY == INTERRUPTION_EVERY - 1)
        for at in range(turns)
    ]


def row(system: System, calls: int, heard: Heard) -> list[Cell]:
    """One line of the table."""
    turns, over = heard.turns, [turn for turn in heard.turns if turn["over"]]
    silent = [turn["silent_ms"] for turn in over if turn["silent_ms"] is not None]
    spoken: list[Cell] = [None] * 8
    if system.speaks:
        spoken = [
            f"{sum(turn['answer_ms'] is not None for turn in turns)}/{len(turns)}",
            sum(turn["early"] for turn in turns),
            *percentiles(_answers(heard)),
            percentile(silent, 50),
            percentile(silent, 90),
            f"{len(over) - len(silent)}/{len(over)}",
        ]
    holes = sum(call.get("holes", 0) for call in heard.calls)
    grown = (heard.busy_mb - heard.idle_mb) / calls
    costs: list[Cell] = [
        round(heard.cpu_ms, 2),
        round(heard.waited, 1),
        round(heard.idle_mb),
        round(grown, 2),
    ]
    return [system.name, calls, heard.failed, *spoken, holes, *costs]


def _answers(heard: Heard) -> list[float]:
    return [t["answer_ms"] for t in heard.turns if t["answer_ms"] is not None and not t["early"]]


# --- Pipecat's environment ----------------------------------------------------------------------------


def installed(*, upgrade: bool) -> Path:
    """The Python of an environment that has Pipecat, made if need be. Raises `Skipped`."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        venv.create(PLACE, with_pip=True)
    if not upgrade and _runs([str(python), "-c", "import pipecat, uvicorn, uvloop, deepgram"]):
        return python
    print("installing Pipecat, which takes a few minutes", flush=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--upgrade", *REQUIREMENTS]
    if not _runs(install):
        raise Skipped("Pipecat is left out: it could not be installed from the package index.")
    return python


def version_of(python: Path) -> str:
    """The release of Pipecat that is installed."""
    code = "from importlib.metadata import version; print(version('pipecat-ai'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _runs(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=INSTALL_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, action="append", help="calls at a time; may be repeated")
    parser.add_argument("--turns", type=int, default=6, help="turns of each call")
    parser.add_argument("--upgrade", action="store_true", help="install Pipecat's newest release")
    given = parser.parse_args(argv)
    show(run(given.calls or CALLS, given.turns, upgrade=given.upgrade))


if __name__ == "__main__":
    main()
