"""Voices of PlayHT over its streaming HTTP API: µ-law at 8 kHz, one request a piece.

https://docs.play.ht/reference/api-generate-tts-audio-stream

The API gives no word times; the engine estimates them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import orjson

from engine.errors import EngineError
from engine.providers.contracts import ProviderError
from engine.providers.tts.hosted import Account, vendor_root, vendor_session, within
from engine.providers.tts.requested import RequestedVoice

__all__ = ["VOICES", "PlayHTVoice"]

_S3 = "s3://voice-cloning-zero-shot"

VOICES = {
    "susan": f"{_S3}/65e66dc8-9273-43c8-889a-83e858bf2bb8/susansaad/manifest.json",
    "william": f"{_S3}/c00f7eb4-fbbd-4a7d-a4c5-ff57e92faf99/williamsaad3/manifest.json",
    "phoebe": f"{_S3}/0c4c229f-7f99-4ed9-b904-223c701672b9/phoebesaad/manifest.json",
    "arthur": f"{_S3}/8ca8c44d-fb2b-4269-abca-4e6748a4a61e/arthursaad/manifest.json",
    "ayla": f"{_S3}/483ed913-2817-45cb-b1a2-b79d9bfb2cf8/aylanarrativesaad/manifest.json",
    "dylan": f"{_S3}/3a831d1f-2183-49de-b6d8-33f16b2e9867/dylansaad/manifest.json",
    "madelyn": f"{_S3}/0a11e4f0-1656-48c9-bc4c-affcd718c414/madelynsaad/manifest.json",
    "oliver": f"{_S3}/6c9c01b7-8d38-47ae-8ce5-18a360b26cf3/oliversaad/manifest.json",
    "sophia": f"{_S3}/1f44b3e7-22ea-4c2e-87d0-b4d9c8f1d47d/sophia/manifest.json",
}
"""Voices that have a short name, and the vendor's own id of each."""

SLOWEST = 0.1
"""The least speed factor that the vendor takes; a lesser one is sent as this."""

_CHUNK = 1600
"""Bytes read at a time at most: 200 ms."""

_TEXTUAL = ("application/json", "text/")
"""Content types that are no audio, whatever the status says."""

_MOST_SAID = 300
"""Characters of a vendor's explanation that are passed on."""


class PlayHTVoice:
    """One voice, engine and way of speaking; see `engine.providers.contracts.Voice`."""

    def __init__(
        self,
        user_id: str,
        api_key: str,
        *,
        voice: str,
        model: str = "PlayHT2.0-turbo",
        speed: float = 1.0,
        style_guidance: float | None = None,
        temperature: float | None = None,
        text_guidance: float | None = None,
        base_url: str = "https://api.play.ht",
    ) -> None:
        """Take the settings; what is None is not sent, which leaves it to the vendor.

        ``voice`` is a name of `VOICES` or any id of the vendor's own, ``model`` its ``voice_engine``;
        ``speed`` is a factor of at most 5, ``style_guidance`` 1 to 30, ``temperature`` 0 to 2 and
        ``text_guidance`` 1 to 2. Raises `EngineError` that names the setting at fault.
        """
        if not voice:
            raise EngineError("voice.voice: a PlayHT voice is needed")
        if not 0 < speed <= 5:
            raise EngineError(f"voice.speed: must be above 0 and at most 5, not {speed:g}")
        self._account = Account("PlayHT", "PLAYHT_USER_ID and PLAYHT_API_KEY", (user_id, api_key))
        self._url = vendor_root(base_url, "PLAYHT_BASE_URL") + "/api/v2/tts/stream"
        self._headers = {
            "AUTHORIZATION": api_key,
            "X-USER-ID": user_id,
            "Accept": "*/*",
            "Content-Type": "application/json",
        }
        options = {
            "voice": VOICES.get(voice.lower(), voice),
            "voice_engine": model,
            "output_format": "mulaw",
            "sample_rate": 8000,
            "speed": max(speed, SLOWEST),
            "style_guidance": within("voice.style_guidance", style_guidance, 1, 30),
            "temperature": within("voice.temperature", temperature, 0, 2),
            "text_guidance": within("voice.text_guidance", text_guidance, 1, 2),
        }
        self._options = {name: value for name, value in options.items() if value is not None}
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> RequestedVoice:
        """Open a stream. Nothing is sent before the first piece, so nothing is refused here."""
        if self._session is None or self._session.closed:
            self._session = vendor_session()
        session = self._session
        return RequestedVoice(self._account.vendor, partial(self._audio, session))

    async def close(self) -> None:
        """Close the connections of all streams."""
        if self._session is not None:
            await self._session.close()

    async def _audio(self, session: aiohttp.ClientSession, text: str) -> AsyncIterator[bytes]:
        """The audio of a text. Raises `ProviderError`; closing it ends the request."""
        body = orjson.dumps({**self._options, "text": text})
        header = _WavHeader()
        try:
            async with session.post(self._url, data=body, headers=self._headers) as response:
                if response.status != 200 or response.content_type.startswith(_TEXTUAL):
                    failure = await self._refusal(response)
                else:
                    async for chunk in response.content.iter_chunked(_CHUNK):
                        yield header.strip(chunk)
                    return
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError):
            failure = self._account.failure("closed the connection before the end of a piece")
        except (aiohttp.ClientError, OSError) as error:
            failure = self._account.failure(f"cannot be reached: {error}")
        raise failure  # out here: what was caught may hold the request with its key

    async def _refusal(self, response: aiohttp.ClientResponse) -> ProviderError:
        said = await response.text(errors="replace")
        try:
            answer = orjson.loads(said)
            said = str(answer["error_message"])
        except (ValueError, TypeError, KeyError):
            pass  # not in the documented form: told as it is
        said = said[:_MOST_SAID].strip()
        if response.status < 400:
            return self._account.failure(f"sent {response.content_type} where audio was due: {said}")
        return self._account.refusal(response.status, said, response.headers.get("Retry-After"))


class _WavHeader:
    """Takes the header off audio that comes as a WAV file (RIFF) after all: it would be heard as a click."""

    def __init__(self) -> None:
        self._held: bytes | None = b""
        """What may be a header's beginning; None once it is behind."""

    def strip(self, chunk: bytes) -> bytes:
        """The samples of a chunk."""
        if self._held is None:
            return chunk
        held = self._held + chunk
        data = held.find(b"data")
        if not held.startswith(b"RIFF"[: len(held)]):
            data = -8
        elif data < 0 or len(held) < data + 8:
            self._held = held
            return b""
        self._held = None
        return held[data + 8 :]
