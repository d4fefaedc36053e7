"""The local recogniser: a real worker process, real telephone recordings."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.audio import mulaw
from engine.core.events import FinalWords, InterimWords, TranscriberReady
from engine.errors import EngineError
from engine.providers.contracts import ProviderError, TranscriberEvent
from engine.providers.llm.playbook import PlaybookModel
from engine.providers.llm.playbook_matching import words
from engine.providers.stt import pocketsphinx
from engine.providers.stt.pocketsphinx import PocketsphinxStream, PocketsphinxTranscriber

pytest.importorskip("pocketsphinx")

YES_NO = "#JSGF V1.0;\ngrammar test;\npublic <answer> = yes | no;\n"


@pytest.fixture
async def orders() -> AsyncIterator[PocketsphinxTranscriber]:
    """A recogniser of drink orders that ends an utterance only when it is asked to."""
    transcriber = PocketsphinxTranscriber(
        grammar=PlaybookModel("drink_orders").grammar(), end_silence_ms=10_000
    )
    yield transcriber
    await transcriber.close()


def recorded(path: Path) -> bytes:
    """A recording as µ-law."""
    with wave.open(str(path)) as file:
        return mulaw.encode(file.readframes(file.getnframes()))


def order_files(speech_dir: Path, count: int) -> list[tuple[bytes, dict[str, str]]]:
    """The first ``count`` recorded orders and their slots."""
    with (speech_dir / "manifest.csv").open(newline="") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["file"].startswith("orders/")]
    return [(recorded(speech_dir / row["file"]), json.loads(row["labels"])["slots"]) for row in rows[:count]]


def feed(stream: PocketsphinxStream, audio: bytes) -> None:
    """Feed audio as a phone call brings it, 20 ms at a time."""
    for at in range(0, len(audio), 160):
        stream.feed(audio[at : at + 160])


async def final(events: AsyncIterator[TranscriberEvent]) -> tuple[FinalWords, list[str]]:
    """The next final, and the interims on the way to it."""
    interims: list[str] = []
    while True:
        event = await anext(events)
        if isinstance(event, FinalWords):
            return event, interims
        if isinstance(event, InterimWords):
            interims.append(event.text)


async def test_slots_of_recorded_orders(speech_dir: Path, orders: PocketsphinxTranscriber) -> None:
    stream = await orders.open()
    events = aiter(stream)
    assert await anext(events) == TranscriberReady()
    right = wanted = before = 0
    for audio, slots in order_files(speech_dir, 5):
        feed(stream, audio)
        stream.flush()
        heard, interims = await final(events)
        said = f" {heard.text} "
        right += sum(f" {' '.join(words(value))} " in said for value in slots.values())
        wanted += len(slots)
        assert all(interims)
        assert heard.start is not None
        assert heard.end is not None
        assert before - 300 <= heard.start < heard.end <= before + len(audio) / 8 + 20
        assert heard.confidence > 0.5
        before += len(audio) // 8
    assert right / wanted >= 0.8


async def test_other_speech_is_not_forced_into_the_grammar(
    speech_dir: Path, orders: PocketsphinxTranscriber
) -> None:
    stream = await orders.open()
    events = aiter(stream)
    prompts = sorted((speech_dir / "prompts-en").glob("*.wav"))[:5]
    believed = []
    for path in prompts:
        feed(stream, recorded(path))
        stream.flush()
        believed.append((await final(events))[0].text)
    assert sum(map(bool, believed)) <= 1, believed


async def test_every_flush_has_one_final(speech_dir: Path, orders: PocketsphinxTranscriber) -> None:
    stream = await orders.open()
    events = aiter(stream)
    stream.flush()
    assert (await final(events))[0] == FinalWords("", 0, 0, 0.0)
    feed(stream, mulaw.silence(1000))
    stream.flush()
    assert (await final(events))[0] == FinalWords("", 1000, 1000, 0.0)
    audio, _ = order_files(speech_dir, 1)[0]
    feed(stream, audio)
    stream.flush()
    stream.flush()
    heard, _ = await final(events)
    empty, _ = await final(events)
    assert heard.text
    assert empty.text == ""
    await stream.close()
    assert [event async for event in events] == []


async def test_an_utterance_ends_by_itself_after_silence(speech_dir: Path) -> None:
    transcriber = PocketsphinxTranscriber(grammar=PlaybookModel("drink_orders").grammar(), end_silence_ms=600)
    stream = await transcriber.open()
    feed(stream, order_files(speech_dir, 3)[2][0] + mulaw.silence(1200))
    assert "espresso" in (await final(aiter(stream)))[0].text
    await transcriber.close()


async def test_callers_share_decoders_and_keep_their_own_words(speech_dir: Path) -> None:
    grammar = PlaybookModel("drink_orders").grammar()
    transcriber = PocketsphinxTranscriber(grammar=grammar, end_silence_ms=10_000, decoders=1)
    streams = [await transcriber.open() for _ in range(3)]
    files = order_files(speech_dir, 3)
    for stream, (audio, _) in zip(streams, files, strict=True):
        feed(stream, audio)
        stream.flush()
    heard = [(await final(aiter(stream)))[0].text for stream in streams]
    for text, (_, slots) in zip(heard, files, strict=True):
        assert slots["coffeeDrink"] in text
    await transcriber.close()


async def test_too_much_audio_at_once_is_dropped_and_told() -> None:
    transcriber = PocketsphinxTranscriber(grammar=YES_NO, max_lag_ms=1000)
    stream = await transcriber.open()
    stream.feed(mulaw.silence(5000))
    stream.flush()
    heard, _ = await final(aiter(stream))
    assert stream.dropped_ms == 4000
    assert heard.end == 5000
    await transcriber.close()


async def test_a_dead_worker_fails_its_streams_and_the_next_one_starts_anew() -> None:
    transcriber = PocketsphinxTranscriber(grammar=YES_NO)
    one, two = await transcriber.open(), await transcriber.open()
    first = transcriber.worker_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    for stream in (one, two):
        with pytest.raises(ProviderError, match="ended unexpectedly") as told:
            [event async for event in stream]
        assert told.value.retryable
        stream.feed(mulaw.silence(100))
        stream.flush()
        await stream.close()
        assert [event async for event in stream] == []
    fresh = await transcriber.open()
    assert transcriber.worker_pid not in (None, first)
    fresh.flush()
    assert (await final(aiter(fresh)))[0].text == ""
    await transcriber.close()


async def test_nothing_is_left_behind() -> None:
    transcriber = PocketsphinxTranscriber(grammar=YES_NO)
    stream = await transcriber.open()
    pid = transcriber.worker_pid
    assert pid is not None
    await stream.close()
    await stream.close()
    await transcriber.close()
    await transcriber.close()
    assert transcriber.worker_pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_worker_ends_with_its_parent() -> None:
    transcriber = PocketsphinxTranscriber(grammar=YES_NO)
    await transcriber.open()
    process = transcriber._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # what the system does for a parent that died
    assert await asyncio.wait_for(process.wait(), 10) == 0
    await transcriber.close()


@pytest.mark.parametrize(
    ("grammar", "told"),
    [
        (YES_NO.replace("no;", "blurbfizz;"), "no pronunciation for: blurbfizz"),
        (YES_NO.replace("no;", "<nowhere>;"), "no rule for: nowhere"),
        (YES_NO.replace("no;", "(no;"), "refuses its settings"),
    ],
)
async def test_a_grammar_that_cannot_work_is_told(grammar: str, told: str) -> None:
    transcriber = PocketsphinxTranscriber(grammar=grammar)
    with pytest.raises(ProviderError, match=told) as failed:
        await transcriber.open()
    assert not failed.value.retryable
    await transcriber.close()


async def test_new_words_can_be_taught() -> None:
    transcriber = PocketsphinxTranscriber(
        grammar=YES_NO.replace("no;", "blurbfizz;"),
        pronunciations={"blurbfizz": "B L ER B F IH Z", "yes": "Y AE S"},
    )
    await transcriber.open()
    await transcriber.close()


async def test_example_phrases_make_a_language_model(speech_dir: Path) -> None:
    transcriber = PocketsphinxTranscriber(
        phrases=PlaybookModel("drink_orders").phrases(400), end_silence_ms=10_000
    )
    stream = await transcriber.open()
    audio, slots = order_files(speech_dir, 3)[2]
    feed(stream, audio)
    stream.flush()
    assert slots["coffeeDrink"] in (await final(aiter(stream)))[0].text
    await transcriber.close()


def test_settings_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="one of grammar, phrases and lm"):
        PocketsphinxTranscriber(grammar=YES_NO, phrases=["yes"])
    with pytest.raises(EngineError, match=r"lm .* does not exist"):
        PocketsphinxTranscriber(lm=tmp_path / "none.lm")
    with pytest.raises(EngineError, match="decoders must be at least 1"):
        PocketsphinxTranscriber(decoders=0)
    monkeypatch.setattr(pocketsphinx.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match="pocketsphinx is not"):
        PocketsphinxTranscriber()
