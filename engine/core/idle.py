"""The clocks of a silent line: awaiting response, the inactivity ladder, dead air.

All three run only while the line is quiet: the caller quiet, the agent's last word heard, nothing thinking,
no tool running. What breaks the quiet stops them where they are; only words (or keys) of the caller start
them anew. The two designs of the field, one message per call's allowance and a ladder per silence, stand
side by side. The longest call is no idle clock and belongs to the line.
"""

from __future__ import annotations

from engine.core.notes import ClockFired
from engine.core.policy import LadderStep
from engine.core.step import Step

AWAITING = "awaiting_response"
LADDER = "inactivity"
DEAD_AIR = "dead_air"
NOISE = "noise"


class Idle:
    """Each clock is armed (it has a rest of ms to run) or not; armed clocks run while the line is quiet."""

    def __init__(self) -> None:
        self.quiet = False
        self.noise_ignored = False
        """Sound without words has suspended the clocks for as long as it may."""
        self._rest: dict[str, int] = {}
        self._spoken = 0
        self._step = 0
        self._noise_spent = 0
        self._noise_since: int | None = None

    def joined(self, step: Step) -> None:
        """The call began: dead air and the ladder are armed from the start, for a line that stays silent."""
        self._arm_dead_air(step)
        self._arm_ladder(step)

    def agent_finished(self, step: Step) -> None:
        """The caller heard the last word of something that the agent said."""
        self._arm_dead_air(step)
        idle = step.policy.idle
        if idle.awaiting_messages and self._spoken < idle.awaiting_most:
            self._arm(step, AWAITING, idle.awaiting_after)

    def climb(self, step: Step) -> None:
        """The ladder's step is done, its message heard or not: the next one waits from here."""
        self._arm_ladder(step)

    def caller_spoke(self, step: Step) -> None:
        """Words or keys of the caller: what waits for them starts anew."""
        self._disarm(step, AWAITING)
        self._step = 0
        self._arm_ladder(step)
        self._arm_dead_air(step)
        self._noise_spent = 0
        self.noise_ignored = False

    def update(self, step: Step, *, busy: bool, sounding: bool) -> None:
        """Run or stop the clocks. ``busy``: something is said, thought or done; ``sounding``: a sound."""
        self._count_noise(step, sounding and not busy)
        quiet = not busy and (not sounding or self.noise_ignored)
        if quiet == self.quiet:
            return
        self.quiet = quiet
        for name in self._rest:
            if quiet:
                step.deadlines.set(name, step.now + self._rest[name])
            else:
                self._suspend(step, name)

    def fire_noise(self) -> None:
        """The sound has suspended the clocks long enough."""
        self.noise_ignored = True

    def fire_awaiting(self, step: Step) -> str:
        """Awaiting response: the message to say, in the order of the list, over and over."""
        self._rest.pop(AWAITING, None)
        step.emit(ClockFired(step.now, AWAITING))
        messages = step.policy.idle.awaiting_messages
        message = messages[self._spoken % len(messages)]
        self._spoken += 1
        return message

    def fire_ladder(self, step: Step) -> LadderStep:
        """The ladder: the step that is due."""
        self._rest.pop(LADDER, None)
        step.emit(ClockFired(step.now, LADDER))
        due = step.policy.idle.ladder[self._step]
        self._step += 1
        return due

    def fire_dead_air(self, step: Step) -> None:
        """Nobody spoke for as long as the call allows."""
        self._rest.pop(DEAD_AIR, None)
        step.emit(ClockFired(step.now, DEAD_AIR))

    def _count_noise(self, step: Step, noisy: bool) -> None:
        if noisy and self._noise_since is None and not self.noise_ignored:
            self._noise_since = step.now
            step.deadlines.set(NOISE, step.now + step.policy.idle.noise_cap - self._noise_spent)
        elif not noisy and self._noise_since is not None:
            self._noise_spent += step.now - self._noise_since
            self._noise_since = None
            step.deadlines.cancel(NOISE)

    def _arm_ladder(self, step: Step) -> None:
        ladder = step.policy.idle.ladder
        if self._step < len(ladder):
            self._arm(step, LADDER, ladder[self._step].after)
        else:
            self._disarm(step, LADDER)

    def _arm_dead_air(self, step: Step) -> None:
        if step.policy.idle.dead_air is not None:
            self._arm(step, DEAD_AIR, step.policy.idle.dead_air)

    def _arm(self, step: Step, name: str, rest: int) -> None:
        self._rest[name] = rest
        if self.quiet:
            step.deadlines.set(name, step.now + rest)

    def _disarm(self, step: Step, name: str) -> None:
        self._rest.pop(name, None)
        step.deadlines.cancel(name)

    def _suspend(self, step: Step, name: str) -> None:
        at = step.deadlines.at(name)
        if at is not None:
            self._rest[name] = at - step.now
            step.deadlines.cancel(name)
