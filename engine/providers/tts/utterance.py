"""One piece being spoken by a local voice: PCM and word marks in, the contract's events out."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque

from engine.core.events import SpokenWord, VoiceAudio, VoiceDone, VoiceWords
from engine.providers.contracts import PieceEvent
from engine.providers.tts.local import Piece
from engine.providers.tts.shaping import Shaper

_WORD = re.compile(r"\S+")


class Utterance:
    """A piece's way from the synthesizer's samples to `VoiceAudio`, `VoiceWords` and the final `VoiceDone`.

    A word is what stands between white space in the piece's text, punctuation included: the words, joined
    with single spaces, are the text. So a sentence in a script without spaces is one word. Words that the
    synthesizer does not mark (a dash) begin where the next marked word does, or at the end of the audio.
    """

    def __init__(self, piece: Piece, rate: int, gain: float, speed: float) -> None:
        """``rate`` of the PCM in Hz, ``gain`` in dB; the piece's pause shrinks with ``speed``."""
        self._piece = piece
        self._shaper = Shaper(rate, gain, round(piece.pause / speed))
        found = list(_WORD.finditer(piece.text))
        self.words = [match.group() for match in found]
        """The piece's words in order."""
        self._starts = [match.start() for match in found]
        self._marked = 0  # so many words have their mark
        self._marks: deque[tuple[str, int]] = deque()  # word, sample of the source; not yet given
        self._latest = 0  # the latest mark
        self._fed = 0  # samples of the source

    def word_at(self, character: int) -> int:
        """The index of the word that the character of the text belongs to."""
        return max(0, bisect_right(self._starts, character) - 1)

    def mark(self, word: int, sample: int) -> None:
        """The word of this index begins at this sample of the source; a word's first mark counts."""
        self._latest = max(self._latest, sample)
        end = min(word + 1, len(self.words))
        self._marks.extend((passed, self._latest) for passed in self.words[self._marked : end])
        self._marked = max(self._marked, end)

    def feed(self, pcm: bytes) -> list[PieceEvent]:
        """Take PCM of the source: the words that begin in what is now ready, then the audio itself."""
        self._fed += len(pcm) // 2
        return self._events(self._shaper.feed(pcm))

    def finish(self) -> list[PieceEvent]:
        """The rest of the words and of the audio, and `VoiceDone`."""
        audio = self._shaper.flush()
        self.mark(len(self.words) - 1, self._fed)
        return [*self._events(audio, final=True), VoiceDone(self._piece.reply, self._piece.piece)]

    def _events(self, audio: bytes, *, final: bool = False) -> list[PieceEvent]:
        reply, number = self._piece.reply, self._piece.piece
        events: list[PieceEvent] = []
        if words := self._ready(final):
            events.append(VoiceWords(reply, number, words))
        if audio:
            events.append(VoiceAudio(reply, number, audio))
        return events

    def _ready(self, final: bool) -> tuple[SpokenWord, ...]:
        """The marked words that begin in what the shaper has given; in the end all, inside the audio."""
        given = self._shaper.given
        words = []
        while self._marks:
            word, sample = self._marks[0]
            start = self._shaper.position(sample)
            if start >= given and not final:
                break
            self._marks.popleft()
            words.append(SpokenWord(word, max(0, min(start, given - 1))))
        return tuple(words)
