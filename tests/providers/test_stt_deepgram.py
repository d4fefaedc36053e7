"""Deepgram's nova models, against the stand-in that speaks its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.audio import mulaw
from engine.core.events import FinalWords, InterimWords, TranscriberReady, TurnVote, Vote
from engine.errors import EngineError
from engine.providers.contracts import ProviderError
from engine.providers.stt.deepgram import DeepgramTranscriber, NovaListener
from fixtures.deepgram import API_KEY, Deepgram
from fixtures.deepgram_ear import Word
from tests.providers.deepgram_streams import SAYINGS, SOUND, UTTERANCES, nova
from tests.providers.transcriber_conformance import (
    HUSH,
    PATIENCE,
    TranscriberConformance,
    Utterance,
    ask,
    collect,
    feed,
    finals,
    text,
)

NOVA_2 = (
    "nova-2 nova-2-general nova-2-meeting nova-2-phonecall nova-2-finance nova-2-voicemail nova-2-medical "
    "nova-2-drivethru nova-2-automotive nova-2-conversationalai"
).split()
LANGUAGES = (
    "bg ca zh zh-TW cs da nl en et fi nl-BE fr de de-CH el hi hu id it ja ko lv lt ms multi no pl pt ro ru "
    "sk es sv th tr uk vi"
).split()


class TestConformance(TranscriberConformance):
    @pytest.fixture
    def utterances(self) -> tuple[Utterance, Utterance]:
        return UTTERANCES

    @pytest.fixture
    async def transcriber(self) -> AsyncIterator[DeepgramTranscriber]:
        async with Deepgram(sayings=SAYINGS) as deepgram:
            transcriber = nova(deepgram)
            yield transcriber
            await transcriber.close()


class TestConformanceWithoutEndpointing(TestConformance):
    """Finals come only of Finalize."""

    @pytest.fixture
    async def transcriber(self) -> AsyncIterator[DeepgramTranscriber]:
        async with Deepgram(sayings=SAYINGS, final_ms=5) as deepgram:
            transcriber = nova(deepgram, endpointing_ms=None, utterance_end_ms=None)
            yield transcriber
            await transcriber.close()


@pytest.fixture
async def deepgram() -> AsyncIterator[Deepgram]:
    async with Deepgram(sayings=SAYINGS) as deepgram:
        yield deepgram


async def asked(deepgram: Deepgram, **options: Any) -> list[tuple[str, str]]:
    """The query that a transcriber with these options sends."""
    transcriber = nova(deepgram, **options)
    await transcriber.open()
    await transcriber.close()
    return deepgram.connections[-1].query


async def test_what_is_asked_of_deepgram(deepgram: Deepgram) -> None:
    assert dict(await asked(deepgram)) == {
        "model": "nova-3",
        "language": "en",
        "encoding": "mulaw",
        "sample_rate": "8000",
        "channels": "1",
        "interim_results": "true",
        "endpointing": "300",
        "utterance_end_ms": "1000",
        "punctuate": "true",
    }
    assert deepgram.connections[-1].path == "/v1/listen"
    assert deepgram.connections[-1].authorization == f"Token {API_KEY}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", ["nova-2", "nova-3"])
async def test_every_language(deepgram: Deepgram, model: str, language: str) -> None:
    query = await asked(deepgram, model=model, language=language)
    assert ("model", model) in query
    assert ("language", language) in query


@pytest.mark.parametrize("model", [*NOVA_2, "nova-3", "nova-3-general", "nova-3-medical"])
async def test_every_model_and_its_words(deepgram: Deepgram, model: str) -> None:
    name, parameter = ("keywords", "keywords") if model in NOVA_2 else ("keyterms", "keyterm")
    terms = ["Voyager:2", "flat white"]
    query = await asked(deepgram, model=model, **{name: terms})
    assert ("model", model) in query
    assert [value for key, value in query if key == parameter] == terms


@pytest.mark.parametrize(
    ("option", "value", "sent"),
    [
        ("endpointing_ms", 25, ("endpointing", "25")),
        ("endpointing_ms", None, ("endpointing", "false")),
        ("utterance_end_ms", 1500, ("utterance_end_ms", "1500")),
        ("smart_format", True, ("smart_format", "true")),
        ("numerals", True, ("numerals", "true")),
        ("profanity_filter", True, ("profanity_filter", "true")),
        ("mip_opt_out", True, ("mip_opt_out", "true")),
    ],
)
async def test_every_option(deepgram: Deepgram, option: str, value: object, sent: tuple[str, str]) -> None:
    assert sent not in await asked(deepgram)
    assert sent in await asked(deepgram, **{option: value})


async def test_options_that_are_off_are_not_sent(deepgram: Deepgram) -> None:
    names = [name for name, _ in await asked(deepgram, punctuate=False, utterance_end_ms=None)]
    assert not {"punctuate", "utterance_end_ms", "smart_format"} & set(names)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"keywords": ["x"]}, "nova-3 takes keyterms"),
        ({"model": "nova-2", "keyterms": ["x"]}, "nova-2 takes keywords"),
        ({"utterance_end_ms": 999}, "utterance_end_ms must be 1000 or more"),
        ({"base_url": "ftp://x"}, "DEEPGRAM_BASE_URL"),
        ({"base_url": "https://"}, "DEEPGRAM_BASE_URL"),
        ({"api_key": " "}, "DEEPGRAM_API_KEY is empty"),
        ({"api_key": "two words"}, "DEEPGRAM_API_KEY holds"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(EngineError, match=told):
        DeepgramTranscriber(options.pop("api_key", API_KEY), **options)


async def test_audio_goes_out_unchanged_a_message_each_time_and_before_a_flush(deepgram: Deepgram) -> None:
    transcriber = nova(deepgram)
    stream = await transcriber.open()
    audio = bytes(range(256)) * 6 + bytes(64)
    feed(stream, audio, 800)
    stream.feed(b"")
    stream.feed(SOUND * 2)
    stream.flush()
    connection = await deepgram.connection()
    async with asyncio.timeout(PATIENCE):
        await connection.until(lambda c: "Finalize" in c.messages)
    assert connection.messages == ["audio", "audio", "audio", "Finalize"]
    assert connection.sizes == [800, 800, 320]
    assert bytes(connection.audio) == audio + SOUND * 2
    await transcriber.close()
    assert connection.messages[-1] == "CloseStream"


async def test_a_stream_without_audio_is_kept_alive_and_times_do_not_count_it() -> None:
    async with Deepgram(script=[Word("yes.", 100, 400)]) as deepgram:
        transcriber = nova(deepgram, keep_alive_ms=1)
        stream = await transcriber.open()
        connection = await deepgram.connection()
        async with asyncio.timeout(PATIENCE):
            await connection.until(lambda c: c.messages.count("KeepAlive") >= 3)
        ask(stream, mulaw.silence(500))
        assert finals(await collect(aiter(stream), 500))[0].start == 100
        await transcriber.close()


async def test_a_stream_that_is_not_kept_alive_is_closed_by_deepgram() -> None:
    async with Deepgram(idle_s=0.01) as deepgram:
        transcriber = nova(deepgram)
        stream = await transcriber.open()
        with pytest.raises(ProviderError, match=r"closed the stream \(1011: NET-0001") as failed:
            [event async for event in stream]
        assert failed.value.retryable
        await transcriber.close()


async def test_a_second_without_words_is_voted_on_once_and_a_pause_is_not(deepgram: Deepgram) -> None:
    transcriber = nova(deepgram, endpointing_ms=100)
    stream = await transcriber.open()
    events = aiter(stream)
    votes = []
    fed = 0
    for utterance in UTTERANCES:
        feed(stream, utterance.audio + mulaw.silence(2500))  # speech_final, then UtteranceEnd
        fed += utterance.ms + 2500
        stream.flush()
        seen = await collect(events, fed)
        votes.append([event for event in seen if isinstance(event, TurnVote)])
        assert text(seen) == utterance.text
    assert votes == [[TurnVote(Vote.END)]] * 2
    await transcriber.close()


async def test_an_utterance_end_alone_is_a_vote(deepgram: Deepgram) -> None:
    transcriber = nova(deepgram, endpointing_ms=None)
    stream = await transcriber.open()
    feed(stream, UTTERANCES[0].audio + mulaw.silence(HUSH))
    stream.flush()
    feed(stream, mulaw.silence(3000))
    events = aiter(stream)
    seen = await collect(events, UTTERANCES[0].ms)
    assert not any(isinstance(event, TurnVote) for event in seen), "Finalize is our own opinion"
    async with asyncio.timeout(PATIENCE):
        assert await anext(events) == TurnVote(Vote.END)
    await transcriber.close()


async def test_where_a_final_covers_the_audio_the_flush_is_answered_at_once(deepgram: Deepgram) -> None:
    transcriber = nova(deepgram, endpointing_ms=HUSH)
    stream = await transcriber.open()
    events = aiter(stream)
    feed(stream, UTTERANCES[0].audio + mulaw.silence(HUSH))
    covered = UTTERANCES[0].ms + HUSH
    assert text(await collect(events, covered)) == UTTERANCES[0].text
    stream.flush()
    assert await anext(events) == FinalWords("", covered, covered)
    connection = await deepgram.connection()
    assert "Finalize" not in connection.messages
    await transcriber.close()


def results(words: str, start: float, duration: float, **flags: bool) -> dict[str, Any]:
    best = {"transcript": words, "confidence": 0.5, "words": []}
    channel = {"alternatives": [best]}
    return {"type": "Results", "start": start, "duration": duration, "channel": channel, **flags}


def test_silence_that_nobody_asked_about_is_not_told() -> None:
    listener = NovaListener()
    assert list(listener.hear(results("", 0, 3, is_final=True))) == []
    message, known = listener.flush(3000)
    assert (message, list(known)) == ("", [FinalWords("", 3000, 3000)])


def test_an_interim_is_told_when_it_changes() -> None:
    listener = NovaListener()
    said = [list(listener.hear(results(words, 0, 1))) for words in ("", "so", "so", "so what", "")]
    assert said == [[], [InterimWords("so")], [], [InterimWords("so what")], [InterimWords("")]]


def test_the_answer_to_the_last_finalize_is_one_even_if_it_falls_short() -> None:
    listener = NovaListener()
    assert listener.flush(2000)[0]
    assert listener.owes()
    told = listener.hear(results("well", 0, 1.5, is_final=True, from_finalize=True))
    assert list(told) == [FinalWords("well", 0, 2000, 0.5)]
    assert not listener.owes()


def test_a_late_answer_to_a_flush_that_was_answered_leaves_the_next_one_open() -> None:
    listener = NovaListener()
    listener.flush(1000)
    told = listener.hear(results("one", 0, 1, is_final=True, speech_final=True))
    assert list(told) == [FinalWords("one", 0, 1000, 0.5)]
    listener.flush(2000)
    assert list(listener.hear(results("", 1, 0, is_final=True, from_finalize=True))) == []
    assert listener.owes()
    told = listener.hear(results("two", 1, 1, is_final=True, from_finalize=True))
    assert list(told) == [FinalWords("two", 1000, 2000, 0.5)]


def test_what_is_not_of_interest_is_left_out() -> None:
    listener = NovaListener()
    assert list(listener.ready()) == [TranscriberReady()]
    for kind in ("Metadata", "SpeechStarted", "SomethingNew", "UtteranceEnd"):
        assert list(listener.hear({"type": kind})) == []


def test_a_reported_error_ends_the_stream() -> None:
    with pytest.raises(ProviderError, match="Deepgram reports SchemaError: unknown message type"):
        NovaListener().hear(
            {"type": "Error", "variant": "SchemaError", "description": "unknown message type"}
        )


def test_what_a_flush_waits_for_shrinks_as_deepgram_hears_more() -> None:
    listener = NovaListener()
    assert listener.owes() == 0
    listener.flush(400)
    assert listener.owes() == 0, "for so little Deepgram may say nothing"
    listener.flush(2000)
    assert listener.owes() == 2000
    listener.hear(results("so", 0, 1.5))
    assert listener.owes() == 500
    listener.hear(results("so what", 0, 2, is_final=True, from_finalize=True))
    assert listener.owes() == 0


def test_a_flush_that_crossed_a_final_may_have_too_little_left_to_be_answered() -> None:
    listener = NovaListener()
    listener.flush(2000)
    assert listener.owes()
    listener.hear(results("so", 0, 1.7, is_final=True, speech_final=True))
    assert listener.owes() == 0
