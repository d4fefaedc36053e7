"""Voices of ElevenLabs over its multi-context WebSocket: µ-law at 8 kHz, passed on as it comes.

https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input
https://elevenlabs.io/docs/eleven-api/guides/how-to/websockets/multi-context-web-socket

One connection a call, one context a piece. A flush is not answered by anything that marks its end, and the
alignment of a last chunk may reach across flushes; only the end of a context (``isFinal``) is certain, so
each piece gets a context that is flushed and closed as soon as its text is in.

The socket is spoken directly: the vendor's SDK offers only the single-context endpoint, in blocking code.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import AsyncIterator
from itertools import count
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from engine.errors import EngineError
from engine.providers.contracts import ProviderError, VoiceEvent
from engine.providers.tts.elevenlabs_words import WordTimes
from engine.providers.tts.hosted import Account, Piece, PieceQueue, vendor_root, vendor_session, within

__all__ = ["FASTEST", "SLOWEST", "VOICES", "ElevenLabsStream", "ElevenLabsVoice"]

SLOWEST, FASTEST = 0.7, 1.2
"""Speed factors."""

VOICES = {
    "rachel": "21m00Tcm4TlvDq8ikWAM",
    "domi": "AZnzlk1XvdvUeBnXmlld",
    "bella": "EXAVITQu4vr4xnSDxMaL",
    "antoni": "ErXwobaYiN019PkySvjV",
    "elli": "MF3mGyEYCl7XYWbV9V6O",
    "josh": "TxGEqnHWrfWFTfGW9XjX",
    "arnold": "VR6AewLTigWG4xSOukaG",
    "sam": "yoZ06aMxZJJ28mfd3POQ",
    "adam": "pNInz6obpgDQGcFmaJgB",
    "nicole": "piTKgcLEGmPE4e6mEKli",
    "matilda": "XrExE9yKIg1WjnnlVkGX",
}
"""Voices that have a short name, and the vendor's own id of each."""

MOST_CONTEXTS = 3
"""Contexts with text at a time. The vendor cuts the connection at a sixth context; one is the idle one, and
one is left free because a context is counted for some time after it has ended."""

INACTIVITY = 180
"""Seconds after which the vendor closes an idle context, the most it allows."""

KEEP_ALIVE = 60.0
"""Seconds between the empty texts that keep the idle context, and so the connection, open."""

CLOSING = 0.25
"""Seconds that the closing handshake may take."""

_IDLE = "idle"
"""A context that never gets any text: something to keep alive between replies."""

_USELESS_TO_RETRY = frozenset(
    "authentication_error invalid_api_key missing_permissions model_not_found needs_authorization"
    " quota_exceeded unsupported_model voice_does_not_exist voice_not_found".split()
)
_ABOUT_THE_KEY = frozenset({"authentication_error", "invalid_api_key", "needs_authorization"})


class ElevenLabsVoice:
    """One voice, model and way of speaking; see `engine.providers.contracts.Voice`."""

    def __init__(
        self,
        api_key: str,
        *,
        voice_id: str,
        model: str = "eleven_flash_v2_5",
        speed: float = 1.0,
        language: str | None = None,
        stability: float | None = None,
        similarity_boost: float | None = None,
        style: float | None = None,
        use_speaker_boost: bool | None = None,
        base_url: str = "https://api.elevenlabs.io",
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        """Take the settings; what is None is left to the vendor.

        ``voice_id`` is a name of `VOICES` or any id of the vendor's own; ``speed`` a factor from 0.7 to 1.2;
        ``language`` a BCP-47 tag, of which the vendor gets the language, or ``multi``; ``stability``,
        ``similarity_boost`` and ``style`` go from 0 to 1. Raises `EngineError` that names the setting at
        fault.
        """
        if not voice_id:
            raise EngineError("voice.voice: an ElevenLabs voice id is needed")
        self._account = Account("ElevenLabs", "ELEVENLABS_API_KEY", (api_key,))
        root = vendor_root(base_url, "ELEVENLABS_BASE_URL")
        voice_id = quote(VOICES.get(voice_id.lower(), voice_id), safe="")
        self._url = f"ws{root[4:]}/v1/text-to-speech/{voice_id}/multi-stream-input"
        self._query = {
            "model_id": model,
            "output_format": "ulaw_8000",
            "inactivity_timeout": str(INACTIVITY),
            "sync_alignment": "true",
            "auto_mode": "true",
        }
        if language is not None and language != "multi":
            self._query["language_code"] = language.split("-")[0].lower()
        settings = {
            "speed": within("voice.speed", speed, SLOWEST, FASTEST),
            "stability": within("voice.stability", stability, 0, 1),
            "similarity_boost": within("voice.similarity_boost", similarity_boost, 0, 1),
            "style": within("voice.style", style, 0, 1),
            "use_speaker_boost": use_speaker_boost,
        }
        self._settings = {name: value for name, value in settings.items() if value is not None}
        self._keep_alive = keep_alive
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> ElevenLabsStream:
        """Connect. Raises `ProviderError`; how long it may take is the caller's to say."""
        if self._session is None or self._session.closed:
            self._session = vendor_session()
        try:
            socket = await self._session.ws_connect(
                self._url,
                params=self._query,
                headers={"xi-api-key": self._account.secrets[0]},
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSING),
            )
        except aiohttp.WSServerHandshakeError as error:
            wait = error.headers.get("Retry-After") if error.headers else None
            failure = self._account.refusal(error.status, retry_after=wait)
        except (aiohttp.ClientError, OSError) as error:
            failure = self._account.failure(f"cannot be reached: {error}")
        else:
            return ElevenLabsStream(socket, self._settings, self._account, self._keep_alive)
        raise failure  # out here: what was caught holds the request with its key

    async def close(self) -> None:
        """Close the connections of all streams."""
        if self._session is not None:
            await self._session.close()


class ElevenLabsStream:
    """One call's connection; see `engine.providers.contracts.VoiceStream`.

    A cancelled piece is dropped here: its context was flushed, and the vendor finishes what is flushed. It
    counts as open until the vendor ends it.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        settings: dict[str, Any],
        account: Account,
        keep_alive: float,
    ) -> None:
        """Take an open socket; ``settings``: the ``voice_settings`` of all contexts, which may not differ."""
        self._socket = socket
        self._settings = settings
        self._account = account
        self._pieces = PieceQueue()
        self._names = count(1)
        self._contexts: dict[str, _Context] = {}
        """Those that have text, by name, until the vendor ends them."""
        self._speaking: dict[Piece, str] = {}
        """The pieces that have a context."""
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._interval = keep_alive
        self._loop = asyncio.get_running_loop()
        self._alarm = self._loop.call_later(keep_alive, self._keep_open)
        self._send(text=" ", context_id=_IDLE, voice_settings=settings)
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]

    def say(self, reply: int, piece: int, text: str) -> None:
        """Ask for a piece."""
        self._pieces.add(reply, piece, text)
        self._start_contexts()

    def cancel(self, reply: int) -> None:
        """Drop the pieces of a reply."""
        for piece in self._pieces.cancel(reply):
            if (name := self._speaking.pop(piece, None)) is not None:
                self._contexts[name].piece = None
        self._start_contexts()

    async def close(self) -> None:
        """Close the connection."""
        self._pieces.close()
        self._alarm.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    def __aiter__(self) -> AsyncIterator[VoiceEvent]:
        """The events of all pieces, in the order they were asked for."""
        return self._pieces

    # --- to the vendor --------------------------------------------------------------------------------

    def _start_contexts(self) -> None:
        for piece in self._pieces.to_speak():
            if piece in self._speaking:
                continue
            if len(self._contexts) >= MOST_CONTEXTS:
                return
            name = f"piece-{next(self._names)}"
            self._speaking[piece] = name
            self._contexts[name] = _Context(piece)
            text = piece.text.strip() + " "
            self._send(text=text, context_id=name, voice_settings=self._settings)
            self._send(context_id=name, flush=True)
            self._send(context_id=name, close_context=True)

    def _send(self, **message: Any) -> None:
        self._outgoing.put_nowait(message)

    def _keep_open(self) -> None:
        self._send(text="", context_id=_IDLE)
        self._alarm = self._loop.call_later(self._interval, self._keep_open)

    async def _write(self) -> None:
        try:
            while True:
                await self._socket.send_str(orjson.dumps(await self._outgoing.get()).decode())
        except (aiohttp.ClientError, ConnectionError):
            pass  # what is read tells why

    # --- from the vendor ------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while (message := await self._socket.receive()).type is aiohttp.WSMsgType.TEXT:
                self._hear(message.data)
            self._pieces.fail(self._gone(message))
        except Exception as error:  # a bug of this file too: the call must hear of it
            self._pieces.fail(error)
        finally:
            self._alarm.cancel()

    def _gone(self, message: aiohttp.WSMessage) -> ProviderError:
        if message.type is aiohttp.WSMsgType.BINARY:
            return self._account.failure("sent bytes where text was due")
        reason = str(message.extra or "") if message.type is aiohttp.WSMsgType.CLOSE else ""
        code = self._socket.close_code
        retryable = not any(word in reason for word in _USELESS_TO_RETRY)
        return self._account.failure(
            f"closed the connection (code {code}){': ' + reason if reason else ''}", retryable=retryable
        )

    def _hear(self, text: str) -> None:
        """One message: audio of a context with its alignment, the end of a context, or an error."""
        try:
            message = orjson.loads(text)
            if message.get("error"):
                raise self._reported(message)
            name = message.get("contextId")
            context = self._contexts.get(name)
            if context is not None and message.get("audio"):
                self._give(context, message, text)
            if message.get("isFinal"):
                self._end(name)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise self._account.failure("sent a message that is malformed") from None

    def _reported(self, message: dict[str, Any]) -> ProviderError:
        error, said = str(message["error"]), str(message.get("message") or "")
        hint = f", see {self._account.settings}" if error in _ABOUT_THE_KEY else ""
        retryable = error not in _USELESS_TO_RETRY
        return self._account.failure(f"reported {error}{hint}: {said}", retryable=retryable)

    def _give(self, context: _Context, message: dict[str, Any], text: str) -> None:
        piece, alignment = context.piece, message.get("alignment")
        if piece is None:
            return
        if alignment:
            if text == context.last:
                return
            context.last = text
            try:
                self._pieces.words(piece, context.times.take(alignment))
            except (KeyError, TypeError, ValueError, IndexError):  # words without times are estimated
                if not context.misaligned:
                    context.misaligned = True
                    self._pieces.survived(piece, "ElevenLabs sent word times that make no sense")
        self._pieces.audio(piece, binascii.a2b_base64(message["audio"], strict_mode=True))

    def _end(self, name: str) -> None:
        context = self._contexts.pop(name, None)
        if context is not None and context.piece is not None:
            del self._speaking[context.piece]
            self._pieces.done(context.piece, self._account.vendor)
        self._start_contexts()


class _Context:
    """A context that has text: its piece (None: cancelled) and its word times."""

    def __init__(self, piece: Piece) -> None:
        self.piece: Piece | None = piece
        self.times = WordTimes(piece.text)
        self.last = ""
        """Its last message with an alignment: the same once more is a mistake that would be heard."""
        self.misaligned = False
        """An alignment of it made no sense."""
