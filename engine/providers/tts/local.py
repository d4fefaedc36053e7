"""The stream of a voice on this machine: pieces in, events out, the speaking done in another thread.

All that crosses between the event loop and that thread does so in `LocalStream`, under one lock, so that
nothing of a reply is given any more once `LocalStream.cancel` has returned.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from threading import Lock

from engine.core.events import VoiceFailed
from engine.providers.contracts import PieceEvent, ProviderError

MOST_WAITING = 256
"""Pieces that may wait in one stream; one more fails at once. A reply of a minute has about ten."""

SENTENCE_PAUSE = 270
"""ms of silence between a piece that ends a sentence and the next piece of its reply. With the rest that
`shaping.py` leaves at both ends the caller hears 280 to 300 ms, as espeak-ng itself pauses inside a piece."""

CLAUSE_PAUSE = 110
"""The same after a comma, colon, semicolon or dash; about 140 ms are heard."""

_CLOSING = "\"'”’»)]}」』）"
_ENDS_SENTENCE = tuple(".!?…。！？।॥")
_ENDS_CLAUSE = tuple(",;:،、，；：–—")


def pause_after(text: str) -> int:
    """The pause that the end of a piece asks for, in ms at normal speed; 0 where it was cut in mid-clause."""
    end = text.rstrip().rstrip(_CLOSING)
    if end.endswith(_ENDS_SENTENCE):
        return SENTENCE_PAUSE
    return CLAUSE_PAUSE if end.endswith(_ENDS_CLAUSE) else 0


@dataclass(eq=False, slots=True)
class Piece:
    """One piece of a reply. Its pause comes before it, so that a reply ends with its last sound."""

    reply: int
    piece: int
    text: str = field(repr=False)
    pause: int = 0
    """ms of silence to begin with, at normal speed: what the piece before it in the same reply asked for."""
    cancelled: bool = False
    stop: Callable[[], None] | None = None
    """What ends the work on it; see `LocalStream.when_cancelled`."""


class LocalStream:
    """One call's voice on this machine; see `engine.providers.contracts.VoiceStream`.

    ``speak`` is called in ``threads`` with one piece at a time, and gives the piece's events by `give`. After
    each piece the stream lines up again behind the other streams of the same threads, so that a call with a
    long reply does not keep the others waiting. What ``speak`` raises becomes a `VoiceFailed`.
    """

    def __init__(self, threads: Executor, speak: Callable[[Piece, LocalStream], None]) -> None:
        """Made inside the event loop that will get the events."""
        self._threads = threads
        self._speak = speak
        self._loop = asyncio.get_running_loop()
        self._lock = Lock()
        self._waiting: deque[Piece] = deque()
        self._speaking: Piece | None = None
        self._last: Piece | None = None
        self._lined_up = False
        self._events: deque[PieceEvent] = deque()
        self._arrived = asyncio.Event()
        self._wake_pending = False
        self._closed = False

    # --- the event loop's side ------------------------------------------------------------------------

    def say(self, reply: int, piece: int, text: str) -> None:
        """Ask for a piece. Returns at once; with `MOST_WAITING` pieces ahead of it the piece fails."""
        with self._lock:
            if self._closed:
                return
            if len(self._waiting) >= MOST_WAITING:
                self._put([VoiceFailed(reply, piece, f"more than {MOST_WAITING} pieces wait to be spoken")])
                return
            before = self._last
            pause = pause_after(before.text) if before is not None and before.reply == reply else 0
            self._last = Piece(reply, piece, text, pause)
            self._waiting.append(self._last)
            if not self._lined_up:
                self._lined_up = True
                self._threads.submit(self._speak_next)

    def cancel(self, reply: int) -> None:
        """Stop a reply: what waits is dropped, what is being spoken is stopped, nothing more is given."""
        with self._lock:
            self._waiting = deque(piece for piece in self._waiting if piece.reply != reply)
            self._events = deque(event for event in self._events if event.reply != reply)
            if self._last is not None and self._last.reply == reply:
                self._last = None
            if self._speaking is not None and self._speaking.reply == reply:
                self._stop(self._speaking)

    async def close(self) -> None:
        """End the stream and the iteration; pieces that wait are never spoken."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            self._events.clear()
            self._arrived.set()
            if self._speaking is not None:
                self._stop(self._speaking)

    def __aiter__(self) -> AsyncIterator[PieceEvent]:
        """The events of all pieces, in the order they were asked for."""
        return self

    async def __anext__(self) -> PieceEvent:
        """The next event. Lets the loop run before each, however many are ready."""
        await asyncio.sleep(0)
        while True:
            with self._lock:
                if self._events:
                    return self._events.popleft()
                if self._closed:
                    raise StopAsyncIteration
                self._arrived.clear()
            await self._arrived.wait()

    # --- the speaking thread's side -------------------------------------------------------------------

    def give(self, piece: Piece, events: Sequence[PieceEvent]) -> bool:
        """Hand events of a piece to the loop. False if nobody wants them: the piece was cancelled."""
        with self._lock:
            if not piece.cancelled and events:
                self._put(events)
            return not piece.cancelled

    def when_cancelled(self, piece: Piece, stop: Callable[[], None]) -> None:
        """Have ``stop`` called if the piece is cancelled, at once if it was already. It must not block."""
        with self._lock:
            piece.stop = stop
            if piece.cancelled:
                stop()

    def _speak_next(self) -> None:
        with self._lock:
            self._speaking = piece = self._waiting.popleft() if self._waiting else None
            self._lined_up = piece is not None
        if piece is None:
            return
        try:
            self._speak(piece, self)
        except ProviderError as error:
            self.give(piece, [VoiceFailed(piece.reply, piece.piece, error.reason, error.retryable)])
        except Exception as error:  # whatever it was, the call must hear of it
            self.give(piece, [VoiceFailed(piece.reply, piece.piece, f"{type(error).__name__}: {error}")])
        self._threads.submit(self._speak_next)

    # --- with the lock held ---------------------------------------------------------------------------

    def _stop(self, piece: Piece) -> None:
        piece.cancelled = True
        if piece.stop is not None:
            piece.stop()

    def _put(self, events: Sequence[PieceEvent]) -> None:
        """One wake-up of the loop covers all that is put before it runs."""
        self._events.extend(events)
        if not self._wake_pending:
            self._wake_pending = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        with self._lock:
            self._wake_pending = False
            self._arrived.set()
