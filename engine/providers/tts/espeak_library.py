"""The espeak-ng library through ctypes: one voice state for the whole process, used from one thread.

The library comes with ``espeakng-loader`` (GPL-3.0-or-later). The functions and structures are those of
espeak-ng 1.52's ``speak_lib.h``. While it computes, the library holds no lock of the interpreter.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, POINTER, Structure, c_char, c_int, c_short, c_uint, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import MissingExtra
from engine.providers.contracts import ProviderError

NORMAL_RATE = 175
"""Words a minute at speed 1: espeak-ng's default."""

_CHUNK_MS = 100
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: audio goes to the callback, espeak_Synth returns when it is over
_KEEP_RUNNING = 0x8000  # espeakINITIALIZE_DONT_EXIT: a missing file is an error code, not the process's end
_POS_CHARACTER = 1
_UTF8 = 1
_RATE_PARAMETER = 1
_PITCH_PARAMETER = 3
_DEFAULT_PITCH = 50
_WORD_EVENT = 1


class _EspeakEvent(Structure):
    _fields_ = (
        ("type", c_int),
        ("unique_identifier", c_uint),
        ("text_position", c_int),
        ("length", c_int),
        ("audio_position", c_int),
        ("sample", c_int),
        ("user_data", c_void_p),
        ("id", c_char * 8),
    )


_Callback = CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(_EspeakEvent))

OnChunk = Callable[[bytes, Sequence[tuple[int, int]]], bool]
"""Gets PCM (16 bit) and the words that begin in it or soon after, as (character of the text, sample); answers
False to stop the synthesis."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How to speak: the voice's file (``gmw/en-US+f3``), words a minute, pitch 0 to 100 (None: 50)."""

    voice: str
    rate: int
    pitch: int | None


class EspeakLibrary:
    """The loaded library. Its methods must all be called from one thread."""

    def __init__(self) -> None:
        """Load it, which takes about 10 ms.

        Raises `MissingExtra` without espeakng-loader, `ProviderError` if the library refuses to start.
        """
        self._profile: Profile | None = None
        self._on_chunk: OnChunk = lambda pcm, words: False
        self._error: Exception | None = None
        self._callback = _Callback(self._take_chunk)  # kept: the library holds only its address
        loader = _loader()
        try:
            self._espeak = ctypes.CDLL(loader.get_library_path())
            data = str(data_path()).encode()
            self.rate: int = self._espeak.espeak_Initialize(_SYNCHRONOUS, _CHUNK_MS, data, _KEEP_RUNNING)
        except OSError as error:
            raise ProviderError(f"espeak-ng cannot be loaded: {error}", retryable=False) from None
        if self.rate <= 0:
            raise ProviderError("espeak-ng did not start: its data is missing or damaged", retryable=False)
        self._espeak.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, profile: Profile, on_chunk: OnChunk) -> None:
        """Speak ``text`` and return when it is over or ``on_chunk`` has answered False.

        Whatever ``on_chunk`` raises comes out of here. Raises `ProviderError` if the library refuses.
        """
        self._select(profile)
        self._on_chunk, self._error = on_chunk, None
        encoded = _one_byte_string(text)
        status = self._espeak.espeak_Synth(encoded, len(encoded) + 1, 0, _POS_CHARACTER, 0, _UTF8, None, None)
        if self._error is not None:
            raise self._error
        if status != 0:
            raise ProviderError(f"espeak-ng refused to speak (error {status})")

    def _select(self, profile: Profile) -> None:
        if profile == self._profile:
            return
        self._profile = None
        if self._espeak.espeak_SetVoiceByName(profile.voice.encode()) != 0:
            raise ProviderError(f"espeak-ng has no voice {profile.voice!r}", retryable=False)
        self._espeak.espeak_SetParameter(_RATE_PARAMETER, profile.rate, 0)
        pitch = _DEFAULT_PITCH if profile.pitch is None else profile.pitch
        self._espeak.espeak_SetParameter(_PITCH_PARAMETER, pitch, 0)
        self._profile = profile

    def _take_chunk(self, samples: Any, count: int, events: Any) -> int:
        """The library's callback: 0 to go on, 1 to stop. The last call has no samples."""
        try:
            pcm = ctypes.string_at(samples, 2 * count) if samples and count else b""
            words = []
            at = 0
            while events[at].type:
                if events[at].type == _WORD_EVENT:
                    words.append((events[at].text_position - 1, events[at].sample))
                at += 1
            return 0 if self._on_chunk(pcm, words) else 1
        except Exception as error:  # an exception cannot pass through C
            self._error = error
            return 1


def data_path() -> Path:
    """The folder of the library's voices and dictionaries. Raises `MissingExtra` without espeakng-loader."""
    return Path(_loader().get_data_path())


def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError:
        raise MissingExtra("espeakng-loader", "local") from None
    return espeakng_loader


def _one_byte_string(text: str) -> bytes:
    """The text in UTF-8, character for character: what C or UTF-8 cannot hold becomes a space or ``?``."""
    printable = "".join(char if char >= " " else " " for char in text)
    return printable.encode("utf-8", errors="replace")
