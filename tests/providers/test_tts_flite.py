"""flite keeps the contract; its processes end when nobody wants them any more."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from engine.audio.level import level_dbfs
from engine.core.events import VoiceFailed
from engine.errors import EngineError
from engine.providers.tts import flite
from engine.providers.tts.flite import FliteVoice
from tests.providers.voice_conformance import (
    PATIENCE,
    SENTENCE,
    VoiceConformance,
    collect,
    silent_ms,
    speak,
    speech_level,
)

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def fake_flite(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program of that name first on the PATH."""
    program = folder / "flite"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@needs_flite
class TestFlite(VoiceConformance):
    @pytest.fixture
    def voice(self) -> FliteVoice:
        return FliteVoice()


@needs_flite
@pytest.mark.parametrize("voice", flite.voices())
async def test_every_voice_has_the_common_level(voice: str) -> None:
    (spoken,) = await speak(FliteVoice(voice), SENTENCE)
    assert speech_level(spoken.audio) == pytest.approx(-20, abs=2)


@needs_flite
@pytest.mark.parametrize("speed", [0.5, 2.0])
async def test_speed_is_a_factor(speed: float) -> None:
    (normal,), (changed,) = [await speak(FliteVoice(speed=factor), SENTENCE) for factor in (1.0, speed)]
    assert changed.ms * speed == pytest.approx(normal.ms, rel=0.15)


@needs_flite
async def test_words_begin_where_their_sound_begins() -> None:
    (spoken,) = await speak(FliteVoice(), "It costs $42. Paid on the 3rd.")
    paid = spoken.words[3]
    assert paid.text == "Paid"
    assert silent_ms(spoken.audio[: paid.start], at_end=True) >= 50
    assert level_dbfs(spoken.audio[paid.start : paid.start + 1600]) > -35
    assert len({word.start for word in spoken.words}) == 7


async def test_a_cancelled_piece_ends_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fake_flite(tmp_path, monkeypatch, f"exec sleep {2 * PATIENCE} 3>'{pipe}'")
    stream = await FliteVoice().open()
    stream.say(1, 0, "Never heard.")
    reader = await asyncio.to_thread(pipe.open, "rb")  # returns when a process has opened its end
    stream.cancel(1)
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.to_thread(reader.read) == b""  # returns when no process holds its end any more
    reader.close()
    await stream.close()


async def test_a_failing_program_fails_the_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_flite(tmp_path, monkeypatch, "exit 3")
    stream = await FliteVoice().open()
    stream.say(4, 2, "Hello.")
    (event,) = await collect(stream, 1)
    assert event == VoiceFailed(4, 2, "flite failed with status 3")
    await stream.close()


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"^voice\.vendor: .*apt-get install flite"):
        FliteVoice()


@needs_flite
@pytest.mark.parametrize(
    ("settings", "field"), [({"voice": "tom"}, "voice.voice"), ({"speed": 3.0}, "voice.speed")]
)
def test_a_wrong_setting_is_refused_by_name(settings: dict[str, object], field: str) -> None:
    with pytest.raises(EngineError, match=f"^{field}: "):
        FliteVoice(**settings)  # type: ignore[arg-type]
