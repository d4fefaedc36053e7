"""What every transcriber must do: subclass `TranscriberConformance` in a test module.

It needs two fixtures: ``transcriber``, and ``utterances``, two of them that the transcriber understands. The
events are waited for, never timed; a transcriber that stays silent fails by the time-out of `collect`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import pytest

from engine.audio import mulaw
from engine.core.events import FinalWords, InterimWords, TranscriberReady, TurnVote
from engine.providers.contracts import Transcriber, TranscriberEvent, TranscriberStream

FRAME = 20 * mulaw.BYTES_PER_MS
HUSH = 300
"""ms of silence at the end of an utterance: what an engine waits for before it asks for the words."""
PAUSE = 1_200
"""ms of silence between two utterances."""
PATIENCE = 10  # seconds until a transcriber that gives nothing has failed


@dataclass(frozen=True)
class Utterance:
    """Speech, and what it says."""

    audio: bytes
    text: str

    @property
    def ms(self) -> int:
        return len(self.audio) // mulaw.BYTES_PER_MS


def feed(stream: TranscriberStream, audio: bytes, size: int = FRAME) -> None:
    """Audio as a phone call brings it, 20 ms at a time."""
    for at in range(0, len(audio), size):
        stream.feed(audio[at : at + size])


def ask(stream: TranscriberStream, audio: bytes) -> None:
    """An utterance, the silence after it, the flush, and the line that goes on."""
    feed(stream, audio + mulaw.silence(HUSH))
    stream.flush()
    feed(stream, mulaw.silence(PAUSE - HUSH))


async def collect(events: AsyncIterator[TranscriberEvent], until: int) -> list[TranscriberEvent]:
    """The events up to the final words that cover an utterance which ends at ``until`` ms."""
    seen: list[TranscriberEvent] = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            seen.append(event)
            if isinstance(event, FinalWords) and (event.end is None or event.end >= until):
                return seen
    raise AssertionError(f"the stream ended before {until} ms were final: {seen}")


def finals(events: Iterable[TranscriberEvent]) -> list[FinalWords]:
    return [event for event in events if isinstance(event, FinalWords)]


def text(events: Iterable[TranscriberEvent]) -> str:
    return " ".join(final.text for final in finals(events) if final.text)


def left_behind() -> list[str]:
    """Tasks of a provider that still run."""
    tasks = (task.get_coro() for task in asyncio.all_tasks())
    names = [(getattr(coro, "__qualname__", ""), getattr(coro, "cr_code", None)) for coro in tasks]
    return [name for name, code in names if code is not None and "engine/providers" in code.co_filename]


class TranscriberConformance:
    """The contract of `engine.providers.contracts.TranscriberStream`, as tests."""

    @pytest.fixture
    async def stream(self, transcriber: Transcriber) -> AsyncIterator[TranscriberStream]:
        stream = await transcriber.open()
        yield stream
        await stream.close()

    async def test_it_is_ready_first_and_once(
        self, stream: TranscriberStream, utterances: tuple[Utterance, Utterance]
    ) -> None:
        ask(stream, utterances[0].audio)
        events = await collect(aiter(stream), utterances[0].ms)
        assert events[0] == TranscriberReady()
        assert events.count(TranscriberReady()) == 1

    async def test_a_flush_brings_the_words_and_where_they_lie(
        self, stream: TranscriberStream, utterances: tuple[Utterance, Utterance]
    ) -> None:
        ask(stream, utterances[0].audio)
        heard = finals(await collect(aiter(stream), utterances[0].ms))
        assert text(heard) == utterances[0].text
        spoken = [final for final in heard if final.text]
        assert spoken[0].start is not None
        assert 0 <= spoken[0].start < utterances[0].ms
        assert all(0 < final.confidence <= 1 for final in spoken)
        ends = [final.end for final in heard if final.end is not None]
        assert ends == sorted(ends)
        assert ends[-1] <= utterances[0].ms + PAUSE

    async def test_no_word_is_lost_or_said_twice(
        self, stream: TranscriberStream, utterances: tuple[Utterance, Utterance]
    ) -> None:
        events, heard, fed = aiter(stream), [], 0
        for utterance in utterances:
            ask(stream, utterance.audio)
            heard += await collect(events, fed + utterance.ms)
            fed += utterance.ms + PAUSE
        assert text(heard) == " ".join(utterance.text for utterance in utterances)

    async def test_words_do_not_depend_on_how_the_audio_is_cut(
        self, transcriber: Transcriber, utterances: tuple[Utterance, Utterance]
    ) -> None:
        for size in (163, 1_000_000):
            stream = await transcriber.open()
            feed(stream, utterances[0].audio + mulaw.silence(HUSH), size)
            stream.flush()
            feed(stream, mulaw.silence(PAUSE), size)
            assert text(await collect(aiter(stream), utterances[0].ms)) == utterances[0].text
            await stream.close()

    async def test_silence_has_no_words(self, stream: TranscriberStream) -> None:
        ask(stream, mulaw.silence(1000))
        events = await collect(aiter(stream), 1000)
        assert text(events) == ""
        assert not any(isinstance(event, TurnVote) for event in events)

    async def test_a_second_flush_takes_nothing_away(
        self, stream: TranscriberStream, utterances: tuple[Utterance, Utterance]
    ) -> None:
        first, second = utterances
        feed(stream, first.audio + mulaw.silence(HUSH))
        stream.flush()
        stream.flush()
        feed(stream, mulaw.silence(PAUSE - HUSH))
        stream.flush()
        ask(stream, second.audio)
        events = await collect(aiter(stream), first.ms + PAUSE + second.ms)
        assert text(events) == f"{first.text} {second.text}"
        assert len(finals(events)) <= 5

    async def test_a_stream_that_replaces_another_hears_the_same_again(
        self, transcriber: Transcriber, utterances: tuple[Utterance, Utterance]
    ) -> None:
        broken = await transcriber.open()
        feed(broken, utterances[0].audio[: len(utterances[0].audio) // 2])
        await broken.close()
        stream = await transcriber.open()
        ask(stream, utterances[0].audio)
        heard = await collect(aiter(stream), utterances[0].ms)
        assert text(heard) == utterances[0].text
        await stream.close()

    async def test_two_streams_do_not_mix(
        self, transcriber: Transcriber, utterances: tuple[Utterance, Utterance]
    ) -> None:
        one, other = await transcriber.open(), await transcriber.open()
        ask(one, utterances[0].audio)
        ask(other, mulaw.silence(utterances[0].ms))
        assert text(await collect(aiter(one), utterances[0].ms)) == utterances[0].text
        assert text(await collect(aiter(other), utterances[0].ms)) == ""
        await one.close()
        await other.close()

    async def test_closing_twice_ends_the_iteration(
        self, stream: TranscriberStream, utterances: tuple[Utterance, Utterance]
    ) -> None:
        ask(stream, utterances[0].audio)
        await stream.close()
        await stream.close()
        feed(stream, utterances[0].audio)
        stream.flush()
        async with asyncio.timeout(PATIENCE):
            assert [event async for event in stream] == []

    async def test_closing_ends_an_iteration_that_waits(self, stream: TranscriberStream) -> None:
        events = aiter(stream)
        async with asyncio.timeout(PATIENCE):
            assert await anext(events) == TranscriberReady()
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            await stream.close()
            with pytest.raises(StopAsyncIteration):
                await waiting

    async def test_interims_are_words_too(
        self, stream: TranscriberStream, utterances: tuple[Utterance, Utterance]
    ) -> None:
        ask(stream, utterances[0].audio)
        events = await collect(aiter(stream), utterances[0].ms)
        interims = [event.text for event in events if isinstance(event, InterimWords)]
        assert interims
        assert all(interims)

    async def test_an_opening_that_is_cancelled_leaves_nothing_behind(self, transcriber: Transcriber) -> None:
        opening = asyncio.ensure_future(transcriber.open())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await transcriber.close()
        assert left_behind() == []

    async def test_closing_leaves_nothing_behind(
        self, transcriber: Transcriber, utterances: tuple[Utterance, Utterance]
    ) -> None:
        streams = [await transcriber.open() for _ in range(3)]
        for stream in streams:
            feed(stream, utterances[0].audio)
            stream.flush()
        await transcriber.close()
        await transcriber.close()
        for stream in streams:
            async with asyncio.timeout(PATIENCE):
                assert [event async for event in stream] == []
        assert left_behind() == []
