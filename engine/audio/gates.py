"""The detectors cheap enough to run on every frame of every call: a level gate, and WebRTC's behind one.

Both keep the contract of `engine.audio.vad.VoiceActivity`.
"""

from __future__ import annotations

import webrtcvad

from engine.audio import mulaw
from engine.audio._pcm import SAMPLE_RATE
from engine.audio.level import UNSURE, NoiseFloor, level_dbfs, pcm_level_dbfs

_UNSURE_OVER = 10.0
"""dB over the line's background from which the level does not."""
_FRAME_MS = 20
_FRAME = _FRAME_MS * mulaw.BYTES_PER_MS


class LevelGate:
    """A voice is what is louder than the line's own background by ``over_db``."""

    def __init__(self, over_db: float = 8.0) -> None:
        self._over_db = over_db
        self._floor = NoiseFloor()
        self._voice = 0.0

    def feed(self, payload: bytes) -> tuple[float, float]:
        """See `engine.audio.vad.VoiceActivity.feed`."""
        level = level_dbfs(payload)
        if payload:
            over = level - self._floor.level - self._over_db
            self._floor.update(level, over > 0, len(payload) / mulaw.BYTES_PER_MS)
            self._voice = _grade(over)
        return level, self._voice


class WebRtcGate:
    """WebRTC's voice detector (Gaussian mixtures over six bands) behind a level gate.

    What is no louder than the line's background by ``over_db`` is no voice, whatever its spectrum. The
    detector sees those frames all the same: it learns the background from them. What is 10 dB louder still
    and sounds like no voice is `UNSURE`.
    """

    def __init__(self, mode: int = 3, over_db: float = 0.0) -> None:
        """``mode`` 0 to 3: how reluctant the detector is to say voice.

        Raises `ValueError` for another mode.
        """
        if mode not in range(4):
            raise ValueError(f"mode of the WebRTC voice detector is 0 to 3, not {mode}")
        self._is_speech = webrtcvad.Vad(mode).is_speech
        self._over_db = over_db
        self._floor = NoiseFloor()
        self._rest = b""
        self._voice = 0.0

    def feed(self, payload: bytes) -> tuple[float, float]:
        """See `engine.audio.vad.VoiceActivity.feed`."""
        if not self._rest and len(payload) == _FRAME:
            return self._judge(payload)
        pending = self._rest + payload
        whole = len(pending) - len(pending) % _FRAME
        self._rest = pending[whole:]
        if whole:
            self._voice = max([self._judge(pending[i : i + _FRAME])[1] for i in range(0, whole, _FRAME)])
        return level_dbfs(payload), self._voice

    def _judge(self, frame: bytes) -> tuple[float, float]:
        """Level and voice of exactly 20 ms."""
        pcm = mulaw.decode(frame)
        level = pcm_level_dbfs(pcm)
        over = level - self._floor.level - self._over_db
        voiced = self._is_speech(pcm, SAMPLE_RATE, _FRAME)
        self._floor.update(level, voiced and over >= 0)
        self._voice = _grade(over) if voiced else UNSURE if over >= _UNSURE_OVER else 0.0
        return level, self._voice


def _grade(over: float) -> float:
    """How sure a voice is that lies ``over`` dB above where one begins: 0.5 there, 1 from 30 dB on."""
    return min(1.0, max(0.0, 0.5 + over / 60))
