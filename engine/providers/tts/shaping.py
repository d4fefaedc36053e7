"""From a synthesizer's PCM to what the phone is sent: 8 kHz, levelled, without silent ends, µ-law."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from engine.audio import mulaw
from engine.audio.level import pcm_level_dbfs
from engine.audio.resample import Resampler
from engine.errors import MissingExtra

RATE = 8000
"""Hz of what is sent."""

TARGET_LEVEL = -20.0
"""dBFS, RMS of the speech without its pauses."""

_BLOCK = 2 * RATE * 5 // 1000  # bytes of 5 ms, the grain in which sound and silence are told apart
_SILENT = -50.0  # dBFS after levelling: 30 dB below the speech
_KEPT_BEFORE = 2 * RATE * 10 // 1000  # bytes: a soft consonant may begin below the threshold
_KEPT_AFTER = 2 * RATE * 20 // 1000  # bytes: and a vowel may fade below it
_ACTIVE = -45.0  # dBFS: what counts as speech when its level is measured
_KNEE, _CEILING = 0.6, 0.95  # of full scale: where the limiter begins to bend, and what it never passes
_LARGEST_GAIN = 15.0  # dB


class Shaper:
    """One piece's PCM (16 bit, little endian, mono, at ``rate`` Hz) as a µ-law stream at 8 kHz.

    Silence at both ends is taken off except for 10 ms before and 20 ms after the sound, and the piece begins
    with ``pause`` ms of digital silence. Silence is given only when sound follows it. A piece without any
    sound comes out empty, without its pause.
    """

    def __init__(self, rate: int, gain: float, pause: int) -> None:
        """``gain`` in dB. Raises `MissingExtra` without the resampler's library."""
        self._resampler = Resampler(rate, RATE)
        self._rate = rate
        self._gain = round(2 * gain) / 2
        self._pause = pause * mulaw.BYTES_PER_MS
        self._held = b""
        self._dropped = 0
        self._begun = False
        self.given = 0
        """µ-law samples given so far, the pause included."""

    def feed(self, pcm: bytes) -> bytes:
        """Take PCM; returns the µ-law bytes that are ready."""
        self._held += _amplified(self._resampler.feed(pcm), self._gain)
        return self._take_sound()

    def flush(self) -> bytes:
        """The rest, with 20 ms of the silence after the last sound."""
        self._held += _amplified(self._resampler.flush(), self._gain)
        sound = self._take_sound()
        if not self._begun:
            return b""
        rest = mulaw.encode(self._held[:_KEPT_AFTER])
        self._held = b""
        self.given += len(rest)
        return sound + rest

    def position(self, sample: int) -> int:
        """Where a sample of the source lies in what is given, in samples of 8 kHz."""
        return self._pause + max(0, round(sample * RATE / self._rate) - self._dropped)

    def _take_sound(self) -> bytes:
        """What is held up to the end of its last block with sound."""
        held = self._held
        blocks = range(0, len(held) - _BLOCK + 1, _BLOCK)
        loud = [at for at in blocks if pcm_level_dbfs(held[at : at + _BLOCK]) > _SILENT]
        if self._begun:
            start = 0
        else:
            start = max(0, (loud[0] if loud else len(held) - _BLOCK) - _KEPT_BEFORE)
            self._dropped += start // 2
        end = loud[-1] + _BLOCK if loud else start
        self._held = held[end:]
        if not loud:
            return b""
        out = mulaw.encode(held[start:end])
        if not self._begun:
            self._begun = True
            out = bytes((mulaw.SILENCE,)) * self._pause + out
        self.given += len(out)
        return out


def gain_for(pcm: bytes, rate: int) -> float:
    """The dB that bring this voice's speech to `TARGET_LEVEL` on the phone, at most 15 either way.

    ``pcm`` is a sample of the voice (16 bit, ``rate`` Hz); 0 if nothing in it is loud enough to be speech.
    The level is measured at 8 kHz, because what lies above 4 kHz never reaches the caller.
    """
    resampler = Resampler(rate, RATE)
    pcm = resampler.feed(pcm) + resampler.flush()
    blocks = (pcm[at : at + _BLOCK] for at in range(0, len(pcm) - _BLOCK + 1, _BLOCK))
    active = b"".join(block for block in blocks if pcm_level_dbfs(block) > _ACTIVE)
    if not active:
        return 0.0
    return max(-_LARGEST_GAIN, min(_LARGEST_GAIN, TARGET_LEVEL - pcm_level_dbfs(active)))


def _amplified(pcm: bytes, gain: float) -> bytes:
    """The PCM, ``gain`` dB louder; peaks bend towards full scale instead of being cut off."""
    if not pcm:
        return b""
    numpy, table = _gain_table(gain)
    out: bytes = table[numpy.frombuffer(pcm, dtype="<u2")].tobytes()
    return out


@lru_cache(maxsize=64)
def _gain_table(gain: float) -> tuple[Any, Any]:
    """numpy, and what each of the 65,536 samples becomes at a gain in dB: straight, bent above the knee."""
    try:
        import numpy
    except ImportError:
        raise MissingExtra("numpy", "local") from None
    sample = numpy.arange(65536, dtype=numpy.uint16).view(numpy.int16) / 32768
    size = numpy.abs(sample) * 10 ** (gain / 20)
    room = _CEILING - _KNEE
    bent = _KNEE + room * numpy.tanh((size - _KNEE) / room)
    limited = numpy.where(size > _KNEE, bent, size) * numpy.sign(sample)
    return numpy, (limited * 32767).astype("<i2")
