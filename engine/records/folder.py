"""The folder of a call: journal and recording while it runs; transcript, record and report at its end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import orjson

from engine.audio.record import TwoTrackRecorder
from engine.core.effects import AudioHeard, Effect
from engine.core.events import CallerAudio, Event, StreamOpened
from engine.core.notes import Fault
from engine.core.policy import Policy
from engine.errors import EngineError
from engine.observe.journal import JournalHead, JournalWriter
from engine.observe.report import Report, render
from engine.observe.waveform import Waveform, read_waveform
from engine.observe.wording import words
from engine.records.record import CallFacts, CallRecord, RecordFold, fold_journal

JOURNAL = "journal.jsonl"
RECORDING = "recording.wav"
TRANSCRIPT = "transcript.json"
RECORD = "record.json"
REPORT = "report.html"

_AUDIO_IN_REPORT = 8_000_000
"""Bytes of audio that a page may carry: over eight minutes. A longer call plays from the file beside it."""

_HEARD_LATE_MS = 500
"""How much later than the call the last sound may end: a mark tells its beginning, and may be late."""

_BYTES_PER_MS = 8


class CallFolder:
    """A listener that keeps a call: give it every step, and at the end `close` it.

    A step appends to buffered files, once a second or so to the disk; `close` reads, renders and writes whole
    files, so an event loop should run it in a thread. A disk that fails costs the file, never the call: it
    stands on the record as a fault.
    """

    def __init__(self, root: Path, facts: CallFacts, policy: Policy, *, recording: bool = True) -> None:
        """Make the folder ``<root>/<call id>`` and begin its files.

        ``recording`` off: no audio of the caller is stored (F66). Raises `EngineError` if the call's id is no
        name for a folder or the folder cannot be made.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", facts.call_id):
            raise EngineError(f"call id {facts.call_id!r} cannot name a folder: use letters, digits, . _ -")
        self.path = root / facts.call_id
        self.fold = RecordFold(facts)
        self._recorder: TwoTrackRecorder | None = None
        self._heard_to = 0
        self._caller_offset: int | None = None
        self._closed = False
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._journal_file: BinaryIO = (self.path / JOURNAL).open("wb")
            head = JournalHead(facts.call_id, facts.created, policy, facts.about())
            self._journal: JournalWriter | None = JournalWriter(self._journal_file, head)
            self._audio_file: BinaryIO | None = (self.path / RECORDING).open("w+b") if recording else None
            if self._audio_file is not None:
                self._recorder = TwoTrackRecorder(self._audio_file)
        except OSError as error:
            raise EngineError(f"the folder {self.path} cannot be used: {error.strerror}") from None

    def on_step(self, now: int, event: Event | None, effects: Sequence[Effect]) -> None:
        """Take one step of the call; ``event`` is None where it was woken by its own clock."""
        if self._closed:
            return
        self.fold.step(event, effects)
        if self._journal is not None:
            try:
                self._journal.step(now, event, effects)
            except OSError as error:
                self._journal = None
                self._failed(now, JOURNAL, error)
        if self._recorder is not None:
            try:
                self._record(self._recorder, now, event, effects)
            except OSError as error:
                self._recorder = None
                self._failed(now, RECORDING, error)

    def record(self) -> CallRecord:
        """The call's record as of now."""
        return self.fold.record(_present(self.path))

    def close(self) -> None:
        """Finish all files; blocks for a moment. A second call does nothing. Raises `OSError`."""
        if self._closed:
            return
        self._closed = True
        line = self.fold.timeline
        steps: list[tuple[str, Callable[[], None]]] = []
        if self._journal is not None:
            steps.append((JOURNAL, self._journal.flush))
        if self._recorder is not None:
            recorder = self._recorder
            length = max(line.length, min(self._heard_to, line.length + _HEARD_LATE_MS))
            steps.append((RECORDING, lambda: recorder.close(length)))
        for name, finish in steps:
            try:
                finish()
            except OSError as error:
                self._failed(line.latest, name, error)
        self._journal_file.close()
        if self._audio_file is not None:
            self._audio_file.close()
        write_documents(self.path, self.fold)

    def _record(
        self, recorder: TwoTrackRecorder, now: int, event: Event | None, effects: Sequence[Effect]
    ) -> None:
        """Place audio by call time. The stream's own clock is tied to it by its first frame."""
        joined = self.fold.timeline.joined
        if joined is None:
            return
        if type(event) is CallerAudio:
            if self._caller_offset is None:
                duration = len(event.payload) // _BYTES_PER_MS
                self._caller_offset = max(0, now - joined.at - duration) - event.at
            at = self._caller_offset + event.at
            if at >= 0:
                recorder.caller(at, event.payload)
        elif type(event) is StreamOpened:
            self._caller_offset = None
        for effect in effects:
            if type(effect) is AudioHeard:
                at = max(0, effect.at - joined.at)
                recorder.agent(at, effect.payload)
                self._heard_to = max(self._heard_to, at + len(effect.payload) // _BYTES_PER_MS)

    def _failed(self, now: int, name: str, error: OSError) -> None:
        self.fold.add(Fault(now, "storage", f"{name} could not be written: {error.strerror}"))


def recover(path: Path) -> CallRecord:
    """Write transcript, record and report of a call whose process died, from the journal in its folder.

    Raises `EngineError` where there is no journal to read.
    """
    fold = fold_journal(path / JOURNAL)
    write_documents(path, fold)
    return fold.record(_present(path))


def write_documents(path: Path, fold: RecordFold) -> None:
    """Write transcript, record and report into ``path``; each appears whole or not at all."""
    lines = fold.transcript.lines()
    present = _present(path)
    record = fold.record([*present, *(name for name in (TRANSCRIPT, RECORD, REPORT) if name not in present)])
    transcript = orjson.dumps([line.model_dump() for line in lines], option=orjson.OPT_INDENT_2)
    _write(path / TRANSCRIPT, transcript + b"\n")
    _write(path / RECORD, record.model_dump_json(indent=2).encode() + b"\n")
    page = Report(
        call_id=record.call_id,
        direction=record.direction,
        when=f"{record.created.astimezone():%A, %d %B %Y, %H:%M:%S %Z}",
        facts=_facts(record),
        timeline=fold.timeline,
        lines=lines,
        waveform=_waveform(path / RECORDING),
        audio_file=RECORDING,
    )
    _write(path / REPORT, render(page).encode("utf-8", "replace"))


def _present(path: Path) -> list[str]:
    """Those of a call's files that are there."""
    return [name for name in (RECORDING, JOURNAL, TRANSCRIPT, RECORD, REPORT) if (path / name).exists()]


def _waveform(path: Path) -> Waveform | None:
    """The recording's waveform; a recording that cannot be read leaves the report without one."""
    try:
        return read_waveform(path, _AUDIO_IN_REPORT)
    except EngineError:
        return None


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)


def _facts(record: CallRecord) -> list[tuple[str, str]]:
    """What the report's list of facts says, in the order of interest; unknown ones are left out."""
    phone, usage = record.phone, record.usage
    taken = _among({"kept": usage.cached_tokens, "of sound": usage.input_audio_tokens})
    given = _among({"of sound": usage.output_audio_tokens})
    tokens = f"{usage.input_tokens} tokens in{taken}, {usage.output_tokens} out{given}"
    facts = (
        ("From", phone and phone.from_number),
        ("To", phone and phone.to_number),
        ("Carrier", phone and phone.carrier),
        ("Carrier’s call id", record.carrier_call_id),
        ("Client", record.client),
        ("Created", _time(record.created)),
        ("Joined", _time(record.joined)),
        ("Ended", _time(record.ended)),
        ("End", record.end and words(record.end.reason)),
        ("Detail", record.end and record.end.detail),
        ("Model", f"{usage.model_requests} requests, {tokens}"),
        ("Voice", f"{usage.voice_characters} characters"),
        ("Transcriber", f"{usage.transcriber_seconds:.1f} s of audio"),
        *((name, str(value)) for name, value in record.metadata.items()),
    )
    return [(name, value) for name, value in facts if value]


def _among(parts: Mapping[str, int]) -> str:
    """In brackets, how many of a number are of which kind; empty where there are none."""
    told = ", ".join(f"{count} {kind}" for kind, count in parts.items() if count)
    return f" ({told})" if told else ""


def _time(at: datetime | None) -> str:
    """A wall time to the millisecond; empty where there is none."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC" if at else ""
