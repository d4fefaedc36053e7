"""The way to Deepgram: key, address and the connections that are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp

from engine.errors import EngineError
from engine.providers.stt.deepgram_errors import refused, unreachable
from engine.providers.stt.deepgram_stream import DeepgramStream, Listener

BASE_URL = "https://api.deepgram.com"
_HEARTBEAT = 5.0
"""Seconds between pings on a socket that brings nothing; one that does not answer is gone 2.5 s later."""


class DeepgramAccount:
    """A `Transcriber` on one address with one key. The key is kept here, and shown nowhere."""

    def __init__(
        self,
        api_key: str,
        base_url: str,
        path: str,
        query: Sequence[tuple[str, str]],
        listener: Callable[[], Listener],
        *,
        answer_within_ms: int,
        patience_ms: int,
        keep_alive_ms: int,
        connect_within_ms: int,
    ) -> None:
        """``path`` and ``query`` are those of the streams; each gets a ``listener`` of its own.

        A stream that owes an answer may be silent for ``answer_within_ms``, and for ``patience_ms`` more if
        it has spoken before and answers a ping; a socket that carries nothing is kept alive every
        ``keep_alive_ms``. Raises `EngineError`.
        """
        key = api_key.strip()
        if not key:
            raise EngineError("deepgram needs a key: DEEPGRAM_API_KEY is empty")
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise EngineError("DEEPGRAM_API_KEY holds characters that no key of Deepgram has")
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise EngineError("DEEPGRAM_BASE_URL must begin with http:// or https:// and name a host")
        scheme = "wss" if address.scheme == "https" else "ws"
        self.host = address.hostname
        self._headers = {"Authorization": f"Token {key}"}
        self._url = urlunsplit(
            (scheme, address.netloc, address.path.rstrip("/") + path, urlencode(query), "")
        )
        self._listener = listener
        self._connect_within = connect_within_ms / 1000
        self._answer_within_ms = answer_within_ms
        self._patience_ms = patience_ms
        self._keep_alive_ms = keep_alive_ms
        self._session: aiohttp.ClientSession | None = None
        self._streams: set[DeepgramStream] = set()

    async def open(self) -> DeepgramStream:
        """Open a stream. Raises `ProviderError`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        failure = None
        try:
            async with asyncio.timeout(self._connect_within):
                socket = await self._session.ws_connect(
                    self._url, headers=self._headers, heartbeat=_HEARTBEAT, autoping=False, compress=0
                )
        except aiohttp.WSServerHandshakeError as error:
            failure = refused(error)
        except (OSError, aiohttp.ClientError) as error:
            failure = unreachable(error, self.host)
        if failure is not None:
            # Raised out here, because aiohttp's error holds the request, and with it the key.
            raise failure
        stream = DeepgramStream(
            socket,
            self._listener(),
            self._streams.discard,
            answer_within_ms=self._answer_within_ms,
            patience_ms=self._patience_ms,
            keep_alive_ms=self._keep_alive_ms,
        )
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        """End all streams and free the connections."""
        await asyncio.gather(*(stream.close() for stream in self._streams))
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
