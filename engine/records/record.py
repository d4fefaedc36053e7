"""The record of a call: what outlives it. Built by folding notes, so it is right at any moment.

Wall times come from one reading of the clock, at call time 0; all else is call time. Offsets named in seconds
count from joining, the zero of the recording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from engine.core.effects import Effect
from engine.core.events import Created, Event, MediaGap, VendorUsed
from engine.core.notes import Closed, EndReason, Note
from engine.errors import EngineError
from engine.observe.journal import JournalHead, read_head, read_steps
from engine.observe.latency import StageLatency, answer_ms, latencies, reaction_ms, waterfall
from engine.observe.timeline import Timeline, ToolRun, Turn
from engine.records.drafts import DraftFold, DraftsRecord
from engine.records.transcript import TranscriptFold
from engine.records.usage import UsageFold, UsageRecord, VendorNames

VoiceOsReason = Literal["agent_ended", "user_ended", "unknown"]
UltravoxReason = Literal["unjoined", "hangup", "agent_hangup", "timeout", "connection_error", "system_error"]

END_REASONS: Mapping[EndReason, tuple[VoiceOsReason, UltravoxReason]] = {
    EndReason.CALLER_HUNG_UP: ("user_ended", "hangup"),
    EndReason.AGENT_HUNG_UP: ("agent_ended", "agent_hangup"),
    EndReason.REQUESTED: ("agent_ended", "agent_hangup"),
    EndReason.TRANSFERRED: ("agent_ended", "agent_hangup"),
    EndReason.SILENCE: ("agent_ended", "timeout"),
    EndReason.INACTIVITY: ("agent_ended", "timeout"),
    EndReason.MAX_DURATION: ("agent_ended", "timeout"),
    EndReason.UNJOINED: ("unknown", "unjoined"),
    EndReason.CONNECTION_ERROR: ("unknown", "connection_error"),
    EndReason.PROVIDER_ERROR: ("unknown", "system_error"),
    EndReason.ENGINE_ERROR: ("unknown", "system_error"),
    EndReason.DRAINED: ("agent_ended", "system_error"),
}
"""Our reasons in the words of VoiceOS and of Ultravox (F65)."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What the shell knows about a call and the core does not. ``created``: wall time of call time 0."""

    call_id: str
    created: datetime
    from_number: str | None = None
    to_number: str | None = None
    carrier: str | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """The agent as used, defaults filled in (F70); JSON."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    vendors: VendorNames = field(default_factory=dict)
    """Who may be asked."""

    def about(self) -> dict[str, Any]:
        """What of it a journal's head holds beside call and time."""
        return {
            "from_number": self.from_number,
            "to_number": self.to_number,
            "carrier": self.carrier,
            "configuration": dict(self.configuration),
            "metadata": dict(self.metadata),
            "vendors": dict(self.vendors),
        }

    @classmethod
    def of(cls, head: JournalHead) -> CallFacts:
        """The facts as they stand in a journal's head. Raises `EngineError` for a head without them."""
        try:
            return cls(head.call_id, head.created, **head.about)
        except TypeError:
            raise EngineError(f"the journal of {head.call_id} does not hold the facts of a call") from None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class PhoneDetails(_Part):
    """The phone call behind the call (F69)."""

    carrier: str | None
    from_number: str | None
    to_number: str | None


class EndOfCall(_Part):
    """Why the call ended, in our words and in those of the dialects (F65)."""

    reason: EndReason
    detail: str
    voiceos: VoiceOsReason
    ultravox: UltravoxReason


class FaultRecord(_Part):
    """A failure that was handled; ``at`` in seconds from joining (negative: before it)."""

    at: float
    role: str
    reason: str


class TurnRecord(_Part):
    """A turn of the caller. ``stages`` are ms, as `engine.observe.latency` defines them."""

    number: int
    text: str
    speech_ended: float
    waited_ms: int
    why: str
    answer_ms: int | None
    stages: dict[str, int]


class InterruptionRecord(_Part):
    """A sound of the caller over the agent's speech; ``silent_after_ms`` from its onset.

    A key or a text (``why``) has no onset to count from: its ``silent_after_ms`` is None.
    """

    at: float
    outcome: str
    why: str
    silent_after_ms: int | None


class ClockRecord(_Part):
    """A clock that reached its limit."""

    at: float
    clock: str


class ToolRecord(_Part):
    """A tool call and its one result."""

    tool_call: str
    name: str
    arguments: str
    started: float
    ended: float | None
    value: str
    error: str


class LatencyRecord(_Part):
    """Percentiles of one stage over the call, ms."""

    stage: str
    count: int
    p50: int
    p90: int
    p99: int


class StreamRecord(_Part):
    """What the carrier's stream of the caller lost, by its own clock."""

    gaps: int
    missing_ms: int


class CallRecord(_Part):
    """All there is to say about one call. ``joined``, ``ended`` and ``end`` are None until they happen."""

    call_id: str
    direction: str
    phone: PhoneDetails | None
    carrier_call_id: str
    client: str
    created: datetime
    joined: datetime | None
    ended: datetime | None
    duration: float
    """Seconds from joining to the end, or so far; 0 if nobody joined."""
    end: EndOfCall | None
    error_count: int
    faults: list[FaultRecord]
    turns: list[TurnRecord]
    latency: list[LatencyRecord]
    interruptions: list[InterruptionRecord]
    clocks: list[ClockRecord]
    tools: list[ToolRecord]
    usage: UsageRecord
    drafts: DraftsRecord
    stream: StreamRecord
    configuration: dict[str, Any]
    metadata: dict[str, Any]
    files: list[str]
    """Names of the call's files, beside the record."""


class RecordFold:
    """Folds the steps of a call; `record` gives the record as it stands."""

    def __init__(self, facts: CallFacts) -> None:
        self.facts = facts
        self.timeline = Timeline()
        self.transcript = TranscriptFold(self.timeline)
        self._drafts = DraftFold()
        self._direction = "inbound"
        self._usage = UsageFold(facts.vendors)
        self._gaps = self._missing_ms = 0

    def step(self, event: Event | None, effects: Sequence[Effect]) -> None:
        """Take one step of the call."""
        self._drafts.step(event, effects)
        if type(event) is Created:
            self._direction = event.direction
        elif type(event) is MediaGap:
            self._gaps += 1
            self._missing_ms += event.duration
        elif type(event) is VendorUsed:
            self._usage.add(event)
        for effect in effects:
            if isinstance(effect, Note):
                self.add(effect)

    def add(self, note: Note) -> None:
        """Take one note."""
        self.timeline.add(note)
        self.transcript.add(note)

    def record(self, files: Sequence[str] = ()) -> CallRecord:
        """The record as of now; ``files``: the names of those that lie beside it."""
        facts, line = self.facts, self.timeline
        return CallRecord(
            call_id=facts.call_id,
            direction=self._direction,
            phone=self._phone(),
            carrier_call_id=line.joined.carrier_call_id if line.joined else "",
            client=line.joined.client if line.joined else "",
            created=facts.created,
            joined=self._wall(line.joined.at) if line.joined else None,
            ended=None if line.closed is None else self._wall(line.closed),
            duration=line.length / 1000,
            end=self._end(),
            error_count=len(line.faults),
            faults=[FaultRecord(at=self._at(f.at), role=f.role, reason=f.reason) for f in line.faults],
            turns=[self._turn(turn) for turn in line.turns],
            latency=[_latency(stage) for stage in latencies(line)],
            interruptions=[
                InterruptionRecord(
                    at=self._at(each.since),
                    outcome=each.outcome,
                    why=each.why,
                    silent_after_ms=reaction_ms(each),
                )
                for each in line.interruptions
            ],
            clocks=[ClockRecord(at=self._at(c.at), clock=c.clock) for c in line.clocks],
            tools=[self._tool(run) for run in line.tools.values()],
            usage=self._usage.record(),
            drafts=self._drafts.record(),
            stream=StreamRecord(gaps=self._gaps, missing_ms=self._missing_ms),
            configuration=dict(facts.configuration),
            metadata=dict(facts.metadata),
            files=list(files),
        )

    def _phone(self) -> PhoneDetails | None:
        facts = self.facts
        if facts.carrier is facts.from_number is facts.to_number is None:
            return None
        return PhoneDetails(carrier=facts.carrier, from_number=facts.from_number, to_number=facts.to_number)

    def _end(self) -> EndOfCall | None:
        if self.timeline.closed is None or self.timeline.reason is None:
            return None
        reason = self.timeline.reason
        voiceos, ultravox = END_REASONS[reason]
        return EndOfCall(reason=reason, detail=self.timeline.detail, voiceos=voiceos, ultravox=ultravox)

    def _turn(self, turn: Turn) -> TurnRecord:
        return TurnRecord(
            number=turn.number,
            text=turn.text,
            speech_ended=self._at(turn.speech_ended),
            waited_ms=turn.waited,
            why=turn.why,
            answer_ms=answer_ms(self.timeline, turn),
            stages={bar.stage: bar.end - bar.start for bar in waterfall(self.timeline, turn)},
        )

    def _tool(self, run: ToolRun) -> ToolRecord:
        return ToolRecord(
            tool_call=run.tool_call,
            name=run.name,
            arguments=run.arguments,
            started=self._at(run.started),
            ended=None if run.ended is None else self._at(run.ended),
            value=run.value,
            error=run.error,
        )

    def _at(self, at: int) -> float:
        return (at - self.timeline.origin) / 1000

    def _wall(self, at: int) -> datetime:
        return self.facts.created + timedelta(milliseconds=at)


def _latency(stage: StageLatency) -> LatencyRecord:
    return LatencyRecord(stage=stage.stage, count=stage.count, p50=stage.p50, p90=stage.p90, p99=stage.p99)


def fold_journal(path: Path) -> RecordFold:
    """The fold of a journalled call. One that was cut off by a crash ends there, as an engine error.

    Raises `EngineError` for a file that is no journal.
    """
    fold = RecordFold(CallFacts.of(read_head(path)))
    now = 0
    for step in read_steps(path):
        now = step.now
        fold.step(step.event, step.effects())
    if fold.timeline.closed is None:
        fold.timeline.detail = fold.timeline.detail or "the process died during the call"
        fold.add(Closed(now, fold.timeline.reason or EndReason.ENGINE_ERROR))
    return fold


def record_from_journal(path: Path) -> CallRecord:
    """The record of a journalled call, as `fold_journal` reads it."""
    return fold_journal(path).record()
