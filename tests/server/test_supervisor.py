"""Two worker processes behind one port: calls, a worker that is killed, signals."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from tempfile import TemporaryDirectory

import aiohttp
import pytest

from engine.demo.phone import Softphone
from engine.errors import EngineError
from tests.stand_ins import LOUD

SPEECH = LOUD * 25
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers share a port on POSIX only")


class Running:
    """The program `tests.server.two_workers`, as its standard output tells of it."""

    def __init__(self, process: asyncio.subprocess.Process, http: aiohttp.ClientSession) -> None:
        self.process = process
        self.http = http
        self.base = ""
        self.pids: dict[int, int] = {}
        """Each worker's process, as it was told last."""

    async def told(self, text: str) -> str:
        """Wait for a line that begins with ``text``; the rest of it."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            if found := re.fullmatch(r"worker (\d) is process (\d+)\n", line):
                self.pids[int(found[1])] = int(found[2])
            if line.startswith(text):
                return line[len(text) :].strip()
        raise AssertionError(f"it ended without {text!r}")

    async def rest(self) -> bytes:
        """Wait until the parent and all workers are gone; what they still wrote."""
        assert self.process.stdout is not None
        return await self.process.stdout.read()

    async def end(self) -> None:
        """Leave nothing behind, whatever went wrong."""
        if self.process.returncode is None:
            self.process.kill()
            for pid in self.pids.values():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await self.rest()
        await self.process.wait()

    async def ring(self) -> Softphone:
        return await Softphone.ring(self.http, self.base + "/twilio/voice")

    async def get(self, path: str) -> str:
        async with self.http.get(self.base + path) as answer:
            return await answer.text()

    async def worker_of(self, phone: Softphone) -> int:
        """Which worker has a phone's call: its webhook, asked again, names it."""
        async with self.http.post(self.base + "/twilio/voice", data={"CallSid": phone.call_sid}) as answer:
            found = re.search(r"/media/(\d)", await answer.text())
        assert found is not None
        return int(found[1])

    async def ended(self) -> dict[str, float]:
        """How many calls the caller has ended, by worker."""
        found = re.findall(
            r'engine_calls_total\{reason="caller_hung_up",worker="(\d)"\} ([\d.]+)',
            await self.get("/metrics"),
        )
        return {number: float(count) for number, count in found}


@asynccontextmanager
async def two_workers(drain: float) -> AsyncIterator[Running]:
    command = (sys.executable, "-m", "tests.server.two_workers", str(drain))
    with TemporaryDirectory() as folder:  # where a parent that is killed leaves its own
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, env=os.environ | {"TMPDIR": folder}
        )
        async with aiohttp.ClientSession() as http:
            running = Running(process, http)
            try:
                running.base = "http://127.0.0.1:" + await running.told("port ")
                yield running
            finally:
                await running.end()


async def greeted(phone: Softphone) -> None:
    assert await phone.until(lambda: phone.ear.stretches > 0 and phone.ear.silent_ms > 200)


async def answered(phone: Softphone) -> None:
    """Say something, and hear the agent's answer out."""
    assert await phone.say(SPEECH)
    assert await phone.until(lambda: phone.ear.stretches > 1 and phone.ear.silent_ms > 200)


async def whole_call(running: Running) -> None:
    phone = await running.ring()
    await greeted(phone)
    await answered(phone)
    await phone.hang_up()


async def test_six_calls_at_once_complete_on_whichever_worker_they_land() -> None:
    async with two_workers(0) as running:
        await asyncio.gather(*(whole_call(running) for _ in range(6)))
        while sum((ended := await running.ended()).values()) < 6:
            pass
        assert set(ended) == {"0", "1"}
        running.process.send_signal(signal.SIGTERM)
        assert await running.process.wait() == 0


async def test_a_worker_that_is_killed_is_replaced_and_the_others_calls_go_on() -> None:
    async with two_workers(0) as running:
        phones = [await running.ring() for _ in range(4)]
        await asyncio.gather(*(greeted(phone) for phone in phones))
        theirs: dict[int, list[Softphone]] = {0: [], 1: []}
        for phone in phones:
            theirs[await running.worker_of(phone)].append(phone)
        assert [len(each) for each in theirs.values()] == [2, 2]
        os.kill(running.pids[0], signal.SIGKILL)
        assert (await running.told("worker 0 ended with status ")).startswith("-9; it starts again in 0.5 s")
        await asyncio.gather(*(phone.over.wait() for phone in theirs[0]))
        await asyncio.gather(*(answered(phone) for phone in theirs[1]))
        await running.told("worker 0 is process ")
        while 'worker="0"' not in await running.get("/metrics"):
            pass
        new = [await running.ring() for _ in range(2)]
        await asyncio.gather(*(greeted(phone) for phone in new))
        assert [await running.worker_of(phone) for phone in new] == [0, 0]
        await asyncio.gather(*(phone.hang_up() for phone in [*new, *theirs[1]]))


async def test_a_signal_drains_all_workers_and_a_second_one_does_not_wait() -> None:
    async with two_workers(3600) as running:
        first, second = await running.ring(), await running.ring()
        await asyncio.gather(greeted(first), greeted(second))
        running.process.send_signal(signal.SIGTERM)
        while await running.get("/readyz") != "draining\n":
            pass
        with pytest.raises(EngineError, match=r"did not take the call.*busy"):
            await running.ring()
        await answered(first)
        await first.hang_up()
        assert not second.over.is_set()
        running.process.send_signal(signal.SIGINT)
        await second.over.wait()
        assert await running.process.wait() == 0


async def test_a_worker_that_is_told_to_stop_is_drained_and_replaced() -> None:
    async with two_workers(3600) as running:
        first, second = await running.ring(), await running.ring()
        await asyncio.gather(greeted(first), greeted(second))
        theirs = {await running.worker_of(phone): phone for phone in (first, second)}
        os.kill(running.pids[1], signal.SIGTERM)
        await answered(theirs[1])
        assert not theirs[0].over.is_set()
        await theirs[1].hang_up()
        await running.told("worker 1 ended with status 0; it starts again")
        await running.told("worker 1 is process ")
        await theirs[0].hang_up()


async def test_workers_whose_parent_is_gone_drain() -> None:
    async with two_workers(0) as running:
        first, second = await running.ring(), await running.ring()
        await asyncio.gather(greeted(first), greeted(second))
        running.process.kill()
        await asyncio.gather(first.over.wait(), second.over.wait())
        await running.rest()
