"""How what the agent said, and in the end the call, is brought to its end.

A reply that is over is written down, and what follows from it happens: the call goes on, moves to somebody
else, or is left. Leaving has steps: a farewell is said, heard, and until then a soft one can be taken back;
then everything that is open gets its end, and the line is told the one reason.
"""

from __future__ import annotations

from engine.core.agent import Agent, Ended
from engine.core.caller import Caller
from engine.core.conversation import Conversation
from engine.core.floor import Floor
from engine.core.hands import Hands
from engine.core.idle import Idle
from engine.core.keypad import Keypad, as_words
from engine.core.line import Line, Phase
from engine.core.notes import Cut, EndReason, Leaving, MessageAdded, Stayed
from engine.core.replies import Kind, Leave
from engine.core.step import Step
from engine.core.tools import Tools
from engine.core.words import has_phrase, words_of

ALARM = "leaving"
AGENT_ENDS = frozenset(
    {
        EndReason.AGENT_HUNG_UP,
        EndReason.SILENCE,
        EndReason.INACTIVITY,
        EndReason.MAX_DURATION,
        EndReason.REQUESTED,
        EndReason.DRAINED,
    }
)
"""Ends by the agent's side: its end message is heard first."""


class Departure:
    """The ends of replies and of the call."""

    def __init__(
        self,
        line: Line,
        caller: Caller,
        agent: Agent,
        floor: Floor,
        conversation: Conversation,
        hands: Hands,
        tools: Tools,
        idle: Idle,
        keypad: Keypad,
    ) -> None:
        self._line = line
        self._caller = caller
        self._agent = agent
        self._floor = floor
        self._conversation = conversation
        self._hands = hands
        self._tools = tools
        self._idle = idle
        self._keypad = keypad
        self._given_up: str | None = None
        """Last words of a call that was given up before anybody joined."""
        self._failures = 0
        """Replies in a row that failed for good."""

    # --- replies ----------------------------------------------------------------------------------------

    def conclude_all(self, step: Step) -> None:
        """What the agent said stands in the conversation before anything that came after it."""
        while self._agent.ended and not self._line.over:
            self._conclude(step, self._agent.ended.pop(0))

    def _write(self, step: Step, ended: Ended) -> None:
        """A reply is over: what was heard of it is written down."""
        reply = ended.reply
        self._hands.reply_over(step, reply, ended.how)
        if ended.heard:
            self._conversation.agent_said(ended.heard)
            step.emit(MessageAdded(step.now, "assistant", ended.heard, reply=reply.id))
            self._idle.agent_finished(step)
        if reply.kind is Kind.INACTIVITY:
            self._idle.climb(step)

    def _conclude(self, step: Step, ended: Ended) -> None:
        """A reply is over: it is written down, and what follows from it happens."""
        reply = ended.reply
        self._write(step, ended)
        if ended.failed:
            if reply.chosen:
                self._failed(step, ended.failed)
            return
        if reply.kind is Kind.ANSWER and ended.how is Cut.DONE:
            self._failures = 0
        leave = reply.leave
        if leave is None and has_phrase(words_of(ended.heard), step.policy.ending.phrases):
            leave = Leave(EndReason.AGENT_HUNG_UP, step.policy.ending.strict)
        if leave is None:
            return
        if ended.how is not Cut.DONE and reply.text and not leave.strict:
            self._conversation.told("The caller spoke, so the call goes on.")
            self.stay(step)
        elif leave.transfer:
            self._hands.transfer(step, leave.transfer)
        elif reply.kind in (Kind.FAREWELL, Kind.INACTIVITY):
            self._gone(step, leave)
        else:
            self.leave(step, leave.reason, strict=leave.strict)

    def joined(self, step: Step) -> None:
        """Somebody is on the line; they are told what failed while it rang."""
        if self._given_up is not None:
            self.give_up(step, self._given_up)

    def give_up(self, step: Step, words: str) -> None:
        """Everybody of a role has failed: say so, and put the caller through to somebody, or end the call."""
        if self._line.phase is Phase.CREATED:
            self._given_up = words
            return
        target = step.policy.ending.failure_target
        if not target or not step.policy.carrier.transfers:
            self.leave(step, EndReason.PROVIDER_ERROR, words=words, strict=True)
            return
        self.silence_agent(step)
        if not words:
            self._hands.transfer(step, target)
            return
        reply = self._agent.begin(step, Kind.APOLOGY)
        reply.uninterruptible = True
        reply.leave = Leave(EndReason.PROVIDER_ERROR, strict=True, transfer=target)
        self._agent.say(step, words)

    # --- the call ----------------------------------------------------------------------------------------

    def leave(self, step: Step, reason: EndReason, *, words: str = "", strict: bool = False) -> None:
        """Say the last words, if there are any, and end the call when they were heard."""
        if self._line.leaving is not None and self._line.strict:
            return
        if self._floor.pending and not strict:
            self.stay(step)
            return
        words = words or (step.policy.ending.message if reason in AGENT_ENDS else "")
        self._line.leaving = reason
        self._line.strict = strict
        step.emit(Leaving(step.now, reason))
        step.deadlines.set(ALARM, step.now + step.policy.limits.overrun)
        if not self._line.live:
            self.end(step, reason)
            return
        self.silence_agent(step)
        if words:
            reply = self._agent.begin(step, Kind.FAREWELL)
            reply.uninterruptible = strict
            reply.leave = Leave(reason, strict)
            self._agent.say(step, words)

    def _gone(self, step: Step, leave: Leave) -> None:
        """The last words were heard. Nobody is hung up on while still speaking, unless the end is strict."""
        if self._floor.pending and not leave.strict:
            self.stay(step)
            return
        self._line.leaving = leave.reason
        self._line.strict = leave.strict
        self.go(step, leave.reason)

    def go(self, step: Step, reason: EndReason) -> None:
        """Nothing more is to be said: end the call, unless the caller is saying something."""
        if self._line.strict or not self._caller_goes_on:
            self.end(step, reason)
        else:
            step.deadlines.cancel(ALARM)

    def stay(self, step: Step) -> None:
        """The caller spoke into a soft farewell: the call goes on."""
        self._line.leaving = None
        step.deadlines.cancel(ALARM)
        step.emit(Stayed(step.now))

    def silence_agent(self, step: Step) -> None:
        """Stop whatever is being said, and conclude it, so that something else can be said at once."""
        self._floor.cut(step)
        while self._agent.ended:
            self._write(step, self._agent.ended.pop(0))

    def end(self, step: Step, reason: EndReason, detail: str = "") -> None:
        """Set the reason and bring everything that is open to its end."""
        if self._line.over:
            return
        self.silence_agent(step)
        self._keep_words(step)
        self._caller.leave(step)
        self._tools.close(step)
        self._line.end(step, reason, detail)

    def _keep_words(self, step: Step) -> None:
        """Words of a turn that will not be answered any more are kept all the same."""
        self._floor.write_waiting(step)
        if self._keypad.collecting:
            self.heard(step, as_words(self._keypad.take(step)))
        text = self._caller.take().text
        if text:
            self.heard(step, text)

    def heard(self, step: Step, text: str) -> None:
        """Words of the caller that nobody will answer."""
        self._conversation.caller_said(text)
        step.emit(MessageAdded(step.now, "user", text))

    def _failed(self, step: Step, role: str) -> None:
        """A reply failed for good: apologise, and after too many failures give up."""
        if self._line.leaving is not None:
            self.end(step, self._line.leaving, f"{role} failed")
            return
        self._failures += 1
        words = step.policy.ending.failure_message
        if self._failures >= step.policy.replies.failures or role == "voice":
            self.give_up(step, "" if role == "voice" else words)
        elif words:
            self._agent.begin(step, Kind.APOLOGY)
            self._agent.say(step, words)

    @property
    def _caller_goes_on(self) -> bool:
        """The caller is saying something that may be more than noise."""
        return bool(self._caller.turn.text) or (self._floor.talking and not self._idle.noise_ignored)
