"""The voice's side of the agent: the pieces of the live reply are asked for in their time, and heard.

A voice that breaks off is asked again for what is missing, or another one is; when its tries are used up the
reply has failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.audio.tones import dtmf
from engine.core.effects import CancelVoice, Speak
from engine.core.events import VoiceAudio, VoiceDone, VoiceFailed, VoiceWords
from engine.core.notes import Fault
from engine.core.playout import BYTES_PER_MS
from engine.core.replies import USUAL_PACE, Piece, Reply
from engine.core.step import Step
from engine.core.vendors import Vendors

if TYPE_CHECKING:
    from engine.core.agent import Agent

AGAIN = "ask_voice_again"
"""A lone voice asked for a pause before it is tried again."""
PACE_OF = 12
"""Characters from which a piece shows how fast its voice speaks."""


class Speaking:
    """The requests to the voices."""

    def __init__(self, agent: Agent, vendors: int) -> None:
        self._agent = agent
        self._vendors = Vendors(vendors)
        self._vendor = 0
        self.pace = float(USUAL_PACE)
        """Speaking time of a character, ms, in the last piece that was long enough to tell."""

    def ask(self, step: Step, reply: Reply) -> None:
        """Ask for the pieces whose time has come."""
        while (index := reply.next_piece()) is not None and self._may_ask(step, reply, index):
            piece = reply.pieces[index]
            if not reply.coming:
                self._agent.progress_at = step.now
            piece.asked = True
            if piece.tones:
                piece.start = self._agent.playout.given
                payload = dtmf(piece.tones)
                piece.samples = len(payload)
                piece.done = True
                self._agent.playout.give(payload)
                continue
            if index == 0:
                self._vendor = self._vendors.pick(step.now)
            step.emit(Speak(reply.id, index, reply.voice_tries, piece.text, self._vendor, piece.keep))
            self._agent.stage(step, "voice_asked")

    def _may_ask(self, step: Step, reply: Reply, index: int) -> bool:
        """Whether it is time for the next piece: as a rule when the one before it is there.

        A voice takes a while to begin. So the next piece is asked for while the one before it still comes
        where that one is short, or comes hardly faster than it is heard. Of a draft only the first one is.
        """
        limits = step.policy.playout
        if AGAIN in step.deadlines or (not reply.chosen and index > 0):
            return False
        in_hand = self._agent.playout.unheard
        if not (coming := reply.coming):
            return in_hand < limits.voice_ahead
        before = coming[0]
        alone = len(coming) == 1 and not before.attempt and not reply.pieces[index].tones
        if not alone or step.policy.replies.speech_to_speech:
            return False
        expected = max(0.0, len(before.text) * self.pace - before.samples / BYTES_PER_MS)
        return in_hand + expected < limits.piece_ahead

    def cut(self, step: Step, reply: Reply) -> None:
        """The reply is cut: nothing more of it is to be spoken."""
        given = any(piece.asked and not piece.attempt for piece in reply.pieces)
        if not reply.silent and given and not reply.voiced:
            step.emit(CancelVoice(reply.id))

    def overdue(self, step: Step) -> None:
        """No audio came in time."""
        self._retry(step, "no audio in time")

    def due(self, step: Step) -> int:
        """By when the voice must give (more) audio."""
        limits = step.policy.replies
        return self._agent.progress_at + (
            limits.audio_gap if self._agent.playout.given else limits.first_audio
        )

    def hear_audio(self, step: Step, event: VoiceAudio) -> None:
        """Audio of a piece; late audio is dropped."""
        piece = self._piece(event)
        if piece is None:
            return
        if piece.start is None:
            piece.start = self._agent.playout.given
        piece.samples += len(event.payload)
        self._agent.playout.give(event.payload)
        self._agent.progress_at = step.now
        self._agent.stage(step, "first_audio")
        self._agent.advance(step)

    def hear_words(self, step: Step, event: VoiceWords) -> None:
        """Where words of a piece lie."""
        piece = self._piece(event)
        if piece is not None:
            piece.words += event.words

    def hear_done(self, step: Step, event: VoiceDone) -> None:
        """A piece has all its audio."""
        piece = self._piece(event)
        if piece is None:
            return
        if piece.start is None:
            piece.start = self._agent.playout.given
        piece.done = True
        self.learn_pace([piece])
        self._agent.progress_at = step.now
        if self._agent.live is not None:
            self._agent.live.voice_tries = 0
        self._agent.advance(step)

    def hear_failed(self, step: Step, event: VoiceFailed) -> None:
        """The voice broke or refused."""
        if self._piece(event) is not None:
            self._retry(step, event.reason, retryable=event.retryable, pause=event.retry_after or 0)

    def learn_pace(self, pieces: list[Piece]) -> None:
        """Take the voice's pace from pieces that were spoken whole."""
        for piece in pieces:
            if piece.done and piece.samples and len(piece.text) >= PACE_OF:
                self.pace = piece.samples / BYTES_PER_MS / len(piece.text)

    def _retry(self, step: Step, reason: str, *, retryable: bool = True, pause: int = 0) -> None:
        """What is missing of the piece is asked for again, after ``pause`` ms, or the reply has failed."""
        assert self._agent.live is not None
        reply = self._agent.live
        step.emit(Fault(step.now, "voice", reason))
        reply.voice_tries += 1
        self._vendors.failed(self._vendor, step.now)
        index = reply.voicing
        left = reply.voice_tries < max(step.policy.replies.attempts, len(self._vendors))
        if len(self._vendors) > 1:
            retryable, pause = True, 0
        elif step.now + pause >= self.due(step):
            retryable = retryable and not pause
        if index is None or not left or not retryable:
            self._agent.cut(step, failed="voice")
            return
        if pause:
            step.deadlines.set(AGAIN, step.now + pause)
        self._vendor = self._vendors.pick(step.now)
        step.emit(CancelVoice(reply.id))
        reply.split(index, self.pace)
        piece = reply.pieces[index]
        if piece.text:
            reply.voice_tries = 0
        if piece.start is not None:
            self._agent.playout.take_back(piece.start + piece.samples)
        self._agent.advance(step)

    def _piece(self, event: VoiceAudio | VoiceWords | VoiceDone | VoiceFailed) -> Piece | None:
        """The piece that a voice's event speaks of, if it is still wanted: they come in their order."""
        live = self._agent.live
        if live is None or live.id != event.reply or live.voicing != event.piece:
            return None
        return live.pieces[event.piece]
