"""A caller as a readable script, and the audio frames that the call gets of it.

    Caller().says("I'd like a table", at=1200, lasts=900).after_agent("for two", pause=300).hangs_up(at=9000)

Times are call time in ms. A frame carries the level and the voice probability that the script says; its
bytes are only a stand-in. What was said reaches the scripted transcriber through the truth, not the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.audio.mulaw import silence
from engine.core.events import (
    CallerAudio,
    CallerHungUp,
    KeyPressed,
    MediaGap,
    StreamLost,
    StreamStopped,
)
from engine.testing.script import (
    MS_PER_CHARACTER,
    SPEECH_LEVEL,
    SPEECH_VOICE,
    Action,
    After,
    At,
    Cue,
    Drop,
    HangUp,
    Line,
    Press,
    Say,
    Sound,
    agent_silent,
)
from engine.testing.tape import LEVEL as AGENT_LEVEL

if TYPE_CHECKING:
    from engine.testing.world import World

FRAME = 20
LINE_NOISE = -60.0
_QUIET = silence(FRAME)
_SOUND = bytes((0x20, 0xA0)) * (FRAME * 4)


@dataclass(frozen=True, slots=True)
class SaidWord:
    """A word that the caller said, in call time (ms)."""

    text: str = field(repr=False)
    start: int
    end: int


@dataclass(slots=True)
class _Stretch:
    start: int
    end: int
    level: float
    voice: float


class Caller:
    """A scripted caller. ``joins``: call time at which the media stream opens; None: nobody ever answers.

    Every line may be given a cue: ``at`` (call time), ``when`` (`agent_speaking`, `agent_silent`), ``pause``
    (after the line above); without one it follows the line above at once.
    """

    def __init__(self, *, joins: int | None = 0) -> None:
        self.joins = joins
        self.spoken: list[tuple[str, int, int]] = []
        """What was said so far: text, start and end (call ms); the end may lie ahead."""
        self.words: list[SaidWord] = []
        self._lines: list[Line] = []
        self._noises: list[_Stretch] = []

    # --- the script -----------------------------------------------------------------------------------

    def says(
        self,
        text: str,
        *,
        at: int | None = None,
        when: Cue | None = None,
        pause: int = 0,
        lasts: int | None = None,
        pauses: Sequence[tuple[int, int]] = (),
        level: float = SPEECH_LEVEL,
        voice: float = SPEECH_VOICE,
    ) -> Caller:
        """Speak for ``lasts`` ms; ``pauses`` are ``(ms of speech before it, ms)``. Level in dBFS."""
        spoken = lasts if lasts is not None else MS_PER_CHARACTER * len(text)
        return self._add(at, when, pause, Say(text, spoken, pauses, level, voice))

    def after_agent(self, text: str, pause: int = 300, **how: Any) -> Caller:
        """Speak ``pause`` ms after the agent was heard and fell silent."""
        return self.says(text, when=agent_silent(pause), **how)

    def coughs(
        self, *, at: int | None = None, when: Cue | None = None, pause: int = 0, lasts: int = 200,
        level: float = -25.0, voice: float = 0.7,
    ) -> Caller:  # fmt: skip
        """Make a sound like speech that has no words."""
        return self._add(at, when, pause, Sound(lasts, level, voice))

    def noise(self, at: int, lasts: int, *, level: float = -35.0, voice: float = 0.9) -> Caller:
        """Be in a noisy place, whatever else the script says, from call time ``at`` on for ``lasts`` ms."""
        self._noises.append(_Stretch(at, at + lasts, level, voice))
        return self

    def presses(
        self, digits: str, *, at: int | None = None, when: Cue | None = None, pause: int = 0, every: int = 200
    ) -> Caller:
        """Press keys, one every ``every`` ms."""
        return self._add(at, when, pause, Press(digits, every))

    def hangs_up(
        self, *, at: int | None = None, when: Cue | None = None, pause: int = 0, report: int = 200
    ) -> Caller:
        """Put the phone down; the carrier's own report comes ``report`` ms later."""
        return self._add(at, when, pause, HangUp(report))

    def drops(
        self, *, at: int | None = None, when: Cue | None = None, pause: int = 0, back_after: int | None = None
    ) -> Caller:
        """Lose the media connection, and open a new one ``back_after`` ms later (None: never)."""
        return self._add(at, when, pause, Drop(back_after))

    def silent(self) -> Caller:
        """Say nothing (more): an empty script, spelled out."""
        return self

    def _add(self, at: int | None, when: Cue | None, pause: int, action: Action) -> Caller:
        if when is not None and at is not None:
            raise ValueError("a line has one cue: at or when")
        cue = when or (At(at) if at is not None else After(pause))
        self._lines.append(Line(cue, action))
        return self

    # --- playing it -----------------------------------------------------------------------------------

    def enter(self, world: World) -> None:
        """Start to play in a world, from the script's first line."""
        self._world = world
        self._sounds = list(self._noises)
        self.spoken, self.words = [], []
        self._generation = self._opened = self._missing = self._over = self._done = 0

    def open_line(self, opened: int) -> None:
        """A media stream opened at call time ``opened``: frames come, counted from here."""
        self._generation += 1
        self._missing = 0
        self._opened = opened
        self._over = max(self._over, opened)
        self._world.clock.at(opened + FRAME, self._frame, self._generation)

    def close_line(self) -> None:
        """The media stream is gone: no more frames."""
        self._generation += 1

    def _frame(self, generation: int) -> None:
        """The 20 ms that end now."""
        if generation != self._generation:
            return
        world = self._world
        now = world.clock.now
        world.clock.at(now + FRAME, self._frame, generation)
        if self._done < len(self._lines):
            self._begin_lines(now)
            if generation != self._generation:
                return
        start = now - FRAME
        phone = world.phone
        if phone.losses and phone.lost(start):
            self._missing += FRAME
            return
        payload, level, voice = self._hear(start, now)
        if self._missing:
            phone.say(MediaGap(start - self._opened - self._missing, self._missing))
            self._missing = 0
        phone.say(CallerAudio(payload, start - self._opened, level, voice))

    def _hear(self, start: int, now: int) -> tuple[bytes, float, float]:
        """Bytes, level and voice of the frame that ends now."""
        level, voice = LINE_NOISE, 0.02
        if self._sounds or self._world.phone.echo_db is not None:
            level, voice = self._loudest(start, now)
        return (_QUIET if level == LINE_NOISE else _SOUND), level, voice

    def _loudest(self, start: int, now: int) -> tuple[float, float]:
        """Level and voice of a frame: of the loudest sound that fills at least half of it."""
        level, voice = LINE_NOISE, 0.02
        middle = start + FRAME // 2
        for sound in self._sounds:
            if sound.start <= middle < sound.end and sound.level > level:
                level, voice = sound.level, sound.voice
        echo = self._world.phone.echo_db
        if echo is not None and AGENT_LEVEL + echo > level and self._world.phone.ear.sounding(start):
            level, voice = AGENT_LEVEL + echo, 0.9
        self._sounds = [sound for sound in self._sounds if sound.end > now]
        return level, voice

    def _begin_lines(self, now: int) -> None:
        while self._done < len(self._lines) and self._over <= now:
            line = self._lines[self._done]
            begins = line.cue.begins(self._world.phone.ear, now, self._over)
            if begins is None:
                return
            # A cue may lie a little back, inside the frame that ends now, never before it.
            self._act(line.action, max(begins, now - FRAME))
            self._done += 1

    def _act(self, action: Action, begins: int) -> None:
        clock, say = self._world.clock, self._world.phone.say
        self._over = begins
        match action:
            case Say():
                self._speak(action, begins)
            case Sound():
                self._over = begins + action.lasts
                self._sounds.append(_Stretch(begins, self._over, action.level, action.voice))
            case Press():
                for number, digit in enumerate(action.digits):
                    self._over = begins + number * action.every
                    clock.at(self._over, say, KeyPressed(digit))
            case HangUp():
                self._world.stop_stream(StreamStopped())
                clock.at(begins + action.report, self._world.tell, CallerHungUp())
            case Drop():
                self._world.stop_stream(StreamLost("the connection broke"))
                if action.back_after is not None:
                    clock.at(begins + action.back_after, self._world.open_stream)

    def _speak(self, action: Say, begins: int) -> None:
        self._over = begins + action.length
        self.spoken.append((action.text, begins, self._over))
        for start, end in action.stretches():
            self._sounds.append(_Stretch(begins + start, begins + end, action.level, action.voice))
        for text, start, end in action.words():
            self.words.append(SaidWord(text, begins + start, begins + end))
