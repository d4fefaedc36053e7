"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def speech_dir() -> Path:
    """The folder of recorded telephone speech (with ``manifest.csv``); skips the test where it is missing."""
    folder = Path(os.environ.get("ENGINE_SPEECH", ROOT.parent / "shared" / "speech"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"recorded speech is not here: {folder} (set ENGINE_SPEECH to its folder)")
    return folder
