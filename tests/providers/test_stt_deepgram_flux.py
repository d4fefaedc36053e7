"""Deepgram Flux, against the stand-in that speaks its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.audio import mulaw
from engine.core.events import FinalWords, InterimWords, TranscriberReady, TurnVote, Vote
from engine.errors import EngineError
from engine.providers.contracts import ProviderError, TranscriberEvent
from engine.providers.stt.deepgram_flux import DeepgramFluxTranscriber, FluxListener
from fixtures.deepgram import API_KEY, Deepgram
from fixtures.deepgram_ear import Word
from tests.providers.deepgram_streams import SAYINGS, UTTERANCES, flux
from tests.providers.transcriber_conformance import (
    PATIENCE,
    TranscriberConformance,
    Utterance,
    ask,
    collect,
    feed,
    finals,
    text,
)


class TestConformance(TranscriberConformance):
    @pytest.fixture
    def utterances(self) -> tuple[Utterance, Utterance]:
        return UTTERANCES

    @pytest.fixture
    async def transcriber(self) -> AsyncIterator[DeepgramFluxTranscriber]:
        async with Deepgram(sayings=SAYINGS) as deepgram:
            transcriber = flux(deepgram)
            yield transcriber
            await transcriber.close()


@pytest.fixture
async def deepgram() -> AsyncIterator[Deepgram]:
    async with Deepgram(sayings=SAYINGS) as deepgram:
        yield deepgram


async def asked(deepgram: Deepgram, **options: Any) -> list[tuple[str, str]]:
    """The query that a transcriber with these options sends."""
    transcriber = flux(deepgram, **options)
    await transcriber.open()
    await transcriber.close()
    return deepgram.connections[-1].query


async def test_what_is_asked_of_deepgram(deepgram: Deepgram) -> None:
    assert dict(await asked(deepgram)) == {
        "model": "flux-general-en",
        "encoding": "mulaw",
        "sample_rate": "8000",
        "eager_eot_threshold": "0.5",
        "eot_threshold": "0.7",
        "eot_timeout_ms": "5000",
    }
    assert deepgram.connections[-1].path == "/v2/listen"
    assert deepgram.connections[-1].authorization == f"Token {API_KEY}"


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"model": "flux-general-multi"}, [("model", "flux-general-multi")]),
        (
            {"model": "flux-general-multi", "language_hints": ["en", "es"]},
            [("language_hint", "en"), ("language_hint", "es")],
        ),
        ({"keyterms": ["Voyager", "flat white"]}, [("keyterm", "Voyager"), ("keyterm", "flat white")]),
        ({"eager_eot_threshold": 0.3}, [("eager_eot_threshold", "0.3")]),
        ({"eot_threshold": 0.9}, [("eot_threshold", "0.9")]),
        ({"eot_timeout_ms": 500}, [("eot_timeout_ms", "500")]),
        ({"mip_opt_out": True}, [("mip_opt_out", "true")]),
    ],
)
async def test_every_option(deepgram: Deepgram, options: Any, sent: list[tuple[str, str]]) -> None:
    assert not set(sent) & set(await asked(deepgram))
    query = await asked(deepgram, **options)
    assert [pair for pair in query if pair in sent] == sent


async def test_without_eager_votes_none_is_asked_for(deepgram: Deepgram) -> None:
    names = [name for name, _ in await asked(deepgram, eager_eot_threshold=None)]
    assert "eager_eot_threshold" not in names


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"language_hints": ["es"]}, "takes no language_hints"),
        ({"eager_eot_threshold": 0.2}, "eager_eot_threshold must be 0.3 to 0.7, not 0.2"),
        ({"eager_eot_threshold": 0.8}, "eager_eot_threshold must be 0.3 to 0.7"),
        ({"eot_threshold": 0.4}, "eot_threshold must be 0.5 to 1"),
        ({"eot_timeout_ms": 60_001}, "eot_timeout_ms must be 500 to 60000"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(EngineError, match=told):
        DeepgramFluxTranscriber(API_KEY, **options)


async def test_a_flush_ends_no_turn(deepgram: Deepgram) -> None:
    transcriber = flux(deepgram)
    stream = await transcriber.open()
    feed(stream, mulaw.silence(100))
    stream.flush()
    connection = await deepgram.connection()
    async with asyncio.timeout(PATIENCE):
        await connection.until(lambda c: len(c.audio) == 800)
    assert connection.messages == ["audio"] * 5
    await transcriber.close()


async def test_its_turn_votes_are_passed_on() -> None:
    words = [Word("I", 100, 300), Word("want", 300, 600), Word("coffee.", 820, 1300)]
    async with Deepgram(script=words) as deepgram:
        transcriber = flux(deepgram)
        stream = await transcriber.open()
        feed(stream, mulaw.silence(1700))
        seen = await collect(aiter(stream), 1500)
        told = [
            event.vote if isinstance(event, TurnVote) else event.text
            for event in seen
            if isinstance(event, TurnVote | InterimWords | FinalWords)
        ]
        votes = [Vote.EAGER, "I want coffee.", Vote.RESUMED, Vote.EAGER, "I want coffee."]
        assert told[told.index(Vote.EAGER) - 1 :] == ["I want", *votes]
        last = finals(seen)[-1]
        assert (last.start, last.end) == (100, 1580)
        async with asyncio.timeout(PATIENCE):
            assert await anext(aiter(stream)) == TurnVote(Vote.END, 0.7)
        await transcriber.close()


async def test_silence_that_keeps_a_stream_alive_is_not_part_of_its_time() -> None:
    async with Deepgram(script=[Word("yes.", 400, 800)]) as deepgram:
        transcriber = flux(deepgram, keep_alive_ms=1)
        stream = await transcriber.open()
        connection = await deepgram.connection()
        async with asyncio.timeout(PATIENCE):
            await connection.until(lambda c: len(c.audio) >= 800)
        before = len(connection.audio) // mulaw.BYTES_PER_MS
        ask(stream, mulaw.silence(1000))
        heard = finals(await collect(aiter(stream), 1000))
        assert text(heard) == "yes."
        assert heard[0].start is not None
        assert heard[0].start <= 400 - min(before, 400)
        assert all(final.end is not None and final.end <= 2200 for final in heard)
        await transcriber.close()


def turn(event: str, sequence: int, end: float, *words: tuple[str, float, float]) -> dict[str, Any]:
    return {
        "type": "TurnInfo",
        "sequence_id": sequence,
        "event": event,
        "turn_index": 0,
        "audio_window_start": 0.0,
        "audio_window_end": end,
        "transcript": " ".join(word for word, _, _ in words),
        "words": [{"word": w, "confidence": 0.9, "start": s, "end": e} for w, s, e in words],
        "end_of_turn_confidence": 0.4,
    }


def say(listener: FluxListener, *messages: dict[str, Any]) -> list[TranscriberEvent]:
    return [event for message in messages for event in listener.hear(message)]


WE, WANT, TEA, MORE = ("we", 0.1, 0.2), ("want", 0.2, 0.6), ("tea", 1.5, 1.9), ("and", 2.5, 2.7)


def test_a_turn_goes_on_after_a_flush_without_the_words_that_are_final() -> None:
    listener = FluxListener()
    listener.flush(1000)
    told = say(
        listener,
        turn("StartOfTurn", 1, 0.5, WE),
        turn("Update", 2, 0.75, WE, WANT),
        turn("Update", 3, 1.0, WE, WANT),
        turn("Update", 4, 2.0, WE, WANT, TEA),
        turn("EndOfTurn", 5, 2.4, WE, WANT, TEA),
        turn("StartOfTurn", 6, 2.8, MORE),
    )
    assert told == [
        InterimWords("we"),
        InterimWords("we want"),
        FinalWords("we want", 100, 1000, pytest.approx(0.9)),
        InterimWords("tea"),
        FinalWords("tea", 1500, 2400, pytest.approx(0.9)),
        TurnVote(Vote.END, 0.4),
        InterimWords("and"),
    ]


def test_words_without_times_are_told_apart_by_their_place() -> None:
    listener = FluxListener()
    listener.flush(1000)
    first, second = turn("Update", 1, 1.0, WE, WANT), turn("EndOfTurn", 2, 2.0, WE, WANT, TEA)
    for message in (first, second):
        for word in message["words"]:
            del word["start"], word["end"]
    told = [event for event in say(listener, first, second) if isinstance(event, FinalWords)]
    assert [final.text for final in told] == ["we want", "tea"]


def test_a_flush_with_nothing_new_is_answered_at_once() -> None:
    listener = FluxListener()
    say(listener, turn("EndOfTurn", 1, 2.0, WE))
    assert list(listener.flush(2000)[1]) == [FinalWords("", 2000, 2000)]
    assert not listener.owes()


def test_a_message_that_comes_twice_counts_once() -> None:
    listener = FluxListener()
    message = turn("EndOfTurn", 1, 2.0, WE)
    assert say(listener, message, message) == say(FluxListener(), message)


def test_an_empty_turn_is_no_vote() -> None:
    assert say(FluxListener(), turn("EndOfTurn", 1, 2.0)) == []


def test_it_is_ready_when_it_says_so() -> None:
    listener = FluxListener()
    assert list(listener.ready()) == []
    told = say(listener, {"type": "Connected", "sequence_id": 0}, {"type": "Warning", "sequence_id": 1})
    assert told == [TranscriberReady()]


def test_a_reported_error_ends_the_stream() -> None:
    error = {"type": "Error", "sequence_id": 3, "code": "INTERNAL_SERVER_ERROR", "description": "oh\nno"}
    with pytest.raises(ProviderError, match="Deepgram reports INTERNAL_SERVER_ERROR: oh no"):
        say(FluxListener(), error)


def test_what_a_flush_waits_for_shrinks_as_flux_hears_more() -> None:
    listener = FluxListener()
    listener.flush(1000)
    assert listener.owes() == 1000
    say(listener, turn("Update", 1, 0.5, WE))
    assert listener.owes() == 500
    say(listener, turn("Update", 2, 1.0, WE))
    assert listener.owes() == 0
