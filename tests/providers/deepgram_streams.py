"""What the tests of Deepgram's transcribers share: sounds, and both kinds of transcriber on a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from engine.audio import mulaw
from engine.providers.contracts import ProviderError, TranscriberEvent
from engine.providers.stt.deepgram import DeepgramTranscriber
from engine.providers.stt.deepgram_flux import DeepgramFluxTranscriber
from engine.providers.stt.deepgram_stream import DeepgramStream
from fixtures.deepgram import API_KEY, Deepgram
from tests.providers.transcriber_conformance import PATIENCE, Utterance

SOUND = bytes([0x10, 0x90] * 80)
"""20 ms of a loud tone."""
UTTERANCES = (
    Utterance(mulaw.silence(100) + SOUND * 50, "a large coffee please."),
    Utterance(SOUND * 30, "that is all."),
)
SAYINGS = tuple(utterance.text for utterance in UTTERANCES)

AnyTranscriber = DeepgramTranscriber | DeepgramFluxTranscriber
Make = Callable[..., AnyTranscriber]


def nova(deepgram: Deepgram, **options: Any) -> DeepgramTranscriber:
    return DeepgramTranscriber(API_KEY, **{"base_url": deepgram.url, **options})


def flux(deepgram: Deepgram, **options: Any) -> DeepgramFluxTranscriber:
    return DeepgramFluxTranscriber(API_KEY, **{"base_url": deepgram.url, **options})


both = pytest.mark.parametrize("make", [nova, flux])


async def failure(stream: DeepgramStream) -> tuple[ProviderError, list[TranscriberEvent]]:
    """How the stream failed, and what it said before; after that it is over."""
    events: list[TranscriberEvent] = []
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ProviderError) as failed:
            async for event in stream:
                events.append(event)
        assert [event async for event in stream] == []
    return failed.value, events
