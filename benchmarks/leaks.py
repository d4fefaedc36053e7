"""What calls leave behind: hundreds of short calls against the vendors' stand-ins, counted on the way.

``python -m benchmarks.leaks [--calls 400] [--at-once 20]``. Each call rings a real worker over real sockets,
hears the greeting, says a line, hears the answer and puts the phone down; Deepgram, OpenAI and ElevenLabs are
stand-ins on the same loop. Tasks of the event loop, open file descriptors (sockets), threads and Python's
traced memory are counted when no call is on, first after ``--warm`` calls, which fill caches and pools, then
after an eighth of the calls, after half and after all. Tasks, descriptors and threads must be what they were;
memory may not rise with the calls: by `ALLOWED_KB` a call at most, by the straight line through the counts
(a table of the interpreter's that doubles once is a step in it). Exit code 1 if anything is left.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.report import Cell, Result, show
from engine.agent import Agent
from engine.audio.mulaw import silence
from engine.demo.phone import Softphone
from engine.runtime.registry import build
from engine.runtime.worker import Settings, Worker
from engine.server.metrics import Metrics
from engine.server.standalone import make_app
from engine.settings import VendorSettings
from fixtures.deepgram import Deepgram
from fixtures.elevenlabs import ElevenLabs
from fixtures.openai import OpenAI
from fixtures.openai_forms import Reply

ALLOWED_KB = 0.5
"""What memory may rise by with each call, kB; one live call takes a hundred times as much."""
_LINE = bytes([0x10, 0x90] * 80) * 20 + silence(20)
_AGENT: dict[str, Any] = {
    "opening": {"message": "Hi."},
    "turns": {"voice_activity": "level", "endpoint_delay": 0.3},
    "transcriber": {"vendor": "deepgram"},
    "model": {"vendor": "openai"},
    "voice": {"vendor": "elevenlabs"},
}


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is at one moment."""

    tasks: int
    descriptors: int
    threads: int
    memory_kb: float

    @classmethod
    def now(cls) -> Counts:
        """Count, garbage collected; the names that the interpreter keeps to look up attributes forgotten."""
        gc.collect()
        forget = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
        if forget is not None:
            forget()
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        memory = tracemalloc.get_traced_memory()[0] / 1024
        return cls(len(asyncio.all_tasks()), descriptors, threading.active_count(), memory)


@dataclass
class _Bench:
    """A worker with an address, and the stand-ins behind it."""

    worker: Worker
    url: str
    vendors: tuple[Deepgram, OpenAI, ElevenLabs]

    async def rest(self) -> None:
        """No call is on: the stand-ins forget what they took down, and cut what is kept for later calls."""
        ear, mind, mouth = self.vendors
        ear.connections.clear()
        mind.requests.clear()
        mind._connections.clear()
        mouth.connections.clear()
        for vendor in self.vendors:
            await vendor.disconnect()


@asynccontextmanager
async def bench() -> AsyncIterator[_Bench]:
    """Everything that the calls share."""

    async def answer(body: dict[str, Any]) -> Reply:
        return Reply("Fine.")

    agent = Agent.model_validate(_AGENT)
    async with (
        Deepgram(sayings=["what now"]) as ear,
        OpenAI(answer=answer) as mind,
        ElevenLabs() as mouth,
    ):
        settings = VendorSettings(
            deepgram_api_key=ear.api_key,
            deepgram_base_url=ear.url,
            openai_api_key=mind.api_key,
            openai_base_url=mind.url,
            elevenlabs_api_key=mouth.api_key,
            elevenlabs_base_url=mouth.url,
        )
        providers = build(agent, settings=settings)
        async with Worker(agent, Settings(insecure=True, most_lag=None), providers=providers) as worker:
            runner = web.AppRunner(make_app(worker, Metrics()), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                url = f"http://127.0.0.1:{runner.addresses[0][1]}/twilio/voice"
                yield _Bench(worker, url, (ear, mind, mouth))
            finally:
                await runner.cleanup()


async def call(place: _Bench) -> bool:
    """One call; whether the answer was heard."""
    async with aiohttp.ClientSession() as http:
        phone = await Softphone.ring(http, place.url)
        ear = phone.ear
        async with asyncio.timeout(20):
            await phone.until(lambda: ear.stretches > 0 and ear.silent_ms >= 60)
            await phone.say(_LINE)
            before = ear.stretches
            answered = await phone.until(lambda: ear.stretches > before and ear.silent_ms >= 60)
        await phone.hang_up()
    return answered


async def hold(place: _Bench, calls: int, at_once: int) -> int:
    """Hold calls, so many at once, until all of them are freed; how many were answered."""
    answered = 0
    for begun in range(0, calls, at_once):
        answered += sum(await asyncio.gather(*(call(place) for _ in range(min(at_once, calls - begun)))))
        for session in tuple(place.worker.sessions.values()):
            await session.wait_closed()
    await place.rest()
    return answered


async def settled() -> Counts:
    """The counts, as soon as the last sockets of the calls are closed on both sides; a second at most."""
    for _ in range(100):
        await asyncio.sleep(0.01)
        if len(asyncio.all_tasks()) == 1:
            break
    return Counts.now()


async def count(calls: int, warm: int, at_once: int) -> tuple[dict[int, Counts], int, Counter[str]]:
    """The counts after so many calls, how many were answered, and the tasks that are left, by name."""
    tracemalloc.start()
    async with bench() as place:
        await hold(place, warm, at_once)
        counts = {0: await settled()}
        answered = held = 0
        for until in sorted({max(1, calls // 8), max(1, calls // 2), calls}):
            answered += await hold(place, until - held, at_once)
            held = until
            counts[held] = await settled()
        left = Counter(task.get_name() for task in asyncio.all_tasks())
    tracemalloc.stop()
    return counts, answered, left


def rise(counts: Mapping[int, Counts]) -> float:
    """kB of memory a call, by the straight line that fits best."""
    return linear_regression(list(counts), [each.memory_kb for each in counts.values()]).slope


def grown(counts: Mapping[int, Counts]) -> bool:
    """Whether anything is left behind."""
    before, *later = counts.values()
    return rise(counts) > ALLOWED_KB or any(
        after.tasks > before.tasks or after.descriptors > before.descriptors or after.threads > before.threads
        for after in later
    )


def look(calls: int, warm: int, at_once: int) -> tuple[Result, bool]:
    """Hold the calls and count; whether nothing is left and every answer was heard."""
    began = time.monotonic()
    counts, answered, left = asyncio.run(count(calls, warm, at_once))
    rows: list[list[Cell]] = [
        [held, each.tasks, each.descriptors, each.threads, round(each.memory_kb)]
        for held, each in counts.items()
    ]
    notes = [
        f"{calls} calls, {at_once} at once, after {warm} to warm up: {time.monotonic() - began:.0f} s,"
        f" {answered} answered.",
        f"Memory rises by {rise(counts):.2f} kB a call; {ALLOWED_KB:g} are allowed.",
    ]
    if counts[calls].tasks > counts[0].tasks:
        notes.append(f"Tasks that are left: {dict(left)}.")
    result: Result = {
        "title": "What calls leave behind",
        "columns": ["calls", "tasks", "file descriptors", "threads", "traced memory, kB"],
        "rows": rows,
        "notes": notes,
    }
    return result, not grown(counts) and answered == calls


def run(calls: int = 400, warm: int = 40, at_once: int = 20) -> Result:
    """Hold the calls and count."""
    return look(calls, warm, at_once)[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the counts; 1 if anything is left or an answer was not heard."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaks")
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--warm", type=int, default=40, help="calls before the first count")
    parser.add_argument("--at-once", type=int, default=20)
    given = parser.parse_args(argv)
    result, good = look(given.calls, given.warm, given.at_once)
    show(result)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
