"""What a scripted caller does, line by line, and when each line begins.

The lines of a script follow each other: none begins before the one above it is over. A cue says when, at
the earliest, a line begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.testing.ear import Ear

SPEECH_LEVEL = -22.0
SPEECH_VOICE = 0.97
MS_PER_CHARACTER = 65


@dataclass(frozen=True, slots=True)
class At:
    """At a call time (ms), or as soon as the line above is over."""

    time: int

    def begins(self, ear: Ear, now: int, since: int) -> int | None:
        """When the line begins, if that is now or was before; ``since`` is when the line above was over."""
        return max(self.time, since) if now >= self.time else None


@dataclass(frozen=True, slots=True)
class After:
    """``pause`` ms after the line above is over."""

    pause: int

    def begins(self, ear: Ear, now: int, since: int) -> int | None:
        """When the line begins, if that is now or was before; ``since`` is when the line above was over."""
        return since + self.pause if now >= since + self.pause else None


@dataclass(frozen=True, slots=True)
class AgentSpeaking:
    """When the agent has been heard for ``after`` ms without a break, after the line above was over."""

    after: int

    def begins(self, ear: Ear, now: int, since: int) -> int | None:
        """When the line begins, if that is now or was before; ``since`` is when the line above was over."""
        began = ear.sounding_since(now)
        if began is None:
            return None
        at = max(began, since) + self.after
        return at if now >= at else None


@dataclass(frozen=True, slots=True)
class AgentSilent:
    """``pause`` ms after the agent has spoken, since the line above was over, and fallen silent."""

    pause: int

    def begins(self, ear: Ear, now: int, since: int) -> int | None:
        """When the line begins, if that is now or was before; ``since`` is when the line above was over."""
        silent = ear.silent_since(now)
        if silent is None or silent <= since:
            return None
        return silent + self.pause if now >= silent + self.pause else None


Cue = At | After | AgentSpeaking | AgentSilent


def agent_speaking(after: int = 0) -> Cue:
    """Cue: the agent has been heard for ``after`` ms."""
    return AgentSpeaking(after)


def agent_silent(pause: int = 0) -> Cue:
    """Cue: the agent was heard and fell silent ``pause`` ms ago."""
    return AgentSilent(pause)


@dataclass(frozen=True, slots=True)
class Sound:
    """Something in the caller's audio: ``level`` in dBFS, ``voice`` the detectors' probability of speech."""

    lasts: int
    level: float
    voice: float


@dataclass(frozen=True, slots=True)
class Say:
    """Spoken words; ``lasts`` ms without the ``pauses``, each ``(ms of speech before it, ms)``."""

    text: str = field(repr=False)
    lasts: int
    pauses: Sequence[tuple[int, int]] = ()
    level: float = SPEECH_LEVEL
    voice: float = SPEECH_VOICE

    def stretches(self) -> list[tuple[int, int]]:
        """The voiced stretches, ``(start, end)`` in ms from the line's beginning."""
        found, start, spoken = [], 0, 0
        for after, pause in sorted(self.pauses):
            found.append((start, start + after - spoken))
            start, spoken = start + after - spoken + pause, after
        found.append((start, start + self.lasts - spoken))
        return [(begin, end) for begin, end in found if end > begin]

    def words(self) -> list[tuple[str, int, int]]:
        """Words as ``(text, start, end)`` in ms from the line's beginning, by their number of letters."""
        words = self.text.split()
        letters = sum(len(word) for word in words)
        found, before = [], 0
        for word in words:
            start, end = before * self.lasts // letters, (before + len(word)) * self.lasts // letters
            found.append((word, self._paused(start, False), self._paused(end, True)))
            before += len(word)
        return found

    @property
    def length(self) -> int:
        """From the first sound to the last, pauses included, ms."""
        return self.lasts + sum(pause for _, pause in self.pauses)

    def _paused(self, spoken: int, end: bool) -> int:
        return spoken + sum(
            pause for after, pause in self.pauses if after < spoken or (after == spoken and not end)
        )


@dataclass(frozen=True, slots=True)
class Press:
    """Keys on the keypad, one every ``every`` ms."""

    digits: str
    every: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """The caller puts the phone down; the carrier reports it ``report`` ms later."""

    report: int


@dataclass(frozen=True, slots=True)
class Drop:
    """The media connection breaks, and comes back ``back_after`` ms later (None: never)."""

    back_after: int | None


Action = Sound | Say | Press | HangUp | Drop


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the script."""

    cue: Cue
    action: Action
