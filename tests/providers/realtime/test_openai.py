"""OpenAI Realtime over real sockets, against the stand-in: the session, and the caller's words."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from engine.audio import mulaw
from engine.core.events import FinalWords, InterimWords, TranscriberReady
from engine.errors import EngineError
from engine.providers.realtime.openai import OpenAIRealtime
from fixtures.openai_realtime import API_KEY
from tests.providers.realtime.bench import (
    SAYINGS,
    SOUND,
    UTTERANCES,
    final,
    opened,
    say,
    stand_in,
)
from tests.providers.transcriber_conformance import HUSH, PATIENCE, feed

# --- the session --------------------------------------------------------------------------------------


async def configuration(**options: Any) -> dict[str, Any]:
    async with opened(stand_in(), **options) as bench:
        (update,) = bench.connection.of("session.update")
        return update["session"]


async def test_a_session_is_configured_before_it_is_ready() -> None:
    async with opened(stand_in()) as bench:
        assert bench.connection.model == "gpt-realtime-2.1"
        assert bench.connection.headers["authorization"] == f"Bearer {API_KEY}"
        assert "sec-websocket-extensions" not in bench.connection.headers, "no compression"
        assert bench.connection.sent[-1]["type"] == "session.updated"
        assert await anext(aiter(bench.stream)) == TranscriberReady()


async def test_the_plain_configuration() -> None:
    assert await configuration() == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "turn_detection": None,
                "transcription": {"model": "gpt-transcribe"},
            },
            "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
        },
    }


async def test_the_options_reach_the_session() -> None:
    session = await configuration(voice="cedar", speed=1.25, max_tokens=500)
    assert session["max_output_tokens"] == 500
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcmu"},
        "voice": "cedar",
        "speed": 1.25,
    }


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"language": "de-AT"}, {"model": "gpt-transcribe", "languages": ["de"]}),
        ({"language": "multi"}, {"model": "gpt-transcribe"}),
        ({"keywords": ["Krüger", "latte"]}, {"model": "gpt-transcribe", "keywords": ["Krüger", "latte"]}),
        (
            {"transcription_model": "gpt-4o-mini-transcribe", "language": "en-US", "keywords": ["a", "b"]},
            {"model": "gpt-4o-mini-transcribe", "language": "en", "prompt": "Words to expect: a, b."},
        ),
        (
            {"transcription_model": "whisper-1", "keywords": ["a", "b"]},
            {"model": "whisper-1", "prompt": "a, b"},
        ),
        (
            {"transcription_model": "gpt-realtime-whisper", "language": "en"},
            {"model": "gpt-realtime-whisper", "language": "en"},
        ),
    ],
)
async def test_the_transcription_in_the_form_that_its_model_takes(
    options: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert (await configuration(**options))["audio"]["input"]["transcription"] == sent


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"speed": 0.2}, "realtime.speed"),
        ({"speed": 1.6}, "realtime.speed"),
        ({"max_tokens": 0}, "realtime.max_tokens"),
        ({"max_tokens": 4097}, "realtime.max_tokens"),
        ({"model": ""}, "realtime.model"),
        ({"base_url": "ws://x/v1"}, "OPENAI_BASE_URL"),
        ({"transcription_model": "gpt-realtime-whisper", "keywords": ["a"]}, "realtime.keywords"),
    ],
)
def test_what_will_not_do_is_said_at_once(options: dict[str, Any], told: str) -> None:
    with pytest.raises(EngineError, match=told):
        OpenAIRealtime(**{"api_key": API_KEY, "model": "gpt-realtime"} | options)


# --- the caller ---------------------------------------------------------------------------------------


async def test_the_callers_words_come_back_with_their_place() -> None:
    async with opened(stand_in()) as bench:
        feed(bench.stream, mulaw.silence(5_000))
        words = await say(bench.stream, UTTERANCES[0].audio)
        assert words.text == SAYINGS[0]
        assert words.start == 5_000 + 100 - 1_000, "a second before the sound"
        assert words.end == 5_000 + UTTERANCES[0].ms + HUSH


async def test_interims_grow_while_the_transcript_streams() -> None:
    async with opened(stand_in()) as bench:
        feed(bench.stream, UTTERANCES[0].audio)
        bench.stream.flush()
        seen = []
        async with asyncio.timeout(PATIENCE):
            async for event in bench.stream:
                if isinstance(event, InterimWords):
                    seen.append(event.text)
                if isinstance(event, FinalWords):
                    break
        assert seen
        assert all(SAYINGS[0].startswith(text) for text in seen)


async def test_sound_goes_through_unchanged_and_a_flush_commits_it() -> None:
    async with opened(stand_in()) as bench:
        audio = SOUND * 52
        await say(bench.stream, audio)
        appended = [
            base64.b64decode(event["audio"]) for event in bench.connection.of("input_audio_buffer.append")
        ]
        assert b"".join(appended) == audio + mulaw.silence(HUSH)
        assert bench.connection.of("input_audio_buffer.commit")


async def test_silence_is_neither_sent_nor_committed() -> None:
    async with opened(stand_in()) as bench:
        feed(bench.stream, mulaw.silence(60_000))
        bench.stream.flush()
        assert await final(bench.stream) == FinalWords("", 60_000, 60_000)
        await say(bench.stream, UTTERANCES[0].audio)
        assert [event["type"] for event in bench.connection.received[1:3]] == [
            "input_audio_buffer.append"
        ] * 2
        (item,) = bench.connection.items
        assert item.audio_ms == 1_000 - 100 + UTTERANCES[0].ms + HUSH


async def test_a_commit_is_never_too_short_to_be_taken() -> None:
    async with opened(stand_in()) as bench:
        bench.stream.feed(SOUND)
        bench.stream.flush()
        await final(bench.stream)
        assert bench.connection.items[0].audio_ms == 120
        assert not [event for event in bench.connection.sent if event["type"] == "error"]


async def test_every_flush_has_one_answer_in_its_order() -> None:
    async with opened(stand_in(transcript=20)) as bench:
        for utterance in (*UTTERANCES, UTTERANCES[0]):
            feed(bench.stream, utterance.audio + mulaw.silence(HUSH))
            bench.stream.flush()
            bench.stream.flush()
            feed(bench.stream, mulaw.silence(1_000))
        heard = [await final(bench.stream) for _ in range(6)]
        assert [words.text for words in heard] == [SAYINGS[0], "", SAYINGS[1], "", "", ""]
        ends = [words.end for words in heard]
        assert ends == sorted(ends)


async def test_words_that_nobody_asked_for_are_not_lost() -> None:
    async with opened(stand_in()) as bench:
        feed(bench.stream, SOUND * 50 + mulaw.silence(2_500))
        assert (await final(bench.stream)).text == SAYINGS[0]
        bench.stream.flush()
        assert (await final(bench.stream)).text == "", "and the flush has its own answer"


async def test_a_click_that_nobody_asked_for_is_cleared() -> None:
    async with opened(stand_in()) as bench:
        feed(bench.stream, SOUND * 5 + mulaw.silence(10_000))
        async with asyncio.timeout(PATIENCE):
            await bench.connection.until(lambda one: bool(one.of("input_audio_buffer.clear")))
        assert not bench.connection.of("input_audio_buffer.commit")
        assert (await say(bench.stream, UTTERANCES[0].audio)).end == 10_100 + UTTERANCES[0].ms + HUSH
        assert bench.connection.items[0].audio_ms == 1_000 - 100 + UTTERANCES[0].ms + HUSH


async def test_no_commit_grows_for_ever() -> None:
    async with opened(stand_in()) as bench:
        second = (SOUND * 10 + mulaw.attenuate(SOUND, 12) * 10) * 2 + SOUND * 10
        async with asyncio.timeout(PATIENCE):
            for number in range(1, 31):
                feed(bench.stream, second)
                sent = 1 + number * 12
                await bench.connection.until(lambda one, sent=sent: len(one.received) >= sent)  # type: ignore[misc]
            await bench.connection.until(lambda one: bool(one.items))
        assert bench.connection.items[0].audio_ms == 30_000
