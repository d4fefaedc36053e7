"""Getting words out of the transcriber: when it is asked to finish, and whether words are still on their way.

A transcriber is asked when the caller pauses, so that its work overlaps the wait. One that gives no interim
words is also asked while the caller speaks, more often where the agent waits for what it is.
"""

from __future__ import annotations

from engine.core.caller import Caller
from engine.core.effects import FlushTranscriber
from engine.core.step import Step

ASK_HELD = 500
"""ms of speech that keeps the agent from speaking after which a transcriber without interims is asked."""
ASK_SPEECH = 4_000
"""The same where the agent has nothing to say: what is asked for in the middle of speech is cut in two."""


class Flushing:
    """What the transcriber of one call owes of the caller's turn."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._asked_at = 0
        self.deaf = False
        """The transcriber's stream was lost, and its successor takes no audio yet."""

    def pause(self, step: Step, silence: int) -> None:
        """The caller has been silent for so many ms."""
        turn = self._caller.turn
        unfinished = turn.opened_at is not None or turn.interim
        if unfinished and not turn.flushed and silence >= step.policy.turns.flush_after:
            turn.flushed = True
            step.emit(FlushTranscriber())

    def speech(self, step: Step, *, held: bool, undecided: bool) -> None:
        """The caller speaks on. ``held``: the agent waits; ``undecided``: it may be an interruption."""
        turn = self._caller.turn
        if step.policy.turns.interims or turn.opened_at is None or (turn.text and not undecided):
            return
        if step.now >= max(turn.opened_at, self._asked_at) + (ASK_HELD if held else ASK_SPEECH):
            self._asked_at = step.now
            turn.asked += 1
            step.emit(FlushTranscriber())

    def noise_from(self, step: Step) -> int | None:
        """Call time (ms) from which speech without words is noise; None: nobody has asked for words yet."""
        turns, opened_at = step.policy.turns, self._caller.turn.opened_at or 0
        limit = opened_at + turns.hold_limit
        if turns.interims:
            return limit
        return max(limit, self._asked_at + turns.transcript_wait) if self._asked_at >= opened_at else None

    def words_pending(self, step: Step) -> bool:
        """Words of what was said may still be on their way."""
        turn = self._caller.turn
        if turn.interim:
            return True
        if turn.flush_answered or turn.opened_at is None:
            return False
        if self.deaf or not step.policy.turns.interims:
            return True
        return turn.words_at is None or turn.words_at < turn.speech_ended_at

    def wait(self, step: Step) -> int:
        """How long a turn that is over by silence waits for them, ms."""
        return step.policy.hearing.open_within if self.deaf else step.policy.turns.transcript_wait
