"""ElevenLabs over real sockets, against the stand-in: what is sent, what is heard, and every fault."""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from engine.core.events import Survived, VoiceAudio, VoiceDone, VoiceFailed
from engine.errors import EngineError
from engine.providers.contracts import ProviderError, VoiceStream
from engine.providers.tts.elevenlabs import ElevenLabsVoice
from fixtures.elevenlabs import API_KEY, ElevenLabs
from fixtures.faults import Fault, Kind
from fixtures.tone_speech import speak
from tests.providers.voice_conformance import LONG, PATIENCE, VoiceConformance, by_piece, collect

VOICE_ID = "hP72SDESIJq2YuAblBqz"
TEXT = "Good morning, your order is ready."


@pytest.fixture
async def vendor() -> AsyncIterator[ElevenLabs]:
    async with ElevenLabs() as vendor:
        yield vendor


@asynccontextmanager
async def opened(vendor: ElevenLabs, **settings: object) -> AsyncIterator[VoiceStream]:
    voice = ElevenLabsVoice(API_KEY, voice_id=VOICE_ID, base_url=vendor.url, **settings)
    stream = await voice.open()
    yield stream
    await stream.close()
    await voice.close()


async def until(vendor: ElevenLabs, true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE), vendor.changed:
        await vendor.changed.wait_for(true)


async def failure_of(stream: VoiceStream) -> tuple[list[object], ProviderError]:
    """What came, and what was raised at the end; after it there is nothing more."""
    events: list[object] = []
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ProviderError) as raised:
            async for event in stream:
                events.append(event)
        assert [event async for event in stream] == []
    return events, raised.value


class TestConformance(VoiceConformance):
    @pytest.fixture
    async def voice(self, vendor: ElevenLabs) -> AsyncIterator[ElevenLabsVoice]:
        vendor.rate = 100
        voice = ElevenLabsVoice(API_KEY, voice_id=VOICE_ID, base_url=vendor.url)
        yield voice
        await voice.close()

    # pauses between sentences are the vendor's own
    test_sentences_are_set_apart_and_a_reply_ends_with_its_last_sound = None


# --- what is sent -------------------------------------------------------------------------------------


async def test_the_settings_reach_the_vendor(vendor: ElevenLabs) -> None:
    settings = {"stability": 0.4, "similarity_boost": 0.75, "style": 0.2, "use_speaker_boost": True}
    async with opened(vendor, model="eleven_turbo_v2_5", speed=1.1, language="de-CH", **settings) as stream:
        stream.say(1, 0, " Guten Tag. ")
        await collect(stream, 1)
    (connection,) = vendor.connections
    assert connection.voice_id == VOICE_ID
    assert connection.headers["xi-api-key"] == API_KEY
    assert connection.query == {
        "model_id": "eleven_turbo_v2_5",
        "output_format": "ulaw_8000",
        "language_code": "de",
        "sync_alignment": "true",
        "auto_mode": "true",
        "inactivity_timeout": "180",
    }
    assert connection.messages == [
        {"text": " ", "context_id": "idle", "voice_settings": {"speed": 1.1} | settings},
        {"text": "Guten Tag. ", "context_id": "piece-1", "voice_settings": {"speed": 1.1} | settings},
        {"context_id": "piece-1", "flush": True},
        {"context_id": "piece-1", "close_context": True},
    ]


@pytest.mark.parametrize("language", [None, "multi"])
async def test_what_is_not_set_is_not_sent(vendor: ElevenLabs, language: str | None) -> None:
    async with opened(vendor, language=language) as stream:
        stream.say(1, 0, TEXT)
        await collect(stream, 1)
    (connection,) = vendor.connections
    assert "language_code" not in connection.query
    assert connection.messages[0]["voice_settings"] == {"speed": 1.0}


@pytest.mark.parametrize("speed", [0.7, 1.0, 1.2])
async def test_audio_is_untouched_and_words_are_exact(vendor: ElevenLabs, speed: float) -> None:
    vendor.chunk_chars = 7  # chunks cut words
    expected = speak(TEXT + " ", speed)
    async with opened(vendor, speed=speed) as stream:
        stream.say(1, 0, TEXT)
        spoken = by_piece(await collect(stream, 1))[1, 0]
    assert spoken.audio == expected.audio
    assert [(word.text, word.start) for word in spoken.words] == expected.starts
    for word in spoken.words[1:]:
        assert spoken.audio[word.start - 1] == 0xFF != spoken.audio[word.start], "silence ends at the word"


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"speed": 0.69}, "voice.speed"),
        ({"speed": 1.21}, "voice.speed"),
        ({"stability": -0.1}, "voice.stability"),
        ({"similarity_boost": 1.1}, "voice.similarity_boost"),
        ({"style": 2}, "voice.style"),
        ({"voice_id": ""}, "voice.voice"),
        ({"base_url": "wss://api.elevenlabs.io"}, "ELEVENLABS_BASE_URL"),
        ({"api_key": ""}, "ELEVENLABS_API_KEY"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(EngineError, match=f"^{named}: "):
        ElevenLabsVoice(**{"api_key": API_KEY, "voice_id": VOICE_ID} | wrong)


async def test_the_connection_is_kept_open_between_replies(vendor: ElevenLabs) -> None:
    async with opened(vendor, keep_alive=0.005) as stream:
        await until(vendor, lambda: len(vendor.connections[0].messages) >= 4)
        stream.say(1, 0, TEXT)
        await collect(stream, 1)
    assert vendor.connections[0].messages[1:4] == [{"text": "", "context_id": "idle"}] * 3


# --- pieces and contexts ------------------------------------------------------------------------------


async def test_the_next_piece_is_asked_for_before_the_first_is_done_but_not_the_third(
    vendor: ElevenLabs,
) -> None:
    vendor.faults.add(Fault(Kind.STALL, after=0))
    async with opened(vendor) as stream:
        for piece in range(4):
            stream.say(1, piece, f"This is number {piece}.")
        await until(vendor, lambda: len(vendor.connections[0].messages) == 7)
        assert vendor.connections[0].texts() == ["This is number 0. ", "This is number 1. "]


async def test_interruptions_never_open_more_contexts_than_the_vendor_allows(vendor: ElevenLabs) -> None:
    vendor.rate = 50
    async with opened(vendor) as stream:
        for reply in range(12):
            stream.say(reply, 0, TEXT)
            stream.say(reply, 1, LONG)
            await collect_first_audio(stream, reply)
            stream.cancel(reply)
        stream.say(99, 0, TEXT)
        events = await collect(stream, 1)
    assert by_piece(events)[99, 0].audio == speak(TEXT + " ").audio
    assert len(vendor.connections) == 1


async def collect_first_audio(stream: VoiceStream, reply: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while not isinstance(event := await anext(aiter(stream)), VoiceAudio):
            assert event.reply == reply


async def test_late_audio_of_a_cancelled_reply_is_dropped(vendor: ElevenLabs) -> None:
    vendor.faults.add(Fault(Kind.LATE_BYTE, after=2, seconds=0.05))
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        await collect_first_audio(stream, 1)
        stream.cancel(1)
        stream.say(2, 0, "Yes?")
        before = await collect(stream, 1)
        chunks = len(speak(TEXT + " ").cut(4)) + len(speak("Yes? ").cut(4))
        await until(vendor, lambda: vendor.connections[0].sent == chunks + 2)  # and two ends
        stream.say(3, 0, "Go on.")
        after = await collect(stream, 1)
    assert {event.reply for event in before} == {2}
    assert {event.reply for event in after} == {3}


@pytest.mark.parametrize("kind", [Kind.DUPLICATE, Kind.AFTER_CLOSE])
async def test_what_the_vendor_repeats_is_heard_once(vendor: ElevenLabs, kind: Kind) -> None:
    vendor.faults.add(Fault(kind))
    async with opened(vendor) as stream:
        for piece in range(3):
            stream.say(1, piece, TEXT)
        pieces = by_piece(await collect(stream, 3))
    for spoken in pieces.values():
        assert spoken.audio == speak(TEXT + " ").audio
        assert len(spoken.words) == len(TEXT.split())


async def test_a_context_that_ends_without_audio_has_failed(vendor: ElevenLabs) -> None:
    vendor.first_audio = 60_000
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        await send(vendor, '{"contextId": "piece-1", "isFinal": true}')
        (event,) = await collect(stream, 1)
    assert isinstance(event, VoiceFailed)
    assert event.retryable


async def send(vendor: ElevenLabs, *messages: str) -> None:
    """Have the stand-in send what it never would."""
    for message in messages:
        await vendor.connections[0].socket.send_str(message)


# --- faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, said, retryable",
    [
        (Fault(Kind.REFUSE), "cannot be reached", True),
        (Fault(Kind.STATUS, 401), "ELEVENLABS_API_KEY", False),
        (Fault(Kind.STATUS, 402), "HTTP 402", False),
        (Fault(Kind.STATUS, 429), r"too many requests \(HTTP 429\)$", True),
        (Fault(Kind.STATUS, 429, retry_after=3), "again after 3 s", True),
        (Fault(Kind.STATUS, 500), "HTTP 500", True),
    ],
)
async def test_a_refusal_says_why(vendor: ElevenLabs, fault: Fault, said: str, retryable: bool) -> None:
    vendor.faults.add(fault)
    if fault.kind is Kind.REFUSE:
        vendor.faults.add(fault)  # aiohttp tries a connection that was cut without an answer once more
    voice = ElevenLabsVoice(API_KEY, voice_id=VOICE_ID, base_url=vendor.url)
    with pytest.raises(ProviderError, match=said) as raised:
        await voice.open()
    assert raised.value.retryable is retryable
    stream = await voice.open()  # the next connection is good
    await stream.close()
    await voice.close()


async def test_nobody_there(vendor: ElevenLabs) -> None:
    await vendor.stop()
    voice = ElevenLabsVoice(API_KEY, voice_id=VOICE_ID, base_url=vendor.url)
    with pytest.raises(ProviderError, match="cannot be reached") as raised:
        await voice.open()
    assert raised.value.retryable
    await voice.close()


@pytest.mark.parametrize(
    "fault, said",
    [
        (Fault(Kind.DROP, after=3), "closed the connection"),
        (Fault(Kind.HALF_FRAME, after=3), "closed the connection"),
        (Fault(Kind.MALFORMED, after=3), "malformed"),
    ],
)
async def test_a_break_in_the_middle_is_told_once(vendor: ElevenLabs, fault: Fault, said: str) -> None:
    vendor.faults.add(fault)
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        events, error = await failure_of(stream)
    audio = b"".join(event.payload for event in events if isinstance(event, VoiceAudio))
    assert audio == speak(TEXT).audio[: 3 * 4 * 480], "what came before is heard"
    assert said in error.reason
    assert error.retryable


@pytest.mark.parametrize("kind", [Kind.SILENT, Kind.STALL])
async def test_a_vendor_that_hangs_can_be_left(vendor: ElevenLabs, kind: Kind) -> None:
    vendor.faults.add(Fault(kind, after=2), None)
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        await until(vendor, lambda: len(vendor.connections[0].messages) == 4)
        waiting = asyncio.ensure_future(_all(stream))
        await asyncio.sleep(0)
    assert all(not isinstance(event, VoiceDone) for event in await waiting)
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        assert isinstance((await collect(stream, 1))[-1], VoiceDone)


async def _all(stream: VoiceStream) -> list[object]:
    return [event async for event in stream]


@pytest.mark.parametrize("root, socket", [("http://a:80/", "ws://a:80/v1/"), ("https://b", "wss://b/v1/")])
def test_sockets_go_to_the_same_host(root: str, socket: str) -> None:
    assert ElevenLabsVoice(API_KEY, voice_id="../x", base_url=root)._url.startswith(socket)


async def test_latency_delays_and_changes_nothing(vendor: ElevenLabs) -> None:
    vendor.faults.add(Fault(Kind.LATENCY, seconds=0.05))
    vendor.first_audio = 20
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        assert by_piece(await collect(stream, 1))[1, 0].audio == speak(TEXT + " ").audio


async def test_cancel_during_connect_leaves_nothing_behind(vendor: ElevenLabs) -> None:
    vendor.faults.add(Fault(Kind.LATENCY, seconds=60))
    before = asyncio.all_tasks()
    voice = ElevenLabsVoice(API_KEY, voice_id=VOICE_ID, base_url=vendor.url)
    opening = asyncio.create_task(voice.open())
    await until(vendor, lambda: len(vendor.connections) == 1)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await voice.close()
    assert asyncio.all_tasks() - before <= server_tasks()


def server_tasks() -> set[asyncio.Task[object]]:
    """The tasks of the stand-in's web server."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" in repr(task)}


async def test_streams_leave_no_task_and_no_socket(vendor: ElevenLabs) -> None:
    before = len(asyncio.all_tasks())
    voice = ElevenLabsVoice(API_KEY, voice_id=VOICE_ID, base_url=vendor.url)
    streams = [await voice.open() for _ in range(20)]
    for stream in streams:
        stream.say(1, 0, TEXT)
        stream.say(1, 1, LONG)
        await collect_first_audio(stream, 1)
        await stream.close()
    await voice.close()
    await until(vendor, lambda: all(connection.closed for connection in vendor.connections))
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks() - server_tasks()) <= before


@pytest.mark.parametrize(
    "message, said, retryable",
    [
        (
            '{"error": "input_timeout_exceeded", "message": "Have not"}',
            "input_timeout_exceeded: Have not",
            True,
        ),
        ('{"error": "invalid_api_key", "message": "no"}', "ELEVENLABS_API_KEY", False),
        ('{"error": "quota_exceeded", "message": "You have 0 left"}', "You have 0 left", False),
        ('{"error": "x", "message": "the key elevenlabs-key is bad"}', r"the key \*\*\* is bad", True),
        ("[]", "malformed", True),
        ('"text"', "malformed", True),
        ('{"contextId": "piece-1", "audio": "A"}', "malformed", True),
    ],
)
async def test_errors_in_band(vendor: ElevenLabs, message: str, said: str, retryable: bool) -> None:
    vendor.first_audio = 60_000
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        await send(vendor, message)
        events, error = await failure_of(stream)
    assert events == []
    assert re.search(said, error.reason)
    assert error.retryable is retryable


async def test_the_key_is_never_shown(vendor: ElevenLabs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.faults.add(Fault(Kind.STATUS, 401))
    voice = ElevenLabsVoice(API_KEY, voice_id=VOICE_ID, base_url=vendor.url)
    with pytest.raises(ProviderError) as raised:
        await voice.open()
    shown = "".join(traceback.format_exception(raised.value))
    await voice.close()
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    assert (
        API_KEY not in shown + repr(raised.value) + repr(voice) + repr(vars(voice)["_account"]) + caplog.text
    )


async def test_audio_without_usable_times_is_still_audio(vendor: ElevenLabs) -> None:
    vendor.first_audio = 60_000
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        silence = '{"contextId": "piece-1", "audio": "//4=", "alignment": null}'
        wrong = '{"contextId": "piece-1", "audio": "////", "alignment": {"chars": ["G"]}}'
        await send(vendor, wrong, silence, silence, '{"contextId": "piece-1", "isFinal": true}')
        events = await collect(stream, 1)
    audio = [VoiceAudio(1, 0, b"\xff\xff\xff"), *[VoiceAudio(1, 0, b"\xff\xfe")] * 2]
    survived, *rest = events
    assert isinstance(survived, Survived) and "word times" in survived.reason
    assert rest == [*audio, VoiceDone(1, 0)]
