"""A recording's peaks and its µ-law copy."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import pytest

from engine.audio import mulaw
from engine.audio.record import TwoTrackRecorder
from engine.errors import EngineError
from engine.observe.waveform import read_waveform
from tests.observe.sample_call import noise


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.wav"
    with path.open("w+b") as file:
        recorder = TwoTrackRecorder(file)
        recorder.caller(100, noise(200, 1))
        recorder.agent(500, noise(200, 2))
        recorder.close(1_000)
    return path


def test_peaks_are_where_the_sound_is(recording: Path) -> None:
    waveform = read_waveform(recording, 0)
    assert len(waveform.caller) == len(waveform.agent) == 100
    assert max(waveform.caller[10:30]) > 20 and max(waveform.agent[50:70]) > 20
    assert not any(waveform.caller[:10] + waveform.caller[30:])
    assert not any(waveform.agent[:50] + waveform.agent[70:])


def test_full_scale_is_255(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(struct.pack("<hh", -32768, 32767) * 80)
    waveform = read_waveform(path, 0)
    assert waveform.caller[0] >= 250 and waveform.agent[0] >= 250


def test_the_copy_is_a_mulaw_wav_of_the_same_sound(recording: Path) -> None:
    audio = read_waveform(recording, 1_000_000).audio
    assert audio[:4] == b"RIFF" and audio[8:12] == b"WAVE"
    assert struct.unpack("<I", audio[4:8])[0] == len(audio) - 8
    assert struct.unpack("<HHIIHH", audio[20:36]) == (7, 2, 8000, 16000, 2, 8)
    data = audio[audio.index(b"data") + 8 :]
    assert len(data) == 16_000
    assert mulaw.decode(data[0::2][800:2400]) == mulaw.decode(noise(200, 1))
    assert mulaw.decode(data[1::2][4000:5600]) == mulaw.decode(noise(200, 2))


def test_audio_over_the_limit_is_left_out(recording: Path) -> None:
    assert read_waveform(recording, 15_999).audio == b""
    assert len(read_waveform(recording, 16_000).audio) > 16_000


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="cannot be read"):
        read_waveform(path, 0)


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(320))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(EngineError, match="not a stereo recording"):
        read_waveform(path, 0)
