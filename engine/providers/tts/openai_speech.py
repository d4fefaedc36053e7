"""Voices of OpenAI over its speech endpoint: one streamed request a piece, made µ-law on the way.

Follows https://developers.openai.com/api/docs/guides/text-to-speech: ``pcm`` is 16 bit, little endian, mono
at 24 kHz without a header. The API gives no word times; the engine estimates them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from engine.audio import mulaw
from engine.audio.resample import Resampler
from engine.errors import EngineError
from engine.providers.openai_http import BASE_URL, OpenAIClient
from engine.providers.tts.hosted import within
from engine.providers.tts.requested import RequestedVoice

RATE = 24000
"""Hz of what OpenAI sends."""

_WITHOUT_INSTRUCTIONS = ("tts-1",)
_PCM = frozenset({"audio/pcm", "audio/l16", "audio/raw", "audio/basic", "application/octet-stream", ""})
"""Content types of bare samples. Anything else would be heard as noise."""


class OpenAISpeechVoice:
    """One voice and way of speaking; see `engine.providers.contracts.Voice`."""

    def __init__(
        self,
        api_key: str,
        *,
        model: str = "gpt-4o-mini-tts",
        voice: str = "alloy",
        speed: float | None = None,
        instructions: str | None = None,
        base_url: str = BASE_URL,
    ) -> None:
        """Take the settings; what is None is not sent. Nothing is connected yet.

        ``speed`` is a factor of 0.25 to 4; ``instructions`` say in words how to speak, which the ``tts-1``
        models cannot be told. Raises `EngineError` that names the setting at fault, `MissingExtra` without
        numpy or soxr.
        """
        if not model:
            raise EngineError("voice.model: must name a model")
        if not voice:
            raise EngineError("voice.voice: must name a voice")
        if instructions is not None and model.startswith(_WITHOUT_INSTRUCTIONS):
            raise EngineError(f"voice.instructions: is not an option of {model}")
        options = {
            "model": model,
            "voice": voice,
            "response_format": "pcm",
            "speed": within("voice.speed", speed, 0.25, 4.0),
            "instructions": instructions,
        }
        self._options = {name: value for name, value in options.items() if value is not None}
        Resampler(RATE, mulaw.BYTES_PER_MS * 1000)  # so that a missing library is known now, not on a call
        self._client = OpenAIClient(api_key, base_url)

    async def open(self) -> RequestedVoice:
        """Open a stream. Nothing is sent before the first piece, so nothing is refused here."""
        return RequestedVoice("OpenAI speech", self._audio)

    async def models(self) -> tuple[str, ...]:
        """The names of the models that the server offers. Raises `ProviderError`."""
        return await self._client.models()

    async def close(self) -> None:
        """Close the connections of all streams."""
        await self._client.close()

    async def _audio(self, text: str) -> AsyncIterator[bytes]:
        """The µ-law audio of a text. Raises `ProviderError`; closing it, or its task, ends the request."""
        resampler = Resampler(RATE, mulaw.BYTES_PER_MS * 1000)
        body = {**self._options, "input": text}
        async with self._client.post("/audio/speech", body, accept="application/octet-stream") as response:
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind not in _PCM:
                raise self._client.broken(f"sent {kind} where bare samples were asked for")
            async for chunk in response.content.iter_any():
                yield mulaw.encode(resampler.feed(chunk))
        yield mulaw.encode(resampler.flush())
