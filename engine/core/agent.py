"""The agent: idle, thinking, speaking, held. Carries the one live reply from the model to the ear.

Model text becomes pieces, pieces become audio, audio goes to the ledger; the ledger says what was heard. At
every stage one deadline named ``reply`` is set, so that nothing can wait for ever: on its expiry the same
reply is tried again, and when its tries are used up it has failed, and the call is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.audio.level import EchoFloor
from engine.audio.tones import dtmf
from engine.core.conversation import Message
from engine.core.effects import CancelModel, CancelVoice, Speak, StartModel, TruncateModel
from engine.core.events import (
    MarkEchoed,
    ModelAudio,
    ModelDone,
    ModelFailed,
    ModelText,
    VoiceAudio,
    VoiceDone,
    VoiceFailed,
    VoiceWords,
)
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
from engine.core.replies import USUAL_PACE, Kind, Piece, Reply
from engine.core.speakable import is_speakable
from engine.core.step import Step
from engine.core.vendors import Vendors

ALARM = "reply"
FILLER = "filler"
HEDGE = "hedge"
PACE_OF = 12
"""Characters from which a piece shows how fast its voice speaks."""
ASK_AGAIN = "ask_model_again"
SPEAK_AGAIN = "ask_voice_again"
"""A lone vendor asked for a pause before it is tried again."""
BROKEN_OFF = Message(
    "system",
    "The line to you broke after the words above; the caller has heard them. Go on from there, and do not"
    " say them again.",
)
"""What a model is told that goes on with another one's reply."""


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
        self._models = Vendors(alternatives.models)
        self._voices = Vendors(alternatives.voices)
        self._voice = 0
        self._last_id = 0
        self._last_attempt = 0
        self._asking = False
        """The model owes text."""
        self._progress_at = 0
        self._messages: tuple[Message, ...] = ()
        self._audible = False
        self._fillers = 0
        self._pace: float = USUAL_PACE
        """Speaking time of a character, ms, in the last piece that was long enough to tell."""

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
        self._asking = self._audible = self.mouth_open = False
        self._progress_at = step.now
        step.emit(ReplyStarted(step.now, reply.id, kind.value, draft))
        return reply

    def say(self, step: Step, text: str) -> None:
        """The live reply is this fixed text."""
        assert self.live is not None
        self.live.say(text)
        self._noted_text(step)
        self.advance(step)

    def think(self, step: Step, messages: tuple[Message, ...]) -> None:
        """Ask the model for the live reply's (further) text."""
        assert self.live is not None
        reply = self.live
        reply.text_done = reply.model_done = reply.round_written = False
        reply.round.clear()
        reply.attempts.clear()
        self._messages = messages
        self._progress_at = step.now
        self._ask(step, reply, self._models.pick(step.now))
        hedge = step.policy.replies.hedge_after
        if hedge is not None and len(self._models) > 1:
            step.deadlines.set(HEDGE, step.now + hedge)
        self.arm_filler(step)
        self.advance(step)

    def _ask(self, step: Step, reply: Reply, vendor: int) -> None:
        """One more request for the same text."""
        self._last_attempt += 1
        reply.attempts[self._last_attempt] = vendor
        self._asking = True
        step.emit(StartModel(reply.id, self._last_attempt, self._messages, vendor))
        self._stage(step, "model_asked")

    def hedge(self, step: Step) -> None:
        """The model has been silent for a while: ask the next one, too."""
        reply = self.live
        if reply is not None and self._asking and len(reply.attempts) == 1:
            (asked,) = reply.attempts.values()
            self._ask(step, reply, self._models.pick(step.now, but=asked))

    def settle_on(self, step: Step, reply: Reply, attempt: int) -> None:
        """The first to speak or to act is heard; the others are told to stop."""
        step.deadlines.cancel(HEDGE)
        for other in [other for other in reply.attempts if other != attempt]:
            del reply.attempts[other]
            step.emit(CancelModel(reply.id, other))

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
        if self._asking:
            step.emit(CancelModel(reply.id))
        given_to_voice = any(piece.asked and not piece.attempt for piece in reply.pieces)
        if not reply.silent and given_to_voice and not reply.voiced:
            step.emit(CancelVoice(reply.id))
        if step.policy.replies.speech_to_speech:
            self._tell_heard(step, reply)
        self._end(step, Cut.CUT if self.playout.heard else Cut.DROPPED, heard, failed)

    def _tell_heard(self, step: Step, reply: Reply) -> None:
        """A model that speaks itself has a memory of its own: what was not heard must not stay in it."""
        spoken = {piece.attempt for piece in reply.pieces}
        for attempt in reply.attempts:
            if attempt not in spoken:
                step.emit(TruncateModel(attempt, 0))
        for piece in reply.pieces:
            if piece.attempt:
                heard = 0 if piece.start is None else max(0, self.playout.heard - piece.start)
                if heard < piece.samples or not piece.done:
                    step.emit(TruncateModel(piece.attempt, min(heard, piece.samples) // BYTES_PER_MS))

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
        self._progress_at = step.now
        self.advance(step)

    def _end(self, step: Step, how: Cut, heard: str, failed: str = "") -> None:
        assert self.live is not None
        reply, self.live = self.live, None
        self._asking = False
        for alarm in (ALARM, FILLER, HEDGE, ASK_AGAIN, SPEAK_AGAIN):
            step.deadlines.cancel(alarm)
        self._fell_silent(step)
        heard_ms = self.playout.heard // BYTES_PER_MS
        step.emit(ReplyEnded(step.now, reply.id, reply.kind.value, how, heard, heard_ms))
        self.ended.append(Ended(reply, how, heard, failed))

    def _fell_silent(self, step: Step) -> None:
        if self._audible:
            self._audible = False
            step.emit(SpeechEnded(min(self.playout.played_to, step.now), "agent"))

    # --- the model's side -------------------------------------------------------------------------------

    def expects_text(self, reply: int, attempt: int) -> bool:
        """Whether text of this reply and attempt is still wanted."""
        live = self.live
        return self._asking and live is not None and live.id == reply and attempt in live.attempts

    def hear_text(self, step: Step, event: ModelText) -> None:
        """Text from the model; late text is dropped."""
        if self.live is None or not self.expects_text(event.reply, event.attempt):
            return
        if is_speakable(event.text):
            self._progress_at = step.now
            self.settle_on(step, self.live, event.attempt)
        elif len(self.live.attempts) > 1:
            return
        if self._speaks_itself(step, self.live):
            piece = self.live.own_speech(event.attempt)
            piece.text = (piece.text + event.text).lstrip()
            self.live.answered = True
            self._stage(step, "first_text")
        elif self.live.feed(event.text):
            self.live.tries = 0
            self.live.answered = True
            step.deadlines.cancel(FILLER)
            self._noted_text(step)
        self.advance(step)

    def hear_model_audio(self, step: Step, event: ModelAudio) -> None:
        """Speech of a model that speaks itself; late speech is dropped."""
        reply = self.live
        if reply is None or not self.expects_text(event.reply, event.attempt):
            return
        if not self._speaks_itself(step, reply):
            return
        self._progress_at = step.now
        reply.own_speech(event.attempt).early += event.payload
        step.deadlines.cancel(FILLER)
        self._stage(step, "first_audio")
        self.advance(step)

    @staticmethod
    def _speaks_itself(step: Step, reply: Reply) -> bool:
        """The model's own speech is heard; once it broke off, only a voice can go on and repeat nothing."""
        return step.policy.replies.speech_to_speech and not reply.silent and not reply.broken

    def hear_done(self, step: Step, done: ModelDone) -> None:
        """The model has finished its text."""
        reply = self.live
        if reply is None or not self.expects_text(done.reply, done.attempt):
            return
        self.settle_on(step, reply, done.attempt)
        self._asking = False
        self._progress_at = step.now
        reply.model_done = True
        reply.text_done = not reply.round or reply.leave is not None
        reply.finish_speech(done.attempt)
        self._learn_pace(reply.pieces[-1:])
        truncated = done.reason == "length"
        added = reply.finish(truncated=truncated)
        if added or (reply.text and step.policy.replies.speech_to_speech):
            reply.answered = True
            self._noted_text(step)
        if truncated and not reply.pieces and not reply.round:
            self._retry_model(step, "cut short before there was anything to say", retryable=False)
            return
        if reply.text_done:
            step.deadlines.cancel(FILLER)
        self.advance(step)

    def hear_model_failed(self, step: Step, event: ModelFailed) -> None:
        """The model broke or refused."""
        reply = self.live
        if reply is None or not self.expects_text(event.reply, event.attempt):
            return
        if len(reply.attempts) == 1:
            self._retry_model(step, event.reason, retryable=event.retryable, pause=event.retry_after or 0)
            return
        step.emit(Fault(step.now, "model", event.reason))
        self._models.failed(reply.attempts.pop(event.attempt), step.now)

    def _retry_model(self, step: Step, reason: str, *, retryable: bool = True, pause: int = 0) -> None:
        """The same reply is tried again, goes on with what it has, or has failed.

        A lone model gets its ``pause`` (ms) if that ends within the deadline of what is waited for.
        """
        assert self.live is not None
        reply = self.live
        step.emit(Fault(step.now, "model", reason))
        for vendor in reply.attempts.values():
            self._models.failed(vendor, step.now)
        self._break_speech(step, reply)
        reply.tries += 1
        left = reply.tries < max(step.policy.replies.attempts, len(self._models))
        if len(self._models) > 1:
            retryable, pause = True, 0
        elif step.now + pause >= self._text_due(step, reply):
            retryable = retryable and not pause
        if retryable and left and not reply.round:
            step.emit(CancelModel(reply.id))
            if pause:
                reply.attempts.clear()
                step.deadlines.set(ASK_AGAIN, step.now + pause)
            else:
                self._go_on(step, reply)
        elif reply.pieces or reply.round:
            step.emit(CancelModel(reply.id))
            self._asking = False
            reply.model_done = True
            reply.text_done = not reply.round or reply.leave is not None
            if not (reply.finish(truncated=True) or reply.answered or reply.round):
                reply.failed = "model"
            self.advance(step)
        else:
            self.cut(step, failed="model")

    def _learn_pace(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if piece.done and piece.samples and len(piece.text) >= PACE_OF:
                self._pace = piece.samples / BYTES_PER_MS / len(piece.text)

    def _break_speech(self, step: Step, reply: Reply) -> None:
        """What the model was speaking itself ends with a whole word."""
        piece = reply.break_speech(self._pace)
        if piece is not None:
            step.emit(TruncateModel(piece.attempt, piece.samples // BYTES_PER_MS))
            if piece.start is not None:
                self.playout.take_back(piece.start + piece.samples)

    def ask_again(self, step: Step) -> None:
        """The pause that the model asked for is over."""
        if self.live is not None:
            self._go_on(step, self.live)

    def _go_on(self, step: Step, reply: Reply) -> None:
        """Another request takes over: it is told what was said, and what it says again is not heard."""
        messages = self._messages
        reply.break_off()
        if reply.pieces:
            if messages[-1:] != (BROKEN_OFF,):
                messages = (*messages, Message("assistant", reply.text), BROKEN_OFF)
            else:
                messages = (*messages[:-2], Message("assistant", reply.text), BROKEN_OFF)
        self.think(step, messages)

    # --- the voice's side -------------------------------------------------------------------------------

    def _piece(self, event: VoiceAudio | VoiceWords | VoiceDone | VoiceFailed) -> Piece | None:
        """The piece that a voice's event speaks of, if it is still wanted."""
        live = self.live
        if live is None or live.id != event.reply or not 0 <= event.piece < len(live.pieces):
            return None
        piece = live.pieces[event.piece]
        return piece if piece.asked and not piece.done else None

    def hear_audio(self, step: Step, event: VoiceAudio) -> None:
        """Audio of a piece; late audio is dropped."""
        piece = self._piece(event)
        if piece is None:
            return
        if piece.start is None:
            piece.start = self.playout.given
        piece.samples += len(event.payload)
        self.playout.give(event.payload)
        self._progress_at = step.now
        self._stage(step, "first_audio")
        self.advance(step)

    def hear_words(self, step: Step, event: VoiceWords) -> None:
        """Where words of a piece lie."""
        piece = self._piece(event)
        if piece is not None:
            piece.words += event.words

    def hear_voice_done(self, step: Step, event: VoiceDone) -> None:
        """A piece has all its audio."""
        piece = self._piece(event)
        if piece is None:
            return
        if piece.start is None:
            piece.start = self.playout.given
        piece.done = True
        self._learn_pace([piece])
        self._progress_at = step.now
        if self.live is not None:
            self.live.voice_tries = 0
        self.advance(step)

    def hear_voice_failed(self, step: Step, event: VoiceFailed) -> None:
        """The voice broke or refused."""
        if self._piece(event) is not None:
            self._retry_voice(step, event.reason, retryable=event.retryable, pause=event.retry_after or 0)

    def _retry_voice(self, step: Step, reason: str, *, retryable: bool = True, pause: int = 0) -> None:
        """What is missing of the piece is asked for again, after ``pause`` ms, or the reply has failed."""
        assert self.live is not None
        reply = self.live
        step.emit(Fault(step.now, "voice", reason))
        reply.voice_tries += 1
        self._voices.failed(self._voice, step.now)
        index = reply.voicing
        left = reply.voice_tries < max(step.policy.replies.attempts, len(self._voices))
        if len(self._voices) > 1:
            retryable, pause = True, 0
        elif step.now + pause >= self._audio_due(step):
            retryable = retryable and not pause
        if index is None or not left or not retryable:
            self.cut(step, failed="voice")
            return
        if pause:
            step.deadlines.set(SPEAK_AGAIN, step.now + pause)
        self._voice = self._voices.pick(step.now)
        step.emit(CancelVoice(reply.id))
        reply.split(index, self._pace)
        piece = reply.pieces[index]
        if piece.text:
            reply.voice_tries = 0
        if piece.start is not None:
            self.playout.take_back(piece.start + piece.samples)
        self.advance(step)

    # --- the ear's side ---------------------------------------------------------------------------------

    def hear_mark(self, step: Step, event: MarkEchoed) -> None:
        """The carrier played up to a mark."""
        self.playout.echo(step, event.name)
        since = self.playout.playing_since
        if self.live is not None and since is not None:
            if not self._audible:
                self._audible = True
                self._stage(step, "first_heard", since)
                step.emit(SpeechStarted(since, "agent"))
            self._progress_at = step.now
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
        self._ask_voice(step, reply)
        if reply.voiced:
            self.playout.finish()
        if self.mouth_open and reply.chosen and not self.playout.paused:
            sent = self.playout.sent
            self.playout.pump(step)
            if self.playout.sent > sent == 0:
                self._stage(step, "first_sent")
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

    def _ask_voice(self, step: Step, reply: Reply) -> None:
        while (index := reply.next_piece()) is not None and SPEAK_AGAIN not in step.deadlines:
            ahead = self.playout.unheard >= step.policy.playout.voice_ahead
            if ahead or reply.sounding or (not reply.chosen and index > 0):
                return
            piece = reply.pieces[index]
            piece.asked = True
            self._progress_at = step.now
            if piece.tones:
                piece.start = self.playout.given
                payload = dtmf(piece.tones)
                piece.samples = len(payload)
                piece.done = True
                self.playout.give(payload)
                continue
            if reply.voicing == 0:
                self._voice = self._voices.pick(step.now)
            step.emit(Speak(reply.id, index, reply.voice_tries, piece.text, self._voice, piece.keep))
            self._stage(step, "voice_asked")

    def _watch(self, step: Step, reply: Reply) -> None:
        at: int | None = None
        waiting = reply.next_piece() is not None
        if self.playout.paused or SPEAK_AGAIN in step.deadlines:
            pass
        elif self._asking and (reply.silent or (reply.voicing is None and not waiting)):
            at = self._text_due(step, reply)
        elif reply.voicing is not None:
            at = self._audio_due(step)
        elif (self.playout.complete or waiting) and self.mouth_open:
            at = max(self.playout.dry_at, step.now) + step.policy.playout.heard_grace
        if at is None:
            step.deadlines.cancel(ALARM)
        else:
            step.deadlines.set(ALARM, at)

    def _text_due(self, step: Step, reply: Reply) -> int:
        """By when the model must give (more) text."""
        limits = step.policy.replies
        return self._progress_at + (limits.text_gap if reply.pieces else limits.first_text)

    def _audio_due(self, step: Step) -> int:
        """By when the voice must give (more) audio."""
        limits = step.policy.replies
        return self._progress_at + (limits.audio_gap if self.playout.given else limits.first_audio)

    def overdue(self, step: Step) -> None:
        """The live reply made no progress for as long as it may."""
        reply = self.live
        if reply is None:
            return
        if reply.voicing is not None:
            self._retry_voice(step, "no audio in time")
        elif self._asking:
            self._retry_model(step, "no text in time")
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
            step.deadlines.set(FILLER, step.now + after)

    def _noted_text(self, step: Step) -> None:
        assert self.live is not None
        self._stage(step, "first_text")
        step.emit(ReplyText(step.now, self.live.id, self.live.text))

    def _stage(self, step: Step, stage: str, at: int | None = None) -> None:
        if self.live is not None and stage not in self.live.stages:
            self.live.stages.add(stage)
            step.emit(ReplyStage(step.now if at is None else at, self.live.id, stage))
