"""Which of the caller's audio is worth sending: pure.

A model is billed for every second that is committed, and hears every second again with each later reply. So
silence waits here: it is sent from a little before a sound until some time after it. A commit then holds a
turn and not the minute in which the caller listened.
"""

from __future__ import annotations

from collections import deque

from engine.audio.level import DIGITAL_SILENCE, FRAME_MS, NoiseFloor, level_dbfs
from engine.audio.mulaw import BYTES_PER_MS

FRAME = FRAME_MS * BYTES_PER_MS
"""Bytes that are judged at a time."""
BEFORE_MS = 1_000
"""ms before a sound that are sent with it: a word may begin softly."""
AFTER_MS = 2_000
"""ms of silence after which the gate closes, unless a flush closes it before."""
OVER_DB = 6.0
"""dB over the background that are a sound. Less than speech needs: what is lost here nobody can recover."""


class SilenceGate:
    """Lets sounds through, with the audio around them; keeps the silence between them back."""

    def __init__(self) -> None:
        self.open = False
        self.position = 0
        """Bytes of audio that were judged: up to where the caller was listened to."""
        self.sounded = 0
        """ms of sound since the gate opened."""
        self._kept: deque[bytes] = deque(maxlen=BEFORE_MS // FRAME_MS)
        self._signal = False
        self._quiet = 0
        self._partial = bytearray()
        self._floor = NoiseFloor()

    def feed(self, payload: bytes) -> bytes:
        """Take audio of any length; returns what is to be sent of all that has come."""
        self._partial += payload
        if len(self._partial) < FRAME:
            return b""
        passed = bytearray()
        whole = len(self._partial) // FRAME * FRAME
        for at in range(0, whole, FRAME):
            passed += self._judge(bytes(self._partial[at : at + FRAME]))
        del self._partial[:whole]
        return bytes(passed)

    def close(self) -> bytes:
        """The caller paused: whatever was kept back and is not digital silence may have been a word.

        Returns what is still to be sent; from now on only a new sound opens the gate.
        """
        rest = bytes(self._partial)
        self._partial.clear()
        self.position += len(rest)
        if not (self.open or self._signal):
            return b""
        passed = b"".join(self._kept) + rest
        self.shut()
        return passed

    def shut(self) -> None:
        """Wait for a new sound; what was kept back is behind us."""
        self.open = self._signal = False
        self.sounded = self._quiet = 0
        self._kept.clear()

    @property
    def silent_for(self) -> int:
        """ms since the last sound, while the gate is open."""
        return self._quiet

    def _judge(self, frame: bytes) -> bytes:
        level = level_dbfs(frame)
        sound = level > self._floor.level + OVER_DB
        self._floor.update(level, sound)
        self.position += len(frame)
        if sound:
            self._quiet = 0
            self.sounded += FRAME_MS
        elif self.open:
            self._quiet += FRAME_MS
        if self.open:
            return frame
        if not sound:
            self._kept.append(frame)
            self._signal = self._signal or level > DIGITAL_SILENCE
            return b""
        self.open = True
        passed = b"".join(self._kept) + frame
        self._kept.clear()
        return passed
