"""Speech from WAV files of any usual kind, as the µ-law at 8 kHz that a telephone carries, and back.

Follows the RIFF layout of RFC 2361 and Microsoft's "Multimedia Programming Interface": chunks of a four
letter name and a length, of which ``fmt`` and ``data`` are read.
"""

from __future__ import annotations

import struct
from pathlib import Path

from engine.audio import mulaw
from engine.audio._pcm import SAMPLE_RATE, WIDTH, audioop
from engine.audio.resample import Resampler
from engine.errors import EngineError

_PCM, _ALAW, _MULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_FORM = struct.Struct("<HHIIHH")
"""Format, channels, samples a second, bytes a second, bytes a sample of all channels, bits a sample."""
_LOWEST_RATE, _HIGHEST_RATE = 4_000, 192_000
_WANTED = "it must be a WAV file with 8 or 16 bit PCM or mu-law, mono or stereo"


def read_speech(path: Path) -> bytes:
    """What a WAV file holds, as µ-law at 8 kHz; two channels are mixed, another rate is converted.

    Raises `EngineError` that names the file and what would be right; `MissingExtra` without ``soxr``, which
    only files of another rate need.
    """
    try:
        form, data = _chunks(path.read_bytes())
        code, channels, rate, _, _, bits = _FORM.unpack_from(form)
        if code == _EXTENSIBLE:  # the real format stands at the start of a GUID further back
            (code,) = struct.unpack_from("<H", form, 24)
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}") from None
    except (struct.error, ValueError):
        raise EngineError(f"{path} is no WAV file: {_WANTED}") from None
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise EngineError(f"{path} has {rate} samples a second, and it must be 4000 to 192000")
    if channels not in (1, 2):
        raise EngineError(f"{path} has {channels} channels: {_WANTED}")
    pcm = _pcm(path, code, bits, data)
    if channels == 2:
        pcm = audioop.tomono(pcm[: len(pcm) // (2 * WIDTH) * 2 * WIDTH], WIDTH, 0.5, 0.5)
    resampler = Resampler(rate, SAMPLE_RATE)
    speech = mulaw.encode(resampler.feed(pcm) + resampler.flush())
    if not speech:
        raise EngineError(f"{path} holds no sound")
    return speech


def mulaw_wav(speech: bytes) -> bytes:
    """A WAV file (format 7) that holds µ-law at 8 kHz."""
    form = struct.pack("<HHIIHHH", _MULAW, 1, SAMPLE_RATE, SAMPLE_RATE, 1, 8, 0)
    padding = bytes(len(speech) % 2)
    body = b"".join(
        (
            _chunk(b"fmt ", form),
            _chunk(b"fact", struct.pack("<I", len(speech))),
            _chunk(b"data", speech) + padding,
        )
    )
    return _chunk(b"RIFF", b"WAVE" + body)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def _chunks(file: bytes) -> tuple[bytes, bytes]:
    """The bodies of ``fmt`` and ``data``. Raises `ValueError` where there are none.

    A ``data`` chunk may be cut off or of unknown length (a program wrote it into a pipe): the rest counts.
    """
    if file[:4] != b"RIFF" or file[8:12] != b"WAVE":
        raise ValueError("no RIFF file")
    at, form = 12, b""
    while at + 8 <= len(file):
        name, length = struct.unpack_from("<4sI", file, at)
        body = file[at + 8 : at + 8 + length]
        if name == b"fmt ":
            form = body
        elif name == b"data" and form:
            return form, body
        at += 8 + length + length % 2
    raise ValueError("no sound")


def _pcm(path: Path, code: int, bits: int, data: bytes) -> bytes:
    """The samples as 16-bit PCM."""
    if code == _MULAW and bits == 8:
        return mulaw.decode(data)
    if code == _PCM and bits == 8:
        return audioop.lin2lin(audioop.bias(data, 1, -128), 1, WIDTH)
    if code == _PCM and bits == 16:
        return data[: len(data) // WIDTH * WIDTH]
    names = {_PCM: f"{bits} bit PCM", 3: "floating point", _ALAW: "A-law"}
    raise EngineError(f"{path} holds {names.get(code, f'format {code}')}: {_WANTED}")
