"""A recording as a caller: its bytes, its words, its detector."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from engine.audio.mulaw import decode, encode
from engine.core.events import CallerAudio, FinalWords, InterimWords
from engine.core.policy import Opening, Policy
from engine.testing import World
from engine.testing.recorded import (
    RecordedCaller,
    Recording,
    line_noise,
    loud_part,
    read_wav,
)
from engine.testing.transcriber import ScriptedTranscriber


def wav(data: bytes, *, encoding: int, bits: int, rate: int = 8_000, channels: int = 1) -> bytes:
    form = struct.pack("<HHIIHH", encoding, channels, rate, rate * bits // 8, bits // 8, bits)
    odd = b"note" + struct.pack("<I", 3) + b"abc\0"
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + odd + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def square(ms: int, amplitude: int = 8_000) -> bytes:
    """A loud tone of 200 Hz (µ-law)."""
    half = amplitude.to_bytes(2, "little", signed=True) * 20
    other = (-amplitude).to_bytes(2, "little", signed=True) * 20
    return encode((half + other) * (ms // 5))


def test_pcm_and_mulaw_files_are_read(tmp_path: Path) -> None:
    sound = square(100)
    (tmp_path / "pcm.wav").write_bytes(wav(decode(sound), encoding=1, bits=16))
    (tmp_path / "mulaw.wav").write_bytes(wav(sound, encoding=7, bits=8))
    assert read_wav(tmp_path / "pcm.wav") == sound == read_wav(tmp_path / "mulaw.wav")


@pytest.mark.parametrize("content", [b"", b"RIFF1234WAVE", wav(b"", encoding=1, bits=16, rate=16_000)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.wav"):
        read_wav(path)


def test_the_loud_part_leaves_clicks_out() -> None:
    quiet = line_noise(-60.0)
    audio = square(20) + quiet[: 380 * 8] + square(600) + quiet[: 300 * 8] + square(20) + quiet[: 80 * 8]
    assert loud_part(audio) == (400, 1_000)


def test_words_lie_in_the_speech_and_the_last_one_where_it_was_marked() -> None:
    audio = square(1_000) + line_noise()[: 500 * 8] + square(1_000)
    recording = Recording(audio, "five five goodbye", ((0, 1_000), (1_500, 2_500)), last_word_start=1_700)
    words = [(word.text, word.start, word.end) for word in recording.words()]
    assert words == [("five", 0, 600), ("five", 600, 1_700), ("goodbye", 1_700, 2_500)]
    unmarked = Recording(audio, "one two", ((0, 1_000), (1_500, 2_500)))
    assert [(word.start, word.end) for word in unmarked.words()] == [(0, 1_000), (1_500, 2_500)]


def test_frames_carry_the_recordings_own_bytes() -> None:
    recording = Recording(square(90), "hello", ((0, 90),))
    caller = RecordedCaller(vad="level").plays(recording, at=110).plays(recording, pause=30)
    world = World(Policy(), caller=caller).run(400)
    heard = b"".join(event.payload for _, event, _ in world.log if isinstance(event, CallerAudio))
    assert [begins for _, begins in caller.played] == [110, 230]
    for begins in (110, 230):
        assert heard[begins * 8 : (begins + 90) * 8] == recording.audio
    assert heard[200 * 8 : 230 * 8] == line_noise()[200 * 8 : 230 * 8]
    voiced = [event.at for _, event, _ in world.log if isinstance(event, CallerAudio) and event.voice >= 0.5]
    assert voiced == [100, 120, 140, 160, 180, 220, 240, 260, 280, 300]


def test_no_interim_overtakes_the_final_it_follows() -> None:
    speech = square(600) + line_noise()[: 200 * 8] + square(600)
    recording = Recording(speech, "one two three four", ((0, 600), (800, 1_400)))
    caller = RecordedCaller(vad="level").plays(recording, at=200)
    world = World(
        Policy(opening=Opening(message="")), caller=caller, transcriber=ScriptedTranscriber(final_delay=300)
    ).run(4_000)
    words = [event for _, event, _ in world.log if isinstance(event, InterimWords | FinalWords)]
    finals = [event.text for event in words if isinstance(event, FinalWords)]
    assert " ".join(finals) == "one two three four"
    first = next(place for place, event in enumerate(words) if isinstance(event, FinalWords))
    assert all(finals[0].startswith(event.text) for event in words[:first])
