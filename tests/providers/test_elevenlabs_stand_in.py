"""The ElevenLabs stand-in does as documented, and the vendor's own SDK agrees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from engine.providers.tts.elevenlabs import ElevenLabsVoice
from fixtures.elevenlabs import API_KEY, ElevenLabs
from fixtures.tone_speech import speak
from tests.providers.voice_conformance import PATIENCE, collect

VOICE_ID = "hP72SDESIJq2YuAblBqz"


@pytest.fixture
async def vendor() -> AsyncIterator[ElevenLabs]:
    async with ElevenLabs() as vendor:
        yield vendor


@asynccontextmanager
async def connected(vendor: ElevenLabs, query: str = "") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A socket of the stand-in without the engine's adapter."""
    address = f"{vendor.url}/v1/text-to-speech/{VOICE_ID}/multi-stream-input?{query}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, headers={"xi-api-key": API_KEY}) as socket,
    ):
        yield socket


@pytest.mark.filterwarnings("ignore:ConnectionClosed.code is deprecated:DeprecationWarning")
async def test_the_vendors_sdk_speaks_to_the_stand_in(vendor: ElevenLabs) -> None:
    sdk = pytest.importorskip("elevenlabs.client")
    settings = pytest.importorskip("elevenlabs").VoiceSettings(speed=1.2)
    client = sdk.ElevenLabs(api_key=API_KEY, base_url=vendor.url)
    client.text_to_speech._ws_base_url = vendor.url  # it takes wss whatever the base URL says

    def convert() -> bytes:
        words = iter(["Good morning, ", "all ", "of you."])
        audio = client.text_to_speech.convert_realtime(
            VOICE_ID,
            text=words,
            model_id="eleven_flash_v2_5",
            output_format="ulaw_8000",
            voice_settings=settings,
        )
        return b"".join(audio)

    async with asyncio.timeout(PATIENCE):
        audio = await asyncio.to_thread(convert)
    spoken = "".join(vendor.connections[0].texts())
    assert spoken.split() == ["Good", "morning,", "all", "of", "you."]
    assert audio == speak(spoken, 1.2).audio


async def test_the_vendors_sdk_knows_every_message_of_the_stand_in(vendor: ElevenLabs) -> None:
    types = pytest.importorskip("elevenlabs.types")
    own = types.WebsocketTtsClientMessageMulti, types.CloseContext
    voice = ElevenLabsVoice(API_KEY, voice_id=VOICE_ID, base_url=vendor.url)
    stream = await voice.open()
    stream.say(1, 0, "Good morning, all of you.")
    await collect(stream, 1)
    await stream.close()
    await voice.close()
    sent = vendor.connections[0].messages
    for message in sent:
        own[message.get("close_context", False)].model_validate(message)
    async with connected(vendor, "sync_alignment=true") as socket:
        for message in sent:
            await socket.send_json(message)
        while not (received := await socket.receive_json()).get("isFinal"):
            parsed = types.AudioOutputMulti.model_validate(received)
            assert parsed.context_id == "piece-1"
            assert len(parsed.alignment.chars) == len(parsed.alignment.char_start_times_ms)
        assert types.FinalOutputMulti.model_validate(received).context_id == "piece-1"


async def test_the_stand_in_ends_what_is_inactive(vendor: ElevenLabs) -> None:
    async with connected(vendor, "inactivity_timeout=0") as socket:
        await socket.send_json({"text": " ", "context_id": "a"})
        assert await socket.receive_json() == {"contextId": "a", "isFinal": True}
        assert (await socket.receive_json())["error"] == "input_timeout_exceeded"
        assert (await socket.receive()).data == 1008


async def test_the_stand_in_drops_unflushed_text_and_refuses_a_sixth_context(vendor: ElevenLabs) -> None:
    async with connected(vendor) as socket:
        await socket.send_json({"text": "Never spoken. ", "context_id": "a"})
        await socket.send_json({"context_id": "a", "close_context": True})
        assert await socket.receive_json() == {"contextId": "a", "isFinal": True}
        for name in "bcdefg":
            await socket.send_json({"text": " ", "context_id": name})
        assert (await socket.receive_json())["error"] == "max_active_conversations"
        assert (await socket.receive()).data == 1008
