"""A scripted voice: text in, recognisable audio out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.audio.mulaw import BYTES_PER_MS
from engine.core.effects import CancelVoice, Effect, Speak
from engine.core.events import SpokenWord, VoiceAudio, VoiceDone, VoiceFailed, VoiceWords
from engine.testing.faults import Fails, Fault, Faults, Refuses, Repeats, Silent, Stalls, nth_fault
from engine.testing.tape import Tape, TapedWord

if TYPE_CHECKING:
    from engine.testing.world import World


@dataclass(slots=True)
class _Piece:
    request: Speak
    audio: bytes
    words: list[SpokenWord]
    fault: Fault | None
    asked_at: int
    given: int = 0


class ScriptedVoice:
    """Speaks the pieces of a reply one after the other.

    The first audio of a piece comes ``first_audio_ms`` after it was asked for (or when the piece before it
    is done), the rest ``realtime_factor`` times faster than it plays, in chunks of ``chunk_ms``. A word lasts
    ``ms_per_character`` for each of its letters and the space behind it. ``word_times`` False: it does not
    say where the words lie. ``faults`` go by piece, ``down`` by vendor; ``late``
    goes on after being cancelled.
    """

    def __init__(
        self,
        *,
        first_audio_ms: int = 80,
        realtime_factor: float = 5.0,
        ms_per_character: int = 60,
        chunk_ms: int = 100,
        word_times: bool = True,
        faults: Faults = None,
        down: Mapping[int, Fault] | None = None,
        late: bool = False,
    ) -> None:
        self._first_audio_ms = first_audio_ms
        self._realtime_factor = realtime_factor
        self._ms_per_character = ms_per_character
        self._chunk = chunk_ms * BYTES_PER_MS
        self._chunk_takes = round(chunk_ms / realtime_factor)
        self.word_times = word_times
        self._faults = faults
        self._down = dict(down or {})
        self._late = late

    def enter(self, world: World) -> None:
        """Start afresh in a world."""
        self._world = world
        self.tape = Tape()
        self.asked: list[Speak] = []
        """What it was asked to say, in order."""
        self._waiting: list[_Piece] = []
        self._speaking: _Piece | None = None
        self.performs: dict[type[Effect], Callable[..., None]] = {
            Speak: self._on_speak,
            CancelVoice: self._on_cancel,
        }

    def _on_speak(self, request: Speak) -> None:
        fault = self._down.get(request.vendor) or nth_fault(self._faults, len(self.asked))
        self.asked.append(request)
        if isinstance(fault, Refuses):
            failed = VoiceFailed(
                request.reply, request.piece, fault.reason, fault.retryable, fault.retry_after
            )
            self._world.later(fault.after, failed)
            return
        if isinstance(fault, Silent):
            return
        audio, taped = self.record(request.reply, request.piece, request.text.split())
        first = taped[0].start if taped else 0
        words = [SpokenWord(word.text, word.start - first) for word in taped]
        self._waiting.append(_Piece(request, audio, words, fault, self._world.clock.now))
        if self._speaking is None:
            self._speak_next()

    def record(self, reply: int, piece: int, words: list[str]) -> tuple[bytes, list[TapedWord]]:
        """What the words sound like (µ-law), and where they lie on the tape."""
        return self.tape.record(
            reply, piece, [(word, (len(word) + 1) * self._ms_per_character) for word in words]
        )

    def _on_cancel(self, effect: CancelVoice) -> None:
        if self._late:
            return
        self._waiting = [piece for piece in self._waiting if piece.request.reply != effect.reply]
        if self._speaking is not None and self._speaking.request.reply == effect.reply:
            self._speak_next()

    def _speak_next(self) -> None:
        self._speaking = self._waiting.pop(0) if self._waiting else None
        if self._speaking is not None:
            due = self._speaking.asked_at + self._first_audio_ms
            self._world.after(max(0, due - self._world.clock.now), self._give, self._speaking)

    def _give(self, piece: _Piece) -> None:
        """Give the next chunk, and have the one after it given in its time."""
        if piece is not self._speaking:
            return
        reply, number, fault = piece.request.reply, piece.request.piece, piece.fault
        end = min(piece.given + self._chunk, len(piece.audio))
        if isinstance(fault, Stalls | Fails):
            end = min(end, fault.after * BYTES_PER_MS)
        chunk = piece.audio[piece.given : end]
        if self.word_times:
            words = tuple(word for word in piece.words if piece.given <= word.start < end)
            if words:
                self._world.tell(VoiceWords(reply, number, words))
        if chunk:
            self._world.tell(VoiceAudio(reply, number, chunk))
        piece.given = end
        if end == len(piece.audio):
            self._world.tell(VoiceDone(reply, number))
            if isinstance(fault, Repeats):
                self._world.tell(VoiceAudio(reply, number, chunk))
                self._world.tell(VoiceDone(reply, number))
        elif isinstance(fault, Fails) and end >= fault.after * BYTES_PER_MS:
            self._world.tell(VoiceFailed(reply, number, fault.reason, fault.retryable))
        elif not isinstance(fault, Stalls) or end < fault.after * BYTES_PER_MS:
            self._world.after(self._chunk_takes, self._give, piece)
            return
        if piece is self._speaking:
            self._speak_next()
