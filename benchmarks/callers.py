"""Simulated phones in a process of their own: ``python -m benchmarks.callers --url URL --lines FILE``.

Each call waits for the greeting, says the lines of the file in their order, each when the agent has answered
and is silent (or over the agent, where the line says so), and hangs up. Started ``--apart`` ms after each
other. Prints ``steady`` when all have rung, ``ending`` when the first is about to hang up, and then what
the callers heard, as JSON; all its times are seconds of the machine's monotonic clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.lines import FRAME, Said, read
from engine.audio.level import level_dbfs
from engine.audio.mulaw import BYTES_PER_MS
from engine.demo.ear import Ear
from engine.demo.phone import Softphone
from engine.errors import EngineError

ANSWER_WITHIN_MS = 8_000
INTO_MS = 1_200
"""How long the agent has talked when it is interrupted."""
AUDIBLE_DBFS = -45.0
HOLE_MS = (20, 1_000)
"""Silence inside an utterance because nothing was there to be played: longer than, shorter than."""
_BLOCK = BYTES_PER_MS
"""Samples in which the begin and end of sound are looked for: 1 ms."""


class NotedEar(Ear):
    """An ear that counts the holes: moments without anything to play inside what is being said."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        super().__init__(echo)
        self.holes = 0
        self._ends: int | None = None

    def play(self, payload: bytes, now: int) -> None:
        """See `Ear.play`."""
        if self._ends is not None:
            least, most = (ms * BYTES_PER_MS for ms in HOLE_MS)
            self.holes += least < now - self._ends < most
        self._ends = max(now, self._ends or 0) + len(payload)
        super().play(payload, now)

    def clear(self, now: int) -> None:
        """See `Ear.clear`. What comes next is no continuation."""
        self._ends = None
        super().clear(now)


class Phone(Softphone):
    """A softphone that says a script and measures what came back."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, call_sid: str) -> None:
        super().__init__(socket, call_sid)
        self.noted = self.ear = NotedEar(self._echo)
        self.turns: list[dict[str, Any]] = []

    async def follow(self, script: Sequence[Said], pause: random.Random, ending: Callable[[], None]) -> None:
        """Say all lines."""
        await self._wait(lambda: self.ear.stretches > 0)
        for line in script:
            if line.over:
                await self._wait(lambda: self.ear.talking_ms >= INTO_MS)
            else:
                quiet = pause.randrange(700, 1_100)
                await self._wait(lambda quiet=quiet: self.ear.silent_ms >= quiet)  # type: ignore[misc]
            await self.say(line.audio)
            self.turns.append({"line": line.name, "over": line.over, "start": self.said[-1].start})
            before = self.ear.stretches
            await self._wait(lambda before=before: self.ear.audible or self.ear.stretches > before)  # type: ignore[misc]
        await self._wait(lambda: self.ear.silent_ms >= 600)
        ending()

    async def _wait(self, condition: Callable[[], bool]) -> bool:
        until = self.now + ANSWER_WITHIN_MS
        return await self.until(lambda: condition() or self.now >= until)

    def report(self, script: Sequence[Said]) -> dict[str, Any]:
        """What was heard, turn by turn. Call it when the call is over."""
        track = bytes(self.ear.track)
        sounds = [level_dbfs(track[at : at + _BLOCK]) >= AUDIBLE_DBFS for at in range(0, len(track), _BLOCK)]
        begins = [turn["start"] for turn in self.turns]
        for turn, line, after in zip(self.turns, script, [*begins[1:], self.now], strict=False):
            self._judge(turn, line, after, sounds)
        return {
            "call": self.call_sid,
            "opened": self._opened,
            "turns": self.turns,
            "holes": self.noted.holes,
            "said_all": len(self.turns) == len(script),
        }

    def _judge(self, turn: dict[str, Any], line: Said, after: int, sounds: Sequence[bool]) -> None:
        """When the caller's sound ended, and when the agent's began (or, spoken over, ended)."""
        start, end = turn["start"] + line.start, -(-(turn["start"] + line.end) // FRAME) * FRAME
        silent = _next(sounds, start, False, 300) if line.over else None
        if silent is not None and silent > end:
            silent = None
        heard = _next(sounds, end, True, 0)
        early = _next(sounds, start if silent is None else silent, True, 0)
        turn["end"] = self._opened + end / 1000
        turn["next"] = self._opened + after / 1000
        turn["early"] = early is not None and early < end and not (line.over and silent is None)
        turn["answer_ms"] = heard - end if heard is not None and heard < after else None
        if line.over:
            onset = -(-start // FRAME) * FRAME
            turn["silent_ms"] = None if silent is None else silent - onset
        turn["start"] = self._opened + start / 1000


def _next(sounds: Sequence[bool], since: int, sound: bool, lasting: int) -> int | None:
    """The first moment from ``since`` on (ms) at which there is sound, or silence that lasts; in ms."""
    per_ms = BYTES_PER_MS / _BLOCK
    need = max(1, round(lasting * per_ms))
    run = 0
    for at in range(round(since * per_ms), len(sounds)):
        run = run + 1 if sounds[at] is sound else 0
        if run == need:
            return round((at + 1 - need) / per_ms)
    return None


async def hold(url: str, script: Sequence[Said], calls: int, apart: float) -> list[dict[str, Any]]:
    """Hold the calls; what each caller heard, or why there was no call."""
    rung = 0

    async def one(http: aiohttp.ClientSession, number: int) -> dict[str, Any]:
        nonlocal rung
        await asyncio.sleep(number * apart)
        try:
            phone = await Phone.ring(http, url)
        except EngineError as error:
            return {"failed": str(error)}
        finally:
            rung += 1
            if rung == calls:
                print("steady", flush=True)
        assert isinstance(phone, Phone)
        await phone.follow(script, random.Random(number), ending)
        cut_off = phone.over.is_set()
        await phone.hang_up()
        return {**phone.report(script), **({"failed": "the call was cut off"} if cut_off else {})}

    told = False

    def ending() -> None:
        nonlocal told
        if not told:
            told = True
            print("ending", flush=True)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        return await asyncio.gather(*(one(http, number) for number in range(calls)))


def main() -> None:
    """Hold the calls and print what was heard."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", required=True, help="the voice webhook")
    parser.add_argument("--lines", type=Path, required=True, help="what `benchmarks.lines.write` wrote")
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--apart", type=int, default=230, help="ms between the begins of two calls")
    given = parser.parse_args()
    heard = asyncio.run(hold(given.url, read(given.lines), given.calls, given.apart / 1000))
    print(json.dumps(heard), flush=True)


if __name__ == "__main__":
    main()
