"""OpenAI's speech-to-speech models over the Realtime API: µ-law at 8 kHz both ways, one websocket a call.

Follows https://developers.openai.com/api/docs/guides/realtime-websocket (the connection) and
https://developers.openai.com/api/reference/resources/realtime (the session). The engine decides the turns and
keeps the conversation, so the server's own turn detection is off and every response is given its input.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from engine.errors import EngineError
from engine.providers.openai_http import BASE_URL
from engine.providers.realtime.openai_errors import Failures
from engine.providers.realtime.openai_line import Charge, OpenAIRealtimeLine
from engine.providers.realtime.openai_session import Session

SLOWEST, FASTEST = 0.25, 1.5
"""Speed factors."""
MOST_TOKENS = 4096
"""Of one response, sound included."""

_HEARTBEAT = 5.0
"""Seconds between pings on a socket that brings nothing; one that does not answer is gone 2.5 s later."""
_HINTED = re.compile(r"gpt-(live-)?transcribe\b")
"""Transcription models that take lists of languages and keywords; older ones take a prompt."""
_NO_PROMPT = re.compile(r"gpt-realtime-whisper\b|gpt-4o-transcribe-diarize\b")


class OpenAIRealtime:
    """One model and way of speaking; see `engine.providers.contracts.RealtimeModel`."""

    def __init__(
        self,
        api_key: str,
        model: str,
        *,
        base_url: str = BASE_URL,
        voice: str = "marin",
        speed: float | None = None,
        transcription_model: str = "gpt-transcribe",
        language: str | None = None,
        keywords: Sequence[str] = (),
        max_tokens: int | None = None,
        answer_within_ms: int = 2_500,
        connect_within_ms: int = 5_000,
    ) -> None:
        """Take the settings; nothing is connected yet, and what is None is left to the vendor.

        ``speed`` is a factor of 0.25 to 1.5, ``max_tokens`` (1 to 4096) bounds each reply, sound included.
        ``transcription_model`` writes down what the caller says; ``language`` (a BCP-47 tag, or ``multi``)
        and ``keywords`` help it. What a flush asks for must come within ``answer_within_ms``. Raises
        `EngineError` that names the setting at fault.
        """
        if not model:
            raise EngineError("realtime.model: must name a model")
        if not re.match(r"https?://[^/]", base_url):
            raise EngineError(f"OPENAI_BASE_URL: must begin with http:// or https://, not {base_url!r}")
        root = base_url.rstrip("/")
        self._url = f"ws{root[4:]}/realtime?model={quote(model, safe='')}"
        self._failures = Failures(urlsplit(root).netloc.rpartition("@")[2], api_key)
        transcription = _transcription(transcription_model, language, keywords)
        self._configuration = _configuration(transcription, voice, speed, max_tokens)
        self._answer_within_ms = answer_within_ms
        self._connect_within = connect_within_ms / 1000
        self._http: aiohttp.ClientSession | None = None
        self._lines: set[OpenAIRealtimeLine] = set()

    def line(self) -> OpenAIRealtimeLine:
        """A line for one call; it connects when its transcriber is opened."""
        line = OpenAIRealtimeLine(self._connect, self._lines.discard)
        self._lines.add(line)
        return line

    async def close(self) -> None:
        """Close all lines and the connections."""
        await asyncio.gather(*(line.close() for line in list(self._lines)))
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()

    async def _connect(self, charge: Charge) -> Session:
        """A session that is as the settings say; ``charge`` is told its bill. Raises `ProviderError`."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        failure = None
        try:
            async with asyncio.timeout(self._connect_within):
                socket = await self._http.ws_connect(
                    self._url,
                    headers={"Authorization": f"Bearer {self._failures.key}"},
                    heartbeat=_HEARTBEAT,
                    compress=0,
                )
                return await self._configured(socket, charge)
        except aiohttp.WSServerHandshakeError as error:
            failure = self._failures.refused(error)
        except (OSError, aiohttp.ClientError) as error:
            failure = self._failures.unreachable(error)
        # Raised out here, because aiohttp's error holds the request, and with it the key.
        raise failure

    async def _configured(self, socket: aiohttp.ClientWebSocketResponse, charge: Charge) -> Session:
        session = Session(
            socket,
            self._failures,
            charge,
            answer_within_ms=self._answer_within_ms,
        )
        try:
            await session.configure(self._configuration)
        except BaseException:
            await session.close()
            raise
        return session


def _configuration(
    transcription: dict[str, Any], voice: str, speed: float | None, max_tokens: int | None
) -> dict[str, Any]:
    """The session as it is asked for. Raises `EngineError`."""
    if speed is not None and not SLOWEST <= speed <= FASTEST:
        raise EngineError(f"realtime.speed: must be {SLOWEST:g} to {FASTEST:g}, not {speed:g}")
    if max_tokens is not None and not 1 <= max_tokens <= MOST_TOKENS:
        raise EngineError(f"realtime.max_tokens: must be 1 to {MOST_TOKENS}, not {max_tokens}")
    pcmu = {"type": "audio/pcmu"}
    hears = {"format": pcmu, "turn_detection": None, "transcription": transcription}
    speaks = {"format": pcmu, "voice": voice, "speed": speed}
    session = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {"input": hears, "output": _set(speaks)},
        "max_output_tokens": max_tokens,
    }
    return _set(session)


def _set(options: dict[str, Any]) -> dict[str, Any]:
    """Those that are not left to the vendor."""
    return {name: value for name, value in options.items() if value is not None}


def _transcription(model: str, language: str | None, keywords: Sequence[str]) -> dict[str, Any]:
    """How the caller's words are to be written down. Raises `EngineError`."""
    wanted: dict[str, Any] = {"model": model}
    spoken = language.split("-")[0].lower() if language and language != "multi" else ""
    hinted = _HINTED.match(model) is not None
    if spoken:
        wanted |= {"languages": [spoken]} if hinted else {"language": spoken}
    if keywords and hinted:
        wanted["keywords"] = list(keywords)
    elif keywords and _NO_PROMPT.match(model):
        raise EngineError(f"realtime.keywords: {model} takes none")
    elif keywords:
        words = ", ".join(keywords)
        wanted["prompt"] = words if model == "whisper-1" else f"Words to expect: {words}."
    return wanted
