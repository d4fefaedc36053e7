"""One websocket to Deepgram: the caller's audio goes out, what is heard comes back.

What the messages mean is a `Listener`'s business: `deepgram` for the nova models, `deepgram_flux` for Flux.
The socket is aiohttp's. Deepgram's own SDK cannot leave compression off, shows neither the reason nor the
``Retry-After`` of a refusal, and parses each message into a model that nobody here needs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Protocol

import aiohttp
import orjson

from engine.audio.mulaw import BYTES_PER_MS
from engine.core.events import InterimWords, Survived
from engine.providers.contracts import MOST_SURVIVED, ProviderError, TranscriberEvent
from engine.providers.event_queue import EventQueue
from engine.providers.stt.deepgram_errors import ended

CLOSE_STREAM = '{"type":"CloseStream"}'
_PING = b""
"""Stands in the outbox for a ping."""
_PONG_WITHIN = 0.3
"""Seconds for the answer to a ping."""
_MOST_WAITING = 10_000 * BYTES_PER_MS
"""Bytes of audio that may wait for the socket; a peer that takes none of it for so long is gone."""
_CLOSE_WITHIN = 0.5
"""Seconds for each of the two messages that end a stream; then the socket is cut."""


class Listener(Protocol):
    """What a stream's messages mean. Times are ms of the audio that was fed."""

    def ready(self) -> Iterable[TranscriberEvent]:
        """What there is to say as soon as the socket is open."""

    def hear(self, message: Mapping[str, Any]) -> Iterable[TranscriberEvent]:
        """Take a message. Raises `ProviderError`; `LookupError`, `TypeError`, `ValueError` if malformed."""

    def flush(self, fed: int) -> tuple[str, Iterable[TranscriberEvent]]:
        """Be asked for final words up to ``fed``: what to send (empty: nothing), what is known already."""

    def owes(self) -> int:
        """ms of audio still to be heard until every flush is answered that has to be; 0 if all are."""

    def keep_alive(self, fed: int) -> str | bytes:
        """What to send when there was no audio for a while after ``fed``."""


class DeepgramStream:
    """One caller's audio in, words out: a `TranscriberStream`.

    What is fed makes a message of its own.

    Where a flush is to be answered, and no message of any kind comes for ``answer_within_ms`` (and a quarter
    of the audio that was fed faster than it is spoken) while audio keeps coming, the stream has failed; but
    one that has spoken and answers a ping is only slow (asked in the middle of a word, Deepgram may answer
    after its end) and has ``patience_ms`` more. The clock is looked at when audio is fed, there is no timer.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        listener: Listener,
        on_close: Callable[[DeepgramStream], None],
        *,
        answer_within_ms: int,
        patience_ms: int,
        keep_alive_ms: int,
    ) -> None:
        self._malformed = 0
        """Messages that could not be understood, and were left out."""
        self._socket = socket
        self._listener = listener
        self._on_close = on_close
        self._answer_within = answer_within_ms / 1000
        self._patience = patience_ms / 1000
        self._spoken = self._pinged = False
        self._keep_alive = keep_alive_ms / 1000
        self._put_at = 0.0
        self._fed = 0
        self._outbox: deque[str | bytes] = deque()
        self._waiting = 0
        self._answer_by: float | None = None
        self._wake = asyncio.Event()
        self._events: EventQueue[TranscriberEvent] = EventQueue()
        self._closed = False
        self._tell(listener.ready())
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._opened = self._now()
        self._alarm = self._loop.call_later(self._keep_alive, self._keep_open)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]

    def feed(self, payload: bytes) -> None:
        """Take caller audio (µ-law, 8 kHz)."""
        if self._events.over or not payload:
            return
        self._fed += len(payload)
        self._put(payload)
        if self._waiting > _MOST_WAITING:
            self._end(ProviderError("Deepgram takes no more audio"))
        elif self._answer_by is not None and self._now() > self._answer_by:
            self._overdue()

    def flush(self) -> None:
        """Ask for a `FinalWords` for all that was fed."""
        if self._events.over:
            return
        message, known = self._listener.flush(self._fed // BYTES_PER_MS)
        if message:
            self._put(message)
        self._tell(known)
        if self._answer_by is None:
            self._expect()

    async def close(self) -> None:
        """End the stream; its iterator ends, and what Deepgram still says is not heard."""
        if self._closed:
            return
        self._closed = True
        self._events.drop()
        self._alarm.cancel()
        try:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._say_goodbye()
        finally:
            self._on_close(self)

    def __aiter__(self) -> AsyncIterator[TranscriberEvent]:
        """The words, as they come. Raises `ProviderError` where the connection broke."""
        return self._events

    # --- out ------------------------------------------------------------------------------------------

    def _put(self, message: str | bytes) -> None:
        self._outbox.append(message)
        self._waiting += len(message)
        self._put_at = self._now()
        self._wake.set()

    def _keep_open(self) -> None:
        """After a while without anything to send, keep the connection alive."""
        quiet = self._now() - self._put_at
        if quiet >= self._keep_alive:
            self._put(self._listener.keep_alive(self._fed // BYTES_PER_MS))
            quiet = 0.0
        self._alarm = self._loop.call_later(self._keep_alive - quiet, self._keep_open)

    async def _write(self) -> None:
        """Send what is put into the outbox."""
        try:
            while not self._events.over:
                while self._outbox:
                    message = self._outbox.popleft()
                    if isinstance(message, str):
                        await self._socket.send_str(message)
                    elif message is _PING:
                        await self._socket.ping()
                    else:
                        await self._socket.send_bytes(message)
                    self._waiting -= len(message)
                self._wake.clear()
                await self._wake.wait()
        except (OSError, aiohttp.ClientError):
            pass  # the reader meets the same end, and knows why

    async def _say_goodbye(self) -> None:
        """Tell Deepgram that there is no more to come, and close; a peer that does not take it is cut off."""
        if not self._socket.closed:
            with contextlib.suppress(OSError, aiohttp.ClientError):
                async with asyncio.timeout(_CLOSE_WITHIN):
                    await self._socket.send_str(CLOSE_STREAM)
        with contextlib.suppress(OSError, aiohttp.ClientError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._socket.close()

    # --- in -------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while not self._events.over:
            message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                self._hear(message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                self._count_malformed()
            elif message.type is aiohttp.WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is aiohttp.WSMsgType.PONG:
                self._lives()
            else:
                self._end(ended(message, self._socket.close_code))

    def _hear(self, text: str) -> None:
        """Take a message; one that makes no sense is counted and survived."""
        try:
            self._tell(self._listener.hear(orjson.loads(text)))
        except ProviderError as error:
            self._end(error)
        except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError):
            self._count_malformed()
        self._spoken, self._pinged = True, False
        self._expect()

    def _expect(self) -> None:
        """By when the next sign of life must have come, if an answer is owed."""
        owed = self._listener.owes()
        if not owed:
            self._answer_by = None
            return
        now = self._now()
        ahead = self._fed / BYTES_PER_MS - (now - self._opened) * 1000
        self._answer_by = now + self._answer_within + max(0.0, min(owed, ahead)) / 4000

    def _overdue(self) -> None:
        """An answer is late: find out whether the peer lives, if it has ever spoken and may take its time."""
        if self._pinged or not (self._spoken and self._patience):
            self._end(ProviderError("Deepgram does not answer any more"))
        else:
            self._pinged = True
            self._answer_by = self._now() + _PONG_WITHIN
            self._put(_PING)

    def _lives(self) -> None:
        """A pong: of a ping that asked for it, or of the heartbeat."""
        if self._pinged and self._answer_by is not None:
            self._answer_by = max(self._answer_by, self._now() + self._patience)

    def _tell(self, events: Iterable[TranscriberEvent]) -> None:
        for event in events:
            # An interim replaces the one before, so at most one of them waits to be read.
            self._events.put(event, instead_of=InterimWords if isinstance(event, InterimWords) else None)

    def _count_malformed(self) -> None:
        """A message is left out; too many of them end the stream."""
        self._malformed += 1
        if self._malformed > MOST_SURVIVED:
            self._end(ProviderError("Deepgram sends nothing that is as documented"))
        else:
            self._tell((Survived("transcriber", "Deepgram sent a message that is not as documented"),))

    def _end(self, error: ProviderError) -> None:
        if not self._events.over:
            self._events.end(error)
            self._alarm.cancel()
            self._wake.set()
