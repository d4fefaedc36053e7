"""The first words of the call: the agent's greeting, or the caller's, or the fallback if nobody speaks."""

from __future__ import annotations

from engine.core.agent import Agent
from engine.core.caller import Caller
from engine.core.conversation import Conversation, Message
from engine.core.departure import Departure
from engine.core.floor import GREETING, Floor
from engine.core.line import Line
from engine.core.notes import ClockFired
from engine.core.policy import Speaker
from engine.core.replies import Kind
from engine.core.step import Step

FALLBACK = "opening_fallback"
RECHECK = 500
"""ms after which an opening that found the line taken looks again."""


class Opening:
    """Who opens the call, and with what."""

    def __init__(
        self,
        line: Line,
        caller: Caller,
        agent: Agent,
        floor: Floor,
        conversation: Conversation,
        departure: Departure,
    ) -> None:
        self._line = line
        self._caller = caller
        self._agent = agent
        self._floor = floor
        self._conversation = conversation
        self._departure = departure

    def start(self, step: Step) -> None:
        """Somebody is on the line: greet, now or after the delay, or wait for the caller."""
        opening = step.policy.opening
        if opening.first is Speaker.AGENT and (opening.message or opening.prompt):
            if opening.delay:
                step.deadlines.set(GREETING, step.now + opening.delay)
            else:
                self.greet(step)
        elif opening.fallback_after is not None and (opening.fallback_message or opening.fallback_prompt):
            step.deadlines.set(FALLBACK, step.now + opening.fallback_after)

    def greet(self, step: Step) -> None:
        """It is time for the greeting."""
        opening = step.policy.opening
        self._greet(step, opening.message, opening.prompt)

    def fall_back(self, step: Step) -> None:
        """The caller should have opened and is silent: the agent does."""
        opening = step.policy.opening
        if self._caller.turn.open or (self._agent.live is not None and self._agent.live.chosen):
            step.deadlines.set(FALLBACK, step.now + RECHECK)
            return
        step.emit(ClockFired(step.now, FALLBACK))
        self._greet(step, opening.fallback_message, opening.fallback_prompt)

    def _greet(self, step: Step, message: str, prompt: str) -> None:
        if self._line.leaving is not None:
            return
        if self._agent.live is not None and not self._agent.live.chosen:
            self._floor.cut(step)
            self._departure.conclude_all(step)
        if self._agent.live is not None:
            step.deadlines.set(GREETING, step.now + RECHECK)
            return
        reply = self._agent.begin(step, Kind.GREETING)
        reply.uninterruptible = step.policy.opening.uninterruptible
        if message:
            self._agent.say(step, message)
        else:
            self._agent.think(step, (*self._conversation.messages, Message("system", prompt)))
