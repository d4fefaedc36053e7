"""What the agent hears: the caller's audio on its way to the transcriber, and the words that come back.

The transcriber's stream is opened while the phone still rings, and opened again when it breaks, a little
later each time; when it keeps breaking the call is given up.
"""

from __future__ import annotations

from engine.core.caller import BYTES_PER_MS, Caller
from engine.core.departure import Departure
from engine.core.effects import FeedTranscriber, OpenTranscriber, OpenVoice
from engine.core.events import (
    CallerAudio,
    FinalWords,
    InterimWords,
    MediaGap,
    TranscriberFailed,
    TranscriberReady,
    VoiceVote,
)
from engine.core.floor import Floor
from engine.core.line import Line
from engine.core.notes import Fault
from engine.core.policy import Alternatives
from engine.core.step import Step
from engine.core.vendors import Vendors

ALARM = "transcriber"
OPENING = "transcriber_opening"
MOST_GAP = 2_000
"""ms of a gap in the caller's stream that the transcriber is given as silence."""


class Hearing:
    """The way from the caller's audio to words."""

    def __init__(
        self, line: Line, caller: Caller, floor: Floor, departure: Departure, alternatives: Alternatives
    ) -> None:
        self._line = line
        self._caller = caller
        self._floor = floor
        self._departure = departure
        self._vendors = Vendors(alternatives.transcribers)
        self._vendor = 0
        self._opened = 0
        self._failed = 0
        self._ready_at: int | None = None
        self._lost_at = 0
        """When the first of the failures in a row was."""

    def begin(self, step: Step) -> None:
        """Open the transcriber and the voice, once, as soon as there is a call."""
        if not self._opened:
            self.open(step)
            step.emit(OpenVoice())

    def open(self, step: Step) -> None:
        """Open a stream of the transcriber."""
        self._vendor = self._vendors.pick(step.now)
        step.emit(OpenTranscriber(self._opened, self._vendor))
        rules = step.policy.hearing
        within = rules.open_within if len(self._vendors) == 1 else rules.open_within_beside
        step.deadlines.set(OPENING, step.now + within)
        self._ready_at = None
        self._opened += 1

    def on_audio(self, step: Step, event: CallerAudio) -> None:
        """A frame of the caller."""
        if self._line.over:
            return
        step.emit(FeedTranscriber(event.payload))
        was_speaking = self._caller.speaking
        self._caller.hear(step, event)
        self._floor.sound(step, was_speaking)

    def on_vote(self, step: Step, event: VoiceVote) -> None:
        """A second detector's word on what was heard; a yes may make it speech."""
        if not self._line.over:
            was_speaking = self._caller.speaking
            self._caller.confirm(step, event.probability)
            self._floor.sound(step, was_speaking)

    def on_gap(self, step: Step, event: MediaGap) -> None:
        """Frames that never came."""
        if self._line.over:
            return
        silence = min(max(event.duration, 0), MOST_GAP)
        step.emit(FeedTranscriber(b"\xff" * (silence * BYTES_PER_MS)))
        self._caller.lose(step, event.at, event.duration)

    def on_interim(self, step: Step, event: InterimWords) -> None:
        """Words that may still change."""
        if not self._line.over:
            self._floor.interim(step, event.text)

    def on_final(self, step: Step, event: FinalWords) -> None:
        """Words that will not; those of a call that is over are kept, too."""
        if not self._line.over:
            self._floor.final(step, event)
        elif event.text.strip():
            self._floor.remark(step, event.text.strip())

    def on_ready(self, step: Step, event: TranscriberReady) -> None:
        """The stream takes audio, and was given the last seconds if it stands in for a broken one."""
        step.deadlines.cancel(OPENING)
        self._ready_at = step.now
        self._floor.listen_again()

    def on_late(self, step: Step) -> None:
        """The stream did not open in time."""
        self._lost(step, "not open in time")

    def watch(self, step: Step) -> None:
        """Notice a stream that is open and says nothing about what the caller said."""
        if self._floor.unanswered >= step.policy.hearing.deaf_turns:
            self._floor.unanswered = 0
            self._lost(step, "no answer to speech")

    def on_failed(self, step: Step, event: TranscriberFailed) -> None:
        """The stream is gone, or was refused."""
        self._lost(step, event.reason, retryable=event.retryable, pause=event.retry_after or 0)

    def _lost(self, step: Step, reason: str, *, retryable: bool = True, pause: int = 0) -> None:
        if self._line.over or ALARM in step.deadlines:
            return
        rules = step.policy.hearing
        step.deadlines.cancel(OPENING)
        step.emit(Fault(step.now, "transcriber", reason))
        self._floor.go_deaf()
        if self._ready_at is not None and step.now - self._ready_at > rules.lasting:
            self._failed = 0
        if not self._failed:
            self._lost_at = step.now
        self._vendors.failed(self._vendor, step.now)
        self._failed += 1
        rounds, others = divmod(self._failed, len(self._vendors))
        mute = step.policy.replies.speech_to_speech
        left = self._failed < rules.attempts and not (mute and step.now - self._lost_at >= rules.mute_most)
        if others:
            self.open(step)
        elif retryable and left and pause <= rules.open_within:
            step.deadlines.set(ALARM, step.now + max(pause, rules.backoff * 2 ** (rounds - 1)))
        elif rules.optional:
            step.deadlines.set(ALARM, step.now + max(pause, rules.try_again))
        else:
            # Who has lost ears and voice at once has nobody left to say anything.
            self._departure.give_up(step, "" if mute else step.policy.ending.failure_message)
