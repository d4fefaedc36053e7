"""The recorded speech, with its labels."""

from __future__ import annotations

import csv
import json
import wave
from pathlib import Path

import pytest

from engine.audio import mulaw
from tests.audio.sounds import Recording


@pytest.fixture(scope="session")
def recordings(speech_dir: Path) -> list[Recording]:
    """All recorded files."""
    found = []
    with (speech_dir / "manifest.csv").open(encoding="utf-8") as manifest:
        for row in csv.DictReader(manifest):
            with wave.open(str(speech_dir / row["file"])) as file:
                audio = mulaw.encode(file.readframes(file.getnframes()))
            found.append(Recording(row["file"], audio, json.loads(row["labels"] or "null") or {}))
    return found
