"""A voice with a request for each piece: what is cancelled leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from engine.core.events import VoiceAudio, VoiceDone
from engine.providers.tts.requested import RequestedVoice


class Vendor:
    """Says ten bytes for each text."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def audio(self, text: str) -> AsyncIterator[bytes]:
        self.asked.append(text)
        yield b"0123456789"


async def test_a_piece_that_is_cancelled_before_its_request_began_is_never_asked_for() -> None:
    vendor = Vendor()
    voice = RequestedVoice("vendor", vendor.audio)
    before = asyncio.all_tasks()
    voice.say(1, 0, "never")
    voice.cancel(1)
    voice.say(2, 0, "heard")
    assert [await anext(aiter(voice)) for _ in range(2)] == [VoiceAudio(2, 0, b"0123456789"), VoiceDone(2, 0)]
    assert vendor.asked == ["heard"]
    await voice.close()
    assert asyncio.all_tasks() == before
    assert voice._requests == {}


async def test_a_closed_voice_asks_for_nothing() -> None:
    vendor = Vendor()
    voice = RequestedVoice("vendor", vendor.audio)
    voice.say(1, 0, "a")
    await voice.close()
    voice.say(1, 1, "b")
    assert [event async for event in voice] == [] and vendor.asked == []
