"""The folder of a call: journal and recording while it goes on, record and transcript when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from engine.audio.record import TwoTrackRecorder
from engine.core.effects import AudioHeard, Effect
from engine.core.events import CallerAudio, Event
from engine.core.notes import Joined
from engine.core.policy import Policy
from engine.observe.journal import JournalHead, JournalWriter
from engine.records.record import CallFacts, RecordFold

JOURNAL = "journal.jsonl"
RECORDING = "recording.wav"
RECORD = "record.json"
TRANSCRIPT = "transcript.json"


class CallFiles:
    """Writes ``journal.jsonl``, ``recording.wav``, ``record.json`` and ``transcript.json`` of one call.

    `step` is a session's listener. Raises `OSError` where a file cannot be written.
    """

    def __init__(self, folder: Path, facts: CallFacts, policy: Policy, *, recording: bool) -> None:
        """Make ``folder``, which must not exist, and begin its files."""
        folder.mkdir(parents=True)
        self._folder = folder
        self._fold = RecordFold(facts)
        self._fold.files = [JOURNAL, RECORD, TRANSCRIPT]
        self._journal_file: BinaryIO = (folder / JOURNAL).open("wb")
        self._journal = JournalWriter(
            self._journal_file, JournalHead(facts.call_id, facts.created, policy, facts.about())
        )
        self._recording_file: BinaryIO | None = None
        self._recorder: TwoTrackRecorder | None = None
        if recording:
            self._fold.files.append(RECORDING)
            self._recording_file = (folder / RECORDING).open("wb")
            self._recorder = TwoTrackRecorder(self._recording_file)
        self._joined_at = 0

    def step(self, now: int, event: Event | None, effects: Sequence[Effect]) -> None:
        """Write one step down."""
        self._journal.step(now, event, effects)
        self._fold.step(event, effects)
        if self._recorder is None:
            return
        if type(event) is CallerAudio:
            self._recorder.caller(event.at, event.payload)
        for effect in effects:
            if type(effect) is AudioHeard:
                self._recorder.agent(effect.at - self._joined_at, effect.payload)
            elif type(effect) is Joined:
                self._joined_at = effect.at

    def close(self) -> None:
        """Finish all files. The record comes last: whoever sees it sees a whole call."""
        self._journal.flush()
        self._journal_file.close()
        if self._recorder is not None and self._recording_file is not None:
            self._recorder.close(self._fold.timeline.length)
            self._recording_file.close()
        lines = [line.model_dump(mode="json") for line in self._fold.transcript.lines()]
        _write(self._folder / TRANSCRIPT, lines)
        _write(self._folder / RECORD, self._fold.record().model_dump(mode="json"))


def _write(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the whole file or none."""
    draft = path.with_suffix(".part")
    draft.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2))
    draft.replace(path)
