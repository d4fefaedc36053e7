"""µ-law (ITU-T G.711) at 8 kHz, the engine's one audio format: 8 bytes a millisecond."""

from __future__ import annotations

from functools import lru_cache

from engine.audio._pcm import SAMPLE_RATE, WIDTH, audioop

BYTES_PER_MS: int = SAMPLE_RATE // 1000
"""A µ-law sample is one byte."""

SILENCE = 0xFF
"""The µ-law byte of a zero sample (0x7F is the other, negative zero)."""


def decode(payload: bytes) -> bytes:
    """Turn µ-law bytes into PCM (16 bit, little endian), two bytes for one."""
    return audioop.ulaw2lin(payload, WIDTH)


def encode(pcm: bytes) -> bytes:
    """Turn PCM (16 bit, little endian) into µ-law bytes, one for two.

    Raises `ValueError` if ``pcm`` ends in the middle of a sample.
    """
    if len(pcm) % WIDTH:
        raise ValueError(f"PCM of {len(pcm)} bytes ends in the middle of a 16-bit sample")
    return audioop.lin2ulaw(pcm, WIDTH)


def silence(ms: int) -> bytes:
    """Digital silence of ``ms`` milliseconds, as µ-law bytes."""
    return bytes((SILENCE,)) * (ms * BYTES_PER_MS)


def attenuate(payload: bytes, db: float) -> bytes:
    """The same µ-law audio, ``db`` decibels lower (0 leaves it alone).

    Raises `ValueError` for a negative ``db``: louder would clip.
    """
    return payload.translate(_attenuation(db))


@lru_cache(maxsize=64)
def _attenuation(db: float) -> bytes:
    """Which µ-law byte each of the 256 becomes: a table for `bytes.translate`, made once per ``db``."""
    if db < 0:
        raise ValueError(f"attenuation must be 0 dB or more, not {db}")
    codes = bytes(range(256))
    if db == 0:
        return codes
    return encode(audioop.mul(decode(codes), WIDTH, 10 ** (-db / 20)))
