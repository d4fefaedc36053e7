"""The caller: quiet, sounding, talking, pausing. Tells speech from sound and builds the caller's turn.

Speech is judged frame by frame in media time, so a stalled event loop shortens nothing. A *burst* is a
stretch of voice that may still turn out to be a click; once it holds ``turns.onset`` ms of voice it is
speech, and the turn is open until it is taken or given up.
"""

from __future__ import annotations

from enum import StrEnum

from engine.audio.level import UNSURE, CallerPeak, EchoFloor
from engine.core.events import CallerAudio, Vote
from engine.core.notes import SpeechEnded, SpeechStarted
from engine.core.policy import Policy
from engine.core.step import Step

BYTES_PER_MS = 8
BURST_GAP = 100
"""Unvoiced ms inside one burst: stops and fricatives that a detector misses."""
FAINT_DB = 24.0
"""dB below the caller's recent peak from which voice behind louder voice may be a word dying away."""
FALL = 60
"""ms of faint voice that count as silence all the same: so long any word takes to die away."""
MOST_CREDIT = 60
"""ms of voice that count as soon as they are confirmed: the second detector's verdict is that much later."""
MOST_ATTACK = 40
"""ms of a soft start that count as the sound's own once a voice follows: most words have one."""
VOTE_AGE = 200
"""ms for which a second detector's word on the caller stays true."""


class CallerState(StrEnum):
    """What the caller is doing."""

    QUIET = "quiet"
    SOUNDING = "sounding"
    TALKING = "talking"
    PAUSING = "pausing"


class CallerTurn:
    """What the caller is saying: spans of speech, final and interim words, votes. Times are call time, ms."""

    __slots__ = (
        "asked", "drafts", "eager", "finals", "flush_answered", "flushed", "interim", "opened_at",
        "speech_ended_at",
        "voiced", "voted_over", "waiting_since", "words_at",
    )  # fmt: skip

    def __init__(self) -> None:
        self.finals: list[str] = []
        self.interim = ""
        self.opened_at: int | None = None
        """When speech began; None while there are only words or nothing."""
        self.speech_ended_at = 0
        self.words_at: int | None = None
        """When the last words arrived."""
        self.voiced = 0
        self.voted_over = False
        self.eager = False
        """A vote says that the turn may be over."""
        self.flushed = False
        """The transcriber has been asked to finish since the last speech."""
        self.flush_answered = False
        self.asked = 0
        """Answers owed by a transcriber that was asked for words while the caller was speaking."""
        self.waiting_since: int | None = None
        """When silence alone had ended the turn but words were still on their way."""
        self.drafts = 0

    @property
    def text(self) -> str:
        """All words so far, the interim ones included."""
        return " ".join(part for part in (*self.finals, self.interim) if part)

    @property
    def latest(self) -> str:
        """The words since the last final before them."""
        return self.interim or (self.finals[-1] if self.finals else "")

    @property
    def open(self) -> bool:
        """Something was said that is not yet a turn."""
        return self.opened_at is not None or bool(self.finals) or bool(self.interim)


class Caller:
    """The caller's side of the line."""

    def __init__(self, policy: Policy) -> None:
        self.state = CallerState.QUIET
        self.turn = CallerTurn()
        self.echo = EchoFloor(policy.turns.echo_return)
        self.burst = 0
        """Voice in the current burst, ms."""
        self.burst_at = 0
        """Call time at which the current burst began."""
        self.burst_level = -96.0
        self.attack = 0
        """The soft start that the current burst had, ms."""
        self.loud_at = 0
        """Call time of the last voice that was as loud as the caller is."""
        self.silence = 0
        """Media time since the last voice that was speech, ms."""
        self.media_end = 0
        """Media time up to which the caller was heard, ms."""
        self.last_frame_at: int | None = None
        self.sound_at: int | None = None
        """Call time of the last voiced frame."""
        self.quiet = 0
        """Media time since the last voiced frame, ms."""
        self._loud_end = 0
        """The same in media time, ms."""
        self._rise = 0
        """What may become the soft start of a burst, ms."""
        self._faint = 0
        """How much earlier the last voice was that was not faint, ms."""
        self._trail = 0
        """How much later the last faint voice was that may be speech still, ms."""
        self._unweighed = 0
        """ms since the peak was last told of a voice."""
        self._peak = CallerPeak()
        self._unconfirmed = 0
        """Voice that the second detector has not confirmed, ms; from when, and how loud."""
        self._unconfirmed_at = 0
        self._unconfirmed_level = -96.0
        self._unconfirmed_gap = 0
        """ms since the last of it."""
        self._vote = 0.0
        self._vote_at: int | None = None

    @property
    def hush(self) -> int:
        """Media time since the last voice that was as loud as the caller is, ms. A detector hears on for a
        while after it, and so does the ear; to the caller the sound is over."""
        return self.media_end - self._loud_end

    @property
    def speaking(self) -> bool:
        """Speech is going on, short gaps included."""
        return self.state is CallerState.TALKING

    @property
    def sounding(self) -> bool:
        """There is speech, or a sound that may become speech."""
        return self.state is CallerState.TALKING or self.burst > 0

    @property
    def at_rest(self) -> bool:
        """Nothing sounds, and nothing that was said waits to become a turn."""
        return self.state is CallerState.QUIET and not self.burst and not self.turn.open

    @property
    def since_loud(self) -> int:
        """`silence` as it is if the faint end of what was said is silence too."""
        return self.silence + self._faint

    @property
    def since_faint(self) -> int:
        """`silence` as it is if faint voice right behind what was said is speech too."""
        return self.silence - self._trail

    def hear(self, step: Step, frame: CallerAudio) -> None:
        """Take one frame of the caller."""
        duration = len(frame.payload) // BYTES_PER_MS
        turns = step.policy.turns
        voice = frame.voice >= turns.threshold
        self.media_end = frame.at + duration
        self.last_frame_at = step.now
        if not voice or not self._is_caller(step, frame):
            self._unweighed += duration
            if frame.voice >= UNSURE:
                self._rise += duration
            elif self._rise:
                self._rise = 0
            if self._unconfirmed:
                self._unconfirmed_gap += duration
                if self._unconfirmed_gap > BURST_GAP:
                    self._unconfirmed = 0
            self._unvoiced(step, duration)
        elif turns.confirmed and not self._confirmed(step):
            self._keep(step, frame.level, duration)
            self._unvoiced(step, duration)
        else:
            self._voiced(step, frame.level, duration)
        if voice and self.silence and frame.level >= self.echo.floor(step.now):
            self._trails(step, duration)

    def lose(self, step: Step, at: int, duration: int) -> None:
        """A gap of the stream: silence as far as anyone can tell."""
        self.media_end = at + duration
        self._unvoiced(step, duration)

    def confirm(self, step: Step, probability: float) -> None:
        """A slower detector's word on the audio that was just heard."""
        self._vote = probability
        self._vote_at = step.now
        if self._unconfirmed and not self.burst and self._confirmed(step):
            self._voiced(step, self._unconfirmed_level, 0)

    def vote(self, vote: Vote) -> None:
        """A vote on the end of the turn."""
        self.turn.voted_over = vote is Vote.END
        self.turn.eager = vote is not Vote.RESUMED

    def take(self) -> CallerTurn:
        """Close the turn and hand it over; what comes next is a new one."""
        turn, self.turn = self.turn, CallerTurn()
        if self.state is CallerState.PAUSING:
            self.state = CallerState.QUIET
        elif self.state is CallerState.TALKING:
            self.turn.opened_at = turn.speech_ended_at
        return turn

    def end_burst(self) -> None:
        """The sound is over, whatever a detector still hears of it: what follows is another one."""
        self.burst = 0

    def leave(self, step: Step) -> None:
        """The line is over; speech that was going on is over with it."""
        if self.state is CallerState.TALKING:
            step.emit(SpeechEnded(self.turn.speech_ended_at, "caller"))
        self.state = CallerState.QUIET
        self.burst = 0

    def _is_caller(self, step: Step, frame: CallerAudio) -> bool:
        turns = step.policy.turns
        if frame.level < self.echo.floor(step.now):
            return False
        duration = len(frame.payload) // BYTES_PER_MS
        self._peak.update(frame.level, duration, silent_ms=self._unweighed)
        self._unweighed = 0
        return self._peak.is_caller(frame.level, turns.background_margin)

    def _confirmed(self, step: Step) -> bool:
        if self._vote_at is None or step.now - self._vote_at > VOTE_AGE:
            return self.state is CallerState.TALKING
        turns = step.policy.turns
        going_on = self.burst or self.state is CallerState.TALKING
        return self._vote >= (turns.threshold if going_on else max(turns.threshold, turns.confirmed_from))

    def _keep(self, step: Step, level: float, duration: int) -> None:
        """Voice that may be confirmed yet."""
        if not self._unconfirmed:
            self._unconfirmed_at = step.now - duration
            self._unconfirmed_level = level
        self._unconfirmed += duration
        self._unconfirmed_level = max(self._unconfirmed_level, level)
        self._unconfirmed_gap = 0

    def _voiced(self, step: Step, level: float, duration: int) -> None:
        if not self.burst or level >= self._peak.peak - step.policy.turns.background_margin:
            self.loud_at = step.now
            self._loud_end = self.media_end
        if self.burst == 0:
            self.attack = min(self._rise, MOST_ATTACK)
            begun = step.now - duration
            if self._unconfirmed:
                begun = min(begun, max(self._unconfirmed_at, begun - VOTE_AGE))
            self.burst = min(self._unconfirmed, MOST_CREDIT)
            self.burst_at = begun
            self.burst_level = level
        self._unconfirmed = self._rise = 0
        self.burst += duration
        self.burst_level = max(self.burst_level, level)
        self.quiet = 0
        self.sound_at = step.now
        if self.state is CallerState.TALKING:
            self._spoke(step, level, duration)
        elif self.burst >= step.policy.turns.onset:
            self._start(step)
        elif self.state is CallerState.QUIET:
            self.state = CallerState.SOUNDING
        if self.state is CallerState.PAUSING:
            self.silence += duration

    def _start(self, step: Step) -> None:
        self.state = CallerState.TALKING
        if self.turn.opened_at is None:
            self.turn.opened_at = self.burst_at
        step.emit(SpeechStarted(self.burst_at, "caller"))
        self._spoke(step, self.burst_level, self.burst)

    def _spoke(self, step: Step, level: float, duration: int) -> None:
        turn = self.turn
        turn.voiced += duration
        turn.speech_ended_at = step.now
        turn.flushed = turn.flush_answered = turn.voted_over = turn.eager = False
        turn.waiting_since = None
        faint = level < self._peak.peak - FAINT_DB and self.since_loud < step.policy.turns.tail
        self._faint = self.since_loud + duration if faint else 0
        self._trail = self.silence = 0

    def _trails(self, step: Step, duration: int) -> None:
        """There was voice, but no speech."""
        soon = self.since_faint - duration <= BURST_GAP
        if soon and self.silence - duration < step.policy.turns.tail:
            self._trail = max(0, self.silence - FALL)

    def _unvoiced(self, step: Step, duration: int) -> None:
        self.silence += duration
        self.quiet += duration
        if self.quiet > BURST_GAP:
            self.burst = 0
        if self.state is CallerState.TALKING and self.silence >= step.policy.turns.hangover:
            self.state = CallerState.PAUSING
            self.burst = 0
            step.emit(SpeechEnded(self.turn.speech_ended_at, "caller"))
        elif self.state is CallerState.SOUNDING and not self.burst:
            self.state = CallerState.QUIET
