"""Voice activity of the caller, frame by frame, with detectors cheap enough to run on every frame.

One contract, `VoiceActivity`, and two ways to keep it, in `gates.py`. The better and slower detector, which
works on the windows of many calls at once, is in `silero.py`.
"""

from __future__ import annotations

from typing import Protocol

from engine.audio.gates import LevelGate, WebRtcGate


class VoiceActivity(Protocol):
    """Judges one call's audio as it comes in."""

    def feed(self, payload: bytes) -> tuple[float, float]:
        """Take µ-law audio of any length, 20 ms as a rule.

        Returns its RMS level in dBFS and the probability, 0 to 1, that it holds a voice. Of several frames
        in one payload the likeliest voice counts; a payload too short for a verdict gets the last one.
        """


def open_vad(name: str) -> VoiceActivity:
    """A fresh detector for one call: ``level`` or ``webrtc``.

    Raises `ValueError` for another name.
    """
    if name == "level":
        return LevelGate()
    if name == "webrtc":
        return WebRtcGate()
    raise ValueError(f"no voice detector is called {name!r}: it is 'level' or 'webrtc'")
