"""The voice stream of vendors that are asked over HTTP: one streamed request a piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

from engine.core.events import Survived
from engine.providers.contracts import ProviderError, VoiceEvent
from engine.providers.tts.hosted import Piece, PieceQueue


class RequestedVoice:
    """One call's requests; see `engine.providers.contracts.VoiceStream`."""

    def __init__(self, vendor: str, audio: Callable[[str], AsyncIterator[bytes | Survived]]) -> None:
        """``audio`` has a text spoken as µ-law at 8 kHz: it raises `ProviderError`; closing it cancels.

        What went wrong without costing any sound may be between its bytes.
        """
        self._vendor = vendor
        self._audio = audio
        self._pieces = PieceQueue()
        self._requests: dict[Piece, asyncio.Task[None]] = {}
        self._closed = False

    def say(self, reply: int, piece: int, text: str) -> None:
        """Ask for a piece."""
        if not self._closed:
            self._pieces.add(reply, piece, text)
            self._start_requests()

    def cancel(self, reply: int) -> None:
        """Drop the pieces of a reply and end their requests."""
        for piece in self._pieces.cancel(reply):
            if (request := self._requests.get(piece)) is not None:
                request.cancel()
        self._start_requests()

    async def close(self) -> None:
        """End all requests and the iteration."""
        self._closed = True
        self._pieces.close()
        requests = list(self._requests.values())
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    def __aiter__(self) -> AsyncIterator[VoiceEvent]:
        """The events of all pieces, in the order they were asked for."""
        return self._pieces

    def _start_requests(self) -> None:
        if not self._closed:
            for piece in self._pieces.to_speak():
                if piece not in self._requests:
                    self._requests[piece] = task = asyncio.create_task(self._speak(piece))
                    task.add_done_callback(partial(self._over, piece))

    def _over(self, piece: Piece, task: asyncio.Task[None]) -> None:
        """A request is over, one that was cancelled before it began, too."""
        del self._requests[piece]
        self._start_requests()

    async def _speak(self, piece: Piece) -> None:
        try:
            async for payload in self._audio(piece.text.strip()):
                if isinstance(payload, Survived):
                    self._pieces.survived(piece, payload.reason)
                else:
                    self._pieces.audio(piece, payload)
            self._pieces.done(piece, self._vendor)
        except ProviderError as error:
            self._pieces.failed(piece, error)
        except Exception as error:  # a bug of the adapter: the call must hear of it
            self._pieces.fail(error)
