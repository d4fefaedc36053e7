"""Sounds that the audio tests share: synthetic tones and noise, and what a recorded file holds."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


def sine(*frequencies: float, ms: int, dbfs: float = -20.0, rate: int = 8000) -> bytes:
    """PCM of a sum of sines, each with an RMS level of ``dbfs``."""
    peak = 32768 * math.sqrt(2) * 10 ** (dbfs / 20)
    steps = [2 * math.pi * frequency / rate for frequency in frequencies]
    return array(
        "h", (round(sum(peak * math.sin(s * n) for s in steps)) for n in range(ms * rate // 1000))
    ).tobytes()


def noisy(pcm: bytes, dbfs: float, seed: int = 1) -> bytes:
    """The same PCM with white noise of ``dbfs`` on it."""
    deviation = 32768 * 10 ** (dbfs / 20)
    rng = random.Random(seed)
    loud = (round(x + rng.gauss(0, deviation)) for x in array("h", pcm))
    return array("h", (max(-32768, min(32767, x)) for x in loud)).tobytes()


def frames(payload: bytes, size: int = 160) -> Iterator[bytes]:
    """Cut into frames of ``size`` bytes; the last may be shorter."""
    return (payload[i : i + size] for i in range(0, len(payload), size))


@dataclass(frozen=True)
class Recording:
    """One recorded file as µ-law, with its row of the manifest."""

    file: str
    audio: bytes
    labels: dict[str, Any]
