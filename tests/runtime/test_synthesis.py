"""The voice's stream: pieces in order, late audio, retries, and the cache of fixed texts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.core.effects import Speak
from engine.core.events import (
    Event,
    SpokenWord,
    Survived,
    VendorUsed,
    VoiceAudio,
    VoiceDone,
    VoiceFailed,
    VoiceWords,
)
from engine.providers.contracts import ProviderError
from engine.runtime.synthesis import Synthesis
from engine.runtime.tasks import Tasks
from engine.runtime.voice_cache import Speech, VoiceCache
from tests.stand_ins import Opens, Queued


class Stream(Queued):
    """Says nothing by itself; `speak` says a piece that was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, int, str]] = []
        self.cancelled: list[int] = []
        self.asked = asyncio.Event()

    def say(self, reply: int, piece: int, text: str) -> None:
        self.said.append((reply, piece, text))
        self.asked.set()

    def cancel(self, reply: int) -> None:
        self.cancelled.append(reply)

    def speak(self, index: int, audio: bytes, *, done: bool = True) -> None:
        reply, piece, text = self.said[index]
        self.events.put_nowait(VoiceAudio(reply, piece, audio))
        if done:
            self.events.put_nowait(VoiceWords(reply, piece, (SpokenWord(text, 0),)))
            self.events.put_nowait(VoiceDone(reply, piece))


class Vendor(Opens):
    def make(self) -> Queued:
        return Stream()


class Bench:
    def __init__(self, cache: VoiceCache | None = None, refusals: int = 0) -> None:
        self.vendor = Vendor(refusals)
        self.cache = cache or VoiceCache()
        self.told: asyncio.Queue[Event] = asyncio.Queue()
        self.tasks = Tasks()
        self.used: list[VendorUsed] = []
        self.synthesis = Synthesis(
            [self.vendor], self.cache, self.told.put_nowait, self.used.append, self.tasks
        )

    async def stream(self) -> Stream:
        """The next stream that is opened, once it was asked for something."""
        stream = await self.vendor.opened.get()
        assert isinstance(stream, Stream)
        await stream.asked.wait()
        return stream

    async def heard(self, count: int) -> list[Event]:
        return [await self.told.get() for _ in range(count)]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.synthesis.close()
    await bench.tasks.wait()


async def test_pieces_asked_for_while_it_opens_are_spoken_in_order(bench: Bench) -> None:
    bench.synthesis.open()
    bench.synthesis.speak(Speak(7, 0, 0, "a"))
    bench.synthesis.speak(Speak(7, 1, 0, "b"))
    stream = await bench.stream()
    assert [text for _, _, text in stream.said] == ["a", "b"]
    stream.speak(0, b"A")
    stream.speak(1, b"B")
    heard = [event for event in await bench.heard(6) if isinstance(event, VoiceAudio)]
    assert heard == [VoiceAudio(7, 0, b"A"), VoiceAudio(7, 1, b"B")]
    assert len(bench.vendor.streams) == 1


async def test_late_audio_of_a_first_attempt_is_not_taken_for_the_second(bench: Bench) -> None:
    bench.synthesis.speak(Speak(7, 0, 0, "a"))
    stream = await bench.stream()
    bench.synthesis.cancel(7)
    assert stream.cancelled == [stream.said[0][0]]
    bench.synthesis.speak(Speak(7, 0, 0, "a"))
    stream.speak(0, b"late")
    stream.speak(1, b"A")
    assert (await bench.heard(1)) == [VoiceAudio(7, 0, b"A")]


async def test_a_reply_that_is_tried_again_gets_a_fresh_stream(bench: Bench) -> None:
    bench.synthesis.speak(Speak(7, 0, 0, "a"))
    first = await bench.stream()
    bench.synthesis.cancel(7)
    bench.synthesis.speak(Speak(7, 0, 1, "a"))
    bench.synthesis.speak(Speak(7, 1, 1, "b"))
    second = await bench.stream()
    assert [text for _, _, text in second.said] == ["a", "b"]
    assert len(bench.vendor.streams) == 2
    second.speak(0, b"A")
    await bench.heard(1)
    assert first.closed == 1


async def test_a_broken_stream_fails_what_is_not_done_and_is_opened_anew(bench: Bench) -> None:
    bench.synthesis.speak(Speak(7, 0, 0, "a"))
    bench.synthesis.speak(Speak(7, 1, 0, "b"))
    stream = await bench.stream()
    stream.speak(0, b"A")
    await bench.heard(3)
    stream.events.put_nowait(ProviderError("gone", retryable=False))
    assert await bench.heard(1) == [VoiceFailed(7, 1, "gone", False)]
    bench.synthesis.speak(Speak(8, 0, 0, "c"))
    assert [text for _, _, text in (await bench.stream()).said] == ["c"]


async def test_of_several_pieces_on_a_broken_stream_the_first_has_failed_for_all(bench: Bench) -> None:
    bench.synthesis.speak(Speak(7, 0, 0, "a"))
    bench.synthesis.speak(Speak(7, 1, 0, "b"))
    (await bench.stream()).events.put_nowait(ProviderError("gone"))
    bench.vendor.opened = asyncio.Queue()
    assert await bench.heard(1) == [VoiceFailed(7, 0, "gone", True)]
    bench.synthesis.speak(Speak(7, 0, 1, "a"))
    stream = await bench.stream()
    assert [text for _, _, text in stream.said] == ["a"] and bench.told.empty()


async def test_a_refusal_fails_the_piece_that_wanted_it() -> None:
    bench = Bench(refusals=1)
    bench.synthesis.speak(Speak(7, 0, 0, "a"))
    assert await bench.heard(1) == [VoiceFailed(7, 0, "no room", True)]
    await bench.tasks.wait()


async def test_a_stream_that_nobody_waits_for_is_missed_all_the_same() -> None:
    bench = Bench(refusals=1)
    bench.synthesis.open()
    assert await bench.heard(1) == [Survived("voice", "no room")]
    bench.synthesis.speak(Speak(7, 0, 0, "a"))
    stream = await bench.stream()
    assert [text for _, _, text in stream.said] == ["a"]
    stream.events.put_nowait(Survived("voice", "a word without a time"))
    assert await bench.heard(1) == [Survived("voice", "a word without a time")]
    bench.synthesis.close()
    await bench.tasks.wait()


async def test_a_fixed_text_is_spoken_once_for_all_calls(bench: Bench) -> None:
    bench.synthesis.speak(Speak(1, 0, 0, "hello", keep=True))
    (await bench.stream()).speak(0, b"H")
    first = await bench.heard(3)
    other = Bench(bench.cache)
    other.synthesis.speak(Speak(1, 0, 0, "hello", keep=True))
    assert [other.told.get_nowait() for _ in range(3)] == first
    assert other.vendor.streams == []


async def test_kept_speech_does_not_overtake_what_is_still_being_spoken(bench: Bench) -> None:
    bench.cache.put("bye", Speech(b"B"))
    bench.synthesis.speak(Speak(1, 0, 0, "hello"))
    bench.synthesis.speak(Speak(1, 1, 0, "bye", keep=True))
    stream = await bench.stream()
    assert bench.told.empty()
    stream.speak(0, b"H")
    assert [event for event in await bench.heard(5) if isinstance(event, VoiceAudio)] == [
        VoiceAudio(1, 0, b"H"), VoiceAudio(1, 1, b"B"),
    ]  # fmt: skip
    assert [text for _, _, text in stream.said] == ["hello"]


async def test_kept_speech_is_cancelled_with_what_it_waits_for(bench: Bench) -> None:
    bench.cache.put("bye", Speech(b"B"))
    bench.synthesis.speak(Speak(1, 0, 0, "hello"))
    bench.synthesis.speak(Speak(1, 1, 0, "bye", keep=True))
    stream = await bench.stream()
    bench.synthesis.cancel(1)
    bench.synthesis.speak(Speak(2, 0, 0, "again"))
    stream.speak(1, b"A")
    assert await bench.heard(1) == [VoiceAudio(2, 0, b"A")]


async def test_speech_that_was_cut_is_not_kept(bench: Bench) -> None:
    bench.synthesis.speak(Speak(1, 0, 0, "hello", keep=True))
    stream = await bench.stream()
    stream.speak(0, b"H", done=False)
    await bench.heard(1)
    bench.synthesis.cancel(1)
    stream.events.put_nowait(VoiceDone(*stream.said[0][:2]))
    bench.synthesis.speak(Speak(2, 0, 0, "bye"))
    stream.speak(1, b"B")
    await bench.heard(3)
    assert bench.cache.get("hello") is None
    assert bench.cache.get("bye") is None


async def test_speech_with_a_flaw_is_not_kept(bench: Bench) -> None:
    bench.synthesis.speak(Speak(1, 0, 0, "hello", keep=True))
    bench.synthesis.speak(Speak(1, 1, 0, "bye", keep=True))
    stream = await bench.stream()
    stream.events.put_nowait(Survived("voice", "it said something else"))
    stream.speak(0, b"H")
    stream.speak(1, b"B")
    await bench.heard(7)
    assert bench.cache.get("hello") is None
    assert bench.cache.get("bye") is not None


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    cache = VoiceCache(limit_bytes=10)
    cache.put("a", Speech(b"aaaa"))
    cache.put("b", Speech(b"bbbb"))
    assert cache.get("a") == Speech(b"aaaa")
    cache.put("c", Speech(b"cccc"))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    cache.put("a", Speech(b"a"))
    cache.put("d", Speech(b"dddd"))
    assert [cache.get(text) is not None for text in "acd"] == [True, True, True]
    cache.put("huge", Speech(b"h" * 11))
    assert cache.get("huge") is None


async def test_a_piece_is_on_the_books_when_a_vendor_was_given_it(bench: Bench) -> None:
    bench.synthesis.speak(Speak(1, 0, 0, "hello", keep=True))
    assert bench.used == []
    (await bench.stream()).speak(0, b"H")
    await bench.heard(3)
    bench.synthesis.speak(Speak(2, 0, 0, "how are you"))
    assert bench.used == [VendorUsed("voice", characters=5), VendorUsed("voice", characters=11)]
    other = Bench(bench.cache)
    other.synthesis.speak(Speak(1, 0, 0, "hello", keep=True))
    assert other.used == []
    refused = Bench(refusals=1)
    refused.synthesis.speak(Speak(7, 0, 0, "a"))
    await refused.heard(1)
    assert refused.used == []
