"""The virtual world: one call, a scripted caller at a phone with an ear, scripted vendors, no real time.

The world keeps what is due in a heap and jumps from one thing to the next, so a call of ten minutes runs in
well under a second and every time in it is exact to the millisecond. After every step it checks the laws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from engine.core.call import Call
from engine.core.conversation import Message
from engine.core.effects import (
    FeedTranscriber,
    SendAudio,
    SendClear,
    SendMark,
)
from engine.core.events import Created, Event, StreamOpened
from engine.core.notes import EndReason, Note
from engine.core.policy import Policy
from engine.testing.caller import Caller
from engine.testing.carrier import ScriptedCarrier, ScriptedTool, Toolbox
from engine.testing.clock import Clock
from engine.testing.ear import HeardWord
from engine.testing.laws import Laws
from engine.testing.model import ScriptedModel
from engine.testing.phone import Phone
from engine.testing.steps import CallLike, LawBroken, LogEntry, replay
from engine.testing.transcriber import ScriptedTranscriber
from engine.testing.voice import ScriptedVoice

E = TypeVar("E")
N = TypeVar("N", bound=Note)

_AFTERMATH = 5_000
"""ms for which a closed call is still told what comes late."""
_RESTLESS = 100
"""Wakes in a row, with no time passing, after which a call is said to be stuck."""


class World:
    """One call and all that surrounds it.

    ``caller`` is the script. ``loop_stalls`` are ``(start, ms)`` in which the process that runs the call does
    nothing: events wait, wakes are late, while the phone goes on. ``laws`` False checks nothing.
    ``max_ms`` is where `run` stops at the latest.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        caller: Caller,
        phone: Phone | None = None,
        transcriber: ScriptedTranscriber | None = None,
        model: ScriptedModel | None = None,
        voice: ScriptedVoice | None = None,
        tools: Mapping[str, ScriptedTool] | None = None,
        carrier: ScriptedCarrier | None = None,
        loop_stalls: Sequence[tuple[int, int]] = (),
        laws: bool = True,
        max_ms: int = 3_600_000,
        call: Callable[[Policy], CallLike] = Call,
    ) -> None:
        self.policy = policy
        self.clock = Clock()
        self._make_call = call
        self.call = call(policy)
        self.caller = caller
        self.phone = phone or Phone()
        speaks = policy.replies.speech_to_speech
        self.transcriber = transcriber or ScriptedTranscriber(interim_every=None if speaks else 200)
        self.model = model or ScriptedModel()
        self.voice = voice or ScriptedVoice()
        self.tools = Toolbox(dict(tools or {}))
        self.carrier = carrier or ScriptedCarrier()
        self.log: list[LogEntry] = []
        """Every step: call time, the event (or ``"wake"``), the effects."""
        self.ended_at: int | None = None
        self.max_ms = max_ms
        self._loop_stalls = loop_stalls
        self._late: list[Event] = []
        self._streams = 0
        self._stream_open = False
        self._restless = 0
        self._seen: dict[type[Any], list[tuple[int, Any]]] = {}
        self._performs: dict[type[Any], Callable[[Any], None]] = {
            SendAudio: lambda effect: self.phone.audio(effect.payload),
            SendMark: lambda effect: self.phone.mark(effect.name),
            SendClear: lambda effect: self.phone.clear(),
        }
        for start, lasts in loop_stalls:
            self.clock.at(start + lasts, self._catch_up)
        for part in (self.transcriber, self.model, self.voice, self.tools, self.carrier):
            part.enter(self)
            self._performs.update(part.performs)
        self.phone.connect(self.clock, self.voice.tape, self.tell)
        caller.enter(self)
        self._laws = Laws(self.call, policy, ear=self.phone.ear, log=self.log) if laws else None
        if self._laws is not None:
            self._laws.word_times = self.voice.word_times and not speaks
            self._laws.uncertainty = self.phone.uncertainty
        self.clock.at(0, self.tell, Created())
        if caller.joins is not None:
            self.clock.at(caller.joins, self.open_stream)

    # --- running --------------------------------------------------------------------------------------

    def run(self, until: int | Callable[[World], bool] | None = None) -> World:
        """Run until the call is over (None), a call time (ms), or something is true of the world.

        Raises `LawBroken` at the first step that breaks a law.
        """
        end = until if isinstance(until, int) else self.max_ms
        is_enough = until if callable(until) else None
        clock = self.clock
        while is_enough is None or not is_enough(self):
            due, wake = clock.next, self._wake_at()
            if wake is not None and (due is None or wake < due):
                if wake > end:
                    break
                clock.now = wake
                self._step(None)
            elif due is None or due > end or self._is_over(due):
                break
            else:
                clock.step()
        else:
            return self
        if isinstance(until, int):
            clock.now = max(clock.now, end)
        if self.ended_at is not None and self._laws is not None:
            self._laws.check_end(clock.now)
            replay(self.policy, self.log, self._make_call)
        return self

    def at(self, ms: int, what: Event | Callable[[], None]) -> World:
        """Have an event happen to the call, or a function called, at call time ``ms``."""
        if callable(what):
            self.clock.at(ms, lambda _: what())
        else:
            self.clock.at(ms, self.tell, what)
        return self

    def later(self, delay: int, event: Event) -> None:
        """Have an event happen to the call ``delay`` ms from now."""
        self.clock.at(self.clock.now + delay, self.tell, event)

    def after(self, delay: int, action: Callable[[Any], None], argument: Any = None) -> None:
        """Have ``action(argument)`` done ``delay`` ms from now."""
        self.clock.at(self.clock.now + delay, action, argument)

    def tell(self, event: Any) -> None:
        """An event reaches the call now; not to be used while effects are being performed (`later` is)."""
        if self._loop_stalls and self._stalled_until(self.clock.now) is not None:
            self._late.append(event)
        else:
            self._step(event)

    def open_stream(self, _: object = None) -> None:
        """The carrier opens a media stream for the call, now."""
        self._streams += 1
        self._stream_open = True
        self.caller.open_line(self.clock.now)
        self.later(0, StreamOpened(f"stream{self._streams}", "call1"))

    def stop_stream(self, event: Event | None) -> None:
        """The media stream is gone, now; the call is told with ``event``."""
        if self._stream_open:
            self._stream_open = False
            self.caller.close_line()
            self.phone.hang_up()
            if event is not None:
                self.later(0, event)

    # --- what a test asks -----------------------------------------------------------------------------

    def notes(self, kind: type[N]) -> list[N]:
        """All notes of a type so far, in order."""
        return [note for _, note in self._seen.get(kind, ())]

    def times(self, kind: type[Note]) -> list[int]:
        """When the notes of a type became true (call time, ms)."""
        return [note.at for note in self.notes(kind)]

    def effects(self, kind: type[E]) -> list[tuple[int, E]]:
        """All effects of a type so far but the transcriber's audio, with the call time at which they came."""
        return list(self._seen.get(kind, ()))

    @property
    def heard(self) -> list[HeardWord]:
        """The agent's words that the caller has heard whole, with their times."""
        return self.phone.ear.words(self.clock.now)

    @property
    def heard_text(self) -> str:
        """The same as one text."""
        return " ".join(word.text for word in self.heard)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as the model would see it."""
        return self.call.messages

    @property
    def transcript(self) -> list[tuple[str, str]]:
        """What user and assistant said, as the conversation has it: ``(role, text)``."""
        return [(m.role, m.text) for m in self.call.messages if m.role in ("user", "assistant") and m.text]

    @property
    def reason(self) -> EndReason | None:
        """Why the call ended; None while it goes on."""
        return self.call.reason

    @property
    def answer_delays(self) -> list[int]:
        """For each thing the caller said: ms from its last sound to the agent's next, where there was one.

        Negative never: an agent who was speaking already counts as 0.
        """
        said = self.caller.spoken
        ends = [until for _, _, until in said]
        nexts = [*(start for _, start, _ in said[1:]), self.clock.now][: len(said)]
        sounds = [self.phone.ear.sound_after(end) for end in ends]
        return [s - e for s, e, n in zip(sounds, ends, nexts, strict=True) if s is not None and s <= n]

    @property
    def stop_delays(self) -> list[int]:
        """For each thing the caller said over the agent: ms until the ear was silent."""
        ear = self.phone.ear
        return [ear.silence_after(start) - start for _, start, _ in self.caller.spoken if ear.sounding(start)]

    # --- inside ---------------------------------------------------------------------------------------

    def _step(self, event: Event | None) -> None:
        call, now = self.call, self.clock.now
        self._restless = self._restless + 1 if event is None else 0
        try:
            effects = call.wake(now) if event is None else call.handle(event, now)
        except Exception as error:
            raise LawBroken(
                "handle never raises", f"{error!r} on {type(event).__name__}", self.log
            ) from error
        self.log.append((now, "wake" if event is None else event, tuple(effects)))
        if self._laws is not None:
            self._laws.check(now, event, effects)
        for effect in effects:
            kind = type(effect)
            if kind is not FeedTranscriber:
                self._seen.setdefault(kind, []).append((now, effect))
            perform = self._performs.get(kind)
            if perform is not None:
                perform(effect)
        if call.closed and self.ended_at is None:
            self.ended_at = now
        if self._restless > _RESTLESS:
            raise LawBroken("1", f"the call wants to be woken at {call.wake_at} again and again", self.log)

    def _wake_at(self) -> int | None:
        """When the process can wake the call as it wishes."""
        if self.call.closed or self.call.wake_at is None:
            return None
        wake = max(self.call.wake_at, self.clock.now)
        if wake > self.clock.now:
            self._restless = 0
        return self._stalled_until(wake) or wake

    def _stalled_until(self, time: int) -> int | None:
        for start, lasts in self._loop_stalls:
            if start <= time < start + lasts:
                return start + lasts
        return None

    def _catch_up(self, _: object) -> None:
        late, self._late = self._late, []
        for event in late:
            self.tell(event)

    def _is_over(self, due: int) -> bool:
        return self.ended_at is not None and due > self.ended_at + _AFTERMATH


def run_call(policy: Policy, caller: Caller, **world: Any) -> World:
    """Run one call to its end in a `World` with these parts; the world it leaves behind."""
    return World(policy, caller=caller, **world).run()
