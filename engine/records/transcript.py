"""The transcript of a call: its messages in order, placed where they were spoken, the agent's as heard."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.core.notes import Cut, MessageAdded, Note, ToolStarted
from engine.observe.timeline import Reply, Span, Timeline

Role = Literal["user", "assistant", "tool", "remark"]

_LONGEST_PAUSE = 4_000
"""ms. No pause inside a turn is longer, so a sound before it (a cough, say) is not part of the message."""


class Line(BaseModel):
    """One message. ``start`` and ``end``: seconds from joining (the recording's zero), of the sound itself.

    ``end`` is None while the message is being spoken. ``role`` is ``remark`` for what the caller said that
    was no turn; a ``tool`` line has the tool's ``name``, its ``arguments``, and as ``text`` what came of it.
    """

    model_config = ConfigDict(frozen=True)

    role: Role
    text: str
    start: float
    end: float | None
    interrupted: bool = False
    name: str = ""
    arguments: str = ""
    failed: bool = False


class _Entry:
    """A message on its way into the transcript. ``first`` and ``last``: call time, ms."""

    __slots__ = ("first", "last", "reply", "role", "text", "tool_call")

    def __init__(self, role: Role, text: str, at: int, reply: int = 0, tool_call: str = "") -> None:
        self.role = role
        self.text = text
        self.first = at
        self.last = at
        self.reply = reply
        self.tool_call = tool_call


class TranscriptFold:
    """Folds notes into a transcript. The timeline beside it must be given each note first."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._entries: list[_Entry] = []
        self._told = 0
        """How many of the caller's spans of speech stand in the transcript."""

    def add(self, note: Note) -> None:
        """Take the next note."""
        if isinstance(note, MessageAdded):
            self._message(note)
        elif isinstance(note, ToolStarted):
            self._entries.append(_Entry("tool", "", note.at, tool_call=note.tool_call))

    def lines(self) -> list[Line]:
        """The transcript as it stands, in order of the sound (a draft's tool precedes its turn)."""
        return sorted((self._line(entry) for entry in self._entries), key=lambda line: line.start)

    def _message(self, note: MessageAdded) -> None:
        match note.role:
            case "assistant" if note.text:
                self._put("assistant", note)
            case "user":
                self._place(self._put("user", note))
            case "remark":
                self._place(self._put("remark", note))

    def _put(self, role: Role, note: MessageAdded) -> _Entry:
        """A new entry, or the latest one of the role with its text replaced."""
        if note.amended:
            for entry in reversed(self._entries):
                if entry.role == role and entry.reply == note.reply:
                    entry.text = note.text
                    return entry
        entry = _Entry(role, note.text, note.at, note.reply)
        self._entries.append(entry)
        return entry

    def _place(self, entry: _Entry) -> None:
        """Put the caller's message where the speech was that is not yet told; typed text has none."""
        spans = self._timeline.speech["caller"]
        fresh = spans[self._told :]
        if not fresh:
            return
        self._told = len(spans)
        entry.last = _end(fresh[-1], entry.last)
        start = fresh[-1].start
        for span in reversed(fresh):
            if start - _end(span, start) > _LONGEST_PAUSE:
                break
            start = span.start
        entry.first = min(entry.first, start)

    def _line(self, entry: _Entry) -> Line:
        if entry.role == "tool":
            return self._tool(entry)
        if entry.role == "assistant":
            return self._spoken(entry)
        return Line(
            role=entry.role, text=entry.text, start=self._seconds(entry.first), end=self._seconds(entry.last)
        )

    def _tool(self, entry: _Entry) -> Line:
        run = self._timeline.tools[entry.tool_call]
        return Line(
            role="tool",
            text=run.error or run.value,
            start=self._seconds(run.started),
            end=None if run.ended is None else self._seconds(run.ended),
            name=run.name,
            arguments=run.arguments,
            failed=bool(run.error),
        )

    def _spoken(self, entry: _Entry) -> Line:
        reply = self._timeline.replies.get(entry.reply)
        if reply is None:
            at = self._seconds(entry.first)
            return Line(role="assistant", text=entry.text, start=at, end=at)
        return Line(
            role="assistant",
            text=entry.text,
            start=self._seconds(reply.stages.get("first_heard", entry.first)),
            end=self._spoken_until(reply),
            interrupted=reply.how is Cut.CUT,
        )

    def _spoken_until(self, reply: Reply) -> float | None:
        """The end of the reply's last sound, once it is sure that it was the last."""
        over = self._timeline.closed if reply.ended is None else reply.ended
        if over is None:
            return None
        return self._seconds(over if reply.silent is None else reply.silent)

    def _seconds(self, at: int) -> float:
        return max(0, at - self._timeline.origin) / 1000


def _end(span: Span, now: int) -> int:
    return now if span.end is None else span.end
