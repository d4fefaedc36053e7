"""The agent: idle, thinking, speaking, held. Carries the one live reply from the model to the ear.

What the model owes is in `thinking`, what the voice owes in `speaking`; here is the reply's life.

Model text becomes pieces, pieces become audio, audio goes to the ledger; the ledger says what was heard. At
every stage one deadline named ``reply`` is set, so that nothing can wait for ever: on its expiry the same
reply is tried again, and when its tries are used up it has failed, and the call is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.audio.level import EchoFloor
from engine.core import speaking, thinking
from engine.core.conversation import Message
from engine.core.events import MarkEchoed
from engine.core.notes import (
    Cut,
    Fault,
    ReplyChosen,
    ReplyEnded,
    ReplyStage,
    ReplyStarted,
    ReplyText,
    SpeechEnded,
    SpeechStarted,
)
from engine.core.playout import BYTES_PER_MS, Playout
from engine.core.policy import Alternatives
from engine.core.replies import Kind, Piece, Reply
from engine.core.speaking import Speaking
from engine.core.step import Step
from engine.core.thinking import Thinking

ALARM = "reply"


class AgentState(StrEnum):
    """What the agent is doing."""

    IDLE = "idle"
    THINKING = "thinking"
    SPEAKING = "speaking"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Ended:
    """A reply that is over, for the call to draw its conclusions."""

    reply: Reply
    how: Cut
    heard: str
    failed: str = ""
    """The role that failed for good (``model`` or ``voice``), if that is why."""


class Agent:
    """The agent's side of the line."""

    def __init__(self, echo: EchoFloor, alternatives: Alternatives) -> None:
        self.live: Reply | None = None
        self.playout = Playout(echo)
        self.mouth_open = False
        """Whether audio may go to the caller now; the floor sets it."""
        self.silent = False
        """From the next reply on the agent writes instead of speaking."""
        self.ended: list[Ended] = []
        """Replies that are over and that the call has not dealt with."""
        self.thinking = Thinking(self, alternatives.models)
        self.speaking = Speaking(self, alternatives.voices)
        self.progress_at = 0
        """When something last came that the live reply waits for (call time, ms)."""
        self._last_id = 0
        self._audible = False
        self._fillers = 0

    @property
    def state(self) -> AgentState:
        """What the agent is doing."""
        if self.live is None:
            return AgentState.IDLE
        if self.playout.paused:
            return AgentState.HELD
        return AgentState.SPEAKING if self.playout.sent else AgentState.THINKING

    @property
    def audible(self) -> bool:
        """The caller is hearing the agent, or has begun to and waits for the rest."""
        return self.live is not None and self.playout.sent > 0

    # --- the life of a reply ---------------------------------------------------------------------------

    def begin(self, step: Step, kind: Kind, *, draft: bool = False) -> Reply:
        """Make a reply and let it be the live one. There must be no other."""
        self._last_id += 1
        reply = Reply(self._last_id, kind, step.policy, draft=draft, silent=self.silent)
        self.live = reply
        self.playout.begin()
        self.thinking.asking = self._audible = self.mouth_open = False
        self.progress_at = step.now
        step.emit(ReplyStarted(step.now, reply.id, kind.value, draft))
        return reply

    def say(self, step: Step, text: str) -> None:
        """The live reply is this fixed text."""
        assert self.live is not None
        self.live.say(text)
        self.noted_text(step)
        self.advance(step)

    def think(self, step: Step, messages: tuple[Message, ...]) -> None:
        """Ask the model for the live reply's (further) text."""
        self.thinking.start(step, messages)

    def choose(self, step: Step) -> None:
        """The draft is the answer: it gets its mouth and its hands."""
        assert self.live is not None
        self.live.chosen = True
        step.emit(ReplyChosen(step.now, self.live.id))
        self.arm_filler(step)
        self.advance(step)

    def cut(self, step: Step, *, failed: str = "") -> None:
        """Stop the live reply: what was heard stays, the rest never existed."""
        reply = self.live
        if reply is None:
            return
        heard = ""
        if self.playout.sent:
            self.playout.settle(step)
            heard = reply.heard(self.playout, step.policy.playout.word_tolerance)
        self.playout.stop(step)
        self.speaking.cut(step, reply)
        self.thinking.cut(step, reply)
        self._end(step, Cut.CUT if self.playout.heard else Cut.DROPPED, heard, failed)

    def hold(self, step: Step) -> None:
        """Fall silent and keep the rest."""
        self.playout.hold(step)
        step.deadlines.cancel(ALARM)
        self._fell_silent(step)

    def resume(self, step: Step) -> None:
        """Go on from the start of the word that was cut."""
        assert self.live is not None
        if self.playout.paused:
            at = self.live.cut_word(self.playout, step.policy.playout.word_tolerance)
        else:
            at = self.playout.position(step.now)
        self.playout.resume(step, at)
        self.progress_at = step.now
        self.advance(step)

    def _end(self, step: Step, how: Cut, heard: str, failed: str = "") -> None:
        assert self.live is not None
        reply, self.live = self.live, None
        self.thinking.asking = False
        for alarm in (ALARM, thinking.FILLER, thinking.HEDGE, thinking.AGAIN, speaking.AGAIN):
            step.deadlines.cancel(alarm)
        self._fell_silent(step)
        heard_ms = self.playout.heard // BYTES_PER_MS
        step.emit(ReplyEnded(step.now, reply.id, reply.kind.value, how, heard, heard_ms))
        self.ended.append(Ended(reply, how, heard, failed))

    def _fell_silent(self, step: Step) -> None:
        if self._audible:
            self._audible = False
            step.emit(SpeechEnded(min(self.playout.played_to, step.now), "agent"))

    # --- the ear's side ---------------------------------------------------------------------------------

    def hear_mark(self, step: Step, event: MarkEchoed) -> None:
        """The carrier played up to a mark."""
        self.playout.echo(step, event.name)
        since = self.playout.playing_since
        if self.live is not None and since is not None:
            if not self._audible:
                self._audible = True
                self.stage(step, "first_heard", since)
                step.emit(SpeechStarted(since, "agent"))
            self.progress_at = step.now
            self.advance(step)

    # --- moving on --------------------------------------------------------------------------------------

    def advance(self, step: Step) -> None:
        """Move the live reply on as far as it goes, and set the deadline of what it waits for."""
        reply = self.live
        if reply is None:
            return
        if reply.silent:
            self._deliver(step, reply)
            return
        reply.pour(self.playout)
        self.speaking.ask(step, reply)
        if reply.voiced:
            self.playout.finish()
        if self.mouth_open and reply.chosen and not self.playout.paused:
            sent = self.playout.sent
            self.playout.pump(step)
            if self.playout.sent > sent == 0:
                self.stage(step, "first_sent")
        if self.playout.done:
            heard = self.playout.heard > 0
            self._end(step, Cut.DONE if heard else Cut.DROPPED, reply.text if heard else "", reply.failed)
            return
        self._watch(step, reply)

    def _deliver(self, step: Step, reply: Reply) -> None:
        """A reply in text: what is written is what reaches the other side."""
        if reply.text_done and reply.chosen:
            self._end(step, Cut.DONE if reply.text else Cut.DROPPED, reply.text, reply.failed)
        else:
            self._watch(step, reply)

    def _watch(self, step: Step, reply: Reply) -> None:
        at: int | None = None
        waiting = reply.next_piece() is not None
        if self.playout.paused or speaking.AGAIN in step.deadlines:
            pass
        elif self.thinking.asking and (reply.silent or (reply.voicing is None and not waiting)):
            at = self.thinking.due(step, reply)
        elif reply.voicing is not None:
            at = self.speaking.due(step)
        elif (self.playout.complete or waiting) and self.mouth_open:
            at = max(self.playout.dry_at, step.now) + step.policy.playout.heard_grace
        if at is None:
            step.deadlines.cancel(ALARM)
        else:
            step.deadlines.set(ALARM, at)

    def overdue(self, step: Step) -> None:
        """The live reply made no progress for as long as it may."""
        reply = self.live
        if reply is None:
            return
        if reply.voicing is not None:
            self.speaking.overdue(step)
        elif self.thinking.asking:
            self.thinking.overdue(step)
        else:
            step.emit(Fault(step.now, "carrier", "played audio was not acknowledged"))
            self.playout.assume_heard(step)
            self.advance(step)

    def fill(self, step: Step) -> None:
        """The caller has been waiting: say a filler before the reply's own words."""
        fillers = step.policy.replies.fillers
        reply = self.live
        if reply is None or not fillers or reply.text_done or reply.leave is not None:
            return
        if reply.next_piece() is not None or reply.voicing is not None:
            return
        reply.pieces.append(Piece(fillers[self._fillers % len(fillers)], keep=True))
        self._fillers += 1
        self.advance(step)

    def arm_filler(self, step: Step) -> None:
        """A wait begins that a filler may shorten."""
        after = step.policy.replies.filler_after
        reply = self.live
        if after is not None and reply is not None and reply.chosen and not reply.text_done:
            step.deadlines.set(thinking.FILLER, step.now + after)

    def noted_text(self, step: Step) -> None:
        """The live reply has (more) text."""
        assert self.live is not None
        self.stage(step, "first_text")
        step.emit(ReplyText(step.now, self.live.id, self.live.text))

    def stage(self, step: Step, stage: str, at: int | None = None) -> None:
        """The live reply has come to a stage, now or at a call time (ms)."""
        if self.live is not None and stage not in self.live.stages:
            self.live.stages.add(stage)
            step.emit(ReplyStage(step.now if at is None else at, self.live.id, stage))
