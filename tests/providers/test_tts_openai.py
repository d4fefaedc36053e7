"""OpenAI speech over real sockets, against the stand-in: what is sent, what is heard, and every fault."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("soxr", reason="the extra 'openai' is not installed")

from aiohttp import web

from engine.audio.level import level_dbfs
from engine.core.events import VoiceAudio, VoiceDone, VoiceFailed
from engine.errors import EngineError
from engine.providers.contracts import VoiceStream
from engine.providers.tts.openai_speech import OpenAISpeechVoice
from fixtures.faults import Fault, Kind
from fixtures.openai import OpenAI
from fixtures.tone_speech import speak
from tests.providers.model_conformance import no_task_left
from tests.providers.openai_bench import vendor
from tests.providers.voice_conformance import LONG, PATIENCE, VoiceConformance, by_piece, collect

__all__ = ["vendor"]

TEXT = "Good morning, your order is ready."


@asynccontextmanager
async def opened(vendor: OpenAI, **settings: object) -> AsyncIterator[VoiceStream]:
    voice = OpenAISpeechVoice(**{"api_key": vendor.api_key, "base_url": vendor.url} | settings)
    stream = await voice.open()
    yield stream
    await stream.close()
    await voice.close()


async def until(vendor: OpenAI, true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE), vendor.changed:
        await vendor.changed.wait_for(true)


async def first_audio(stream: VoiceStream) -> VoiceAudio:
    async with asyncio.timeout(PATIENCE):
        event = await anext(aiter(stream))
    assert isinstance(event, VoiceAudio)
    return event


class TestConformance(VoiceConformance):
    @pytest.fixture
    async def voice(self, vendor: OpenAI) -> AsyncIterator[OpenAISpeechVoice]:
        vendor.rate = 100
        voice = OpenAISpeechVoice(vendor.api_key, base_url=vendor.url)
        yield voice
        await voice.close()

    # the vendor gives no word times, and pauses between sentences are its own
    test_the_words_are_the_text_and_lie_in_the_audio = None
    test_words_come_no_later_than_their_audio = None
    test_a_cancelled_reply_gives_nothing_more = None
    test_two_streams_do_not_mix = None
    test_awkward_text_is_only_text = None
    test_sentences_are_set_apart_and_a_reply_ends_with_its_last_sound = None


# --- what is sent and heard ---------------------------------------------------------------------------


async def test_the_settings_reach_the_vendor(vendor: OpenAI) -> None:
    settings = {"model": "gpt-4o-mini-tts", "voice": "coral", "speed": 1.25, "instructions": "Whisper."}
    async with opened(vendor, **settings) as stream:
        stream.say(1, 0, f" {TEXT} ")
        await collect(stream, 1)
    assert vendor.requests[0].body == settings | {"response_format": "pcm", "input": TEXT}
    assert vendor.requests[0].headers["authorization"] == f"Bearer {vendor.api_key}"


async def test_what_is_not_set_is_not_sent(vendor: OpenAI) -> None:
    async with opened(vendor, model="tts-1") as stream:
        stream.say(1, 0, TEXT)
        await collect(stream, 1)
    assert set(vendor.requests[0].body) == {"model", "voice", "response_format", "input"}


@pytest.mark.parametrize("speed", [None, 0.25, 2.0, 4.0])
@pytest.mark.parametrize("packet", [0, 333])
async def test_the_audio_is_heard_to_its_end(vendor: OpenAI, speed: float | None, packet: int) -> None:
    vendor.packet = packet
    async with opened(vendor, speed=speed) as stream:
        stream.say(1, 0, "Well, yes.")
        heard = by_piece(await collect(stream, 1))[1, 0]
    expected = speak("Well, yes.", speed or 1.0).audio
    assert abs(len(heard.audio) - len(expected)) <= 2
    assert isinstance(heard.events[-1], VoiceDone)
    blocks = range(0, len(expected) - 400, 400)
    for at in blocks:
        there, here = level_dbfs(expected[at : at + 400]), level_dbfs(heard.audio[at : at + 400])
        assert here == pytest.approx(there, abs=3) or min(there, here) < -24, f"at {at}"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"speed": 0.2}, "voice.speed"),
        ({"speed": 4.1}, "voice.speed"),
        ({"voice": ""}, "voice.voice"),
        ({"model": ""}, "voice.model"),
        ({"model": "tts-1-hd", "instructions": "Whisper."}, "voice.instructions"),
        ({"base_url": "api.openai.com"}, "OPENAI_BASE_URL"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(settings: dict[str, object], field: str) -> None:
    with pytest.raises(EngineError, match=f"^{field}: "):
        OpenAISpeechVoice("key", **settings)  # type: ignore[arg-type]


# --- pieces and requests ------------------------------------------------------------------------------


async def test_the_next_piece_is_asked_for_early_and_given_in_its_turn(vendor: OpenAI) -> None:
    vendor.faults.add(Fault(Kind.LATENCY, seconds=0.05))  # the first answer comes after the second
    async with opened(vendor) as stream:
        for piece in range(4):
            stream.say(1, piece, f"This is number {piece}.")
        await until(vendor, lambda: len(vendor.requests) == 2)
        events = await collect(stream, 4)
    assert [event.piece for event in events] == sorted(event.piece for event in events)
    assert [request.body["input"] for request in vendor.requests] == [
        f"This is number {n}." for n in range(4)
    ]
    assert all(isinstance(piece.events[-1], VoiceDone) for piece in by_piece(events).values())


async def test_a_cancelled_reply_ends_its_requests(vendor: OpenAI) -> None:
    vendor.rate = 20
    async with opened(vendor) as stream:
        stream.say(1, 0, LONG)
        stream.say(1, 1, LONG)
        await first_audio(stream)
        stream.cancel(1)
        stream.say(2, 0, TEXT)
        stream.cancel(2)  # before its request has begun
        stream.say(3, 0, TEXT)
        events = await collect(stream, 1)
        await until(vendor, lambda: all(request.over for request in vendor.requests))
    assert {event.reply for event in events} == {3}
    assert vendor.requests[0].aborted
    assert [request.body["input"] for request in vendor.requests if not request.aborted] == [TEXT]


async def test_streams_leave_no_task_and_no_request(vendor: OpenAI) -> None:
    vendor.rate = 20
    before = asyncio.all_tasks()
    voice = OpenAISpeechVoice(vendor.api_key, base_url=vendor.url)
    for stream in [await voice.open() for _ in range(10)]:
        stream.say(1, 0, LONG)
        stream.say(1, 1, LONG)
        await first_audio(stream)
        await stream.close()
        await stream.close()
    await until(vendor, lambda: all(request.over for request in vendor.requests))
    await voice.close()
    await voice.close()
    await no_task_left(before)


# --- faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "told", "retryable", "audio"),
    [
        (Fault(Kind.REFUSE), "cannot be reached", True, False),
        (Fault(Kind.STATUS, 401), "check OPENAI_API_KEY", False, False),
        (Fault(Kind.STATUS, 429), "answered 429", True, False),
        (Fault(Kind.STATUS, 429, retry_after=30), "asks to wait 30 s", True, False),
        (Fault(Kind.STATUS, 500), "answered 500", True, False),
        (Fault(Kind.MALFORMED), "sent text/html where bare samples were asked for", True, False),
        (Fault(Kind.DROP, after=3), "broke off", True, True),
        (Fault(Kind.HALF_FRAME, after=3), "broke off", True, True),
    ],
)
async def test_each_fault_fails_its_piece_and_no_other(
    vendor: OpenAI, fault: Fault, told: str, retryable: bool, audio: bool
) -> None:
    vendor.faults.add(fault)
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        stream.say(1, 1, TEXT)
        pieces = by_piece(await collect(stream, 2))
    failed = pieces[1, 0].events[-1]
    assert isinstance(failed, VoiceFailed)
    assert told in failed.reason
    if fault.retry_after is not None:
        assert failed.retry_after == fault.retry_after * 1_000
    assert failed.retryable is retryable
    assert bool(pieces[1, 0].audio) is audio
    assert isinstance(pieces[1, 1].events[-1], VoiceDone)


@pytest.mark.parametrize("kind", [Kind.SILENT, Kind.STALL, Kind.LATENCY])
async def test_a_vendor_that_hangs_can_be_left(vendor: OpenAI, kind: Kind) -> None:
    vendor.faults.add(Fault(kind, after=2, seconds=60))
    async with opened(vendor) as stream:
        stream.say(1, 0, TEXT)
        await until(vendor, lambda: len(vendor.requests) == 1)
        stream.cancel(1)
        stream.say(2, 0, TEXT)
        events = await collect(stream, 1)
        await until(vendor, lambda: vendor.requests[0].over)
    assert vendor.requests[0].aborted
    assert {event.reply for event in events} == {2}


@pytest.mark.parametrize(("kind", "failed"), [("audio/mpeg", True), ("audio/pcm; rate=24000", False)])
async def test_only_bare_samples_are_played(kind: str, failed: bool) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"\0\1" * 4800, headers={"Content-Type": kind})

    app = web.Application()
    app.router.add_post("/audio/speech", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    voice = OpenAISpeechVoice("key", base_url="http://127.0.0.1:{1}".format(*runner.addresses[0]))
    stream = await voice.open()
    stream.say(1, 0, TEXT)
    events = await collect(stream, 1)
    assert isinstance(events[-1], VoiceFailed) is failed
    assert any(isinstance(event, VoiceAudio) for event in events) is not failed
    await stream.close()
    await voice.close()
    await runner.cleanup()


async def test_the_key_is_never_shown(vendor: OpenAI, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.faults.add(Fault(Kind.STATUS, 401), Fault(Kind.STATUS, 403), Fault(Kind.DROP, after=0))
    voice = OpenAISpeechVoice(vendor.api_key, base_url=vendor.url)
    stream = await voice.open()
    for piece in range(3):
        stream.say(1, piece, TEXT)
    events = await collect(stream, 3)
    assert vendor.api_key not in f"{events} {voice!r} {stream!r} {caplog.text}"
    await stream.close()
    await voice.close()
