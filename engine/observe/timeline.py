"""What happened on a call and when: a fold over its notes that is right at any moment.

Times are call time in ms. The timeline keeps facts; what they say about latency is in `latency.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.core.notes import (
    ClockFired,
    Closed,
    Cut,
    Ending,
    EndReason,
    Fault,
    Interrupted,
    Joined,
    KeysPressed,
    Note,
    ReplyChosen,
    ReplyEnded,
    ReplyStage,
    ReplyStarted,
    ReplyText,
    SeamClosed,
    SeamOpened,
    SpeechEnded,
    SpeechStarted,
    ToolEnded,
    ToolStarted,
    TurnAmended,
    TurnEnded,
    WordsRecognised,
)
from engine.core.replies import Kind


@dataclass(slots=True)
class Span:
    """A stretch of time; ``end`` is None while it lasts."""

    start: int
    end: int | None = None


@dataclass(slots=True)
class Turn:
    """One turn of the caller and the number of the reply that answered it, if any did."""

    number: int
    text: str
    speech_ended: int
    ended: int
    waited: int
    why: str
    reply: int | None = None


@dataclass(slots=True)
class Reply:
    """One thing the agent said, or meant to say: ``text``, of which ``heard`` reached the caller."""

    number: int
    kind: str
    started: int
    chosen: int | None
    """When it became the live reply; None for a draft that never did."""
    stages: dict[str, int] = field(default_factory=dict)
    text: str = ""
    heard: str = ""
    heard_ms: int = 0
    silent: int | None = None
    """When its last sound so far came to its end; None while it sounds or before it was heard."""
    how: Cut | None = None
    ended: int | None = None
    """When it was over. A reply that was held is silent long before it is decided that it is over."""


@dataclass(slots=True)
class Interruption:
    """A sound of the caller while the agent spoke, and what came of it."""

    since: int
    """When the sound began."""
    outcome: str
    """``duck`` or ``hold`` while it is undecided, then ``stop`` or ``resume``."""
    why: str
    silent: int | None = None
    """When the agent was told to fall silent; None where it was only made softer."""
    decided: int | None = None

    @property
    def by_sound(self) -> bool:
        """Whether the caller's voice did it, and not a key or a text from outside."""
        return self.why not in ("key", "say now", "text")


@dataclass(slots=True)
class ToolRun:
    """A tool from its start to its one result; ``error`` is empty where it succeeded."""

    tool_call: str
    name: str
    arguments: str
    started: int
    ended: int | None = None
    error: str = ""
    value: str = ""


class Timeline:
    """Folds notes; read its attributes at any moment."""

    def __init__(self) -> None:
        self.joined: Joined | None = None
        self.speech: dict[str, list[Span]] = {"caller": [], "agent": []}
        self.words: list[WordsRecognised] = []
        """Final words only, at the time they arrived."""
        self.keys: list[KeysPressed] = []
        self.turns: list[Turn] = []
        self.replies: dict[int, Reply] = {}
        self.interruptions: list[Interruption] = []
        self.clocks: list[ClockFired] = []
        self.tools: dict[str, ToolRun] = {}
        self.faults: list[Fault] = []
        self.seams: list[Span] = []
        self.reason: EndReason | None = None
        self.detail = ""
        self.closed: int | None = None
        self.latest = 0
        """Time of the latest note."""
        self._sounding: Reply | None = None
        """The reply that was heard last: sound of the agent is its sound."""

    @property
    def origin(self) -> int:
        """Call time of the recording's zero: joining."""
        return self.joined.at if self.joined else 0

    @property
    def length(self) -> int:
        """From joining to the end, or to the latest note while the call lives; 0 if nobody joined."""
        if self.joined is None:
            return 0
        return max(0, (self.latest if self.closed is None else self.closed) - self.joined.at)

    def add(self, note: Note) -> None:
        """Take the next note."""
        self.latest = max(self.latest, note.at)
        take = _TAKES.get(type(note))
        if take is not None:
            take(self, note)

    # --- speech and turns -----------------------------------------------------------------------------

    def _join(self, note: Joined) -> None:
        self.joined = self.joined or note

    def _speech_started(self, note: SpeechStarted) -> None:
        self.speech[note.who].append(Span(note.at))
        if note.who == "agent":
            self._agent_silent(None)

    def _speech_ended(self, note: SpeechEnded) -> None:
        _end(self.speech[note.who], note.at)
        if note.who == "agent":
            self._agent_silent(note.at)

    def _agent_silent(self, at: int | None) -> None:
        if self._sounding is not None:
            self._sounding.silent = at

    def _word(self, note: WordsRecognised) -> None:
        if note.final and note.text:
            self.words.append(note)

    def _turn_ended(self, note: TurnEnded) -> None:
        number = len(self.turns) + 1
        self.turns.append(Turn(number, note.text, note.speech_ended, note.at, note.waited, note.why))

    def _turn_amended(self, note: TurnAmended) -> None:
        """The caller went on before the answer was heard: two turns, or a turn and late words, are one."""
        if not self.turns:
            return
        turn = self.turns[-1]
        if len(self.turns) > 1 and turn.ended == note.at and note.text.startswith(self.turns[-2].text):
            self.turns[-2:] = [turn]
            turn.number -= 1
        turn.text, turn.reply = note.text, None

    # --- replies --------------------------------------------------------------------------------------

    def _reply_started(self, note: ReplyStarted) -> None:
        reply = Reply(note.reply, note.kind, note.at, None if note.draft else note.at)
        self.replies[note.reply] = reply
        if not note.draft:
            self._answer(reply)

    def _reply_chosen(self, note: ReplyChosen) -> None:
        reply = self.replies.get(note.reply)
        if reply is not None:
            reply.chosen = note.at
            self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        if reply.kind == Kind.ANSWER and self.turns and not self._heard(self.turns[-1]):
            self.turns[-1].reply = reply.number

    def _heard(self, turn: Turn) -> bool:
        return turn.reply is not None and "first_heard" in self.replies[turn.reply].stages

    def _reply_stage(self, note: ReplyStage) -> None:
        if note.reply in self.replies:
            reply = self.replies[note.reply]
            reply.stages.setdefault(note.stage, note.at)
            if note.stage == "first_heard":
                self._sounding = reply

    def _reply_text(self, note: ReplyText) -> None:
        if note.reply in self.replies:
            self.replies[note.reply].text = note.text

    def _reply_ended(self, note: ReplyEnded) -> None:
        if note.reply in self.replies:
            reply = self.replies[note.reply]
            reply.how, reply.heard, reply.heard_ms, reply.ended = note.how, note.heard, note.heard_ms, note.at

    def _interrupted(self, note: Interrupted) -> None:
        last = self.interruptions[-1] if self.interruptions else None
        if last is None or last.since != note.since:
            last = Interruption(self._onset(note), note.action, note.why)
            self.interruptions.append(last)
        last.outcome, last.why = note.action, note.why or last.why
        if note.action in ("hold", "stop") and last.silent is None:
            last.silent = note.at
        if note.action in ("stop", "resume"):
            last.decided = note.at

    def _onset(self, note: Interrupted) -> int:
        """When the sound began. Words that stop an agent whom their sound left alone came over its speech
        since both could be heard."""
        caller, agent = self.speech["caller"], self.speech["agent"]
        if note.why != "words" or note.since < note.at or not caller or not agent:
            return note.since
        return min(note.at, max(caller[-1].start, agent[-1].start))

    # --- the rest -------------------------------------------------------------------------------------

    def _tool_started(self, note: ToolStarted) -> None:
        self.tools[note.tool_call] = ToolRun(note.tool_call, note.name, note.arguments, note.at)

    def _tool_ended(self, note: ToolEnded) -> None:
        run = self.tools.setdefault(note.tool_call, ToolRun(note.tool_call, note.name, "", note.at))
        run.ended, run.error, run.value = note.at, note.error, note.value

    def _seam_opened(self, note: SeamOpened) -> None:
        self.seams.append(Span(note.at))

    def _seam_closed(self, note: SeamClosed) -> None:
        _end(self.seams, note.at)

    def _ending(self, note: Ending) -> None:
        self.reason, self.detail = note.reason, note.detail

    def _close(self, note: Closed) -> None:
        self.reason, self.closed = note.reason, note.at
        if self.speech["agent"] and self.speech["agent"][-1].end is None:
            self._agent_silent(note.at)
        for span in (*self.speech["caller"], *self.speech["agent"], *self.seams):
            if span.end is None:
                span.end = note.at


def _end(spans: list[Span], at: int) -> None:
    if spans and spans[-1].end is None:
        spans[-1].end = at


_TAKES: dict[type[Note], Callable[[Timeline, Any], None]] = {
    Joined: Timeline._join,
    SpeechStarted: Timeline._speech_started,
    SpeechEnded: Timeline._speech_ended,
    WordsRecognised: Timeline._word,
    KeysPressed: lambda line, note: line.keys.append(note),
    TurnEnded: Timeline._turn_ended,
    TurnAmended: Timeline._turn_amended,
    ReplyStarted: Timeline._reply_started,
    ReplyChosen: Timeline._reply_chosen,
    ReplyStage: Timeline._reply_stage,
    ReplyText: Timeline._reply_text,
    ReplyEnded: Timeline._reply_ended,
    Interrupted: Timeline._interrupted,
    ToolStarted: Timeline._tool_started,
    ToolEnded: Timeline._tool_ended,
    ClockFired: lambda line, note: line.clocks.append(note),
    Fault: lambda line, note: line.faults.append(note),
    SeamOpened: Timeline._seam_opened,
    SeamClosed: Timeline._seam_closed,
    Ending: Timeline._ending,
    Closed: Timeline._close,
}
