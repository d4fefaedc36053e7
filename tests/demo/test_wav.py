"""WAV files of every usual kind become the telephone's µ-law; others are named with what would be right."""

from __future__ import annotations

import math
import struct
import wave
from array import array
from pathlib import Path

import pytest

from engine.audio import mulaw
from engine.audio.level import level_dbfs
from engine.demo.wav import mulaw_wav, read_speech
from engine.errors import EngineError


def tone(rate: int, seconds: float = 0.5, amplitude: int = 8_000) -> array[int]:
    return array(
        "h", (round(amplitude * math.sin(2 * math.pi * 440 * i / rate)) for i in range(int(rate * seconds)))
    )


def write(path: Path, frames: bytes, *, rate: int = 8_000, width: int = 2, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(frames)
    return path


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_any_rate_keeps_length_and_level(tmp_path: Path, rate: int) -> None:
    pytest.importorskip("soxr")
    speech = read_speech(write(tmp_path / "a.wav", tone(rate).tobytes(), rate=rate))
    assert abs(len(speech) - 4_000) <= 8
    assert level_dbfs(speech) == pytest.approx(-15.3, abs=0.3)


def test_eight_bits(tmp_path: Path) -> None:
    frames = bytes((sample >> 8) + 128 for sample in tone(8_000))
    speech = read_speech(write(tmp_path / "a.wav", frames, width=1))
    assert len(speech) == 4_000
    assert level_dbfs(speech) == pytest.approx(-15.3, abs=0.5)


def test_two_channels_are_mixed(tmp_path: Path) -> None:
    both = array("h", (value for sample in tone(8_000) for value in (sample, 0)))
    speech = read_speech(write(tmp_path / "a.wav", both.tobytes(), channels=2))
    assert len(speech) == 4_000
    assert level_dbfs(speech) == pytest.approx(-15.3 - 6, abs=0.3)


@pytest.mark.parametrize("length", [800, 801])
def test_mulaw_comes_back_as_it_was_written(tmp_path: Path, length: int) -> None:
    speech = mulaw.encode(tone(8_000, length / 8_000).tobytes())
    (tmp_path / "a.wav").write_bytes(mulaw_wav(speech))
    assert read_speech(tmp_path / "a.wav") == speech


def test_a_file_written_into_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    file = write(tmp_path / "a.wav", tone(8_000).tobytes())
    data = bytearray(file.read_bytes())
    struct.pack_into("<I", data, 40, 0xFFFFFFFF)  # the length of its data was never known
    file.write_bytes(data)
    assert len(read_speech(file)) == 4_000


def extensible(path: Path) -> Path:
    form = struct.pack("<HHIIHHHHIH14s", 0xFFFE, 1, 8_000, 16_000, 2, 16, 22, 16, 4, 1, bytes(14))
    pcm = tone(8_000).tobytes()
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(pcm)) + pcm
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def test_an_extensible_header(tmp_path: Path) -> None:
    assert len(read_speech(extensible(tmp_path / "a.wav"))) == 4_000


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("not a sound")
    float32 = tmp_path / "float.wav"
    data = bytearray(write(float32, tone(8_000).tobytes()).read_bytes())
    struct.pack_into("<H", data, 20, 3)
    float32.write_bytes(data)
    wrong = {
        text: "is no WAV file",
        float32: "holds floating point: it must be a WAV file with 8 or 16 bit PCM",
        write(tmp_path / "24.wav", bytes(2_400), width=3): "holds 24 bit PCM",
        write(tmp_path / "four.wav", bytes(1_600), channels=4): "has 4 channels",
        write(tmp_path / "fast.wav", bytes(1_600), rate=200_000): "has 200000 samples a second",
        write(tmp_path / "empty.wav", b""): "holds no sound",
        tmp_path / "missing.wav": "cannot be read: No such file",
    }
    for file, what in wrong.items():
        with pytest.raises(EngineError) as error:
            read_speech(file)
        assert str(error.value).startswith(f"{file} {what}")
