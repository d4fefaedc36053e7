"""A folder of recordings with a ``manifest.csv``: who says what, and where in the file.

One line a file, with at least the columns ``file`` (path below the folder), ``text``, ``kind`` and
``labels``: empty or a JSON object whose times are seconds of the file. Known labels are ``speech_start``,
``end_of_turn``, ``last_word_start``, ``pauses`` and ``speech`` (lists of ``[start, end]``); others are kept
as they are.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.testing.recorded import Recording


@dataclass(frozen=True, slots=True)
class Clip:
    """One line of a manifest."""

    path: Path
    folder: str
    """The first part of its path below the corpus."""
    text: str = field(repr=False)
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def half(self) -> int:
        """0 or 1, by the file's name: two halves of any corpus that are the same for everybody."""
        return hashlib.sha256(self.path.name.encode()).digest()[0] % 2

    def recording(self, text: str | None = None) -> Recording:
        """The file with its words (or with ``text``). Raises `OSError`, `ValueError`."""
        labels = self.labels
        speech = labels.get("speech") or [[labels.get("speech_start"), labels.get("end_of_turn")]]
        return Recording.load(
            self.path,
            self.text if text is None else text,
            start=_ms(speech[0][0]),
            end=_ms(speech[-1][1]),
            pauses=[(round(start * 1000), round(end * 1000)) for start, end in labels.get("pauses", ())],
            last_word_start=_ms(labels.get("last_word_start")),
        )


def read_corpus(folder: Path, *folders: str) -> list[Clip]:
    """The clips of a corpus, or of some of its folders, by name. Raises `OSError` without a manifest."""
    with (folder / "manifest.csv").open(encoding="utf-8", errors="replace", newline="") as lines:
        clips = [_clip(folder, line) for line in csv.DictReader(lines)]
    return sorted((c for c in clips if not folders or c.folder in folders), key=lambda c: c.path)


def corpus_folder(beside: Path) -> Path | None:
    """Where the recordings are: ``ENGINE_SPEECH``, or ``shared/speech`` beside the folder ``beside``."""
    folder = Path(os.environ.get("ENGINE_SPEECH", beside.resolve().parent / "shared" / "speech"))
    return folder if (folder / "manifest.csv").is_file() else None


def _clip(folder: Path, line: Mapping[str, str]) -> Clip:
    labels = json.loads(line["labels"]) if line.get("labels") else {}
    file = line["file"]
    return Clip(folder / file, file.partition("/")[0], line["text"], labels)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
