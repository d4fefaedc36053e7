"""One call's voice: a stream that may break and be opened anew, and a cache of what was spoken before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from engine.core.effects import Speak
from engine.core.events import (
    Event,
    SpokenWord,
    Survived,
    VendorUsed,
    VoiceAudio,
    VoiceDone,
    VoiceFailed,
    VoiceWords,
)
from engine.providers.contracts import ProviderError, Voice, VoiceEvent, VoiceStream
from engine.runtime.following import follow
from engine.runtime.tasks import Tasks
from engine.runtime.voice_cache import Speech, VoiceCache


@dataclass(slots=True)
class _Piece:
    """A piece that was asked for and is not done; ``audio`` and ``words`` are gathered to be kept."""

    asked: Speak
    audio: bytearray = field(default_factory=bytearray)
    words: list[SpokenWord] = field(default_factory=list)
    speech: Speech | None = None
    """What it sounds like, where that was kept: it waits for those before it."""
    flawed: bool = False
    """Something went wrong with it: good enough for this call, and not for others."""

    @property
    def kept(self) -> bool:
        """Whether its audio is kept for other calls."""
        return self.asked.keep and not self.asked.vendor and not self.flawed


class Synthesis:
    """Has pieces of replies spoken and passes the audio on.

    The stream is opened when asked for and again whenever a piece finds none. If it breaks, the first piece
    that is not done has failed, and with it all behind it. A reply that is tried again goes to a fresh
    stream, for the old one may hang.

    Towards the stream a reply has a number of its own, and a new one after it was cancelled: so what comes
    late of a first attempt is never taken for the second. ``voices`` are the vendors in the agent's order of
    preference; only the first one's speech is kept for other calls. ``charge`` is told of each piece that a
    vendor was given.
    """

    def __init__(
        self,
        voices: Sequence[Voice],
        cache: VoiceCache,
        tell: Callable[[Event], None],
        charge: Callable[[VendorUsed], None],
        tasks: Tasks,
    ) -> None:
        self._voices = voices
        self._vendor = 0
        self._cache = cache
        self._tell = tell
        self._charge = charge
        self._tasks = tasks
        self._stream: VoiceStream | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._numbers = count(1)
        self._number_of: dict[int, int] = {}
        self._retried: tuple[int, int] | None = None
        self._pieces: dict[tuple[int, int], _Piece] = {}
        """By the reply's number and the piece's."""

    def open(self) -> None:
        """Open a stream, if there is none."""
        if self._speaking is None:
            speaking = follow("voice", self._voices[self._vendor].open, self._begin, self._hear, self._fail)
            self._speaking = self._tasks.start(speaking, "voice")

    def speak(self, asked: Speak) -> None:
        """Have a piece spoken: from the cache where its audio was kept, else by the voice."""
        if asked.attempt and self._retried != (asked.reply, asked.attempt):
            self._retried = (asked.reply, asked.attempt)
            self._drop_stream()
        if asked.vendor != self._vendor:
            self._vendor = asked.vendor
            self._drop_stream()
        speech = self._cache.get(asked.text) if asked.keep and not asked.vendor else None
        number = self._number_of.get(asked.reply) or next(self._numbers)
        self._number_of = {asked.reply: number}  # one reply speaks at a time
        self._pieces[number, asked.piece] = _Piece(asked, speech=speech)
        if speech is not None:
            self._speak_again()
        elif self._stream is not None:
            self._say(self._stream, number, asked)
        else:
            self.open()

    def cancel(self, reply: int) -> None:
        """Nothing more of the reply is wanted."""
        number = self._number_of.pop(reply, None)
        for key in [key for key in self._pieces if key[0] == number]:
            del self._pieces[key]
        if self._stream is not None and number is not None:
            self._stream.cancel(number)

    def close(self) -> None:
        """End the stream, if there is one or one is being opened."""
        self._pieces.clear()
        self._drop_stream()

    def _say(self, stream: VoiceStream, number: int, asked: Speak) -> None:
        stream.say(number, asked.piece, asked.text)
        self._charge(VendorUsed("voice", asked.vendor, characters=len(asked.text)))

    def _speak_again(self) -> None:
        """Give what was kept of the pieces whose turn it is."""
        while (key := next(iter(self._pieces), None)) and (speech := self._pieces[key].speech) is not None:
            asked = self._pieces.pop(key).asked
            self._tell(VoiceAudio(asked.reply, asked.piece, speech.audio))
            if speech.words:
                self._tell(VoiceWords(asked.reply, asked.piece, speech.words))
            self._tell(VoiceDone(asked.reply, asked.piece))

    def _drop_stream(self) -> None:
        self._stream = None
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None

    def _fail(self, failure: ProviderError) -> None:
        """The stream is gone: the first piece that is not done has failed, and with it those behind it.

        Where there is none, the next one opens a new stream.
        """
        self._stream = self._speaking = None
        failed = next(iter(self._pieces.values()), None)
        self._pieces.clear()
        if failed is None:
            self._tell(Survived("voice", failure.reason))
        else:
            self._tell(VoiceFailed(failed.asked.reply, failed.asked.piece, *failure.told))

    def _begin(self, stream: VoiceStream) -> None:
        """Ask a fresh stream for what waits for it."""
        self._stream = stream
        for (number, _), piece in self._pieces.items():
            if piece.speech is None:
                self._say(stream, number, piece.asked)

    def _hear(self, event: VoiceEvent) -> None:
        if isinstance(event, Survived):
            if self._pieces:  # they come in their order, so it is about the first
                next(iter(self._pieces.values())).flawed = True
            self._tell(event)
            return
        key = (event.reply, event.piece)
        if (piece := self._pieces.get(key)) is None:
            return
        if isinstance(event, VoiceAudio):
            if piece.kept:
                piece.audio += event.payload
        elif isinstance(event, VoiceWords):
            if piece.kept:
                piece.words += event.words
        else:
            del self._pieces[key]
            if piece.kept and isinstance(event, VoiceDone):
                self._cache.put(piece.asked.text, Speech(bytes(piece.audio), tuple(piece.words)))
        self._tell(replace(event, reply=piece.asked.reply))
        self._speak_again()
