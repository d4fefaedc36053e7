"""One websocket to OpenAI's Realtime API: events out in their order, events in to whom they concern.

The socket is aiohttp's, without compression: base64 of µ-law does not get smaller, and OpenAI's own SDK shows
neither ``Retry-After`` nor the close code, and parses each event into a model that nobody here needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import orjson

from engine.audio.mulaw import BYTES_PER_MS
from engine.core.events import Survived, VendorUsed
from engine.providers.contracts import MOST_SURVIVED, ProviderError
from engine.providers.realtime.openai_errors import FATAL, HARMLESS, Failures
from engine.providers.realtime.openai_hearing import Hearing
from engine.providers.realtime.openai_items import Event, Items
from engine.providers.realtime.openai_responses import Responses

_log = logging.getLogger(__name__)

_MOST_WAITING = 60_000 * BYTES_PER_MS
"""Characters that may wait for the socket, 45 seconds of audio; a peer that takes none of it is gone."""
_CLOSE_WITHIN = 0.5
"""Seconds for responses to end, and for the closing handshake; then the socket is cut."""


class Session:
    """One connection from its first message to its end; what was said on it is gone with it."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        failures: Failures,
        charge: Callable[[VendorUsed], None],
        *,
        answer_within_ms: int,
    ) -> None:
        """Take an open socket; ``charge`` is told what stands on the bill."""
        self.malformed = 0
        """Messages that could not be understood, and were left out."""
        self._survived = 0
        self._socket = socket
        self._failures = failures
        loop = asyncio.get_running_loop()
        self.items = Items()
        self.hearing = Hearing(
            self._put,
            self.items,
            self._end,
            self.close,
            charge,
            clock=loop.time,
            host=failures.host,
            answer_within_ms=answer_within_ms,
        )
        self.responses = Responses(self._send, self.items, failures, self._end, charge, loop.time)
        self._takers = self._who_takes_what()
        self._outbox: deque[str] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._ready: asyncio.Future[None] = loop.create_future()
        self.over = False
        """It is of no more use."""
        self.closed = False
        """Nothing is left of it."""
        self._tasks = [loop.create_task(self._read()), loop.create_task(self._write())]

    @property
    def usable(self) -> bool:
        """Something may still be asked of it."""
        return not (self.over or self.closed)

    async def configure(self, session: Event) -> None:
        """Tell the server how the session is to be, and wait until it is. Raises `ProviderError`."""
        self._send({"type": "session.update", "event_id": "configure", "session": session})
        await self._ready

    async def close(self) -> None:
        """End the session in order; may be called more than once.

        Responses that still run are cancelled first: what they cost is told only when they have ended.
        """
        if self.closed:
            return
        self.closed = True
        self.hearing.events.drop()
        closed = ProviderError(f"the session with {self._failures.host} was closed")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self.responses.close(closed)
        self._end(closed)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(OSError, aiohttp.ClientError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._socket.close()

    # --- out ------------------------------------------------------------------------------------------

    def _send(self, event: Event) -> None:
        self._put(orjson.dumps(event).decode())

    def _put(self, message: str) -> None:
        if self.over:
            return
        self._outbox.append(message)
        self._waiting += len(message)
        self._wake.set()
        if self._waiting > _MOST_WAITING:
            self._end(self._failures.broken("takes no more audio"))

    async def _write(self) -> None:
        try:
            while not self.over:
                while self._outbox:
                    message = self._outbox.popleft()
                    await self._socket.send_str(message)
                    self._waiting -= len(message)
                self._wake.clear()
                await self._wake.wait()
        except (OSError, aiohttp.ClientError):
            pass  # the reader meets the same end, and knows why

    # --- in -------------------------------------------------------------------------------------------

    def _who_takes_what(self) -> dict[str, Callable[[Mapping[str, Any]], None]]:
        """Who an event of each type concerns; the other types tell nothing that is not known."""
        return {
            "session.updated": self._updated,
            "error": self._reported,
            "input_audio_buffer.committed": self.hearing.committed,
            "conversation.item.input_audio_transcription.delta": self.hearing.transcript_delta,
            "conversation.item.input_audio_transcription.completed": self.hearing.transcript_completed,
            "conversation.item.input_audio_transcription.failed": self.hearing.transcript_failed,
            "response.created": self.responses.created,
            "response.output_item.added": self.responses.item_added,
            "response.output_audio.delta": self.responses.audio,
            "response.output_audio_transcript.delta": self.responses.text,
            "response.output_text.delta": self.responses.text,
            "response.output_item.done": self.responses.item_done,
            "response.done": self.responses.done,
        }

    async def _read(self) -> None:
        try:
            while not self.over:
                message = await self._socket.receive()
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
                elif message.type is aiohttp.WSMsgType.BINARY:
                    self._count_malformed()
                else:
                    self._end(self._failures.ended(message, self._socket.close_code))
        except Exception as error:  # a bug of this package: the call must hear of it
            _log.exception("a session with %s broke", self._failures.host)
            self._end(ProviderError(f"the session with {self._failures.host} broke: {type(error).__name__}"))

    def _take(self, text: str) -> None:
        """Take an event; one that makes no sense is counted and survived."""
        try:
            event = orjson.loads(text)
            if taker := self._takers.get(event["type"]):
                taker(event)
        except (LookupError, TypeError, ValueError, AttributeError):
            self._count_malformed()

    def _updated(self, event: Mapping[str, Any]) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    def _reported(self, event: Mapping[str, Any]) -> None:
        """An error of which the session survives most: it is told to the request that it is about."""
        error = event["error"]
        event_id, code = error.get("event_id"), error.get("code")
        if not self._ready.done():
            self._end(self._failures.reported(error))
        elif event_id and event_id.startswith("cut-"):
            # It is not as it should be, so it is not referred to any more.
            self.items.forget(event_id.removeprefix("cut-"))
        elif self.responses.refused(event_id, error) or self.hearing.refused(event_id, code):
            return
        elif code in FATAL:
            self._end(self._failures.reported(error))
        elif code not in HARMLESS:
            self._survive(self._failures.reported(error))

    def _count_malformed(self) -> None:
        self.malformed += 1
        self._survive(self._failures.broken("sent a message that is not as documented"))

    def _survive(self, failure: ProviderError) -> None:
        """The session goes on after this; not for ever."""
        self._survived += 1
        if self._survived > MOST_SURVIVED:
            self._end(failure)
        else:
            self.hearing.events.put(Survived("model", failure.reason))

    def _end(self, error: ProviderError) -> None:
        if self.over:
            return
        self.over = True
        self._wake.set()
        self.hearing.events.end(error)
        self.responses.end(error)
        if not self._ready.done():
            self._ready.set_exception(error)
