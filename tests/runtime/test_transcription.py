"""The transcriber's stream: opened, broken, opened anew, and no word of the caller lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.audio.mulaw import BYTES_PER_MS
from engine.core.events import (
    Event,
    FinalWords,
    InterimWords,
    TranscriberFailed,
    TranscriberReady,
    VendorUsed,
)
from engine.providers.contracts import ProviderError
from engine.runtime.gathering import GATHERED_MS
from engine.runtime.tasks import Tasks
from engine.runtime.transcription import CHARGED_EVERY_MS, KEPT_MS, KEPT_OWED_MS, Transcription
from tests.stand_ins import Opens, Queued

LOUD = -20.0
"""dBFS."""


class Stream(Queued):
    def __init__(self) -> None:
        super().__init__()
        self.fed = b""
        self.flushed = 0

    def feed(self, payload: bytes) -> None:
        self.fed += payload

    def flush(self) -> None:
        self.flushed += 1


class Vendor(Opens):
    """Streams that do nothing by themselves; opening waits for ``ready``."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__(refusals)
        self.ready = asyncio.Event()
        self.ready.set()

    async def open(self) -> Queued:
        await self.ready.wait()
        return await super().open()

    def make(self) -> Queued:
        return Stream()


class Bench:
    """A transcription and what it tells."""

    def __init__(self, vendor: Vendor | None) -> None:
        self.vendor = vendor
        self.told: asyncio.Queue[Event] = asyncio.Queue()
        self.used: list[VendorUsed] = []
        self.tasks = Tasks()
        self.transcription = Transcription(
            [] if vendor is None else [vendor], self.told.put_nowait, self.used.append, self.tasks
        )

    async def opened(self) -> Stream:
        """Open a stream; it has said that it is ready."""
        assert self.vendor is not None
        self.transcription.open()
        stream = await self.vendor.opened.get()
        stream.events.put_nowait(TranscriberReady())
        assert await self.told.get() == TranscriberReady()
        assert isinstance(stream, Stream)
        return stream


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench(Vendor())
    yield bench
    bench.transcription.close()
    await bench.tasks.wait()


def frame(number: int) -> bytes:
    return bytes([number % 256]) * 160


async def test_audio_is_passed_on_when_enough_is_gathered_and_at_a_flush(bench: Bench) -> None:
    stream = await bench.opened()
    for number in range(5):
        assert stream.fed == b""
        bench.transcription.feed(frame(number), number * 20, LOUD)
    assert stream.fed == b"".join(map(frame, range(5)))
    bench.transcription.feed(frame(5), 100, LOUD)
    bench.transcription.flush()
    assert (stream.fed[800:], stream.flushed) == (frame(5), 1)


async def test_audio_behind_a_gap_is_not_taken_for_what_was_before_it(bench: Bench) -> None:
    stream = await bench.opened()
    bench.transcription.feed(frame(0), 0, LOUD)
    bench.transcription.feed(frame(1), 500, LOUD)
    bench.transcription.flush()
    stream.events.put_nowait(FinalWords("one", 20, 40))
    assert await bench.told.get() == FinalWords("one", 500, 520)


async def test_of_a_piece_whose_beginning_is_final_the_rest_is_given_again(bench: Bench) -> None:
    first = await bench.opened()
    for number in range(5):
        bench.transcription.feed(frame(number), number * 20, LOUD)
    first.events.put_nowait(FinalWords("one", 0, 50))
    await bench.told.get()
    second = await bench.opened()
    assert second.fed == frame(2)[:80] + frame(3) + frame(4)


async def test_audio_that_came_while_it_opened_is_given_when_it_is_open(bench: Bench) -> None:
    assert bench.vendor is not None
    bench.vendor.ready.clear()
    opening = asyncio.ensure_future(bench.opened())
    await asyncio.sleep(0)
    bench.transcription.feed(frame(1), 0, LOUD)
    bench.transcription.flush()
    bench.vendor.ready.set()
    stream = await opening
    assert (stream.fed, stream.flushed) == (frame(1), 1)


async def test_what_no_final_covers_goes_to_the_next_stream(bench: Bench) -> None:
    first = await bench.opened()
    for number in range(5):
        bench.transcription.feed(frame(number), number * 20, LOUD)
    first.events.put_nowait(FinalWords("one", 0, 20))
    await bench.told.get()
    first.events.put_nowait(ProviderError("gone", retryable=True))
    assert await bench.told.get() == TranscriberFailed("gone", True)
    bench.transcription.feed(frame(5), 100, LOUD)
    second = await bench.opened()
    assert second.fed == b"".join(map(frame, range(1, 6)))
    assert first.closed == 1


async def test_a_flush_that_was_not_answered_is_asked_again(bench: Bench) -> None:
    first = await bench.opened()
    bench.transcription.feed(frame(0), 0, LOUD)
    bench.transcription.flush()
    first.events.put_nowait(ProviderError("gone"))
    await bench.told.get()
    second = await bench.opened()
    assert second.flushed == 1
    second.events.put_nowait(FinalWords("zero"))
    await bench.told.get()
    second.events.put_nowait(ProviderError("gone"))
    await bench.told.get()
    third = await bench.opened()
    assert (third.flushed, third.fed) == (0, b"")


async def test_what_is_kept_is_bounded(bench: Bench) -> None:
    for number in range(KEPT_MS // 20 + 5):
        bench.transcription.feed(frame(number), number * 20, LOUD)
    stream = await bench.opened()
    kept = len(stream.fed) // BYTES_PER_MS
    assert KEPT_MS - GATHERED_MS < kept <= KEPT_MS
    assert stream.fed.endswith(frame(KEPT_MS // 20 + 4)) and len(stream.fed) % 160 == 0


async def test_words_that_are_owed_are_kept_for_longer(bench: Bench) -> None:
    bench.transcription.feed(frame(0), 0, LOUD)
    bench.transcription.flush()
    for number in range(1, KEPT_OWED_MS // 20):
        bench.transcription.feed(frame(number), number * 20, LOUD)
    stream = await bench.opened()
    assert stream.fed.startswith(frame(0)) and len(stream.fed) == KEPT_OWED_MS * BYTES_PER_MS
    stream.events.put_nowait(FinalWords("", 0, 20))
    await bench.told.get()
    bench.transcription.feed(frame(1), KEPT_OWED_MS, LOUD)
    kept = len((await bench.opened()).fed) // BYTES_PER_MS
    assert KEPT_MS - GATHERED_MS < kept <= KEPT_MS


async def test_times_of_a_later_stream_are_media_times_of_the_call(bench: Bench) -> None:
    await bench.opened()
    bench.transcription.feed(frame(0), 0, LOUD)
    first = await bench.opened()
    bench.transcription.feed(frame(1), 1000, LOUD)  # a gap in the stream of the carrier
    bench.transcription.flush()
    first.events.put_nowait(FinalWords("two", 0, 30))
    assert await bench.told.get() == FinalWords("two", 0, 1010)


async def test_an_old_stream_is_not_heard_any_more(bench: Bench) -> None:
    first = await bench.opened()
    first.events.put_nowait(InterimWords("old"))
    second = await bench.opened()
    second.events.put_nowait(InterimWords("new"))
    assert await bench.told.get() == InterimWords("new")
    assert bench.told.empty()


async def test_a_refusal_a_bug_and_a_sudden_end_are_failures(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(Vendor(refusals=1))
    bench.transcription.open()
    assert await bench.told.get() == TranscriberFailed("no room", True)
    stream = await bench.opened()
    stream.events.put_nowait(ZeroDivisionError("oops"))
    assert await bench.told.get() == TranscriberFailed("transcriber: ZeroDivisionError: oops", True)
    stream = await bench.opened()
    stream.events.put_nowait(None)
    assert await bench.told.get() == TranscriberFailed("the transcriber ended its stream", True)
    await bench.tasks.wait()
    assert "broke its contract" in caplog.text


async def test_closing_while_it_opens_leaves_nothing_behind(bench: Bench) -> None:
    assert bench.vendor is not None
    bench.vendor.ready.clear()
    bench.transcription.open()
    await asyncio.sleep(0)
    bench.transcription.close()
    await bench.tasks.wait()
    assert len(bench.tasks) == 0
    assert bench.told.empty()


async def test_without_a_transcriber_a_sound_has_no_words() -> None:
    bench = Bench(None)
    bench.transcription.open()
    bench.transcription.feed(frame(0), 0, LOUD)
    bench.transcription.flush()
    assert [bench.told.get_nowait() for _ in range(2)] == [TranscriberReady(), FinalWords("")]


async def test_audio_is_on_the_books_as_often_as_it_was_given(bench: Bench) -> None:
    first = await bench.opened()
    for number in range(5):
        bench.transcription.feed(frame(number), number * 20, LOUD)
    assert bench.used == []
    first.events.put_nowait(ProviderError("gone"))
    await bench.told.get()
    bench.transcription.feed(frame(5), 100, LOUD)
    assert bench.used == [VendorUsed("transcriber", audio_ms=100)]
    second = await bench.opened()
    assert len(second.fed) == 960
    bench.transcription.close()
    bench.transcription.close()
    assert bench.used[1:] == [VendorUsed("transcriber", audio_ms=120)]


async def test_a_long_stream_is_put_on_the_books_now_and_then(bench: Bench) -> None:
    await bench.opened()
    for number in range(CHARGED_EVERY_MS // 20 + 6):
        bench.transcription.feed(frame(number), number * 20, LOUD)
    assert bench.used == [VendorUsed("transcriber", audio_ms=CHARGED_EVERY_MS)]
    bench.transcription.close()
    assert bench.used[1:] == [VendorUsed("transcriber", audio_ms=100)], "what is held was not given"
