"""What calls leave behind: 200 short calls in a row against the vendors' stand-ins, counted before and after.

``python -m benchmarks.leaks [--calls 200]``. Each call rings a real worker over real sockets, hears the
greeting, says a line, hears the answer and puts the phone down; Deepgram, OpenAI and ElevenLabs are
stand-ins on the same loop. Counted are tasks of the event loop, open file descriptors (sockets), threads and
Python's traced memory, after ``--warm`` calls, which fill caches and pools, and again after the last one.
Memory may differ by ``ALLOWED_KB`` in all, which is what a dictionary or a pool takes when it grows. Exit
code 1 if anything is left. A call lasts as long as its words: about a second and a half.
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
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
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

ALLOWED_KB = 100
_LINE = bytes([0x10, 0x90] * 80) * 20 + silence(20)
_AGENT: dict[str, Any] = {
    "opening": {"message": "Hi."},
    "turns": {"voice_activity": "level"},
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
        """Count, garbage collected."""
        gc.collect()
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        memory = tracemalloc.get_traced_memory()[0] / 1024
        return cls(len(asyncio.all_tasks()), descriptors, threading.active_count(), memory)


@dataclass
class _Bench:
    """A worker with an address, and the stand-ins behind it."""

    worker: Worker
    url: str
    vendors: tuple[Deepgram, OpenAI, ElevenLabs]

    def forget(self) -> None:
        """The stand-ins take everything down; that is no leak of the engine's."""
        ear, mind, mouth = self.vendors
        ear.connections.clear()
        mind.requests.clear()
        mind._connections.clear()
        mouth.connections.clear()


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
    for session in tuple(place.worker.sessions.values()):
        await session.wait_closed()
    place.forget()
    return answered


async def settled(wanted: Counts) -> Counts:
    """The counts, as soon as the last sockets of a call are closed: on both sides, and within a second."""
    for _ in range(100):
        now = Counts.now()
        if now.tasks <= wanted.tasks and now.descriptors <= wanted.descriptors:
            break
        await asyncio.sleep(0.01)
    return now


async def count(calls: int, warm: int) -> tuple[Result, bool]:
    """Hold the calls and count; whether nothing is left and every answer was heard."""
    tracemalloc.start()
    async with bench() as place:
        for _ in range(warm):
            await call(place)
        before = await settled(Counts(0, 0, 0, 0.0))
        began = time.monotonic()
        answered = sum([await call(place) for _ in range(calls)])
        took = time.monotonic() - began
        after = await settled(before)
        left = Counter(task.get_name() for task in asyncio.all_tasks())
    tracemalloc.stop()
    grown = (
        after.tasks > before.tasks
        or after.descriptors > before.descriptors
        or after.threads > before.threads
        or after.memory_kb - before.memory_kb > ALLOWED_KB
    )
    names = {"tasks": "tasks", "descriptors": "file descriptors", "threads": "threads"}
    rows: list[list[Cell]] = [[name, getattr(before, at), getattr(after, at)] for at, name in names.items()]
    rows.append(["traced memory, kB", round(before.memory_kb), round(after.memory_kb)])
    notes = [f"{calls} calls after {warm} to warm up, {took:.0f} s, {answered} answered."]
    if after.tasks > before.tasks:
        notes.append(f"Tasks that are left: {dict(left)}.")
    result: Result = {
        "title": "What calls leave behind",
        "columns": ["", "before", "after"],
        "rows": rows,
        "notes": notes,
    }
    return result, not grown and answered == calls


def run(calls: int = 200, warm: int = 20) -> Result:
    """Hold the calls and count."""
    return asyncio.run(count(calls, warm))[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the counts; 1 if anything is left or an answer was not heard."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaks")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--warm", type=int, default=20, help="calls before the first count")
    given = parser.parse_args(argv)
    result, good = asyncio.run(count(given.calls, given.warm))
    show(result)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
