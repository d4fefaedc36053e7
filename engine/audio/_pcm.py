"""The one place where `audioop` is imported: C loops over 16-bit samples.

It is part of the standard library up to Python 3.12, which warns on import that it will go; from 3.13 on the
``audioop-lts`` package gives the same module. At the size of a telephone frame it beats numpy tenfold,
because a call into numpy costs more than the arithmetic.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

SAMPLE_RATE = 8000
"""Samples a second of all telephone audio in the engine."""

WIDTH = 2
"""Bytes of a PCM sample: signed 16 bit, little endian."""

FULL_SCALE = 32768
"""The amplitude that 0 dBFS stands for."""

__all__ = ["FULL_SCALE", "SAMPLE_RATE", "WIDTH", "audioop"]
