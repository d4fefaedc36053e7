"""Changing the sample rate of a stream of PCM (16 bit, little endian, mono)."""

from __future__ import annotations

from typing import Any

from engine.audio._pcm import WIDTH
from engine.errors import MissingExtra


class Resampler:
    """One stream from one rate to another, without a seam between its chunks (libsoxr, quality HQ).

    It works in blocks: up to about 60 ms (measured from 24 to 8 kHz) stay inside until more comes or `flush`
    is called, so flush at the end of everything that must be heard to its end.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        """Rates in Hz. Raises `MissingExtra` without the library ``soxr``, `ValueError` for a rate of 0."""
        if rate_in < 1 or rate_out < 1:
            raise ValueError(f"sample rates must be positive, not {rate_in} and {rate_out}")
        self._rest = b""
        self._stream: Any = None
        if rate_in != rate_out:
            try:
                import numpy
                import soxr
            except ImportError as missing:
                raise MissingExtra(missing.name or "soxr", "local") from None
            self._np = numpy
            self._stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="int16", quality="HQ")

    def feed(self, pcm: bytes) -> bytes:
        """Take PCM at the first rate; returns what is ready at the second.

        A chunk may end in the middle of a sample, as the chunks of an HTTP body do.
        """
        pcm = self._rest + pcm if self._rest else pcm
        whole = len(pcm) - len(pcm) % WIDTH
        self._rest = pcm[whole:]
        return self._run(pcm[:whole], last=False)

    def flush(self) -> bytes:
        """The rest of the stream; half a sample is dropped. The next `feed` starts a new stream."""
        self._rest = b""
        out = self._run(b"", last=True)
        if self._stream is not None:
            self._stream.clear()
        return out

    def _run(self, pcm: bytes, *, last: bool) -> bytes:
        if self._stream is None:
            return pcm
        samples = self._np.frombuffer(pcm, dtype="<i2")
        out: bytes = self._stream.resample_chunk(samples, last=last).tobytes()
        return out
