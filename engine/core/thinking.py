"""The model's side of the agent: requests for the live reply's text, one after the other or side by side.

The first to speak or to act is heard. One that breaks off is gone on with by another request, which is told
what was said; when its tries are used up the reply ends with what it has, or has failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.conversation import Message
from engine.core.effects import CancelModel, StartModel, TruncateModel
from engine.core.events import ModelAudio, ModelDone, ModelFailed, ModelText
from engine.core.notes import Fault
from engine.core.playout import BYTES_PER_MS
from engine.core.replies import Reply
from engine.core.speakable import is_speakable
from engine.core.step import Step
from engine.core.vendors import Vendors

if TYPE_CHECKING:
    from engine.core.agent import Agent

FILLER = "filler"
HEDGE = "hedge"
AGAIN = "ask_model_again"
"""A lone model asked for a pause before it is tried again."""
BROKEN_OFF = Message(
    "system",
    "The line to you broke after the words above; the caller has heard them. Go on from there, and do not"
    " say them again.",
)
"""What a model is told that goes on with another one's reply."""


class Thinking:
    """The requests to the models."""

    def __init__(self, agent: Agent, vendors: int) -> None:
        self._agent = agent
        self._vendors = Vendors(vendors)
        self._last_attempt = 0
        self._messages: tuple[Message, ...] = ()
        self.asking = False
        """The model owes text."""

    def start(self, step: Step, messages: tuple[Message, ...]) -> None:
        """Ask the model for the live reply's (further) text."""
        assert self._agent.live is not None
        reply = self._agent.live
        reply.text_done = reply.model_done = reply.round_written = False
        reply.round.clear()
        reply.attempts.clear()
        self._messages = messages
        self._agent.progress_at = step.now
        self._ask(step, reply, self._vendors.pick(step.now))
        hedge = step.policy.replies.hedge_after
        if hedge is not None and len(self._vendors) > 1:
            step.deadlines.set(HEDGE, step.now + hedge)
        self._agent.arm_filler(step)
        self._agent.advance(step)

    def _ask(self, step: Step, reply: Reply, vendor: int) -> None:
        """One more request for the same text."""
        self._last_attempt += 1
        reply.attempts[self._last_attempt] = vendor
        self.asking = True
        step.emit(StartModel(reply.id, self._last_attempt, self._messages, vendor))
        self._agent.stage(step, "model_asked")

    def hedge(self, step: Step) -> None:
        """The model has been silent for a while: ask the next one, too."""
        reply = self._agent.live
        if reply is not None and self.asking and len(reply.attempts) == 1:
            (asked,) = reply.attempts.values()
            self._ask(step, reply, self._vendors.pick(step.now, but=asked))

    def settle_on(self, step: Step, reply: Reply, attempt: int) -> None:
        """The first to speak or to act is heard; the others are told to stop."""
        step.deadlines.cancel(HEDGE)
        for other in [other for other in reply.attempts if other != attempt]:
            del reply.attempts[other]
            step.emit(CancelModel(reply.id, other))

    def expects(self, reply: int, attempt: int) -> bool:
        """Whether text of this reply and attempt is still wanted."""
        live = self._agent.live
        return self.asking and live is not None and live.id == reply and attempt in live.attempts

    def cut(self, step: Step, reply: Reply) -> None:
        """The reply is cut: what is still being said, and what was not heard of it, is not wanted."""
        if self.asking:
            step.emit(CancelModel(reply.id))
        if step.policy.replies.speech_to_speech:
            self._tell_heard(step, reply)

    def overdue(self, step: Step) -> None:
        """No text came in time."""
        self._retry(step, "no text in time")

    def due(self, step: Step, reply: Reply) -> int:
        """By when the model must give (more) text."""
        limits = step.policy.replies
        return self._agent.progress_at + (limits.text_gap if reply.pieces else limits.first_text)

    def hear_text(self, step: Step, event: ModelText) -> None:
        """Text from the model; late text is dropped."""
        reply = self._agent.live
        if reply is None or not self.expects(event.reply, event.attempt):
            return
        if is_speakable(event.text):
            self._agent.progress_at = step.now
            self.settle_on(step, reply, event.attempt)
        elif len(reply.attempts) > 1:
            return
        if self._speaks_itself(step, reply):
            piece = reply.own_speech(event.attempt)
            piece.text = (piece.text + event.text).lstrip()
            reply.answered = True
            self._agent.stage(step, "first_text")
        elif reply.feed(event.text):
            reply.tries = 0
            reply.answered = True
            step.deadlines.cancel(FILLER)
            self._agent.noted_text(step)
        self._agent.advance(step)

    def hear_audio(self, step: Step, event: ModelAudio) -> None:
        """Speech of a model that speaks itself; late speech is dropped."""
        reply = self._agent.live
        if reply is None or not self.expects(event.reply, event.attempt):
            return
        if not self._speaks_itself(step, reply):
            return
        self._agent.progress_at = step.now
        reply.own_speech(event.attempt).early += event.payload
        step.deadlines.cancel(FILLER)
        self._agent.stage(step, "first_audio")
        self._agent.advance(step)

    @staticmethod
    def _speaks_itself(step: Step, reply: Reply) -> bool:
        """The model's own speech is heard; once it broke off, only a voice can go on and repeat nothing."""
        return step.policy.replies.speech_to_speech and not reply.silent and not reply.broken

    def hear_done(self, step: Step, done: ModelDone) -> None:
        """The model has finished its text."""
        reply = self._agent.live
        if reply is None or not self.expects(done.reply, done.attempt):
            return
        self.settle_on(step, reply, done.attempt)
        self.asking = False
        self._agent.progress_at = step.now
        reply.model_done = True
        reply.text_done = not reply.round or reply.leave is not None
        reply.finish_speech(done.attempt)
        self._agent.speaking.learn_pace(reply.pieces[-1:])
        truncated = done.reason == "length"
        added = reply.finish(truncated=truncated)
        if added or (reply.text and step.policy.replies.speech_to_speech):
            reply.answered = True
            self._agent.noted_text(step)
        if truncated and not reply.pieces and not reply.round:
            self._retry(step, "cut short before there was anything to say", retryable=False)
            return
        if reply.text_done:
            step.deadlines.cancel(FILLER)
        self._agent.advance(step)

    def hear_failed(self, step: Step, event: ModelFailed) -> None:
        """The model broke or refused."""
        reply = self._agent.live
        if reply is None or not self.expects(event.reply, event.attempt):
            return
        if len(reply.attempts) == 1:
            self._retry(step, event.reason, retryable=event.retryable, pause=event.retry_after or 0)
            return
        step.emit(Fault(step.now, "model", event.reason))
        self._vendors.failed(reply.attempts.pop(event.attempt), step.now)

    def ask_again(self, step: Step) -> None:
        """The pause that the model asked for is over."""
        if self._agent.live is not None:
            self._go_on(step, self._agent.live)

    def _retry(self, step: Step, reason: str, *, retryable: bool = True, pause: int = 0) -> None:
        """The same reply is tried again, goes on with what it has, or has failed.

        A lone model gets its ``pause`` (ms) if that ends within the deadline of what is waited for.
        """
        assert self._agent.live is not None
        reply = self._agent.live
        step.emit(Fault(step.now, "model", reason))
        for vendor in reply.attempts.values():
            self._vendors.failed(vendor, step.now)
        self._break_speech(step, reply)
        reply.tries += 1
        left = reply.tries < max(step.policy.replies.attempts, len(self._vendors))
        if len(self._vendors) > 1:
            retryable, pause = True, 0
        elif step.now + pause >= self.due(step, reply):
            retryable = retryable and not pause
        if retryable and left and not reply.round:
            step.emit(CancelModel(reply.id))
            if pause:
                reply.attempts.clear()
                step.deadlines.set(AGAIN, step.now + pause)
            else:
                self._go_on(step, reply)
        elif reply.pieces or reply.round:
            step.emit(CancelModel(reply.id))
            self.asking = False
            reply.model_done = True
            reply.text_done = not reply.round or reply.leave is not None
            if not (reply.finish(truncated=True) or reply.answered or reply.round):
                reply.failed = "model"
            self._agent.advance(step)
        else:
            self._agent.cut(step, failed="model")

    def _go_on(self, step: Step, reply: Reply) -> None:
        """Another request takes over: it is told what was said, and what it says again is not heard."""
        messages = self._messages
        reply.break_off()
        if reply.pieces:
            if messages[-1:] != (BROKEN_OFF,):
                messages = (*messages, Message("assistant", reply.text), BROKEN_OFF)
            else:
                messages = (*messages[:-2], Message("assistant", reply.text), BROKEN_OFF)
        self.start(step, messages)

    def _break_speech(self, step: Step, reply: Reply) -> None:
        """What the model was speaking itself ends with a whole word."""
        piece = reply.break_speech(self._agent.speaking.pace)
        if piece is not None:
            step.emit(TruncateModel(piece.attempt, piece.samples // BYTES_PER_MS))
            if piece.start is not None:
                self._agent.playout.take_back(piece.start + piece.samples)

    def _tell_heard(self, step: Step, reply: Reply) -> None:
        """A model that speaks itself has a memory of its own: what was not heard must not stay in it."""
        spoken = {piece.attempt for piece in reply.pieces}
        for attempt in reply.attempts:
            if attempt not in spoken:
                step.emit(TruncateModel(attempt, 0))
        for piece in reply.pieces:
            if piece.attempt:
                heard = 0 if piece.start is None else max(0, self._agent.playout.heard - piece.start)
                if heard < piece.samples or not piece.done:
                    step.emit(TruncateModel(piece.attempt, min(heard, piece.samples) // BYTES_PER_MS))
