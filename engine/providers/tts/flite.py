"""An English voice on this machine by the program ``flite``: clearer than espeak-ng, a whole piece at a time.

A process speaks one piece, 20 to 60 ms until all its sound is there; two pieces at most are worked on at
once. Word times are flite's own phone times: the phones of each word by itself are found again among the
phones that were spoken. A word that is not found begins where the next one does.
"""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
import wave
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from engine.errors import EngineError
from engine.providers.contracts import ProviderError
from engine.providers.tts.local import LocalStream, Piece
from engine.providers.tts.utterance import Utterance

_GAINS = MappingProxyType({"awb": -1.0, "kal": -1.5, "kal16": 6.0, "rms": 0.5, "slt": -5.5})
"""dB that bring each voice to the common level, as measured on English sentences."""

SLOWEST, FASTEST = 0.5, 2.0
"""Speed factors."""

_CHUNK = 3200  # samples given at a time: 100 to 200 ms
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": ", ", "—": ", ", "…": "..."})
_PAUSE = "pau"

Phone = tuple[str, float]
"""Its name and when it begins, s."""

_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="flite")


def voices() -> tuple[str, ...]:
    """The voices that Debian's flite has: American men and a woman (slt), a Scot (awb)."""
    return tuple(_GAINS)


class FliteVoice:
    """One voice and speed of flite, English only; see `engine.providers.contracts.Voice`."""

    def __init__(self, voice: str = "slt", speed: float = 1.0) -> None:
        """``voice`` is one of `voices()`, ``speed`` a factor from 0.5 to 2.

        Raises `EngineError` that names the setting at fault, also where flite is not installed.
        """
        if voice not in _GAINS:
            raise EngineError(f"voice.voice: flite has no voice {voice!r}; it has {', '.join(voices())}")
        if not SLOWEST <= speed <= FASTEST:
            raise EngineError(f"voice.speed: must be {SLOWEST} to {FASTEST}, not {speed}")
        program = shutil.which("flite")
        if program is None:
            raise EngineError("voice.vendor: flite is not installed: apt-get install flite")
        self._voice = voice
        self._speed = speed
        self._program = program

    async def open(self) -> LocalStream:
        """Open a stream; nothing runs until it has something to say."""
        return LocalStream(_threads, self._speak)

    async def close(self) -> None:
        """Nothing to free: each piece's process ends with it."""

    def _speak(self, piece: Piece, stream: LocalStream) -> None:
        """In one of flite's threads: run the program on a piece and give what it made."""
        words = piece.text.split()
        with TemporaryDirectory(prefix="flite-") as folder:
            sound = Path(folder, "piece.wav")
            phones, pronounced = self._run(piece, stream, words, sound)
            if piece.cancelled:
                return
            with wave.open(str(sound)) as file:
                rate, pcm = file.getframerate(), file.readframes(file.getnframes())
        utterance = Utterance(piece, rate, _GAINS[self._voice], self._speed)
        for word, start in _word_starts(phones, pronounced):
            utterance.mark(word, round(start * rate))
        for at in range(0, len(pcm), 2 * _CHUNK):
            if not stream.give(piece, utterance.feed(pcm[at : at + 2 * _CHUNK])):
                return
        stream.give(piece, utterance.finish())

    def _run(
        self, piece: Piece, stream: LocalStream, words: list[str], sound: Path
    ) -> tuple[list[Phone], list[list[str]]]:
        """Have flite write ``sound``; returns its phones, and those of each word by itself.

        The second process speaks the words with flite's smallest voice, which reads by the same dictionary
        and is done long before the first. Raises `ProviderError` if flite fails.
        """
        text, single = sound.with_suffix(".txt"), sound.with_suffix(".words")
        text.write_text(_plain(piece.text) + "\n", encoding="ascii")
        plain = [_plain(word) for word in words]
        plain = [word if any(map(str.isalnum, word)) else "" for word in plain]
        single.write_text("\n\n".join(filter(None, plain)) + "\n", encoding="ascii")
        stretch = f"duration_stretch={1 / self._speed:.3f}"
        with (
            self._start(
                "-voice", self._voice, "--setf", stretch, "-psdur", "-f", text, "-o", sound
            ) as speaking,
            self._start("-voice", "kal", "-ps", "-f", single, "-o", "none") as reading,
        ):

            def stop() -> None:
                speaking.kill()
                reading.kill()

            stream.when_cancelled(piece, stop)
            read = reading.communicate()[0].splitlines()
            spoken = speaking.communicate()[0]
        if speaking.returncode != 0 and not piece.cancelled:
            raise ProviderError(f"flite failed with status {speaking.returncode}")
        lines = iter(read)
        return _phones(spoken), [next(lines, "").split() if word else [] for word in plain]

    def _start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen([self._program, *arguments], stdout=subprocess.PIPE, text=True)


def _plain(text: str) -> str:
    """The text as flite knows it: ASCII, one line, accents and typographic signs made plain."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return " ".join(decomposed.encode("ascii", "ignore").decode().replace("\0", " ").split())


def _phones(printed: str) -> list[Phone]:
    """The phones and when each begins (s), without pauses, from what ``-psdur`` prints.

    Each line is one sentence: ``phone:end`` with the end counted from the sentence's start.
    """
    phones = []
    begun = 0.0
    for line in printed.splitlines():
        start = 0.0
        for name, _, end in (item.partition(":") for item in line.split()):
            if name != _PAUSE:
                phones.append((name, begun + start))
            start = float(end)
        begun += start
    return phones


def _word_starts(phones: list[Phone], pronounced: list[list[str]]) -> list[tuple[int, float]]:
    """When words begin, as (index, s), by matching the words' own phones with those that were spoken."""
    alone = [(name, word) for word, names in enumerate(pronounced) for name in names if name != _PAUSE]
    match = SequenceMatcher(None, [name for name, _ in alone], [name for name, _ in phones], autojunk=False)
    starts: dict[int, float] = {}
    for first, spoken, length in match.get_matching_blocks():
        for (_, word), (_, start) in zip(alone[first:], phones[spoken : spoken + length], strict=False):
            starts.setdefault(word, start)
    return sorted(starts.items())
