"""What the voices of hosted vendors share: pieces given in their order, and refusals in plain words."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp

from engine.core.events import SpokenWord, Survived, VoiceAudio, VoiceDone, VoiceFailed, VoiceWords
from engine.errors import EngineError
from engine.providers.contracts import ProviderError, VoiceEvent
from engine.providers.retry_after import retry_after_ms

AHEAD = 2
"""Pieces that a vendor works on at a time: the one that is given and the next, so that no round trip lies
between two sentences. More would be paid for and thrown away when the caller interrupts."""


@dataclass(eq=False, slots=True)
class Piece:
    """One piece of a reply: what it says and what the vendor gave for it that nobody took yet."""

    reply: int
    piece: int
    text: str = field(repr=False)
    events: deque[VoiceEvent] = field(default_factory=deque, repr=False)
    given: int = 0
    """µ-law bytes of audio so far."""
    over: bool = False


class PieceQueue:
    """The pieces of one stream. Vendors may speak several at once; here they come one after the other.

    It is the asynchronous iterator of the stream, see `engine.providers.contracts.VoiceStream`.
    """

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._arrived = asyncio.Event()
        self._failure: BaseException | None = None
        self._closed = False

    def add(self, reply: int, piece: int, text: str) -> None:
        """Append a piece. Text without a letter or digit is over at once: a vendor would make it up."""
        if self._closed:
            return
        added = Piece(reply, piece, text)
        self._pieces.append(added)
        if not any(character.isalnum() for character in text):
            self.words(added, tuple(SpokenWord(word, 0) for word in text.split()))
            self._end(added, VoiceDone(reply, piece))

    def cancel(self, reply: int) -> list[Piece]:
        """Drop the pieces of a reply with all that came of them; the dropped ones."""
        dropped = [piece for piece in self._pieces if piece.reply == reply]
        self._pieces = deque(piece for piece in self._pieces if piece.reply != reply)
        self._arrived.set()  # the piece behind them may have events
        return dropped

    def to_speak(self) -> list[Piece]:
        """The pieces that the vendor should be working on, in their order."""
        return [piece for piece in self._pieces if not piece.over][:AHEAD]

    def audio(self, piece: Piece, payload: bytes) -> None:
        """Audio of a piece, µ-law; none is no event."""
        if payload:
            piece.given += len(payload)
            piece.events.append(VoiceAudio(piece.reply, piece.piece, payload))
            self._arrived.set()

    def words(self, piece: Piece, words: tuple[SpokenWord, ...]) -> None:
        """Words of a piece; none is no event."""
        if words:
            piece.events.append(VoiceWords(piece.reply, piece.piece, words))
            self._arrived.set()

    def survived(self, piece: Piece, reason: str) -> None:
        """Something about a piece went wrong that cost no sound."""
        piece.events.append(Survived("voice", reason))
        self._arrived.set()

    def done(self, piece: Piece, vendor: str) -> None:
        """The vendor has ended a piece: well if there was any audio, else it has failed."""
        if piece.given:
            self._end(piece, VoiceDone(piece.reply, piece.piece))
        else:
            self.failed(piece, ProviderError(f"{vendor} gave no audio for a piece"))

    def failed(self, piece: Piece, error: ProviderError) -> None:
        """A piece has failed, the others may go on."""
        self._end(piece, VoiceFailed(piece.reply, piece.piece, *error.told))

    def fail(self, error: BaseException) -> None:
        """The stream is broken: after what has come already ``error`` is raised, once."""
        self._failure = error
        self._arrived.set()

    def close(self) -> None:
        """End the iteration; nothing more is given."""
        self._closed = True
        self._pieces.clear()
        self._failure = None
        self._arrived.set()

    def _end(self, piece: Piece, event: VoiceDone | VoiceFailed) -> None:
        piece.over = True
        piece.events.append(event)
        self._arrived.set()

    def _next(self) -> VoiceEvent | None:
        while self._pieces:
            head = self._pieces[0]
            if head.events:
                return head.events.popleft()
            if not head.over:
                return None
            self._pieces.popleft()
        return None

    def __aiter__(self) -> AsyncIterator[VoiceEvent]:
        return self

    async def __anext__(self) -> VoiceEvent:
        """The next event. Lets the loop run before each, however many are ready."""
        await asyncio.sleep(0)
        while True:
            if (event := self._next()) is not None:
                return event
            if self._closed:
                raise StopAsyncIteration
            if (failure := self._failure) is not None:
                self.close()
                raise failure
            self._arrived.clear()
            await self._arrived.wait()


@dataclass(frozen=True, slots=True)
class Account:
    """Whom to name when a vendor refuses, and what never to say."""

    vendor: str
    settings: str
    """The settings that hold its keys, such as ``ELEVENLABS_API_KEY``."""
    secrets: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Raise `EngineError` where a key is missing."""
        if not all(self.secrets):
            raise EngineError(f"{self.settings}: needed for the voices of {self.vendor}")

    def failure(
        self, what: str, *, retryable: bool = True, retry_after_ms: int | None = None
    ) -> ProviderError:
        """``what`` went wrong, told without any key that a vendor may have put into its message."""
        for secret in self.secrets:
            what = what.replace(secret, "***")
        return ProviderError(f"{self.vendor} {what}", retryable=retryable, retry_after_ms=retry_after_ms)

    def refusal(self, status: int, said: str = "", retry_after: str | None = None) -> ProviderError:
        """An HTTP answer that is no audio. Too many requests and the server's own errors may pass."""
        because = f": {said}" if said else ""
        if status in (401, 403):
            said = f"refused the key (HTTP {status}), see {self.settings}{because}"
            return self.failure(said, retryable=False)
        pause = retry_after_ms(status, retry_after)
        if status == 429:
            wait = f", to be tried again after {retry_after} s" if retry_after else ""
            return self.failure(f"has too many requests (HTTP 429){wait}{because}", retry_after_ms=pause)
        retryable = status >= 500 or status == 408
        return self.failure(
            f"answered with HTTP {status}{because}", retryable=retryable, retry_after_ms=pause
        )


def vendor_session() -> aiohttp.ClientSession:
    """What all streams of a voice share. It has no deadlines: those are the call's."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def vendor_root(base_url: str, setting: str) -> str:
    """A vendor's root address without a slash at its end. Raises `EngineError` unless it is http or https."""
    if not base_url.startswith(("http://", "https://")):
        raise EngineError(f"{setting}: must begin with http:// or https://")
    return base_url.rstrip("/")


def within(field_name: str, value: float | None, least: float, most: float) -> float | None:
    """``value``, or None as it is. Raises `EngineError` that names the field if it is out of its range."""
    if value is not None and not least <= value <= most:
        raise EngineError(f"{field_name}: must be {least:g} to {most:g}, not {value:g}")
    return value
