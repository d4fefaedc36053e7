"""One call's shell: what happens is handed to the `Call`, and what the call asks for is done, at once.

It decides nothing and remembers nothing about the conversation. Everything happens in the loop turn in
which it becomes known: an event is one synchronous `Call.handle`, and its effects are performed before the
next event is looked at. What needs time (a provider, the carrier, a tool) is a task that comes back with an
event. There is one timer, `Call.wake_at`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any

from engine.audio.level import DIGITAL_SILENCE
from engine.audio.mulaw import BYTES_PER_MS
from engine.audio.vad import VoiceActivity
from engine.core import effects as fx
from engine.core.effects import Effect
from engine.core.events import (
    CallerAudio,
    Event,
    MediaGap,
    StreamLost,
    StreamOpened,
    VendorUsed,
    WriteStalled,
)
from engine.core.interface import CallCore
from engine.core.notes import Closed, Ending, EndReason, Note
from engine.providers.contracts import LanguageModel, RealtimeLine, ToolSpec, Transcriber, Voice
from engine.runtime.carrier import CarrierLeg, report
from engine.runtime.generation import Generation
from engine.runtime.release import Release
from engine.runtime.socket import MediaSocket
from engine.runtime.synthesis import Synthesis
from engine.runtime.tasks import Tasks
from engine.runtime.tool_runs import ToolFunction, ToolRuns
from engine.runtime.transcription import Transcription
from engine.runtime.voice_cache import VoiceCache
from engine.runtime.voice_votes import Ballot, VoiceVotes
from engine.wire.twilio_stream import Encoder

_log = logging.getLogger(__name__)

Listener = Callable[[int, Event | None, Sequence[Effect]], None]
"""Told of each step: call time (ms), the event (None: the call was woken), the effects."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a call works with: its providers, its tools, and its leg at the carrier."""

    transcribers: Sequence[Transcriber]
    """Here and below: the vendors in the agent's order of preference; none for a call without words."""
    models: Sequence[LanguageModel]
    voices: Sequence[Voice]
    voice_cache: VoiceCache
    """What the voice said in other calls."""
    vad: VoiceActivity
    leg: CarrierLeg
    tools: tuple[ToolSpec, ...] = ()
    functions: Mapping[str, ToolFunction] = field(default_factory=dict)
    line: RealtimeLine | None = None
    """The call's own line to a model that hears and speaks itself; its roles are among those above."""
    votes: VoiceVotes | None = None
    """The worker's better voice detector, where the agent wants it to confirm the first."""


class Session:
    """A live call. Must be made and used on a running event loop."""

    def __init__(self, call_id: str, call: CallCore, equipment: Equipment) -> None:
        self.call_id = call_id
        self.call = call
        self.created = datetime.now(UTC)
        """The one wall time of the call: call time 0."""
        self.reason: EndReason | None = None
        """Why the call ended; None while it lives."""
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()
        self._now = 0
        self._timer: asyncio.Handle | None = None
        self._timer_due: float = inf
        """Call time at which the timer goes off; uvloop's handle of a time that has come cannot say."""
        self._pending: deque[Event] = deque()
        self._stepping = False
        self._listeners: tuple[Listener, ...] = ()
        self._socket: MediaSocket | None = None
        self._encoder: Encoder | None = None
        self._joined_at: int | None = None
        self._caller_at = self._caller_end = 0
        self._caller_level = DIGITAL_SILENCE
        self._vad = equipment.vad
        self._ballot = Ballot(equipment.votes, self.dispatch) if equipment.votes is not None else None
        self.leg = equipment.leg
        self._tasks = Tasks()
        self._release = Release(call_id, self._tasks)
        self._line = equipment.line
        charge = self._charge
        if self._line is not None:
            self._line.charge_to(self._charge)
            charge = _line_tells
        self._transcription = Transcription(equipment.transcribers, self.dispatch, charge, self._tasks)
        self._generation = Generation(
            equipment.models, equipment.tools, self.dispatch, charge, self._tasks, equipment.line
        )
        self._synthesis = Synthesis(
            equipment.voices, equipment.voice_cache, self.dispatch, charge, self._tasks
        )
        self._tools = ToolRuns(equipment.tools, equipment.functions, self.dispatch, self._tasks)
        self._perform: dict[type, Callable[[Any], None]] = self._performers()

    def _performers(self) -> dict[type, Callable[[Any], None]]:
        """What is done for each effect, but for caller audio. Notes are in the hands of the listeners."""
        return {
            fx.OpenTranscriber: lambda effect: self._transcription.open(effect.vendor),
            fx.FlushTranscriber: lambda _: self._transcription.flush(),
            fx.CloseTranscriber: lambda _: self._transcription.close(),
            fx.StartModel: self._generation.start,
            fx.CancelModel: lambda effect: self._generation.cancel(effect.reply, effect.attempt),
            fx.TruncateModel: lambda effect: self._generation.truncate(effect.attempt, effect.heard),
            fx.OpenVoice: self._open_voice,
            fx.Speak: self._synthesis.speak,
            fx.CancelVoice: lambda effect: self._synthesis.cancel(effect.reply),
            fx.SendAudio: lambda effect: self._send(lambda encoder: encoder.media(effect.payload)),
            fx.SendMark: lambda effect: self._send(lambda encoder: encoder.mark(effect.name)),
            fx.SendClear: lambda _: self._send(Encoder.clear),
            fx.HangUp: lambda _: self._ask_carrier("hang_up", self.leg.hang_up),
            fx.Transfer: lambda effect: self._ask_carrier(
                "transfer", self.leg.transfer, effect.target, effect.ring / 1000
            ),
            fx.SendDigits: lambda effect: self._ask_carrier("digits", self.leg.press, effect.digits),
            fx.CloseStream: lambda _: self._close_stream(),
            fx.RunTool: self._tools.run,
            fx.CancelTool: lambda effect: self._tools.cancel(effect.tool_call),
        }

    # --- what happens -----------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Call time, ms: the loop's clock since the call was made. Never falls."""
        now = int((self._loop.time() - self._origin) * 1000)
        if now > self._now:
            self._now = now
        return self._now

    @property
    def closed(self) -> bool:
        """Whether the call is over."""
        return self.reason is not None

    def dispatch(self, event: Event) -> None:
        """Hand an event to the call and perform what it asks for; events that raises come after it."""
        if self._stepping:
            self._pending.append(event)
        else:
            self._run(event)

    def hear(self, payload: bytes, at: int) -> None:
        """A frame of the caller (µ-law), its first sample at ``at``, ms of media time."""
        level, voice = self._vad.feed(payload)
        if self._ballot is not None:
            self._ballot.feed(payload, at)
        self._caller_at, self._caller_level = at, level
        self._caller_end = at + len(payload) // BYTES_PER_MS
        self.dispatch(CallerAudio(payload, at, level, voice))

    def miss(self, gap: MediaGap) -> None:
        """Some of the caller's audio never came."""
        self._caller_at, self._caller_level = gap.at, DIGITAL_SILENCE
        self._caller_end = gap.at + gap.duration
        self.dispatch(gap)

    def attach(self, socket: MediaSocket, opened: StreamOpened) -> int:
        """The carrier's stream is up: from now on the call speaks through ``socket``.

        Returns the media time of the stream's first sample, ms: 0, and for a later stream of the same call
        the time since the first one was opened.
        """
        if self._socket is not None:
            self._socket.close()
        self._socket, self._encoder = socket, Encoder(opened.stream_id)
        socket.stalled = self._stalled
        if self._joined_at is None:
            self._joined_at = self.now
        start = max(self.now - self._joined_at, self._caller_end)
        self.dispatch(opened)
        return start

    def detach(self, socket: MediaSocket, lost: StreamLost | None) -> None:
        """A socket went away: ``lost`` tells how, None where the carrier had said that it would."""
        if socket is self._socket:
            self._socket = self._encoder = None
            if lost is not None:
                self.dispatch(lost)

    @property
    def joined(self) -> bool:
        """Whether the carrier has opened a stream for the call."""
        return self._joined_at is not None

    def on_freed(self, done: Callable[[], object]) -> None:
        """Have ``done`` called, and awaited if need be, when the call is over and its providers are freed."""
        self._release.then(done)

    def add_listener(self, listener: Listener) -> None:
        """Tell ``listener`` of every step from now on. One that raises is logged and told no more."""
        self._listeners += (listener,)

    def wait_closed(self) -> Awaitable[None]:
        """To be awaited until the call is over and all that it held is freed."""
        return self._release.wait()

    def _stalled(self, waited: int) -> None:
        self.dispatch(WriteStalled(waited))

    def _charge(self, used: VendorUsed) -> None:
        """A vendor was asked for something: written down at once, as some is told after the call's end."""
        self._tell(self.now, used, ())

    # --- one step ---------------------------------------------------------------------------------------

    def _run(self, event: Event | None) -> None:
        """Take a step, and one for each event that comes of it. A call that is over takes none."""
        if self.reason is not None:
            return
        self._stepping = True
        try:
            self._step(event)
            while self._pending and self.reason is None:
                self._step(self._pending.popleft())
        finally:
            self._stepping = False

    def _step(self, event: Event | None) -> None:
        now = self.now
        untold: Event | None = event
        try:
            effects = self.call.wake(now) if event is None else self.call.handle(event, now)
            self._tell(now, event, effects)
            untold = None
            for effect in effects:
                if type(effect) is fx.FeedTranscriber:  # every frame asks for it
                    self._transcription.feed(effect.payload, self._caller_at, self._caller_level)
                elif (perform := self._perform.get(type(effect))) is not None:
                    perform(effect)
            wake_at = self.call.wake_at
            if wake_at is not None and wake_at < self._timer_due:
                self._arm(wake_at)
        except Exception as error:
            self._break(now, untold, error)
            return
        if self.call.closed:
            self._finish(self.call.reason or EndReason.ENGINE_ERROR)

    def _tell(self, now: int, event: Event | None, effects: Sequence[Effect]) -> None:
        for listener in self._listeners:
            try:
                listener(now, event, effects)
            except Exception:
                _log.exception("call %s: a listener failed and is told no more", self.call_id)
                self._listeners = tuple(kept for kept in self._listeners if kept is not listener)

    def _arm(self, wake_at: int) -> None:
        """Have the timer go off at ``wake_at`` (call time, ms), which is before the one there is."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = float(wake_at)
        self._timer = self._loop.call_at(self._origin + wake_at / 1000, self._wake, wake_at)

    def _wake(self, due: int) -> None:
        self._timer, self._timer_due = None, inf
        self._now = max(self._now, due)  # a loop's timer may go off a fraction of a ms early
        wake_at = self.call.wake_at
        if wake_at is None:
            return
        if wake_at <= self.now:
            self._run(None)
        else:
            self._arm(wake_at)

    # --- the end ----------------------------------------------------------------------------------------

    def _break(self, now: int, event: Event | None, error: Exception) -> None:
        """A fault of the engine itself: the call ends, on the record, and no other call is touched."""
        _log.error("call %s ended by a fault of the engine", self.call_id, exc_info=error)
        detail = f"{type(error).__name__}: {error}"
        ending: tuple[Note, ...] = (
            Ending(now, EndReason.ENGINE_ERROR, detail),
            Closed(now, EndReason.ENGINE_ERROR),
        )
        self._tell(now, event, ending)
        self._finish(EndReason.ENGINE_ERROR)

    def _finish(self, reason: EndReason) -> None:
        self.reason = reason
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ballot is not None:
            self._ballot.close()
        self._transcription.close()
        self._generation.close()
        self._synthesis.close()
        self._tools.close()
        if self._line is not None:
            self._tasks.start(self._line.close(), "line")
        self._close_stream()
        self._release.begin()

    # --- what the call asks for -------------------------------------------------------------------------

    def _send(self, message: Callable[[Encoder], str]) -> None:
        if self._socket is not None and self._encoder is not None:
            self._socket.send_text(message(self._encoder))

    def _open_voice(self, _: fx.OpenVoice) -> None:
        """What answers the caller connects while the phone rings: the voice, and the model as well."""
        self._synthesis.open()
        self._generation.warm()

    def _close_stream(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = self._encoder = None

    def _ask_carrier(self, action: str, ask: Callable[..., Any], *arguments: Any) -> None:
        answered = report(action, ask, arguments, self.dispatch)
        self._tasks.start(answered, f"carrier {action}")


def _line_tells(used: VendorUsed) -> None:
    """What the roles of a line would put on the books: the line does so itself."""
