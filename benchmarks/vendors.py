"""The vendors' stand-ins in a process of their own: ``python -m benchmarks.vendors --profile P --lines F``.

Deepgram, OpenAI and ElevenLabs on loopback with the delays of a `Profile`. Prints the environment in which
they are found, and at its end (SIGTERM) what connections there were, both as JSON. Each reply of the model
carries a number of its own, and the number decides what is drawn from a long-tailed delay: so whoever sees
the reply knows what the vendors were set to take for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from math import exp, log
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.lines import read
from fixtures.deepgram import Deepgram
from fixtures.elevenlabs import ElevenLabs
from fixtures.openai import OpenAI
from fixtures.openai_forms import Reply

REPLY = "This is answer {} for you now. Anything else?"
FIRST_SENTENCE_TOKENS = 7
_SERIAL = re.compile(r"\d+")
_Z99 = 2.326
"""The 99th percentile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Tail:
    """A delay in ms by its median and its 99th percentile, log-normal between them."""

    p50: float
    p99: float

    def __str__(self) -> str:
        tail = f" (p99 {self.p99:g})" if self.p99 > self.p50 else ""
        return f"{self.p50:g}{tail} ms"

    def drawn(self, role: str, serial: int) -> float:
        """What is drawn for the reply of this number: always the same."""
        if self.p99 <= self.p50:
            return self.p50
        spread = log(self.p99 / self.p50) / _Z99
        return self.p50 * exp(spread * random.Random(f"{role} {serial}").gauss(0, 1))


@dataclass(frozen=True, slots=True)
class Profile:
    """What the vendors take, ms."""

    name: str
    words: int
    """From the last voiced frame to the final words."""
    token: Tail
    """From the request to the first token."""
    tokens_per_second: float
    audio: Tail
    """From a text to its first audio."""
    rate: float
    """Delivery of audio, in times real time."""

    @property
    def described(self) -> str:
        """A sentence for a table's notes."""
        return (
            f"Vendors '{self.name}': final words {self.words} ms after the last voiced frame, first token"
            f" {self.token}, then {self.tokens_per_second:g} tokens a second with {FIRST_SENTENCE_TOKENS} in"
            f" the first sentence, first audio {self.audio}, then {self.rate:g} times real time."
        )

    def chain(self, serial: int) -> float:
        """From the last voiced frame to the first audio of a reply, if nobody adds anything: ms."""
        return self.words + self.model(serial) + self.voice(serial)

    def model(self, serial: int) -> float:
        """From the request to the last token of the first sentence, ms."""
        return self.token.drawn("model", serial) + (FIRST_SENTENCE_TOKENS - 1) * 1000 / self.tokens_per_second

    def voice(self, serial: int) -> float:
        """From the first sentence to its first audio, ms."""
        return self.audio.drawn("voice", serial)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("reference", 100, Tail(150, 150), 60, Tail(80, 80), 5),
        Profile("fast", 80, Tail(90, 90), 120, Tail(50, 50), 10),
        Profile("typical", 250, Tail(350, 1_200), 60, Tail(150, 500), 4),
        Profile("slow", 500, Tail(900, 900), 25, Tail(400, 400), 2),
    )
}
LONGEST_PAUSE = 100
"""ms of silence after which the transcriber takes what was said as over; the rest of its delay it thinks.
Asked to finalize, it needs no such silence, but no less time."""


def serial_of(text: str) -> int | None:
    """The number of a reply, by its text; None where it has none."""
    found = _SERIAL.search(text)
    return int(found.group()) if found else None


def delay(role: str, tail: Tail) -> Callable[[str], float]:
    """A stand-in's delay by the number in the text; what has no number takes the median."""

    def drawn(text: str) -> float:
        serial = serial_of(text)
        return tail.p50 if serial is None else tail.drawn(role, serial)

    return drawn


async def serve(profile: Profile, lines: Path) -> None:
    """Run the stand-ins until SIGTERM."""
    serials = count(1)

    async def answer(body: dict[str, Any]) -> Reply:
        return Reply(REPLY.format(next(serials)))

    script = [said.line for said in read(lines)]
    ear = Deepgram(lines=script, pause_ms=min(profile.words, LONGEST_PAUSE), settle_ms=profile.words)
    mind = OpenAI(
        answer=answer,
        first_token=delay("model", profile.token),
        tokens_per_second=profile.tokens_per_second,
    )
    mouth = ElevenLabs(first_audio=delay("voice", profile.audio), rate=profile.rate)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with ear, mind, mouth:
        environment = {
            "DEEPGRAM_API_KEY": ear.api_key,
            "DEEPGRAM_BASE_URL": ear.url,
            "OPENAI_API_KEY": mind.api_key,
            "OPENAI_BASE_URL": mind.url,
            "ELEVENLABS_API_KEY": mouth.api_key,
            "ELEVENLABS_BASE_URL": mouth.url,
        }
        print(json.dumps(environment), flush=True)
        await over.wait()
        connections = {
            "transcriber_connections": len(ear.connections),
            "voice_connections": len(mouth.connections),
            "model_connections": len({request.connection for request in mind.requests}),
            "model_requests": len(mind.requests),
            "voiced": [text for each in mouth.connections for text in each.texts()],
        }
    print(json.dumps(connections), flush=True)


def main() -> None:
    """Serve one profile."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", choices=PROFILES, required=True)
    parser.add_argument("--lines", type=Path, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(PROFILES[given.profile], given.lines))


if __name__ == "__main__":
    main()
