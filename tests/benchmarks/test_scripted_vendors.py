"""The cheap stand-ins of the load test, spoken to by the engine's own adapters; and the stamp in a frame."""

from __future__ import annotations

from binascii import a2b_base64

import pytest

from engine.core.conversation import Message
from engine.core.events import FinalWords, InterimWords, VoiceAudio, VoiceDone
from engine.providers.contracts import TextDelta
from engine.providers.llm.openai_chat import OpenAIChatModel
from engine.providers.stt.deepgram import DeepgramTranscriber
from engine.providers.tts.elevenlabs import ElevenLabsVoice
from fixtures.stamp import BITS, age_ms, stamp
from fixtures.tone_speech import speak

pytest.importorskip("picows")
from fixtures.scripted_vendors import QUIET, REPLIES, SAYINGS, Delays, Measured, running

FAST = Delays(final_ms=0, first_token_ms=0, tokens_per_second=10_000, first_audio_ms=0, rate=1_000)
LOUD, SILENT = bytes([0x10, 0x90] * 80), QUIET * 40


def test_a_stamp_is_silent_and_tells_the_age_of_its_frame() -> None:
    head = a2b_base64(stamp())
    assert len(head) == BITS and not head.strip(b"\xff\x7f")
    age = age_ms(head + LOUD[BITS:])
    assert age is not None and age >= 0
    assert age_ms(LOUD) is None


async def test_a_stretch_of_sound_is_the_next_saying() -> None:
    measured = Measured()
    async with running(FAST, measured) as given:
        ear = DeepgramTranscriber(given["DEEPGRAM_API_KEY"], base_url=given["DEEPGRAM_BASE_URL"])
        stream = await ear.open()
        finals, interims = [], 0
        for frame in [LOUD] * 30 + [a2b_base64(stamp()) + SILENT[BITS:]] * 10:
            stream.feed(frame)
        stream.flush()
        async for event in stream:
            interims += isinstance(event, InterimWords)
            if isinstance(event, FinalWords):
                finals.append(event.text)
                break
        await stream.close()
        await ear.close()
        assert finals == [SAYINGS[0]] and interims > 0
        assert measured.hops


async def test_a_request_is_answered_with_one_of_the_replies() -> None:
    async with running(FAST, Measured()) as given:
        model = OpenAIChatModel(
            given["OPENAI_API_KEY"], model="gpt-4.1-mini", base_url=given["OPENAI_BASE_URL"]
        )
        for _ in range(2):  # the second over the same connection
            deltas = [delta async for delta in model.generate([Message("user", "Hello")], [])]
            assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) in REPLIES
        await model.close()


async def test_a_text_is_spoken_to_its_end() -> None:
    async with running(FAST, Measured()) as given:
        key, base_url = given["ELEVENLABS_API_KEY"], given["ELEVENLABS_BASE_URL"]
        voice = ElevenLabsVoice(key, voice_id="v1", base_url=base_url)
        stream = await voice.open()
        stream.say(1, 0, "It is ready.")
        heard = b""
        async for event in stream:
            if isinstance(event, VoiceAudio):
                heard += event.payload
            if isinstance(event, VoiceDone):
                break
        await stream.close()
        await voice.close()
        assert heard == speak("It is ready. ").audio
