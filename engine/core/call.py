"""The whole state of one call: told what happened, it answers with what to do.

`Call` does no I/O, reads no clock and draws no random number: time is an argument, and the same events give
the same effects. It routes each event to its owner and collects the effects; who owns what:

====================  ===========================================================================
`line.Line`           whether the call lives, and why it does not any more
`caller.Caller`       what the caller is doing and saying
`agent.Agent`         the one live reply, from the model to the ear
`floor.Floor`         whose turn it is: end of turn, drafts, interruption
`idle.Idle`           the clocks of a silent line
`hands.Hands`         tools, transfers and keys
`hearing.Hearing`     the transcriber's stream
`opening.Opening`     the first words
`departure.Departure` how replies and the call are brought to their end
`conversation`        what was said and heard
====================  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.core import bargein, speaking, thinking
from engine.core import departure as departures
from engine.core import events as ev
from engine.core import floor as floors
from engine.core import hearing as hearings
from engine.core import idle as clocks
from engine.core import keypad as keys
from engine.core import opening as openings
from engine.core.agent import ALARM as REPLY
from engine.core.agent import Agent, AgentState
from engine.core.caller import Caller
from engine.core.conversation import Conversation, Message
from engine.core.departure import Departure
from engine.core.effects import Effect
from engine.core.floor import Floor
from engine.core.hands import TAKEN, Hands
from engine.core.hearing import Hearing
from engine.core.idle import Idle
from engine.core.keypad import Keypad
from engine.core.line import Line, Phase
from engine.core.notes import (
    ClockFired,
    EndReason,
    Fault,
    Joined,
    KeysPressed,
    Leaving,
)
from engine.core.opening import Opening
from engine.core.policy import Policy, StepEnding
from engine.core.replies import Kind, Leave
from engine.core.step import Step
from engine.core.tools import Tools


class Call:
    """One phone call. Create it, tell it what happens, do what it asks."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.line = Line()
        self.caller = Caller(policy)
        self.agent = Agent(self.caller.echo, policy.alternatives)
        self.conversation = Conversation(policy.prompt, policy.initial_messages)
        self.tools = Tools(policy)
        self.idle = Idle()
        self.keypad = Keypad()
        self.hands = Hands(self.agent, self.tools, self.conversation, self.line)
        self.floor = Floor(self.caller, self.agent, self.conversation, self.line, self.hands)
        self.departure = Departure(
            self.line,
            self.caller,
            self.agent,
            self.floor,
            self.conversation,
            self.hands,
            self.tools,
            self.idle,
            self.keypad,
        )
        self.opening = Opening(
            self.line, self.caller, self.agent, self.floor, self.conversation, self.departure
        )
        self.hearing = Hearing(self.line, self.caller, self.floor, self.departure, policy.alternatives)
        self.agent.silent = policy.medium == "text"
        self._step = Step(policy)
        self._step.deadlines.set("join", policy.limits.join)
        self._concluded = False
        """A frame of a caller at rest led to nothing: until something else happens, no other will."""
        self._to_say: list[ev.SayNow] = []
        self._wire_faults = 0
        self._drain_words = ""
        self._returned = False
        """The caller is back from a transfer that failed, and has not been told."""
        self._routes: dict[type, Callable[[Step, Any], None]] = {
            ev.CallerAudio: self.hearing.on_audio,
            ev.MarkEchoed: self.agent.hear_mark,
            ev.VoiceAudio: self.agent.speaking.hear_audio,
            ev.ModelText: self.agent.thinking.hear_text,
            ev.ModelAudio: self.agent.thinking.hear_audio,
            ev.Created: self._on_created,
            ev.StreamOpened: self._on_stream_opened,
            ev.StreamStopped: self._on_stream_stopped,
            ev.StreamLost: self._on_stream_lost,
            ev.CallerHungUp: self._on_hung_up,
            ev.WireFault: self._on_wire_fault,
            ev.WriteStalled: self._on_write_stalled,
            ev.MediaGap: self.hearing.on_gap,
            ev.VoiceVote: self.hearing.on_vote,
            ev.KeyPressed: self._on_key,
            ev.InterimWords: self.hearing.on_interim,
            ev.FinalWords: self.hearing.on_final,
            ev.TurnVote: lambda step, event: self.caller.vote(event.vote),
            ev.TranscriberReady: self.hearing.on_ready,
            ev.TranscriberFailed: self.hearing.on_failed,
            ev.Survived: lambda step, event: step.emit(Fault(step.now, event.role, event.reason)),
            ev.ModelToolCall: self.hands.on_tool_call,
            ev.ModelDone: self.agent.thinking.hear_done,
            ev.ModelFailed: self.agent.thinking.hear_failed,
            ev.VoiceWords: self.agent.speaking.hear_words,
            ev.VoiceDone: self.agent.speaking.hear_done,
            ev.VoiceFailed: self.agent.speaking.hear_failed,
            ev.CarrierDone: self._on_carrier_done,
            ev.ToolResult: lambda step, e: self.hands.on_result(step, e.tool_call, value=e.value),
            ev.ToolFailed: lambda step, e: self.hands.on_result(step, e.tool_call, error=e.error or "failed"),
            ev.SayNow: self._on_say,
            ev.UserText: self._on_user_text,
            ev.HangUpNow: self._on_hang_up,
            ev.TransferNow: self._on_transfer,
            ev.SetOutputMedium: self._on_medium,
            ev.Drain: self._on_drain,
        }
        self._alarms: dict[str, Callable[[Step], None]] = {
            "carrier": lambda step: self.line.close(step),
            "drain": self._alarm_drain,
            floors.GREETING: self.opening.greet,
            "join": lambda step: self._expire(step, "join", EndReason.UNJOINED),
            departures.ALARM: lambda step: self.departure.end(
                step, self.line.leaving or EndReason.AGENT_HUNG_UP, "overrun"
            ),
            "longest_call": self._alarm_longest,
            "no_frames": self._alarm_no_frames,
            openings.FALLBACK: self.opening.fall_back,
            "pump": lambda step: self.agent.advance(step),
            "seam": self._alarm_seam,
            TAKEN: self.hands.rejoined,
            hearings.OPENING: self.hearing.on_late,
            hearings.ALARM: self.hearing.open,
            "transfer": self._alarm_transfer,
            clocks.AWAITING: self._alarm_awaiting,
            clocks.LADDER: self._alarm_ladder,
            clocks.DEAD_AIR: self._alarm_dead_air,
            clocks.NOISE: lambda step: self.idle.fire_noise(),
            floors.ENDPOINT: lambda step: None,
            bargein.HELD: self.floor.expire_hold,
            keys.ALARM: lambda step: self._keyed(step, self.keypad.take(step)),
            REPLY: self.agent.overdue,
            thinking.FILLER: self.agent.fill,
            thinking.HEDGE: self.agent.thinking.hedge,
            thinking.AGAIN: self.agent.thinking.ask_again,
            speaking.AGAIN: self.agent.advance,
        }

    # --- the border -------------------------------------------------------------------------------------

    def handle(self, event: ev.Event, now: int) -> list[Effect]:
        """Tell the call that ``event`` happened at call time ``now`` (ms); what it asks for in answer."""
        if self.line.phase is Phase.CLOSED or type(event) is ev.VendorUsed:
            return []
        step = self._step
        step.now = max(step.now, now)
        resting = type(event) is ev.CallerAudio and self.caller.at_rest
        self._routes[type(event)](step, event)
        resting = resting and self.caller.at_rest
        if not (resting and self._concluded):
            self._settle(step)
            self._concluded = resting and len(step.effects) <= 1  # which feeds the transcriber
        return step.take()

    def wake(self, now: int) -> list[Effect]:
        """Let the alarms go off that are due at call time ``now`` (ms)."""
        step = self._step
        step.now = max(step.now, now)
        while (name := step.deadlines.take_due(step.now)) is not None:
            self._concluded = False
            if name in self._alarms:
                self._alarms[name](step)
            else:
                self.hands.on_alarm(step, name)
            self._settle(step)
        return step.take()

    @property
    def wake_at(self) -> int | None:
        """Call time (ms) at which the call wants `wake`; None only when it is closed."""
        return self._step.deadlines.next

    @property
    def closed(self) -> bool:
        """The call is over and will ask for nothing any more."""
        return self.line.phase is Phase.CLOSED

    @property
    def reason(self) -> EndReason | None:
        """Why the call ended, or is ending; None while it lives."""
        return self.line.reason

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far, as a model sees it."""
        return self.conversation.messages

    # --- after every event ------------------------------------------------------------------------------

    def _settle(self, step: Step) -> None:
        """Draw the conclusions of what happened, until there are none left."""
        if self.line.over:
            return
        if self.floor.spoke:
            self.floor.spoke = False
            step.deadlines.cancel(openings.FALLBACK)
            self.idle.caller_spoke(step)
        self.hands.model_done(step)
        self.hearing.watch(step)
        settled = False
        while not settled and not self.line.over:
            self.departure.conclude_all(step)
            self.floor.consider(step)
            if not self.agent.ended:
                self._speak_next(step)
            settled = not self.agent.ended
        if not self.line.over:
            self._update_idle(step)

    def _speak_next(self, step: Step) -> None:
        """The agent has nothing to say at the moment: say what waits, or answer the turn that waits."""
        if self.agent.live is not None or not self.line.live or self.line.transferring:
            return
        if self._to_say:
            wanted = self._to_say.pop(0)
            reply = self.agent.begin(step, Kind.SAY)
            reply.uninterruptible = wanted.uninterruptible
            self.agent.say(step, wanted.text)
        elif self._owes_answer and not self.line.strict and not self.floor.greeting_due(step):
            if self.line.leaving is not None:
                self.departure.stay(step)
            self.floor.write_waiting(step)
            self.agent.begin(step, Kind.ANSWER if self.floor.pending else Kind.RETURNED)
            self.floor.pending = self._returned = False
            self.agent.think(step, self.conversation.messages)
        elif self.line.leaving is not None:
            self.departure.go(step, self.line.leaving)

    @property
    def _owes_answer(self) -> bool:
        """Something was said to the agent, or happened, that it has not answered."""
        return self.floor.pending or self._returned

    def _update_idle(self, step: Step) -> None:
        turn = self.caller.turn
        busy = (
            not self.line.live
            or self.agent.live is not None
            or self.tools.busy
            or self.floor.pending
            or self.keypad.collecting
            or self.line.transferring
            or self.line.leaving is not None
            or bool(turn.finals or turn.interim)
        )
        self.idle.update(step, busy=busy, sounding=self.caller.sounding or turn.opened_at is not None)

    # --- the line ---------------------------------------------------------------------------------------

    def _on_created(self, step: Step, event: ev.Created) -> None:
        if self.line.phase is Phase.CREATED:
            self.hearing.begin(step)

    def _on_stream_opened(self, step: Step, event: ev.StreamOpened) -> None:
        if self.line.phase is Phase.CREATED:
            self.hearing.begin(step)
            self.line.join(step)
            step.emit(Joined(step.now, event.carrier_call_id, event.client))
            self.idle.joined(step)
            self.opening.start(step)
            self.departure.joined(step)
        elif self.line.live or self.line.phase is Phase.SEAM:
            self._seam(step, "another stream")
            self.line.close_seam(step)
            self.hands.rejoined(step)
            if self.agent.state is AgentState.HELD:
                self.agent.resume(step)

    def _on_stream_stopped(self, step: Step, event: ev.StreamStopped) -> None:
        if self.line.phase is Phase.ENDING:
            self.line.close(step)
        elif self.hands.seam_expected:
            self._seam(step, "asked for")
        elif self.line.phase is not Phase.SEAM:
            self.departure.end(step, EndReason.CALLER_HUNG_UP)

    def _on_hung_up(self, step: Step, event: ev.CallerHungUp) -> None:
        if self.line.phase is Phase.ENDING:
            self.line.close(step)
        else:
            self.departure.end(step, EndReason.CALLER_HUNG_UP)

    def _on_stream_lost(self, step: Step, event: ev.StreamLost) -> None:
        if self.line.phase is Phase.ENDING:
            self.line.close(step)
        elif self.line.phase is Phase.OPEN:
            self._seam(step, event.detail or "lost")

    def _seam(self, step: Step, why: str) -> None:
        if self.line.phase is Phase.OPEN:
            self.floor.forget_sound(step)
            if self.agent.state is AgentState.SPEAKING:
                self.agent.hold(step)
            self.line.open_seam(step, why, self.hands.seam_limit(step))

    def _alarm_seam(self, step: Step) -> None:
        if self.line.transferring:
            self.departure.end(step, EndReason.TRANSFERRED, "the carrier did not say how it went")
        else:
            self._expire(step, "seam", EndReason.CONNECTION_ERROR)

    def _on_wire_fault(self, step: Step, event: ev.WireFault) -> None:
        step.emit(Fault(step.now, "wire", event.kind))
        self._wire_faults += 1
        if event.fatal or self._wire_faults > self.policy.limits.wire_faults:
            self.departure.end(step, EndReason.CONNECTION_ERROR, event.kind)

    def _on_write_stalled(self, step: Step, event: ev.WriteStalled) -> None:
        if event.waited >= self.policy.limits.write_stall:
            self._expire(step, "write_stall", EndReason.CONNECTION_ERROR)

    def _alarm_no_frames(self, step: Step) -> None:
        heard_at = max(self.caller.last_frame_at or 0, self.line.joined_at or 0)
        due = heard_at + self.policy.limits.no_frames
        if step.now < due:
            step.deadlines.set("no_frames", due)
        elif self.line.phase is Phase.OPEN:
            self._expire(step, "no_frames", EndReason.CONNECTION_ERROR)

    def _expire(self, step: Step, clock: str, reason: EndReason) -> None:
        step.emit(ClockFired(step.now, clock))
        self.departure.end(step, reason, clock)

    def _on_carrier_done(self, step: Step, event: ev.CarrierDone) -> None:
        if event.action == "hang_up" and self.line.phase is Phase.ENDING:
            self.line.close(step)
        elif event.action == "transfer" and self.line.transferring:
            self._back_from_transfer(step, event.outcome)
        elif event.action == "digits":
            self.hands.digits_sent(step, event.outcome)

    def _alarm_transfer(self, step: Step) -> None:
        """The carrier has not said how it went: with the stream gone, the caller is somebody else's."""
        step.emit(ClockFired(step.now, "transfer"))
        gone = self.line.phase is Phase.SEAM
        self._back_from_transfer(step, "ok" if gone else "no-answer")

    def _back_from_transfer(self, step: Step, outcome: str) -> None:
        """The carrier's word on a transfer: the caller is somebody else's now, or ours again."""
        if self.hands.transferred(step, outcome):
            self.departure.end(step, EndReason.TRANSFERRED)
        else:
            self._returned = True

    # --- the caller -------------------------------------------------------------------------------------

    def _on_key(self, step: Step, event: ev.KeyPressed) -> None:
        if not self.line.live:
            return
        self.floor.spoke = True
        if self.policy.keypad.interrupts:
            self.floor.silence_agent(step, "key")
            self.departure.conclude_all(step)
        self._keyed(step, self.keypad.press(step, event.digit))

    def _keyed(self, step: Step, digits: str) -> None:
        if digits:
            step.emit(KeysPressed(step.now, digits))
            self.floor.turn(step, keys.as_words(digits))

    # --- control from outside ---------------------------------------------------------------------------

    def _on_say(self, step: Step, event: ev.SayNow) -> None:
        if self.line.over or self.line.leaving is not None or not event.text.strip():
            return
        if event.urgency is ev.Urgency.LATER:
            self.conversation.told(event.text)
            return
        self._to_say.append(event)
        if event.urgency is ev.Urgency.NOW:
            self.floor.silence_agent(step, "say now")
            self.floor.owe()

    def _on_user_text(self, step: Step, event: ev.UserText) -> None:
        if self.line.over or not event.text.strip():
            return
        if event.urgency is ev.Urgency.LATER:
            self.departure.heard(step, event.text)
            return
        self.floor.spoke = True
        if event.urgency is ev.Urgency.NOW:
            self.floor.silence_agent(step, "text")
            self.departure.conclude_all(step)
        self.floor.turn(step, event.text)

    def _on_hang_up(self, step: Step, event: ev.HangUpNow) -> None:
        if not self.line.over:
            self.departure.leave(step, EndReason.REQUESTED, words=event.farewell, strict=True)

    def _on_transfer(self, step: Step, event: ev.TransferNow) -> None:
        free = not self.line.transferring and self.line.leaving is None
        if self.line.live and free and self.policy.carrier.transfers:
            self.departure.silence_agent(step)
            self.hands.transfer(step, event.target)

    def _on_medium(self, step: Step, event: ev.SetOutputMedium) -> None:
        if event.medium in ("voice", "text"):
            self.agent.silent = event.medium == "text"

    def _on_drain(self, step: Step, event: ev.Drain) -> None:
        if not self.line.over:
            self._drain_words = event.farewell
            step.deadlines.set("drain", step.now + max(0, event.within))

    def _alarm_drain(self, step: Step) -> None:
        if self._postponed(step, "drain"):
            return
        self.departure.leave(step, EndReason.DRAINED, words=self._drain_words, strict=True)

    # --- the clocks -------------------------------------------------------------------------------------

    def _postponed(self, step: Step, alarm: str) -> bool:
        """A transfer may have been answered: nobody is hung up on before that is known."""
        at = step.deadlines.at("transfer")
        if not self.line.transferring or at is None:
            return False
        step.deadlines.set(alarm, at + 1)
        return True

    def _alarm_longest(self, step: Step) -> None:
        if self._postponed(step, "longest_call"):
            return
        step.emit(ClockFired(step.now, "longest_call"))
        if self.line.leaving is None or not self.line.strict:
            self.departure.leave(
                step, EndReason.MAX_DURATION, words=self.policy.limits.longest_message, strict=True
            )

    def _alarm_awaiting(self, step: Step) -> None:
        message = self.idle.fire_awaiting(step)
        self.agent.begin(step, Kind.AWAITING)
        self.agent.say(step, message)

    def _alarm_ladder(self, step: Step) -> None:
        due = self.idle.fire_ladder(step)
        strict = due.ending is StepEnding.STRICT
        leave = None if due.ending is StepEnding.NONE else Leave(EndReason.INACTIVITY, strict)
        if due.message:
            reply = self.agent.begin(step, Kind.INACTIVITY)
            reply.leave = leave
            reply.uninterruptible = strict
            if leave is not None:
                self.line.leaving = leave.reason
                step.emit(Leaving(step.now, leave.reason))
                step.deadlines.set(departures.ALARM, step.now + self.policy.limits.overrun)
            self.agent.say(step, due.message)
        elif leave is not None:
            self.departure.leave(step, leave.reason, strict=strict)
        else:
            self.idle.climb(step)

    def _alarm_dead_air(self, step: Step) -> None:
        self.idle.fire_dead_air(step)
        self.departure.leave(step, EndReason.SILENCE, strict=self.policy.ending.strict)
