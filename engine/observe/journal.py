"""The journal of a call: one JSON line a step, enough to run the whole call again with nothing else at hand.

The first line is the head: version, call, wall time (the only one; everything after it is call time), the
whole policy, and what the shell knows about the call. Every further line is one step: ``now`` (call time,
ms), the ``event`` (null where the call was only woken) and the ``effects`` it answered with. Of the caller's
audio only the length is written, beside its level (see `codec`). A journal holds what people said: keep it as
safe as the recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.policy import Policy
from engine.errors import EngineError
from engine.observe.codec import DecodeError, decode, decode_effect, decode_event, dumps, encode

VERSION = 1
"""Counts up when an older reader could not make sense of a newer file."""

_LINES_PER_WRITE = 64
"""A call has about fifty steps a second, so a crash costs the last second or so."""


@dataclass(frozen=True, slots=True)
class JournalHead:
    """The first line. ``created`` is the wall time of call time 0, with its time zone."""

    call_id: str
    created: datetime
    policy: Policy
    about: Mapping[str, Any] = field(default_factory=dict)
    """What the shell knows about the call and the record repeats (numbers, configuration): any JSON."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a journal: ``event`` is None where the call was woken by its own clock."""

    line: int
    now: int
    event: Event | None
    encoded: list[Any]
    """The effects as they stand in the file."""

    def effects(self) -> list[Effect]:
        """The effects themselves. Raises `EngineError` naming the line."""
        try:
            return [decode_effect(effect) for effect in self.encoded]
        except DecodeError as error:
            raise EngineError(f"journal line {self.line}: {error}") from None


class JournalWriter:
    """Writes a journal into a binary file that the caller opened and will close."""

    def __init__(self, file: BinaryIO, head: JournalHead) -> None:
        """Write the head. Raises `ValueError` if ``head.created`` has no time zone."""
        if head.created.tzinfo is None:
            raise ValueError("the journal's wall time needs a time zone")
        self._file = file
        self._lines: list[bytes] = [
            dumps(
                {
                    "journal": VERSION,
                    "call_id": head.call_id,
                    "created": head.created,
                    "about": head.about,
                    "policy": head.policy,
                }
            )
        ]
        self.flush()

    def step(self, now: int, event: Event | None, effects: Sequence[Effect]) -> None:
        """Add a step. Raises `OSError` where the file does, once a second or so."""
        self._lines.append(
            dumps(
                {
                    "now": now,
                    "event": None if event is None else encode(event),
                    "effects": [encode(effect) for effect in effects],
                }
            )
        )
        if len(self._lines) >= _LINES_PER_WRITE:
            self.flush()

    def flush(self) -> None:
        """Hand all lines so far to the operating system."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._file.write(b"\n".join(lines) + b"\n")
            self._file.flush()


def read_head(path: Path) -> JournalHead:
    """The head of a journal. Raises `EngineError` where the file is no journal."""
    try:
        with path.open("rb") as file:
            raw = file.readline()
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}") from None
    data = _object(raw, path, 1)
    version = data.get("journal")
    if version != VERSION:
        raise EngineError(f"{path} line 1: this is no journal of version {VERSION}")
    call_id, created, about = data.get("call_id"), data.get("created"), data.get("about")
    try:
        if not (isinstance(call_id, str) and isinstance(created, str) and isinstance(about, dict)):
            raise DecodeError("call_id and created must be texts, about an object")
        when = datetime.fromisoformat(created)
        if when.tzinfo is None:
            raise DecodeError("created has no time zone")
        return JournalHead(call_id, when, decode(Policy, data.get("policy")), about)
    except ValueError as error:
        raise EngineError(f"{path} line 1: {error}") from None


def read_steps(path: Path) -> Iterator[Step]:
    """The steps of a journal, one by one. A last line cut short by a crash is left out.

    Raises `EngineError` naming the line and what is wrong with it.
    """
    with path.open("rb") as file:
        latest = 0
        for line, raw in enumerate(file, 1):
            if line == 1 or not raw.endswith(b"\n"):
                continue
            data = _object(raw, path, line)
            now, event, encoded = data.get("now"), data.get("event"), data.get("effects")
            if type(now) is not int or now < latest or not isinstance(encoded, list):
                raise EngineError(
                    f"{path} line {line}: a step needs now (ms, never falling) and a list of effects"
                )
            latest = now
            try:
                yield Step(line, now, None if event is None else decode_event(event), encoded)
            except DecodeError as error:
                raise EngineError(f"{path} line {line}: {error}") from None


def _object(raw: bytes, path: Path, line: int) -> dict[str, Any]:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EngineError(f"{path} line {line}: not JSON ({error.msg})") from None
    if not isinstance(data, dict):
        raise EngineError(f"{path} line {line}: expected an object")
    return data
