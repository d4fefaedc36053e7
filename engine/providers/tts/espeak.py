"""A voice on this machine, in 34 languages, by espeak-ng: first sound within a millisecond, exact word times.

The library has one state for the whole process, so all streams share one thread, which speaks one piece of
each waiting stream in turn. Languages, speakers and speeds are switched between pieces in about 0.1 ms.
espeak-ng is licensed under GPL-3.0-or-later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from engine.errors import EngineError
from engine.providers.tts.espeak_library import NORMAL_RATE, EspeakLibrary, Profile, data_path
from engine.providers.tts.espeak_voices import voice_file, voices
from engine.providers.tts.local import LocalStream, Piece
from engine.providers.tts.shaping import gain_for
from engine.providers.tts.utterance import Utterance

__all__ = ["FASTEST", "SLOWEST", "EspeakVoice", "voices"]

SLOWEST, FASTEST = 0.5, 5.0
"""Speed factors. Up to 2.5 words are timed exactly; above, the library compresses the finished sound and its
word times come up to 80 ms late."""

_DIGITS_ABOVE = 1.0
"""dB by which spoken digits are louder than sentences, on average over 13 languages."""

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak")


class EspeakVoice:
    """One language, speaker, speed and pitch of espeak-ng; see `engine.providers.contracts.Voice`."""

    def __init__(
        self, language: str = "en", speed: float = 1.0, voice: str | None = None, pitch: int | None = None
    ) -> None:
        """Take the settings: nothing is loaded yet.

        ``language`` is a BCP-47 tag, ``speed`` a factor from 0.5 to 5, ``voice`` one of `voices()` and
        ``pitch`` 0 to 100, where 50 is the speaker's own. Raises `EngineError` that names the setting at
        fault, `MissingExtra` without espeakng-loader.
        """
        data_path()
        if not SLOWEST <= speed <= FASTEST:
            raise EngineError(f"voice.speed: must be {SLOWEST} to {FASTEST}, not {speed}")
        if pitch is not None and not 0 <= pitch <= 100:
            raise EngineError(f"voice.pitch: must be 0 to 100, not {pitch}")
        self._speed = speed
        self._profile = Profile(voice_file(language, voice), round(speed * NORMAL_RATE), pitch)

    async def open(self) -> LocalStream:
        """Open a stream. The first one loads the library and measures how loud the voice is, a few ms each.

        Raises `ProviderError` if the library cannot be started, `MissingExtra` without numpy or soxr.
        """
        loop = asyncio.get_running_loop()
        library = await loop.run_in_executor(_thread, _library)
        gain = await loop.run_in_executor(_thread, _gain, self._profile)

        def speak(piece: Piece, stream: LocalStream) -> None:
            utterance = Utterance(piece, library.rate, gain, self._speed)

            def on_chunk(pcm: bytes, words: Sequence[tuple[int, int]]) -> bool:
                for character, sample in words:
                    utterance.mark(utterance.word_at(character), sample)
                return stream.give(piece, utterance.feed(pcm))

            library.speak(piece.text, self._profile, on_chunk)
            stream.give(piece, utterance.finish())

        return LocalStream(_thread, speak)

    async def close(self) -> None:
        """Nothing to free: the library stays loaded for the process."""


@lru_cache(maxsize=1)
def _library() -> EspeakLibrary:
    """The process's one library. Like all that uses it, called in espeak's thread only."""
    return EspeakLibrary()


@lru_cache(maxsize=256)
def _gain(profile: Profile) -> float:
    """The dB that bring a profile to the common level, measured on digits, which every language can read."""
    library = _library()
    chunks = []

    def on_chunk(pcm: bytes, words: Sequence[tuple[int, int]]) -> bool:
        chunks.append(pcm)
        return True

    library.speak("1 2 3 4 5 6 7 8 9 10", profile, on_chunk)
    return gain_for(b"".join(chunks), library.rate) + _DIGITS_ABOVE
