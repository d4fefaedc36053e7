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
`conversation`        what was said and heard
====================  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.core import events as ev
from engine.core import floor as floors
from engine.core import idle as clocks
from engine.core import keypad as keys
from engine.core.agent import ALARM as REPLY
from engine.core.agent import FILLER, Agent, AgentState, Ended
from engine.core.caller import Caller
from engine.core.conversation import Conversation, Message
from engine.core.effects import Effect, FeedTranscriber, OpenTranscriber, OpenVoice
from engine.core.floor import Floor
from engine.core.hands import Hands
from engine.core.idle import Idle
from engine.core.keypad import Keypad
from engine.core.line import Line, Phase
from engine.core.notes import (
    ClockFired,
    Cut,
    EndReason,
    Fault,
    Joined,
    KeysPressed,
    Leaving,
    MessageAdded,
    Stayed,
)
from engine.core.policy import Policy, Speaker, StepEnding
from engine.core.replies import Kind, Leave
from engine.core.step import Step
from engine.core.tools import Tools
from engine.core.words import has_phrase, words_of

MOST_GAP = 2_000
"""ms of a gap in the caller's stream that the transcriber is given as silence."""
TRANSCRIBER_BACKOFF = 250
TRANSCRIBER_TRIES = 6
RECHECK = 500
"""ms after which an opening that found the line taken looks again."""
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


class Call:
    """One phone call. Create it, tell it what happens, do what it asks."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.line = Line()
        self.caller = Caller(policy)
        self.agent = Agent(self.caller.echo)
        self.conversation = Conversation(policy.prompt, policy.initial_messages)
        self.tools = Tools(policy)
        self.idle = Idle()
        self.keypad = Keypad()
        self.hands = Hands(self.agent, self.tools, self.conversation, self.line)
        self.floor = Floor(self.caller, self.agent, self.conversation, self.line, self.hands)
        self.agent.silent = policy.medium == "text"
        self._step = Step(policy)
        self._step.deadlines.set("join", policy.limits.join)
        self._to_say: list[ev.SayNow] = []
        self._failures = 0
        self._wire_faults = 0
        self._transcriber_tries = 0
        self._transcriber_opened = 0
        self._drain_words = ""
        self._returned = False
        """The caller is back from a transfer that failed, and has not been told."""
        self._routes: dict[type, Callable[[Step, Any], None]] = {
            ev.CallerAudio: self._on_audio,
            ev.MarkEchoed: self._on_mark,
            ev.VoiceAudio: self._on_voice_audio,
            ev.ModelText: self._on_model_text,
            ev.Created: self._on_created,
            ev.StreamOpened: self._on_stream_opened,
            ev.StreamStopped: self._on_stream_stopped,
            ev.StreamLost: self._on_stream_lost,
            ev.CallerHungUp: self._on_hung_up,
            ev.WireFault: self._on_wire_fault,
            ev.WriteStalled: self._on_write_stalled,
            ev.MediaGap: self._on_gap,
            ev.VoiceVote: lambda step, event: self.caller.confirm(step, event.probability),
            ev.KeyPressed: self._on_key,
            ev.ToneHeard: lambda step, event: None,
            ev.InterimWords: self._on_interim,
            ev.FinalWords: self._on_final,
            ev.TurnVote: lambda step, event: self.caller.vote(event.vote),
            ev.TranscriberReady: self._on_transcriber_ready,
            ev.TranscriberFailed: self._on_transcriber_failed,
            ev.ModelToolCall: self.hands.on_tool_call,
            ev.ModelDone: self._on_model_done,
            ev.ModelFailed: self._on_model_failed,
            ev.VoiceWords: self._on_voice_words,
            ev.VoiceDone: self._on_voice_done,
            ev.VoiceFailed: self._on_voice_failed,
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
            floors.GREETING: self._open,
            "join": lambda step: self._expire(step, "join", EndReason.UNJOINED),
            "leaving": lambda step: self._end(step, self.line.leaving or EndReason.AGENT_HUNG_UP, "overrun"),
            "longest_call": self._alarm_longest,
            "no_frames": self._alarm_no_frames,
            "opening_fallback": self._alarm_fallback,
            "pump": lambda step: self.agent.advance(step),
            "seam": self._alarm_seam,
            "transcriber": self._open_transcriber,
            "transfer": self._alarm_transfer,
            clocks.AWAITING: self._alarm_awaiting,
            clocks.LADDER: self._alarm_ladder,
            clocks.DEAD_AIR: self._alarm_dead_air,
            clocks.NOISE: lambda step: self.idle.fire_noise(),
            floors.ENDPOINT: lambda step: None,
            floors.HELD: self.floor.expire_hold,
            keys.ALARM: lambda step: self._keyed(step, self.keypad.take(step)),
            REPLY: self._alarm_reply,
            FILLER: self.agent.fill,
        }

    # --- the border -------------------------------------------------------------------------------------

    def handle(self, event: ev.Event, now: int) -> list[Effect]:
        """Tell the call that ``event`` happened at call time ``now`` (ms); what it asks for in answer."""
        if self.line.phase is Phase.CLOSED:
            return []
        step = self._step
        step.now = max(step.now, now)
        self._routes[type(event)](step, event)
        self._settle(step)
        return step.take()

    def wake(self, now: int) -> list[Effect]:
        """Let the alarms go off that are due at call time ``now`` (ms)."""
        step = self._step
        step.now = max(step.now, now)
        while (name := step.deadlines.take_due(step.now)) is not None:
            if name in self._alarms:
                self._alarms[name](step)
            else:
                self.hands.on_alarm(step, name)
            self._settle(step)
        return step.take()

    @property
    def wake_at(self) -> int | None:
        """Call time (ms) at which the call wants `wake`; None only when it is closed or not yet created."""
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
            step.deadlines.cancel("opening_fallback")
            self.idle.caller_spoke(step)
        settled = False
        while not settled and not self.line.over:
            self._conclude_all(step)
            self.floor.consider(step)
            if not self.agent.ended:
                self._speak_next(step)
            settled = not self.agent.ended
        if not self.line.over:
            self._update_idle(step)

    def _conclude_all(self, step: Step) -> None:
        """What the agent said stands in the conversation before anything that came after it."""
        while self.agent.ended and not self.line.over:
            self._conclude(step, self.agent.ended.pop(0))

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
                self._stay(step)
            self.floor.write_waiting(step)
            self.agent.begin(step, Kind.ANSWER if self.floor.pending else Kind.RETURNED)
            self.floor.pending = self._returned = False
            self.agent.think(step, self.conversation.messages)
        elif self.line.leaving is not None:
            self._go(step, self.line.leaving)

    @property
    def _owes_answer(self) -> bool:
        """Something was said to the agent, or happened, that it has not answered."""
        return self.floor.pending or self._returned

    @property
    def _caller_goes_on(self) -> bool:
        """The caller is saying something that may be more than noise."""
        return bool(self.caller.turn.text) or (self.floor.talking and not self.idle.noise_ignored)

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

    def _write(self, step: Step, ended: Ended) -> None:
        """A reply is over: what was heard of it is written down."""
        reply = ended.reply
        self.hands.reply_over(step, reply, ended.how)
        if ended.heard:
            self.conversation.agent_said(ended.heard)
            step.emit(MessageAdded(step.now, "assistant", ended.heard, reply=reply.id))
            self.idle.agent_finished(step)
        if reply.kind is Kind.INACTIVITY:
            self.idle.climb(step)

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
        if leave is None and has_phrase(words_of(ended.heard), self.policy.ending.phrases):
            leave = Leave(EndReason.AGENT_HUNG_UP, self.policy.ending.strict)
        if leave is None:
            return
        if ended.how is not Cut.DONE and reply.text and not leave.strict:
            self.conversation.told("The caller spoke, so the call goes on.")
            self._stay(step)
        elif leave.transfer:
            self.hands.transfer(step, leave.transfer)
        elif reply.kind in (Kind.FAREWELL, Kind.INACTIVITY):
            self._gone(step, leave)
        else:
            self._leave(step, leave.reason, strict=leave.strict)

    # --- leaving ----------------------------------------------------------------------------------------

    def _leave(self, step: Step, reason: EndReason, *, words: str = "", strict: bool = False) -> None:
        """Say the last words, if there are any, and end the call when they were heard."""
        if self.line.leaving is not None and self.line.strict:
            return
        if self.floor.pending and not strict:
            self._stay(step)
            return
        words = words or (self.policy.ending.message if reason in AGENT_ENDS else "")
        self.line.leaving = reason
        self.line.strict = strict
        step.emit(Leaving(step.now, reason))
        step.deadlines.set("leaving", step.now + self.policy.limits.overrun)
        if not self.line.live:
            self._end(step, reason)
            return
        self._silence_agent(step)
        if words:
            reply = self.agent.begin(step, Kind.FAREWELL)
            reply.uninterruptible = strict
            reply.leave = Leave(reason, strict)
            self.agent.say(step, words)

    def _gone(self, step: Step, leave: Leave) -> None:
        """The last words were heard. Nobody is hung up on while still speaking, unless the end is strict."""
        if self.floor.pending and not leave.strict:
            self._stay(step)
            return
        self.line.leaving = leave.reason
        self.line.strict = leave.strict
        self._go(step, leave.reason)

    def _go(self, step: Step, reason: EndReason) -> None:
        """Nothing more is to be said: end the call, unless the caller is saying something."""
        if self.line.strict or not self._caller_goes_on:
            self._end(step, reason)
        else:
            step.deadlines.cancel("leaving")

    def _stay(self, step: Step) -> None:
        """The caller spoke into a soft farewell: the call goes on."""
        self.line.leaving = None
        step.deadlines.cancel("leaving")
        step.emit(Stayed(step.now))

    def _silence_agent(self, step: Step) -> None:
        """Stop whatever is being said, and conclude it, so that something else can be said at once."""
        self.floor.cut(step)
        while self.agent.ended:
            self._write(step, self.agent.ended.pop(0))

    def _end(self, step: Step, reason: EndReason, detail: str = "") -> None:
        """Set the reason and bring everything that is open to its end."""
        if self.line.over:
            return
        self._silence_agent(step)
        self._keep_words(step)
        self.caller.leave(step)
        self.tools.close(step)
        self.line.end(step, reason, detail)

    def _keep_words(self, step: Step) -> None:
        """Words of a turn that will not be answered any more are kept all the same."""
        self.floor.write_waiting(step)
        if self.keypad.collecting:
            self._heard(step, keys.as_words(self.keypad.take(step)))
        text = self.caller.take().text
        if text:
            self._heard(step, text)

    def _heard(self, step: Step, text: str) -> None:
        self.conversation.caller_said(text)
        step.emit(MessageAdded(step.now, "user", text))

    def _failed(self, step: Step, role: str) -> None:
        """A reply failed for good: apologise, and after too many failures give up."""
        if self.line.leaving is not None:
            self._end(step, self.line.leaving, f"{role} failed")
            return
        self._failures += 1
        words = self.policy.ending.failure_message
        if self._failures >= self.policy.replies.failures or role == "voice":
            self._leave(step, EndReason.PROVIDER_ERROR, words="" if role == "voice" else words, strict=True)
        elif words:
            self.agent.begin(step, Kind.APOLOGY)
            self.agent.say(step, words)

    # --- the line ---------------------------------------------------------------------------------------

    def _on_created(self, step: Step, event: ev.Created) -> None:
        if self.line.phase is Phase.CREATED:
            self._open_providers(step)

    def _open_providers(self, step: Step) -> None:
        """While the phone still rings; once."""
        if not self._transcriber_opened:
            self._open_transcriber(step)
            step.emit(OpenVoice())

    def _on_stream_opened(self, step: Step, event: ev.StreamOpened) -> None:
        if self.line.phase is Phase.CREATED:
            self._open_providers(step)
            self.line.join(step)
            step.emit(Joined(step.now, event.carrier_call_id, event.client))
            self.idle.joined(step)
            self._first_words(step)
        elif self.line.phase is Phase.SEAM:
            self.line.close_seam(step)
            if self.agent.state is AgentState.HELD:
                self.agent.resume(step)

    def _on_stream_stopped(self, step: Step, event: ev.StreamStopped) -> None:
        if self.line.phase is Phase.ENDING:
            self.line.close(step)
        elif self.hands.seam_expected:
            self._seam(step, "asked for")
        elif self.line.phase is not Phase.SEAM:
            self._end(step, EndReason.CALLER_HUNG_UP)

    def _on_hung_up(self, step: Step, event: ev.CallerHungUp) -> None:
        if self.line.phase is Phase.ENDING:
            self.line.close(step)
        else:
            self._end(step, EndReason.CALLER_HUNG_UP)

    def _on_stream_lost(self, step: Step, event: ev.StreamLost) -> None:
        if self.line.phase is Phase.ENDING:
            self.line.close(step)
        elif self.line.phase is Phase.OPEN:
            self._seam(step, event.detail or "lost")

    def _seam(self, step: Step, why: str) -> None:
        if self.line.phase is Phase.OPEN:
            self.floor.release(step)
            if self.agent.state is AgentState.SPEAKING:
                self.agent.hold(step)
            limits = self.policy.limits
            self.line.open_seam(step, why, limits.transfer if self.line.transferring else limits.seam)

    def _alarm_seam(self, step: Step) -> None:
        if self.line.transferring:
            self._end(step, EndReason.TRANSFERRED)
        else:
            self._expire(step, "seam", EndReason.CONNECTION_ERROR)

    def _on_wire_fault(self, step: Step, event: ev.WireFault) -> None:
        step.emit(Fault(step.now, "wire", event.kind))
        self._wire_faults += 1
        if event.fatal or self._wire_faults > self.policy.limits.wire_faults:
            self._end(step, EndReason.CONNECTION_ERROR, event.kind)

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
        self._end(step, reason, clock)

    def _on_carrier_done(self, step: Step, event: ev.CarrierDone) -> None:
        if event.action == "hang_up" and self.line.phase is Phase.ENDING:
            self.line.close(step)
        elif event.action == "transfer" and self.line.transferring:
            self._back_from_transfer(step, event.outcome)
        elif event.action == "digits":
            self.hands.digits_sent(step, event.outcome)

    def _alarm_transfer(self, step: Step) -> None:
        step.emit(ClockFired(step.now, "transfer"))
        self._back_from_transfer(step, "no-answer")

    def _back_from_transfer(self, step: Step, outcome: str) -> None:
        """The carrier's word on a transfer: the caller is somebody else's now, or ours again."""
        if self.hands.transferred(step, outcome):
            self._end(step, EndReason.TRANSFERRED)
        else:
            self._returned = True

    # --- opening ----------------------------------------------------------------------------------------

    def _first_words(self, step: Step) -> None:
        opening = self.policy.opening
        if opening.first is Speaker.AGENT and (opening.message or opening.prompt):
            if opening.delay:
                step.deadlines.set(floors.GREETING, step.now + opening.delay)
            else:
                self._open(step)
        elif opening.fallback_after is not None and (opening.fallback_message or opening.fallback_prompt):
            step.deadlines.set("opening_fallback", step.now + opening.fallback_after)

    def _open(self, step: Step) -> None:
        opening = self.policy.opening
        self._greet(step, opening.message, opening.prompt)

    def _alarm_fallback(self, step: Step) -> None:
        opening = self.policy.opening
        if self.caller.turn.open or (self.agent.live is not None and self.agent.live.chosen):
            step.deadlines.set("opening_fallback", step.now + RECHECK)
            return
        step.emit(ClockFired(step.now, "opening_fallback"))
        self._greet(step, opening.fallback_message, opening.fallback_prompt)

    def _greet(self, step: Step, message: str, prompt: str) -> None:
        if self.line.leaving is not None:
            return
        if self.agent.live is not None and not self.agent.live.chosen:
            self.floor.cut(step)
            self._conclude_all(step)
        if self.agent.live is not None:
            step.deadlines.set(floors.GREETING, step.now + RECHECK)
            return
        reply = self.agent.begin(step, Kind.GREETING)
        reply.uninterruptible = self.policy.opening.uninterruptible
        if message:
            self.agent.say(step, message)
        else:
            self.agent.think(step, (*self.conversation.messages, Message("system", prompt)))

    # --- the caller -------------------------------------------------------------------------------------

    def _on_audio(self, step: Step, event: ev.CallerAudio) -> None:
        if self.line.over:
            return
        step.emit(FeedTranscriber(event.payload))
        was_speaking = self.caller.speaking
        self.caller.hear(step, event)
        self.floor.sound(step, was_speaking)

    def _on_gap(self, step: Step, event: ev.MediaGap) -> None:
        if self.line.over:
            return
        step.emit(FeedTranscriber(b"\xff" * (min(max(event.duration, 0), MOST_GAP) * 8)))
        self.caller.lose(step, event.at, event.duration)

    def _on_key(self, step: Step, event: ev.KeyPressed) -> None:
        if not self.line.live:
            return
        self.floor.spoke = True
        if self.policy.keypad.interrupts:
            self.floor.silence_agent(step, "key")
            self._conclude_all(step)
        self._keyed(step, self.keypad.press(step, event.digit))

    def _keyed(self, step: Step, digits: str) -> None:
        if digits:
            step.emit(KeysPressed(step.now, digits))
            self.floor.turn(step, keys.as_words(digits))

    def _on_interim(self, step: Step, event: ev.InterimWords) -> None:
        if not self.line.over:
            self.floor.interim(step, event.text)

    def _on_final(self, step: Step, event: ev.FinalWords) -> None:
        if not self.line.over:
            self.floor.final(step, event)
        elif event.text.strip():
            self.floor.remark(step, event.text.strip())

    def _open_transcriber(self, step: Step) -> None:
        step.emit(OpenTranscriber(self._transcriber_opened))
        self._transcriber_opened += 1

    def _on_transcriber_ready(self, step: Step, event: ev.TranscriberReady) -> None:
        self._transcriber_tries = 0
        self.floor.listen_again()

    def _on_transcriber_failed(self, step: Step, event: ev.TranscriberFailed) -> None:
        if self.line.over or "transcriber" in step.deadlines:
            return
        step.emit(Fault(step.now, "transcriber", event.reason))
        self._transcriber_tries += 1
        if event.retryable and self._transcriber_tries < TRANSCRIBER_TRIES:
            wait = TRANSCRIBER_BACKOFF * 2 ** (self._transcriber_tries - 1)
            step.deadlines.set("transcriber", step.now + wait)
        else:
            words = self.policy.ending.failure_message
            self._leave(step, EndReason.PROVIDER_ERROR, words=words, strict=True)

    # --- the model and the voice ------------------------------------------------------------------------

    def _on_model_text(self, step: Step, event: ev.ModelText) -> None:
        if self.agent.expects_text(event.reply, event.attempt):
            self.agent.hear_text(step, event.text)

    def _on_model_done(self, step: Step, event: ev.ModelDone) -> None:
        if self.agent.expects_text(event.reply, event.attempt):
            self.agent.hear_done(step, event)
            self.hands.model_done(step)

    def _on_model_failed(self, step: Step, event: ev.ModelFailed) -> None:
        if self.agent.expects_text(event.reply, event.attempt):
            self.agent.hear_model_failed(step, event.reason, retryable=event.retryable)
            self.hands.model_done(step)

    def _alarm_reply(self, step: Step) -> None:
        self.agent.overdue(step)
        self.hands.model_done(step)

    def _on_voice_audio(self, step: Step, event: ev.VoiceAudio) -> None:
        piece = self.agent.piece(event.reply, event.piece)
        if piece is not None:
            self.agent.hear_audio(step, piece, event.payload)

    def _on_voice_words(self, step: Step, event: ev.VoiceWords) -> None:
        piece = self.agent.piece(event.reply, event.piece)
        if piece is not None:
            self.agent.hear_words(piece, event.words)

    def _on_voice_done(self, step: Step, event: ev.VoiceDone) -> None:
        piece = self.agent.piece(event.reply, event.piece)
        if piece is not None:
            self.agent.hear_voice_done(step, piece)

    def _on_voice_failed(self, step: Step, event: ev.VoiceFailed) -> None:
        if self.agent.piece(event.reply, event.piece) is not None:
            self.agent.hear_voice_failed(step, event.reason, retryable=event.retryable)

    def _on_mark(self, step: Step, event: ev.MarkEchoed) -> None:
        self.agent.hear_mark(step, event.name)

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
            self._heard(step, event.text)
            return
        self.floor.spoke = True
        if event.urgency is ev.Urgency.NOW:
            self.floor.silence_agent(step, "text")
            self._conclude_all(step)
        self.floor.turn(step, event.text)

    def _on_hang_up(self, step: Step, event: ev.HangUpNow) -> None:
        if not self.line.over:
            self._leave(step, EndReason.REQUESTED, words=event.farewell, strict=True)

    def _on_transfer(self, step: Step, event: ev.TransferNow) -> None:
        free = not self.line.transferring and self.line.leaving is None
        if self.line.live and free and self.policy.carrier.transfers:
            self._silence_agent(step)
            self.hands.transfer(step, event.target)

    def _on_medium(self, step: Step, event: ev.SetOutputMedium) -> None:
        if event.medium in ("voice", "text"):
            self.agent.silent = event.medium == "text"

    def _on_drain(self, step: Step, event: ev.Drain) -> None:
        if not self.line.over:
            self._drain_words = event.farewell
            step.deadlines.set("drain", step.now + max(0, event.within))

    def _alarm_drain(self, step: Step) -> None:
        self._leave(step, EndReason.DRAINED, words=self._drain_words, strict=True)

    # --- the clocks -------------------------------------------------------------------------------------

    def _alarm_longest(self, step: Step) -> None:
        step.emit(ClockFired(step.now, "longest_call"))
        if self.line.leaving is None or not self.line.strict:
            self._leave(step, EndReason.MAX_DURATION, words=self.policy.limits.longest_message, strict=True)

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
                step.deadlines.set("leaving", step.now + self.policy.limits.overrun)
            self.agent.say(step, due.message)
        elif leave is not None:
            self._leave(step, leave.reason, strict=strict)
        else:
            self.idle.climb(step)

    def _alarm_dead_air(self, step: Step) -> None:
        self.idle.fire_dead_air(step)
        self._leave(step, EndReason.SILENCE, strict=self.policy.ending.strict)
