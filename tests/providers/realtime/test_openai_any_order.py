"""Whatever is asked in whatever order: the vendor never has to refuse it, and nothing stays unanswered."""

from __future__ import annotations

import asyncio
import random

import pytest

from engine.audio import mulaw
from engine.core.conversation import Message
from engine.core.events import FinalWords, VoiceDone
from engine.providers.contracts import VoiceStream
from fixtures.tone_speech import CHARACTER
from tests.providers.realtime.bench import PROMPT, SOUND, Bench, Reply, opened, reply, stand_in
from tests.providers.transcriber_conformance import PATIENCE, feed, left_behind

TOO_LATE = "response_cancel_not_active"


class Chaos:
    """A caller, an agent and a voice without any manners."""

    def __init__(self, bench: Bench, voice: VoiceStream, seed: int) -> None:
        self.bench = bench
        self.voice = voice
        self.random = random.Random(seed)
        self.messages = [PROMPT]
        self.replies: list[asyncio.Task[None]] = []
        self.flushes = self.answers = 0

    async def listen(self) -> None:
        async for event in self.bench.stream:
            if isinstance(event, FinalWords):
                self.answers += 1
                if event.text:
                    self.messages.append(Message("user", event.text))

    async def answer(self, attempt: int, limit_ms: int) -> None:
        """A reply of which so much is taken, and some of that is heard."""
        said, deltas = Reply(), self.bench.line.respond(attempt, list(self.messages), ())
        try:
            async for delta in deltas:
                said.take(delta)
                if said.ms > limit_ms:
                    break
        finally:
            await deltas.aclose()  # type: ignore[attr-defined]
        heard_ms = self.random.randint(0, said.ms + 200)
        self.bench.line.truncate(attempt, heard_ms)
        if heard := said.text[: heard_ms // CHARACTER].strip():
            self.messages.append(Message("assistant", heard))

    async def step(self, number: int) -> None:
        match self.random.choice(["sound", "silence", "flush", "answer", "cancel", "cut", "say", "hush"]):
            case "sound":
                feed(self.bench.stream, SOUND * self.random.randint(1, 20))
            case "silence":
                feed(self.bench.stream, mulaw.silence(self.random.randint(20, 3_000)))
            case "flush":
                self.bench.stream.flush()
                self.flushes += 1
            case "answer":
                limit_ms = self.random.choice([-1, 0, 500, 60_000])
                self.replies.append(asyncio.create_task(self.answer(number, limit_ms)))
            case "cancel":
                if self.replies:
                    self.random.choice(self.replies).cancel()
            case "cut":
                self.bench.line.truncate(self.random.randint(1, number), self.random.choice([0, 100, 5_000]))
            case "say":
                self.voice.say(number, 0, "Hello there.")
            case "hush":
                self.voice.cancel(self.random.randint(1, number))
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(12))
async def test_any_order(seed: int) -> None:
    pace = random.Random(seed)
    vendor = stand_in(sayings=["word one two three."] * 50)
    vendor.tokens_per_second, vendor.rate = pace.choice([0, 1_000]), pace.choice([0, 100])
    vendor.transcript, vendor.first_token = pace.choice([0, 3]), pace.choice([0, 3])
    async with opened(vendor) as bench:
        voice = await bench.line.voice.open()
        chaos = Chaos(bench, voice, seed)
        listening = asyncio.create_task(chaos.listen())
        async with asyncio.timeout(PATIENCE):
            for number in range(1, 61):
                await chaos.step(number)
            results = await asyncio.gather(*chaos.replies, return_exceptions=True)
            assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
            assert (await reply(bench.line, 1_000, chaos.messages)).text
            voice.say(1_000, 0, "Good bye.")
            async for event in voice:
                if event == VoiceDone(1_000, 0):
                    break
            await bench.stream.close()
            await listening
        assert chaos.answers <= chaos.flushes + len(bench.connection.of("input_audio_buffer.commit"))
        refused = [event["error"]["code"] for event in bench.connection.sent if event["type"] == "error"]
        assert set(refused) <= {TOO_LATE}
    assert left_behind() == []
