"""A recording made small enough for a page: peaks to draw, and the audio as µ-law to play."""

from __future__ import annotations

import struct
import sys
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path

from engine.audio import mulaw
from engine.errors import EngineError

PEAKS_PER_SECOND = 100
_RATE = mulaw.BYTES_PER_MS * 1000
_BLOCK = _RATE // PEAKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Waveform:
    """Peaks of both tracks, a byte each (0 silence, 255 full scale), `PEAKS_PER_SECOND` of them a second."""

    caller: bytes
    agent: bytes
    audio: bytes
    """A complete stereo WAV in µ-law (format 7), half the size of the recording; empty if over the limit."""


def read_waveform(path: Path, audio_limit: int) -> Waveform:
    """The waveform of a recording (stereo, 16 bit, 8 kHz: caller left, agent right).

    ``audio_limit``: most bytes that `Waveform.audio` may have. Raises `EngineError` for another kind of file.
    """
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (2, 2, _RATE):
                raise EngineError(f"{path} is not a stereo recording of 16 bit at 8 kHz")
            samples = array("h", file.readframes(file.getnframes()))
    except (OSError, EOFError, wave.Error) as error:
        raise EngineError(f"{path} cannot be read as a recording: {error}") from None
    if sys.byteorder == "big":
        samples.byteswap()
    caller, agent = (_mulaw(samples[side::2]) for side in (0, 1))
    audio = _wav(caller, agent) if len(samples) <= audio_limit else b""
    return Waveform(_peaks(caller), _peaks(agent), audio)


def _mulaw(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return mulaw.encode(samples.tobytes())


def _peaks(track: bytes) -> bytes:
    sizes = track.translate(_MAGNITUDE)
    return bytes(max(sizes[i : i + _BLOCK]) for i in range(0, len(sizes), _BLOCK))


def _magnitudes() -> bytes:
    """The size of each of the 256 µ-law codes, 0 to 255: a table for `bytes.translate`."""
    pcm = array("h", mulaw.decode(bytes(range(256))))
    if sys.byteorder == "big":
        pcm.byteswap()
    return bytes(min(255, abs(sample) >> 7) for sample in pcm)


_MAGNITUDE = _magnitudes()


def _wav(left: bytes, right: bytes) -> bytes:
    """Two µ-law tracks as a WAV file (RFC 2361: format 7, 8 bits a sample)."""
    data = bytearray(2 * len(left))
    data[0::2] = left
    data[1::2] = right
    form = struct.pack("<HHIIHHH", 7, 2, _RATE, _RATE * 2, 2, 8, 0)
    fact = struct.pack("<4sII", b"fact", 4, len(left))
    head = struct.pack("<4sI", b"fmt ", len(form)) + form + fact + struct.pack("<4sI", b"data", len(data))
    return struct.pack("<4sI4s", b"RIFF", 4 + len(head) + len(data), b"WAVE") + head + bytes(data)
