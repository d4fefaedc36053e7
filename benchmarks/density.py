"""How many calls one core holds, and at what cost: the stand-alone worker under simulated phones.

``python -m benchmarks.density [--calls 1,10,50,100,200] [--seconds 20] [--stall 300]``. The worker is
``engine serve`` itself, pinned to one core; the phones (`benchmarks.phones`) and the vendors
(`fixtures.scripted_vendors`: Deepgram's websocket, OpenAI's event streams, ElevenLabs' websocket) are
processes on the other core, and everything between them goes over real sockets. For each number of calls a
fresh worker is started; when all calls are up it is left alone for a while and then measured:

* CPU, user and system, of the worker's processes for each second of a call, and its share of the core;
* memory: resident when idle, with all calls, and the difference by call;
* the hop of a caller's frame through the worker to the transcriber, p50 and p99, and how late its loop runs;
* answers: from the last voiced frame of the caller to the first sample of the answer; of it 430 ms or so are
  the vendors' (words 100 ms after the last voiced frame, first token after 150, first audio 80 after a text);
* holes: silences of over 20 ms inside an answer, at the ear; and with ``--stall`` the same while the worker
  is stopped for so many ms every ten seconds.

Beside it stand bare echo servers (`benchmarks.echo`) with the same phones, which do nothing with the frames.
The phones' own lateness is told as well: where that is more than a few ms, it is the load that broke. So is
the share of the time in which the worker stood ready and something else had its core (``waited``): on a
machine that is busy with other things, ``nice -n -10`` in front keeps them out.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.children import Child, stall
from benchmarks.echo import LIBRARIES
from benchmarks.report import Cell, Result, show

CALLS = (1, 10, 50, 100, 200)
SECONDS = 20.0
WARM_S = 4.0
STALL_EVERY_S = 10.0
COLUMNS = [
    "system", "calls", "CPU ms/call-s", "x echo", "core", "waited", "MB", "MB/call", "hop ms p50/p99",
    "loop late p50/p99", "answer p50/p90/p99", "answered", "not", "early", "holes", "phones late p99",
    "broke",
]  # fmt: skip
NOTES = (
    "The worker has one core, phones and vendors the other. CPU: user and system time for each second of a"
    " call; waited: the share of the time in which something else had its core.",
    "Hop: a caller's frame through the worker to the transcriber. Answer: last voiced frame to first sample,"
    " of which about 430 ms are the vendors'.",
)
_WORKER, _LOAD = 0, 1
"""The cores."""
_AGENT = """
prompt = "You take orders for a coffee shop. Answer in one or two short sentences."
opening = { message = "Hello, this is the coffee shop. What can I get you?" }
transcriber = { vendor = "deepgram" }
model = { vendor = "openai" }
voice = { vendor = "elevenlabs" }
"""


def at(values: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` of the values lie; None where there are none."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else None


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """p50, p90, p99 and the greatest."""
    return {"p50": at(values, 0.5), "p90": at(values, 0.9), "p99": at(values, 0.99), "most": at(values, 1)}


def watch(system: Child, phones: Child, calls: int, seconds: float, stalled: int = 0) -> dict[str, Any]:
    """Leave a system alone for a while and then measure it; what it cost and what the phones heard."""
    time.sleep(WARM_S)
    phones.tell("begin")
    cpu, waited, began = system.cpu_s(), system.waited_s(), time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(left, STALL_EVERY_S))
        if stalled and left > 2 * stalled / 1000:
            stall(system, stalled)
    took = time.monotonic() - began
    cpu = system.cpu_s() - cpu
    memory = system.memory_mb()
    phones.tell("end")
    heard = phones.answer()
    return {
        "calls": calls,
        "cpu_ms_per_call_second": round(cpu * 1000 / calls / took, 3),
        "core": round(cpu / took, 3),
        "waited": round((system.waited_s() - waited) / took, 3),
        "memory_mb": round(memory, 1),
        "phones_late_ms": spread(heard["late"]),
        "frames": heard["frames"],
        "heard": heard,
    }


def engine(calls: int, seconds: float, stalled: int = 0) -> dict[str, Any]:
    """The worker with so many calls. Raises `RuntimeError` where a process ended."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Child("fixtures.scripted_vendors", core=_LOAD) as vendors,
    ):
        agent = Path(folder, "agent.toml")
        agent.write_text(_AGENT)
        arguments = ["serve", "--agent", str(agent), "--insecure", "--port", "0", "--most-lag-ms", "0"]
        environment = vendors.answer()["environment"]
        with Child("engine", arguments, core=_WORKER, environment=environment) as worker:
            url = worker.line().rpartition(" ")[2]
            idle = worker.memory_mb()
            load = ["--voice", f"{url}/twilio/voice", "--calls", str(calls)]
            with Child("benchmarks.phones", load, core=_LOAD) as phones:
                up = phones.answer()["up"]
                vendors.tell("begin")
                lags = loop_lag(url)
                row = watch(worker, phones, calls, seconds, stalled)
                vendors.tell("end")
                seen = vendors.answer()
                row["loop_lag_ms"] = lag_between(lags, loop_lag(url))
    heard = row.pop("heard")
    return {
        "system": "engine",
        **row,
        "up": up,
        "memory_idle_mb": round(idle, 1),
        "memory_mb_per_call": round((row["memory_mb"] - idle) / calls, 3),
        "hop_ms": spread(seen["hop_ms"]),
        "vendors_late_ms": spread(seen["lag_ms"]),
        "answer_ms": spread(heard["answers"]),
        "stop_ms": spread(heard["stops"]),
        "answered": len(heard["answers"]),
        "unanswered": heard["unanswered"],
        "early": heard["early"],
        "dropped": heard["dropped"],
        "holes": len(heard["holes"]),
        "holes_ms": spread(heard["holes"]),
    }


def echo(library: str, calls: int, seconds: float) -> dict[str, Any]:
    """A bare echo server with as many phones."""
    with Child("benchmarks.echo", ["--library", library], core=_WORKER) as server:
        load = ["--voice", server.answer()["url"], "--calls", str(calls), "--echo"]
        idle = server.memory_mb()
        with Child("benchmarks.phones", load, core=_LOAD) as phones:
            up = phones.answer()["up"]
            row = watch(server, phones, calls, seconds)
    round_trips = row.pop("heard")["round_trips"]
    each = round((row["memory_mb"] - idle) / calls, 3)
    return {
        "system": f"echo, {library}",
        **row,
        "up": up,
        "memory_idle_mb": round(idle, 1),
        "memory_mb_per_call": each,
        "hop_ms": spread(round_trips),
    }


def loop_lag(url: str) -> dict[float, float]:
    """The worker's histogram of its loop's lateness: how many measurements lie below so many ms."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        text = answer.read().decode()
    found = re.findall(r'^engine_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)', text, re.MULTILINE)
    return {float(bound) * 1000: float(number) for bound, number in found}


def lag_between(before: dict[float, float], after: dict[float, float]) -> dict[str, float | None]:
    """Between which bounds p50 and p99 of the lateness lie: the upper ones, ms."""
    counts = {bound: number - before.get(bound, 0) for bound, number in after.items()}
    total = max(counts.values(), default=0)

    def below(share: float) -> float | None:
        return next((bound for bound in sorted(counts) if total and counts[bound] >= share * total), None)

    return {"p50": below(0.5), "p99": below(0.99)}


def broken(row: dict[str, Any]) -> list[str]:
    """What did not hold at this number of calls; nothing where all of it did."""
    limits = {
        "not all calls were answered": row["up"] < row["calls"],
        "calls were dropped": row["dropped"] > 0,
        "turns without an answer": row["unanswered"] > 0,
        "holes in the speech": row["holes"] > 0,
        "frames over 20 ms late": (row["hop_ms"]["p99"] or 0) > 20,
        "the phones are late themselves": (row["phones_late_ms"]["p99"] or 0) > 10,
    }
    return [what for what, true in limits.items() if true]


def run(
    calls: Sequence[int] = CALLS,
    seconds: float = SECONDS,
    stalled: int = 0,
    baselines: Sequence[str] = tuple(LIBRARIES),
    baseline_calls: int = 50,
) -> Result:
    """Measure; goes on with more calls until they are too many."""
    rows: list[dict[str, Any]] = [echo(library, baseline_calls, seconds / 2) for library in baselines]
    for number in calls:
        row = engine(number, seconds, stalled)
        row["broke"] = broken(row)
        print(f"{number} calls: {', '.join(row['broke']) or 'all well'}", file=sys.stderr, flush=True)
        rows.append(row)
        if row["core"] > 0.95 or row["up"] < number:
            break
    base = next((row["cpu_ms_per_call_second"] for row in rows if row["system"] == "echo, aiohttp"), None)
    for row in rows:
        row["to_aiohttp_echo"] = round(row["cpu_ms_per_call_second"] / base, 2) if base else None
    stall_note = f"The worker was stopped for {stalled} ms every {STALL_EVERY_S:g} s." if stalled else ""
    costs = [[row["calls"], row["cpu_ms_per_call_second"]] for row in rows if row["system"] == "engine"]
    return {
        "title": "How many calls one core holds",
        "columns": COLUMNS,
        "rows": [_line(row) for row in rows],
        "notes": [note for note in (*NOTES, stall_note) if note],
        "curves": {"engine": costs},
        "x": "calls",
        "y": "CPU ms a call-second",
    }


def _line(row: dict[str, Any]) -> list[Cell]:
    """A row of the table."""
    return [
        row["system"],
        row["calls"],
        row["cpu_ms_per_call_second"],
        row["to_aiohttp_echo"],
        row["core"],
        row["waited"],
        row["memory_mb"],
        row["memory_mb_per_call"],
        _figures(row["hop_ms"], "p50", "p99"),
        _figures(row.get("loop_lag_ms"), "p50", "p99"),
        _figures(row.get("answer_ms"), "p50", "p90", "p99"),
        row.get("answered"),
        row.get("unanswered"),
        row.get("early"),
        row.get("holes"),
        _figures(row["phones_late_ms"], "p99"),
        "; ".join(row.get("broke", ())) or None,
    ]


def _figures(figures: dict[str, Any] | None, *names: str) -> str:
    values = [(figures or {}).get(name) for name in names]
    return "/".join("-" if value is None else f"{value:.3g}" for value in values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where turns went unanswered at a number of calls that the core had room for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.density")
    parser.add_argument("--calls", type=lambda text: [int(each) for each in text.split(",")], default=CALLS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="measured at each number of calls")
    parser.add_argument("--stall", type=int, default=0, help="ms for which the worker is stopped every 10 s")
    parser.add_argument("--no-baseline", action="store_true", help="leave the echo servers out")
    given = parser.parse_args(arguments)
    result = run(given.calls, given.seconds, given.stall, () if given.no_baseline else tuple(LIBRARIES))
    show(result)
    lost, core = COLUMNS.index("not"), COLUMNS.index("core")
    return int(any(row[lost] and float(row[core] or 0) < 0.8 for row in result["rows"]))


if __name__ == "__main__":
    sys.exit(main())
