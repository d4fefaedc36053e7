"""The recording of a call: a stereo WAV with the caller on the left and the agent on the right.

Audio is placed by its position in the call, never by its time of arrival, so the tracks cannot drift apart.
The last seconds are kept in memory as µ-law, where they may still be written over (the agent's track is known
only after the phone has played it, and a cut takes part of it back); what is older goes to the file.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from engine.audio import mulaw
from engine.audio._pcm import SAMPLE_RATE, WIDTH, audioop

_CHANNELS = 2
_BLOCK_ALIGN = _CHANNELS * WIDTH
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_BLOCK = SAMPLE_RATE
"""Samples that leave the memory at once: one second."""

_LONGEST_MS = 24 * 3600 * 1000


class TwoTrackRecorder:
    """Streams a recording into a file object that the caller opened and will close.

    The file is 16-bit PCM at 8 kHz. Stretches that nobody placed are digital silence; of audio placed twice
    the later holds. Memory is bounded by the window (16 bytes a millisecond) for any length of call, and a
    frame costs the same at any point of it. The header is brought up to date with every second written, so
    a file cut off by a crash can be played.
    """

    def __init__(self, file: BinaryIO, *, window_ms: int = 10_000, limit_ms: int = _LONGEST_MS) -> None:
        """Write the header to ``file``, which must be seekable, empty, and at its start.

        ``window_ms``: how far behind the latest audio a placement may lie; ``limit_ms``: what lies beyond is
        left out (24 hours at most: a WAV ends at 4 GiB).
        """
        self._file = file
        self._window = window_ms * mulaw.BYTES_PER_MS
        self._limit = min(limit_ms, _LONGEST_MS) * mulaw.BYTES_PER_MS
        self._caller = bytearray()
        self._agent = bytearray()
        self._base = 0  # samples that left the memory; both tracks begin here
        self._closed = False
        self.lost = 0
        """µ-law bytes that came too late, too early or too far out to be placed."""
        self._write_header(0)

    def caller(self, at_ms: int, payload: bytes) -> None:
        """Place the caller's µ-law audio, beginning ``at_ms`` after the call's start.

        Raises `ValueError` after `close`.
        """
        self._place(self._caller, at_ms, payload)

    def agent(self, at_ms: int, payload: bytes) -> None:
        """Place the agent's µ-law audio, beginning ``at_ms`` after the call's start.

        Raises `ValueError` after `close`.
        """
        self._place(self._agent, at_ms, payload)

    def close(self, length_ms: int) -> None:
        """Write the rest and make the recording exactly ``length_ms`` long. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        total = max(0, min(length_ms * mulaw.BYTES_PER_MS, self._limit))
        held = max(len(self._caller), len(self._agent))
        self._spill(self._base + held)
        end = _HEADER.size + total * _BLOCK_ALIGN
        if total > self._base:
            self._file.seek(end - _BLOCK_ALIGN)
            self._file.write(bytes(_BLOCK_ALIGN))
        self._file.truncate(end)
        self._write_header(total)
        self._file.flush()

    def _place(self, track: bytearray, at_ms: int, payload: bytes) -> None:
        if self._closed:
            raise ValueError("the recording is closed")
        start = at_ms * mulaw.BYTES_PER_MS
        for i in range(
            0, len(payload), _BLOCK
        ):  # a long payload must not push its own head out of the window
            self._place_block(track, start + i, payload[i : i + _BLOCK])

    def _place_block(self, track: bytearray, start: int, payload: bytes) -> None:
        end = min(start + len(payload), self._limit)
        if end - self._base > self._window + _BLOCK:
            self._spill((end - self._window) // _BLOCK * _BLOCK)
        first = max(start, self._base)
        if end <= first:
            self.lost += len(payload)
            return
        piece = payload[first - start : end - start]
        self.lost += len(payload) - len(piece)
        offset = first - self._base
        if offset > len(track):
            track.extend(bytes((mulaw.SILENCE,)) * (offset - len(track)))
        track[offset : offset + len(piece)] = piece

    def _spill(self, until: int) -> None:
        """Write out all before the sample ``until``. Seconds that nobody placed are skipped, not written."""
        count = until - self._base
        left, right = bytes(self._caller[:count]), bytes(self._agent[:count])
        written = max(len(left), len(right))
        if written:
            self._file.seek(_HEADER.size + self._base * _BLOCK_ALIGN)
            self._file.write(_interleave(left, right, written))
            self._write_header(self._base + written)
        del self._caller[:count]
        del self._agent[:count]
        self._base = until

    def _write_header(self, samples: int) -> None:
        size = samples * _BLOCK_ALIGN
        self._file.seek(0)
        self._file.write(
            _HEADER.pack(
                b"RIFF", _HEADER.size - 8 + size, b"WAVE", b"fmt ", 16, 1, _CHANNELS, SAMPLE_RATE,
                SAMPLE_RATE * _BLOCK_ALIGN, _BLOCK_ALIGN, WIDTH * 8, b"data", size,
            )
        )  # fmt: skip


def _interleave(left: bytes, right: bytes, samples: int) -> bytes:
    """Two µ-law tracks as stereo PCM of ``samples`` sample pairs, the shorter one filled with silence."""
    fill = bytes((mulaw.SILENCE,))
    left_pcm = mulaw.decode(left.ljust(samples, fill))
    right_pcm = mulaw.decode(right.ljust(samples, fill))
    return audioop.add(
        audioop.tostereo(left_pcm, WIDTH, 1, 0), audioop.tostereo(right_pcm, WIDTH, 0, 1), WIDTH
    )
