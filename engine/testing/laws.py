"""The twelve laws of a call, checked after every step, from the outside: events, effects, public views.

 1. From its creation until it is closed, a call wants to be woken.
 2. A closed call asks for nothing.
 3. Heard ≤ sent ≤ given, and heard never falls; the call claims no sound that the ear did not get.
 4. The conversation never holds an agent's word that was not heard.
 5. No audio of a reply that is not live.
 6. One live reply; at most one answer to a turn of the caller (one that was dropped unheard is none).
 7. No acting or ending tool from a draft or an ended reply.
 8. Each tool call gets exactly one result.
 9. No idle clock fires unless the line is quiet.
10. The end reason is set once.
11. No word of the caller is lost.
12. The same events give the same effects (`steps.replay`).

And `handle` never raises. Laws 4 and 9 need an ear; without one they are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from engine.core.conversation import Message
from engine.core.effects import (
    AudioHeard,
    CancelModel,
    Effect,
    HangUp,
    RunTool,
    SendAudio,
    StartModel,
    Transfer,
)
from engine.core.events import (
    CallerAudio,
    Created,
    Event,
    FinalWords,
    ModelDone,
    ModelFailed,
    ModelToolCall,
    SetOutputMedium,
)
from engine.core.notes import (
    ClockFired,
    Closed,
    Cut,
    Ending,
    EndReason,
    Leaving,
    MessageAdded,
    ReplyChosen,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    SpeechStarted,
    ToolEnded,
    ToolStarted,
    TurnAmended,
    TurnEnded,
    WordsRecognised,
)
from engine.core.policy import Policy, ToolKind
from engine.testing.ear import Ear
from engine.testing.steps import CallLike, LawBroken, LogEntry

_IDLE_CLOCKS = ("awaiting_response", "inactivity", "dead_air")
_BUILT_IN = {"hang_up": ToolKind.END, "transfer": ToolKind.END, "send_digits": ToolKind.ACT}
_UNTIMED = 400
"""ms that may be missing of a word where the voice does not say where its words lie."""
_SPOKEN = re.compile(r"[^\W_]+")


class Laws:
    """The laws of one call. ``ear`` is the truth about what was heard; None where there is no phone.

    ``word_times`` False says that the voice does not tell where its words lie, so that the call can only
    estimate what was heard. ``uncertainty`` are ms by which the network alone makes such estimates wrong.
    """

    def __init__(
        self, call: CallLike, policy: Policy, *, ear: Ear | None = None, log: Sequence[LogEntry] = ()
    ) -> None:
        self.word_times = True
        self.uncertainty = 0
        self._call = call
        self._policy = policy
        self._ear = ear
        self._log = log
        self._now = 0
        self._created = False
        self._closed = False
        self._reason: EndReason | None = None
        self._endings = 0
        self._kinds = _BUILT_IN | {tool.name: tool.kind for tool in policy.tools}
        self._given_messages = len(policy.initial_messages) + bool(policy.prompt)
        self._written = policy.medium == "text"
        self._live: object = None
        self._heard = 0
        self._claimed = 0
        self._drafts: set[int] = set()
        self._chosen: set[int] = set()
        self._ended: set[int] = set()
        self._answers: set[int] = set()
        self._generating: dict[int, int] = {}
        self._asked: set[int] = set()
        self._wanted_by: dict[str, set[int]] = {}
        self._running: set[str] = set()
        self._started: set[str] = set()
        self._noise = 0
        self._noisy_since: int | None = None
        self._sounds = 0
        self._finals: list[str] = []
        self._said_by_caller: list[str] = []
        self._proved: list[tuple[str, int]] = []
        self._on_event: dict[type[Any], Callable[[Any], None]] = {
            Created: self._exists,
            FinalWords: self._final_words,
            ModelDone: self._model_over,
            ModelFailed: self._model_over,
            ModelToolCall: self._tool_wanted,
            SetOutputMedium: self._medium,
        }
        self._on_effect: dict[type[Any], Callable[[Any], None]] = {
            AudioHeard: self._audio_heard,
            CancelModel: self._model_cancelled,
            ClockFired: self._clock,
            Closed: self._ending,
            Ending: self._ending,
            MessageAdded: self._message,
            ReplyChosen: self._reply_chosen,
            ReplyEnded: self._reply_ended,
            ReplyStarted: self._reply_started,
            RunTool: self._run_tool,
            SendAudio: self._audio,
            SpeechEnded: self._speech,
            SpeechStarted: self._speech,
            StartModel: self._model_asked,
            ToolEnded: self._tool_ended,
            ToolStarted: self._tool_started,
            TurnAmended: self._turn,
            TurnEnded: self._turn,
            WordsRecognised: self._words,
        }

    def check(self, now: int, event: Event | None, effects: Sequence[Effect]) -> None:
        """Check a step that was just taken, before its effects are performed. Raises `LawBroken`."""
        self._now = now
        call = self._call
        if self._closed:
            self._demand(not effects, "2", f"a closed call asks for {effects}")
            return
        if event is not None and type(event) is not CallerAudio:
            note = self._on_event.get(type(event))
            if note is not None:
                note(event)
        for effect in effects:
            look = self._on_effect.get(type(effect))
            if look is not None:
                look(effect)
        if type(event) is ModelToolCall and event.reply not in self._chosen:
            leaving = [
                effect for effect in effects if isinstance(effect, HangUp | Transfer | Leaving | Ending)
            ]
            self._demand(not leaving, "7", f"a tool of reply {event.reply}, not live, led to {leaving}")
        self._ledger()
        if call.reason is not self._reason:
            self._demand(self._reason is None, "10", f"the reason was {self._reason} and is {call.reason}")
            self._reason = call.reason
        if call.closed:
            self._closed = True
            self._demand(call.reason is not None, "10", "closed without a reason")
        elif self._created and call.wake_at is None:
            self._demand(False, "1", "the call is not closed and wants never to be woken")

    def check_end(self, now: int) -> None:
        """Check what must be true of a call that is over: every tool answered, no word lost."""
        self._now = now
        self._demand(not self._running, "8", f"no result for {sorted(self._running)}")
        self._demand(
            self._endings == 2, "10", f"{self._endings} notes of ending and closing, not one of each"
        )
        users = " ".join(m.text for m in self._call.messages if m.role == "user")
        remarks = " ".join(self._said_by_caller)
        said = [_letters(text) for text in (users, remarks, *self._said_by_caller)]
        for final in self._finals:
            self._demand(_kept(_letters(final), said), "11", f"the caller's {final!r} is nowhere")
        self._check_heard(self._call.messages[self._given_messages :])

    def _exists(self, event: Created) -> None:
        self._created = True

    def _demand(self, holds: bool, law: str, message: str) -> None:
        if not holds:
            raise LawBroken(law, f"{message} (at {self._now} ms)", self._log)

    # --- 3, 4, 5: the ledger, the conversation, the audio ---------------------------------------------

    def _ledger(self) -> None:
        agent = self._call.agent
        live = agent.live
        if live is None:
            self._live = None
            return
        playout = agent.playout
        heard = playout.heard
        if live is not self._live:
            self._live, self._heard = live, 0
        if not self._heard <= heard <= playout.sent <= playout.given:
            ledger = f"heard {heard} after {self._heard}, sent {playout.sent}, given {playout.given}"
            self._demand(False, "3", ledger)
        self._heard = heard

    def _audio_heard(self, effect: AudioHeard) -> None:
        self._claimed += len(effect.payload)
        if self._ear is not None:
            played = self._ear.played(self._now)
            tolerance = (self._policy.playout.word_tolerance + self.uncertainty) * 8
            claim = f"{self._claimed} samples are said to be heard, {played} were"
            self._demand(self._claimed <= played + tolerance, "3", claim)

    def _message(self, note: MessageAdded) -> None:
        if note.role == "assistant":
            self._check_heard(self._call.messages[self._given_messages :])
        else:
            self._said_by_caller.append(note.text)
            if note.role == "user":
                self._answers.clear()

    def _check_heard(self, messages: Sequence[Message]) -> None:
        """Every word of the agent's messages was heard, in this order; what was proved once is kept."""
        if self._ear is None or self._written:
            return
        tolerance = self._policy.playout.word_tolerance if self.word_times else _UNTIMED
        tolerance += self.uncertainty
        heard = self._ear.all_words(self._now)
        at = 0
        texts = [message.text for message in messages if message.role == "assistant" and message.text]
        for number, text in enumerate(texts):
            if number < len(self._proved) and self._proved[number][0] == text:
                at = self._proved[number][1]
                continue
            del self._proved[number:]
            for word in filter(None, map(_letters, text.split())):
                while at < len(heard) and not (
                    heard[at].missing <= tolerance * 8 and _letters(heard[at].text) == word
                ):
                    at += 1
                self._demand(at < len(heard), "4", f"{word!r} of {text!r} was not heard (again)")
                at += 1
            self._proved.append((text, at))

    def _audio(self, effect: SendAudio) -> None:
        if self._ear is None:
            self._demand(bool(self._chosen), "5", "audio without a live reply")
            return
        for cutting in self._ear.tape.find(effect.payload):
            if cutting.start is not None:
                reply = self._ear.tape.reply_at(cutting.start)
                self._demand(reply in self._chosen, "5", f"audio of reply {reply}, which is not live")

    def _medium(self, event: SetOutputMedium) -> None:
        # What is only written is in the conversation without having been heard.
        self._written |= event.medium == "text"

    # --- 6, 7, 8: replies and tools -------------------------------------------------------------------

    def _reply_started(self, note: ReplyStarted) -> None:
        known = self._drafts | self._chosen | self._ended
        self._demand(note.reply not in known, "6", f"reply {note.reply} started twice")
        if note.draft:
            self._drafts.add(note.reply)
        else:
            self._choose(note.reply, answer=note.kind == "answer")

    def _reply_chosen(self, note: ReplyChosen) -> None:
        self._demand(note.reply in self._drafts, "6", f"reply {note.reply} was chosen and is no draft")
        self._drafts.discard(note.reply)
        self._choose(note.reply, answer=True)

    def _choose(self, reply: int, *, answer: bool) -> None:
        self._demand(not self._chosen, "6", f"reply {reply} is live beside {self._chosen}")
        self._chosen.add(reply)
        if answer:
            self._answers.add(reply)
            self._demand(len(self._answers) == 1, "6", f"reply {reply} is a second answer to one turn")

    def _reply_ended(self, note: ReplyEnded) -> None:
        self._demand(note.reply not in self._ended, "6", f"reply {note.reply} ended twice")
        self._drafts.discard(note.reply)
        self._chosen.discard(note.reply)
        self._ended.add(note.reply)
        self._generating.pop(note.reply, None)
        if note.how is Cut.DROPPED:
            self._answers.discard(note.reply)

    def _turn(self, note: TurnEnded | TurnAmended) -> None:
        self._answers.clear()

    def _tool_wanted(self, event: ModelToolCall) -> None:
        self._wanted_by.setdefault(event.tool_call, set()).add(event.reply)

    def _run_tool(self, effect: RunTool) -> None:
        replies = self._wanted_by.get(effect.tool_call, set())
        self._demand(bool(replies), "7", f"tool call {effect.tool_call} runs and no model asked for it")
        if self._kinds.get(effect.name) is not ToolKind.READ:
            live = bool(replies & self._chosen)
            self._demand(live, "7", f"{effect.name} runs for reply {replies}, which is not live")

    def _tool_started(self, note: ToolStarted) -> None:
        self._demand(note.tool_call not in self._started, "8", f"{note.tool_call} started twice")
        self._started.add(note.tool_call)
        self._running.add(note.tool_call)

    def _tool_ended(self, note: ToolEnded) -> None:
        self._demand(note.tool_call in self._running, "8", f"{note.tool_call} ended and was not running")
        self._running.discard(note.tool_call)

    # --- 9: the clocks --------------------------------------------------------------------------------

    def _model_asked(self, effect: StartModel) -> None:
        self._generating[effect.reply] = effect.attempt
        messages = effect.messages[self._given_messages :]
        if effect.reply in self._asked:
            # Asked to go on with its own reply, the model is shown what that says already, heard or not.
            users = [number for number, message in enumerate(messages) if message.role == "user"]
            messages = messages[: users[-1]] if users else ()
        self._asked.add(effect.reply)
        self._check_heard(messages)

    def _model_over(self, event: ModelDone | ModelFailed) -> None:
        if self._generating.get(event.reply) == event.attempt:
            del self._generating[event.reply]

    def _model_cancelled(self, effect: CancelModel) -> None:
        self._generating.pop(effect.reply, None)

    def _speech(self, note: SpeechStarted | SpeechEnded) -> None:
        if note.who != "caller":
            return
        if isinstance(note, SpeechStarted):
            self._noisy_since = note.at
            self._sounds += 1
        elif self._noisy_since is not None:
            self._noise += note.at - self._noisy_since
            self._noisy_since = None

    def _words(self, note: WordsRecognised) -> None:
        if note.text:
            self._noise = self._sounds = 0
            self._noisy_since = None if self._noisy_since is None else self._now

    def _clock(self, note: ClockFired) -> None:
        if note.clock not in _IDLE_CLOCKS or self._ear is None:
            return
        broken = "9", f"{note.clock} fired while "
        if self._call.caller.speaking:
            noise = self._noise + self._now - (self._now if self._noisy_since is None else self._noisy_since)
            # Each sound also holds the clocks while its turn waits for words, which is not to be seen here.
            turns = self._policy.turns
            waits = self._sounds * (turns.transcript_wait + turns.endpoint_ceiling)
            capped = noise + waits >= self._policy.idle.noise_cap
            self._demand(capped, broken[0], broken[1] + "the caller speaks")
        self._demand(not self._ear.sounding(self._now), broken[0], broken[1] + "the agent is to be heard")
        self._demand(not self._running, broken[0], broken[1] + f"{sorted(self._running)} are running")
        self._demand(not self._generating, broken[0], broken[1] + "the model is thinking")

    # --- 10, 11: the end, the caller's words ----------------------------------------------------------

    def _ending(self, note: Ending | Closed) -> None:
        self._endings += 1
        self._demand(note.reason is self._call.reason, "10", f"{note} and the reason is {self._call.reason}")

    def _final_words(self, event: FinalWords) -> None:
        if event.text.strip():
            self._finals.append(event.text)


def _kept(final: str, said: Sequence[str]) -> bool:
    """Whether the final's words are kept, at most in two: its first ones may have ended a turn before."""
    words = final.split()
    cuts = ((" ".join(words[:at]), " ".join(words[at:])) for at in range(len(words) + 1))
    return any(all(any(part in text for text in said) for part in cut) for cut in cuts)


def _letters(text: str) -> str:
    """The words of a text without case and punctuation."""
    return " ".join(_SPOKEN.findall(text.casefold()))
