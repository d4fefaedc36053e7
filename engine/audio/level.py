"""Levels: how loud a frame is, and what that says about the background, the caller and the agent's own echo.

All levels are RMS in dBFS: 20·log10(rms / 32768), so a full-scale sine has -3 dBFS and digital silence
counts as `DIGITAL_SILENCE`.
"""

from __future__ import annotations

from collections import deque
from math import log10
from typing import ClassVar

from engine.audio._pcm import FULL_SCALE, WIDTH, audioop

DIGITAL_SILENCE = -96.0
"""The level of a frame without any signal, and of an empty one."""

UNSURE = 0.45
"""The probability of a voice that a spectrum denies and the level does not: a noise, or the soft start of a
word."""

FRAME_MS = 20
"""The length of a frame on the carrier's stream; what the trackers below assume if not told otherwise."""

_FALL_KEEPS = 0.8
"""How much of the way down to a quieter level one frame leaves: no single frame becomes the floor."""

_FULL_SCALE_DB = 20 * log10(FULL_SCALE)
_HOLD_MS = 96
_SUSTAIN_MS = 60
_ECHO_WINDOW_MS = 400


def level_dbfs(payload: bytes) -> float:
    """The RMS level of µ-law audio of any length, in dBFS."""
    return pcm_level_dbfs(audioop.ulaw2lin(payload, WIDTH))


def pcm_level_dbfs(pcm: bytes) -> float:
    """The RMS level of 16-bit PCM of any length, in dBFS."""
    rms = audioop.rms(pcm, WIDTH)
    return 20 * log10(rms) - _FULL_SCALE_DB if rms else DIGITAL_SILENCE


class NoiseFloor:
    """The background's level: falls fast to what is quieter, rises slowly to what stays louder.

    Speech slows the rise but does not stop it: speech has pauses that pull the floor down again, steady noise
    has none, and a floor that never rose under a wrong verdict would keep that verdict for ever.
    """

    LOWEST: ClassVar[float] = -70.0
    """dBFS. The noise of a quiet digital line; a muted line's zeros must not make its first hiss a voice."""

    def __init__(self, start: float = -55.0, *, rise: float = 6.0, rise_in_speech: float = 3.0) -> None:
        """``start`` in dBFS; ``rise`` and ``rise_in_speech`` in dB per second."""
        self.level = start
        self._rise = rise / 1000
        self._rise_in_speech = rise_in_speech / 1000

    def update(self, level: float, speech: bool, ms: float = FRAME_MS) -> float:
        """Take the level (dBFS) of the next ``ms`` and whether it is speech; returns the floor, dBFS."""
        if level < self.level:
            distance = (self.level - level) * _FALL_KEEPS ** (ms / FRAME_MS)
            self.level = max(self.LOWEST, level + distance)
        else:
            raised = self.level + (self._rise_in_speech if speech else self._rise) * ms
            self.level = raised if raised < level else level
        return self.level


class CallerPeak:
    """The caller's recent peak level, to tell the person at the phone from voices further away.

    The peak is the loudest level that lasted 60 ms (a click of the handset is shorter) and falls by 1 dB a
    second. A sound belongs to the caller if its loudest frame of the last 96 ms is within a margin of it:
    the weak consonants between two vowels are the caller's as well.
    """

    def __init__(self, *, fall: float = 1.0) -> None:
        """``fall`` in dB per second."""
        self.peak = DIGITAL_SILENCE
        self._fall = fall / 1000
        self._now = 0.0
        self._recent = deque([(0.0, DIGITAL_SILENCE)])  # (when it ended, level)

    def update(self, level: float, ms: float = FRAME_MS, *, silent_ms: float = 0) -> float:
        """Take the level (dBFS) of the caller's next ``ms`` of voice; returns the peak, dBFS.

        ``silent_ms`` is what passed without voice since the last: it makes the past older, but a caller who
        only listens is no quieter for it.
        """
        self._now += silent_ms + ms
        recent = self._recent
        recent.append((self._now, level))
        while recent[0][0] <= self._now - _HOLD_MS:
            recent.popleft()
        sustained = level
        for ended, earlier in reversed(recent):
            if ended <= self._now - _SUSTAIN_MS:
                break
            if earlier < sustained:
                sustained = earlier
        self.peak = max(sustained, self.peak - self._fall * ms)
        return self.peak

    def is_caller(self, level: float, margin_db: float) -> bool:
        """Whether a sound of ``level`` now is the caller's own: within ``margin_db`` below the peak.

        True as long as nothing was heard yet.
        """
        threshold = self.peak - margin_db
        return level >= threshold or any(held >= threshold for _, held in self._recent)


class EchoFloor:
    """The level below which the caller's sound may be the agent's own voice coming back.

    The floor is the loudest agent audio of the last ``window`` ms (a telephone's echo comes back within
    about 400 ms) plus ``gain`` dB, which is negative: the echo is weaker than what was played.
    """

    def __init__(self, gain: float, window: int = _ECHO_WINDOW_MS) -> None:
        """``gain`` in dB, the echo's level over that of the agent's audio; ``window`` in ms."""
        self._gain = gain
        self._window = window
        self._played: deque[tuple[int, float]] = deque()

    def played(self, at_ms: int, level: float) -> None:
        """A frame of the agent of ``level`` dBFS starts at ``at_ms``, which may lie ahead; in order of time.

        Frame by frame: the loudest of a message is louder than the message as a whole, and so is its echo.
        """
        self._played.append((at_ms, level))

    def forget(self, now_ms: int) -> None:
        """Drop what can have no echo any more at ``now_ms``. Time may not go back."""
        played = self._played
        while played and played[0][0] <= now_ms - self._window:
            played.popleft()

    def cleared(self, at_ms: int) -> None:
        """What would have started playing at ``at_ms`` or later never will."""
        while self._played and self._played[-1][0] >= at_ms:
            self._played.pop()

    def floor(self, now_ms: int) -> float:
        """The floor at ``now_ms``, in dBFS; -96 when nothing plays. Time may not go back."""
        self.forget(now_ms)
        loudest = DIGITAL_SILENCE
        for at, level in self._played:
            if at > now_ms:
                break
            if level > loudest:
                loudest = level
        if loudest <= DIGITAL_SILENCE:
            return DIGITAL_SILENCE
        return max(DIGITAL_SILENCE, loudest + self._gain)
