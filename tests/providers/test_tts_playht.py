"""PlayHT over real sockets, against the stand-in: what is sent, what is heard, and every fault."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from engine.core.events import VoiceAudio, VoiceDone, VoiceFailed
from engine.errors import EngineError
from engine.providers.contracts import VoiceStream
from engine.providers.tts.playht import VOICES, PlayHTVoice
from fixtures.faults import Fault, Kind
from fixtures.playht import API_KEY, USER_ID, PlayHT
from fixtures.tone_speech import speak
from tests.providers.voice_conformance import LONG, PATIENCE, VoiceConformance, by_piece, collect

TEXT = "Good morning, your order is ready."


@pytest.fixture
async def vendor() -> AsyncIterator[PlayHT]:
    async with PlayHT() as vendor:
        yield vendor


@asynccontextmanager
async def opened(vendor: PlayHT, **settings: object) -> AsyncIterator[VoiceStream]:
    voice = PlayHTVoice(USER_ID, API_KEY, **{"voice": "susan", "base_url": vendor.url} | settings)
    stream = await voice.open()
    yield stream
    await stream.close()
    await voice.close()


async def until(vendor: PlayHT, true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE), vendor.changed:
        await vendor.changed.wait_for(true)


async def first_audio(stream: VoiceStream) -> VoiceAudio:
    async with asyncio.timeout(PATIENCE):
        event = await anext(aiter(stream))
    assert isinstance(event, VoiceAudio)
    return event


class TestConformance(VoiceConformance):
    @pytest.fixture
    async def voice(self, vendor: PlayHT) -> AsyncIterator[PlayHTVoice]:
        vendor.rate = 100
        voice = PlayHTVoice(USER_ID, API_KEY, voice="susan", base_url=vendor.url)
        yield voice
        await voice.close()

    # the vendor gives no word times, and pauses between sentences are its own
    test_the_words_are_the_text_and_lie_in_the_audio = None
    test_words_come_no_later_than_their_audio = None
    test_a_cancelled_reply_gives_nothing_more = None
    test_two_streams_do_not_mix = None
    test_awkward_text_is_only_text = None
    test_sentences_are_set_apart_and_a_reply_ends_with_its_last_sound = None


# --- what is sent -------------------------------------------------------------------------------------


async def test_the_settings_reach_the_vendor(vendor: PlayHT) -> None:
    guidance = {"style_guidance": 30, "temperature": 0, "text_guidance": 1.5}
    async with opened(vendor, model="Play3.0-mini", speed=0.5, **guidance) as stream:
        stream.say(1, 0, f" {TEXT} ")
        spoken = by_piece(await collect(stream, 1))[1, 0]
    (request,) = vendor.requests
    assert request.body == guidance | {
        "text": TEXT,
        "voice": VOICES["susan"],
        "voice_engine": "Play3.0-mini",
        "output_format": "mulaw",
        "sample_rate": 8000,
        "speed": 0.5,
    }
    assert request.headers["authorization"] == API_KEY
    assert request.headers["x-user-id"] == USER_ID
    assert spoken.audio == speak(TEXT, 0.5).audio
    assert spoken.words == []


async def test_what_is_null_is_not_sent(vendor: PlayHT) -> None:
    async with opened(vendor, style_guidance=None, temperature=None, text_guidance=None) as stream:
        stream.say(1, 0, TEXT)
        await collect(stream, 1)
    assert vendor.requests[0].body.keys() == {
        "text",
        "voice",
        "voice_engine",
        "output_format",
        "sample_rate",
        "speed",
    }


@pytest.mark.parametrize("name", [*VOICES, "Susan", "s3://my-own/voice/manifest.json"])
async def test_names_become_the_vendors_ids(vendor: PlayHT, name: str) -> None:
    async with opened(vendor, voice=name) as stream:
        stream.say(1, 0, TEXT)
        await collect(stream, 1)
    assert vendor.requests[0].body["voice"] == VOICES.get(name.lower(), name)


def test_the_nine_names_are_nine_voices() -> None:
    assert set(VOICES) == set("susan william phoebe arthur ayla dylan madelyn oliver sophia".split())
    assert len(set(VOICES.values())) == 9
    assert all(name in id_ for name, id_ in VOICES.items())


@pytest.mark.parametrize("speed", [0.1, 5.0])
async def test_the_ends_of_the_range_of_speed_are_accepted(vendor: PlayHT, speed: float) -> None:
    async with opened(vendor, speed=speed) as stream:
        stream.say(1, 0, "Yes.")
        assert isinstance((await collect(stream, 1))[-1], VoiceDone)


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"speed": 0}, "voice.speed"),
        ({"speed": 5.1}, "voice.speed"),
        ({"style_guidance": 0.9}, "voice.style_guidance"),
        ({"style_guidance": 31}, "voice.style_guidance"),
        ({"temperature": -0.1}, "voice.temperature"),
        ({"temperature": 2.1}, "voice.temperature"),
        ({"text_guidance": 0.9}, "voice.text_guidance"),
        ({"text_guidance": 2.1}, "voice.text_guidance"),
        ({"voice": ""}, "voice.voice"),
        ({"base_url": "api.play.ht"}, "PLAYHT_BASE_URL"),
        ({"user_id": ""}, "PLAYHT_USER_ID and PLAYHT_API_KEY"),
        ({"api_key": ""}, "PLAYHT_USER_ID and PLAYHT_API_KEY"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(EngineError, match=f"^{named}: "):
        PlayHTVoice(**{"user_id": USER_ID, "api_key": API_KEY, "voice": "susan"} | wrong)


# --- pieces and requests ------------------------------------------------------------------------------


async def test_two_pieces_are_asked_for_at_a_time_and_given_in_their_order(vendor: PlayHT) -> None:
    vendor.faults.add(Fault(Kind.LATENCY, seconds=0.05))  # the first answer comes after the second
    texts = [f"This is number {piece}." for piece in range(4)]
    async with opened(vendor) as stream:
        for piece, text in enumerate(texts):
            stream.say(1, piece, text)
        await until(vendor, lambda: len(vendor.requests) == 2)
        events = await collect(stream, 4)
    assert [event.piece for event in events] == sorted(event.piece for event in events)
    assert [by_piece(events)[1, n].audio for n in range(4)] == [speak(text).audio for text in texts]


async def test_a_cancelled_request_is_ended_and_its_late_audio_dropped(vendor: PlayHT) -> None:
    vendor.faults.add(Fault(Kind.LATE_BYTE, after=2, seconds=0.05))
    async with opened(vendor) as stream:
        stream.say(1, 0, LONG)
        stream.say(1, 1, LONG)
        await first_audio(stream)
        stream.cancel(1)
        stream.say(2, 0, TEXT)
        events = await collect(stream, 1)
        await until(vendor, lambda: all(request.over for request in vendor.requests))
        stream.say(3, 0, TEXT)
        events += await collect(stream, 1)
    assert {event.reply for event in events} == {2, 3}
    assert by_piece(events)[2, 0].audio == by_piece(events)[3, 0].audio == speak(TEXT).audio
    assert vendor.requests[0].sent < len(speak(LONG).cut(4)), "the vendor was told to stop"


@pytest.mark.parametrize("chunk_chars", [4, 1000])
async def test_the_header_of_a_wav_file_is_not_heard(vendor: PlayHT, chunk_chars: int) -> None:
    vendor.wav_header, vendor.chunk_chars = True, chunk_chars
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        assert by_piece(await collect(stream, 1))[1, 0].audio == speak(TEXT).audio


async def test_awkward_text_arrives_as_it_is(vendor: PlayHT) -> None:
    texts = ('$(exit); "it\'s" <b>fine</b> & [[x]]', "Nul \0 and \x07 bell 😀")
    async with opened(vendor) as stream:
        for piece, text in enumerate(texts):
            stream.say(1, piece, text)
        await collect(stream, 2)
    assert [request.body["text"] for request in vendor.requests] == list(texts)


# --- faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, said, retryable",
    [
        (Fault(Kind.REFUSE), "PlayHT closed the connection", True),
        (
            Fault(Kind.STATUS, 401),
            "PLAYHT_USER_ID and PLAYHT_API_KEY: The request was not authorized.",
            False,
        ),
        (Fault(Kind.STATUS, 403), "PLAYHT_API_KEY", False),
        (Fault(Kind.STATUS, 429), "(HTTP 429): Too many requests.", True),
        (Fault(Kind.STATUS, 429, retry_after=3), "again after 3 s", True),
        (Fault(Kind.STATUS, 500), "HTTP 500: An unexpected error occurred.", True),
        (Fault(Kind.STATUS, 400), "HTTP 400", False),
        (Fault(Kind.MALFORMED), 'application/json where audio was due: {"error_message":', True),
        (Fault(Kind.DROP, after=3), "closed the connection before the end", True),
        (Fault(Kind.HALF_FRAME, after=3), "closed the connection before the end", True),
    ],
)
async def test_each_fault_fails_its_piece_and_no_other(
    vendor: PlayHT, fault: Fault, said: str, retryable: bool
) -> None:
    vendor.faults.add(fault)
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        stream.say(1, 1, TEXT)
        pieces = by_piece(await collect(stream, 2))
    failed = pieces[1, 0].events[-1]
    assert isinstance(failed, VoiceFailed)
    assert said in failed.reason
    if fault.retry_after is not None:
        assert failed.retry_after == fault.retry_after * 1_000
    assert failed.retryable is retryable
    assert speak(TEXT).audio.startswith(pieces[1, 0].audio)
    assert pieces[1, 1].audio == speak(TEXT).audio


async def test_nobody_there(vendor: PlayHT) -> None:
    await vendor.stop()
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        (event,) = await collect(stream, 1)
    assert isinstance(event, VoiceFailed)
    assert "cannot be reached" in event.reason
    assert event.retryable


async def test_an_answer_without_audio_has_failed(vendor: PlayHT) -> None:
    async with opened(vendor) as stream:
        stream._audio = lambda text: _nothing()
        stream.say(1, 0, TEXT)
        (event,) = await collect(stream, 1)
    assert isinstance(event, VoiceFailed)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize("kind", [Kind.SILENT, Kind.STALL, Kind.LATENCY])
async def test_a_vendor_that_hangs_can_be_left(vendor: PlayHT, kind: Kind) -> None:
    vendor.faults.add(Fault(kind, after=2, seconds=60))
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        await until(vendor, lambda: len(vendor.requests) == 1)
        waiting = asyncio.ensure_future(_all(stream))
        await asyncio.sleep(0)
        stream.cancel(1)
        stream.say(2, 0, TEXT)
        await until(vendor, lambda: len(vendor.requests) == 2 and vendor.requests[1].over)
    assert all(event.reply == 2 or isinstance(event, VoiceAudio) for event in await waiting)


async def _all(stream: VoiceStream) -> list[object]:
    return [event async for event in stream]


async def test_streams_leave_no_task_and_no_request(vendor: PlayHT) -> None:
    vendor.rate = 20
    before = len(asyncio.all_tasks())
    voice = PlayHTVoice(USER_ID, API_KEY, voice="susan", base_url=vendor.url)
    streams = [await voice.open() for _ in range(20)]
    for stream in streams:
        stream.say(1, 0, LONG)
        stream.say(1, 1, LONG)
        await first_audio(stream)
        await stream.close()
        await stream.close()
    await voice.close()
    await until(vendor, lambda: all(request.over for request in vendor.requests))
    await asyncio.sleep(0)
    tasks = [task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task)]
    assert len(tasks) <= before


async def test_the_key_is_never_shown(vendor: PlayHT, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.faults.add(Fault(Kind.STATUS, 401), Fault(Kind.DROP))
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        stream.say(1, 1, TEXT)
        events = await collect(stream, 2)
        shown = repr(events) + repr(stream) + caplog.text
    voice = PlayHTVoice(USER_ID, API_KEY, voice="susan", base_url="http://127.0.0.1:1")
    shown += repr(vars(voice)["_account"])
    try:
        async for _ in (await voice.open())._audio(TEXT):
            pass
    except Exception as error:
        shown += repr(error) + "".join(traceback.format_exception(error))
        assert error.__context__ is None
    await voice.close()
    assert "cannot be reached" in shown
    assert API_KEY not in shown
    assert USER_ID not in shown
