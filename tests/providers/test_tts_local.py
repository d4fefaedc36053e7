"""What local voices share: the stream between the loop and the speaking thread, and the shaping of sound."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from engine.audio import mulaw
from engine.audio.level import level_dbfs
from engine.core.events import VoiceAudio, VoiceDone, VoiceFailed
from engine.providers.contracts import ProviderError
from engine.providers.tts import local
from engine.providers.tts.local import LocalStream, Piece, pause_after
from engine.providers.tts.shaping import Shaper, gain_for
from engine.providers.tts.utterance import Utterance
from tests.providers.voice_conformance import PATIENCE, collect, silent_ms


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


def tone(ms: int, amplitude: int = 6000, rate: int = 8000) -> bytes:
    """A sine of 400 Hz as PCM."""
    samples = (round(amplitude * math.sin(2 * math.pi * 400 * at / rate)) for at in range(ms * rate // 1000))
    return b"".join(struct.pack("<h", sample) for sample in samples)


def done(piece: Piece, stream: LocalStream) -> None:
    stream.give(piece, [VoiceDone(piece.reply, piece.piece)])


async def test_streams_take_turns_piece_by_piece(thread: ThreadPoolExecutor) -> None:
    order: list[str] = []

    def speak(piece: Piece, stream: LocalStream) -> None:
        order.append(piece.text)
        done(piece, stream)

    gate = Event()
    thread.submit(gate.wait, PATIENCE)
    long, short = LocalStream(thread, speak), LocalStream(thread, speak)
    for piece in range(4):
        long.say(1, piece, f"long {piece}")
    short.say(1, 0, "short")
    gate.set()
    await collect(long, 4)
    await collect(short, 1)
    assert order == ["long 0", "short", "long 1", "long 2", "long 3"]


async def test_cancel_stops_the_piece_at_work(thread: ThreadPoolExecutor) -> None:
    started, stopped = Event(), Event()
    wanted: list[bool] = []

    def speak(piece: Piece, stream: LocalStream) -> None:
        if piece.reply == 1:
            wanted.append(stream.give(piece, [VoiceAudio(1, 0, b"before")]))
            stream.when_cancelled(piece, stopped.set)
            started.set()
            assert stopped.wait(PATIENCE)
            wanted.append(stream.give(piece, [VoiceAudio(1, 0, b"after")]))
        done(piece, stream)

    stream = LocalStream(thread, speak)
    stream.say(1, 0, "one")
    stream.say(1, 1, "two")
    assert started.wait(PATIENCE)
    stream.cancel(1)
    stream.say(2, 0, "three")
    assert await collect(stream, 1) == [VoiceDone(2, 0)]
    assert wanted == [True, False]


async def test_a_stop_given_too_late_is_called_at_once(thread: ThreadPoolExecutor) -> None:
    stream = LocalStream(thread, done)
    piece = Piece(1, 0, "gone", cancelled=True)
    calls: list[str] = []
    stream.when_cancelled(piece, lambda: calls.append("stopped"))
    assert calls == ["stopped"]


async def test_what_goes_wrong_fails_the_piece_and_not_the_stream(thread: ThreadPoolExecutor) -> None:
    def speak(piece: Piece, stream: LocalStream) -> None:
        if piece.text == "refused":
            raise ProviderError("not that", retryable=False)
        if piece.text == "broken":
            raise ValueError("oh")
        done(piece, stream)

    stream = LocalStream(thread, speak)
    for piece, text in enumerate(("refused", "broken", "fine")):
        stream.say(1, piece, text)
    refused = VoiceFailed(1, 0, "not that", retryable=False)
    assert await collect(stream, 3) == [refused, VoiceFailed(1, 1, "ValueError: oh"), VoiceDone(1, 2)]


async def test_the_queue_is_bounded(thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MOST_WAITING", 2)
    gate = Event()
    thread.submit(gate.wait, PATIENCE)
    stream = LocalStream(thread, done)
    for piece in range(3):
        stream.say(1, piece, "text")
    (failed,) = await collect(stream, 1)
    assert isinstance(failed, VoiceFailed)
    assert failed.piece == 2
    gate.set()
    assert await collect(stream, 2) == [VoiceDone(1, 0), VoiceDone(1, 1)]


async def test_only_a_piece_of_the_same_reply_begins_with_a_pause(thread: ThreadPoolExecutor) -> None:
    pauses: list[int] = []

    def speak(piece: Piece, stream: LocalStream) -> None:
        pauses.append(piece.pause)
        done(piece, stream)

    stream = LocalStream(thread, speak)
    for reply, text in ((1, "Yes."), (1, "well,"), (1, "no."), (2, "Next.")):
        stream.say(reply, 0, text)
    await collect(stream, 4)
    stream.cancel(2)
    stream.say(2, 0, "again")
    await collect(stream, 1)
    assert pauses == [0, local.SENTENCE_PAUSE, local.CLAUSE_PAUSE, 0, 0]


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("Done. ", local.SENTENCE_PAUSE),
        ("“Really?”", local.SENTENCE_PAUSE),
        ("好。", local.SENTENCE_PAUSE),
        ("first,", local.CLAUSE_PAUSE),
        ("and so", 0),
        ("", 0),
    ],
)
def test_the_pause_follows_the_punctuation(text: str, pause: int) -> None:
    assert pause_after(text) == pause


def test_silent_ends_are_cut_and_inner_silence_stays() -> None:
    shaper = Shaper(8000, 0.0, pause=0)
    source = bytes(2 * 8 * 300) + tone(100) + bytes(2 * 8 * 200) + tone(100) + bytes(2 * 8 * 400)
    audio = (
        b"".join(shaper.feed(source[at : at + 1000]) for at in range(0, len(source), 1000)) + shaper.flush()
    )
    assert len(audio) / 8 == 10 + 100 + 200 + 100 + 20
    assert shaper.given == len(audio)
    assert silent_ms(audio) == 10
    assert level_dbfs(audio[8 * 115 : 8 * 305]) < -90
    assert shaper.position(8 * 300) == 8 * 10
    assert shaper.position(8 * 600) == 8 * 310


def test_the_pause_comes_before_the_sound_and_never_alone() -> None:
    shaper, silent = Shaper(8000, 0.0, pause=250), Shaper(8000, 0.0, pause=250)
    audio = shaper.feed(tone(100)) + shaper.flush()
    assert silent_ms(audio) == 250
    assert shaper.position(0) == 8 * 250
    assert silent.feed(bytes(3200)) + silent.flush() == b""


def test_the_limiter_bends_peaks_instead_of_cutting_them() -> None:
    shaper = Shaper(8000, 12.0, pause=0)
    audio = shaper.feed(tone(100, amplitude=12000)) + shaper.flush()
    samples = struct.unpack(f"<{len(audio)}h", mulaw.decode(audio))
    assert 28000 < max(samples) < 32124, "32,124 is the loudest code there is"
    assert min(samples) == -max(samples)


@pytest.mark.parametrize("rate", [8000, 22050])
def test_the_gain_brings_speech_to_the_common_level(rate: int) -> None:
    quiet = tone(500, amplitude=1000, rate=rate) + bytes(rate)
    shaper = Shaper(rate, gain_for(quiet, rate), pause=0)
    audio = shaper.feed(quiet) + shaper.flush()
    assert level_dbfs(audio[800:2400]) == pytest.approx(-20, abs=0.5)


def test_a_word_without_a_mark_begins_with_the_next_one() -> None:
    utterance = Utterance(Piece(1, 0, "one - two three"), 8000, 0.0, 1.0)
    assert utterance.word_at(6) == 2
    for word, sample in ((0, 0), (2, 800), (2, 900)):
        utterance.mark(word, sample)
    events = utterance.feed(tone(200)) + utterance.finish()
    words = [word for event in events if hasattr(event, "words") for word in event.words]
    length = sum(len(event.payload) for event in events if isinstance(event, VoiceAudio))
    assert [word.text for word in words] == ["one", "-", "two", "three"]
    assert [word.start for word in words] == [0, 800, 800, length - 1]
    assert isinstance(events[-1], VoiceDone)
