"""The simulated phone speaks Twilio's protocol over real loopback sockets, to a server that takes it down."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from engine.demo.phone import Softphone
from engine.errors import EngineError

LOUD = bytes((0x10, 0x90)) * 80
TWIML = (
    '<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="ws://{host}/media">'
    '<Parameter name="token" value="a&amp;b" /></Stream></Connect></Response>'
)


class Worker:
    """The other end: answers the webhook with ``twiml`` and keeps what the phone says."""

    def __init__(self) -> None:
        self.twiml = TWIML
        self.form: dict[str, str] = {}
        self.heard: list[dict[str, Any]] = []
        self.url = ""
        self._socket: web.WebSocketResponse | None = None
        self._news = asyncio.Condition()

    async def voice(self, request: web.Request) -> web.Response:
        self.form = {name: str(value) for name, value in (await request.post()).items()}
        return web.Response(text=self.twiml.replace("{host}", request.host), content_type="text/xml")

    async def media(self, request: web.Request) -> web.WebSocketResponse:
        self._socket = web.WebSocketResponse()
        await self._socket.prepare(request)
        async for message in self._socket:
            async with self._news:
                self.heard.append(orjson.loads(message.data))
                self._news.notify_all()
        return self._socket

    async def send(self, event: str, **body: str) -> None:
        assert self._socket is not None
        await self._socket.send_json({"event": event, "streamSid": "MZ", **({event: body} if body else {})})

    async def hang_up(self) -> None:
        assert self._socket is not None
        await self._socket.close()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["event"] == event]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self._news:
            await self._news.wait_for(condition)


@asynccontextmanager
async def ringing() -> AsyncIterator[tuple[Worker, aiohttp.ClientSession]]:
    worker = Worker()
    app = web.Application()
    app.add_routes([web.post("/voice", worker.voice), web.get("/media", worker.media)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    worker.url = f"http://127.0.0.1:{runner.addresses[0][1]}/voice"
    try:
        async with aiohttp.ClientSession() as http:
            yield worker, http
    finally:
        await runner.cleanup()


async def test_it_introduces_itself_as_twilio_does() -> None:
    async with ringing() as (worker, http):
        phone = await Softphone.ring(http, worker.url, caller="+15551", number="+15552")
        await worker.until(lambda: len(worker.of("media")) >= 3)
        await phone.hang_up()
    assert (worker.form["From"], worker.form["To"]) == ("+15551", "+15552")
    assert [message["event"] for message in worker.heard[:3]] == ["connected", "start", "media"]
    start = worker.heard[1]["start"]
    assert start["callSid"] == worker.form["CallSid"]
    assert start["customParameters"] == {"token": "a&b"}
    assert start["mediaFormat"] == {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    assert worker.heard[-1]["event"] == "stop"
    numbers = [int(message["sequenceNumber"]) for message in worker.heard[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_what_the_caller_says_goes_out_in_frames_of_20_ms() -> None:
    async with ringing() as (worker, http):
        phone = await Softphone.ring(http, worker.url)
        line = LOUD * 3 + LOUD[:40]
        assert await phone.say(line)
        assert not phone.speaking
        await phone.hang_up()
    frames = worker.of("media")
    assert [int(frame["media"]["timestamp"]) for frame in frames] == [20 * i for i in range(len(frames))]
    assert [int(frame["media"]["chunk"]) for frame in frames] == [i + 1 for i in range(len(frames))]
    payloads = [b64decode(frame["media"]["payload"]) for frame in frames]
    assert {len(payload) for payload in payloads} == {160}
    (said,) = phone.said
    assert b"".join(payloads)[said.start * 8 : said.end * 8] == line


async def test_frames_keep_the_pace_of_the_clock_through_a_stall() -> None:
    async with ringing() as (worker, http):
        phone = await Softphone.ring(http, worker.url)
        await worker.until(lambda: bool(worker.of("media")))
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.3
        while loop.time() < until:  # the loop is blocked
            pass
        due = phone.now // 20 - 1
        await worker.until(lambda: len(worker.of("media")) >= due)
        assert phone.now // 20 - due < 10, "the frames that were due came one by one"
        await phone.hang_up()
    stamps = [int(frame["media"]["timestamp"]) for frame in worker.of("media")]
    assert stamps == [20 * i for i in range(len(stamps))]


async def test_marks_come_back_when_played_and_all_at_once_on_clear() -> None:
    async with ringing() as (worker, http):
        phone = await Softphone.ring(http, worker.url)
        await worker.until(lambda: bool(worker.of("media")))
        await worker.send("media", payload=b64encode(LOUD * 5).decode())
        await worker.send("mark", name="played")
        await worker.send("media", payload=b64encode(LOUD * 500).decode())
        await worker.send("mark", name="cleared")
        await worker.until(lambda: bool(worker.of("mark")))
        assert [mark["mark"]["name"] for mark in worker.of("mark")] == ["played"]
        assert phone.ear.track.count(LOUD) >= 5
        assert await phone.until(lambda: phone.ear.audible)
        await worker.send("clear")
        await worker.until(lambda: len(worker.of("mark")) == 2)
        assert worker.of("mark")[1]["mark"]["name"] == "cleared"
        assert await phone.until(lambda: phone.ear.silent_ms >= 60)
        assert phone.ear.track.count(LOUD) < 500
        await phone.hang_up()


async def test_keys_and_the_end_of_the_call() -> None:
    async with ringing() as (worker, http):
        phone = await Softphone.ring(http, worker.url)
        phone.press("5")
        await worker.until(lambda: bool(worker.of("dtmf")))
        assert worker.of("dtmf")[0]["dtmf"] == {"track": "inbound_track", "digit": "5"}
        waiting = asyncio.create_task(phone.until(lambda: False))
        await worker.hang_up()
        assert await waiting is False
        assert await phone.say(LOUD) is False
        await phone.over.wait()
        await phone.hang_up()


@pytest.mark.parametrize(
    ("twiml", "told"),
    [
        ('<Response><Reject reason="busy" /></Response>', "did not take the call"),
        ("Twilio's signature is missing", "answered 200, and no TwiML"),
    ],
)
async def test_a_call_that_is_not_taken_says_so(twiml: str, told: str) -> None:
    async with ringing() as (worker, http):
        worker.twiml = twiml
        with pytest.raises(EngineError, match=told):
            await Softphone.ring(http, worker.url)


async def test_a_number_where_nobody_listens() -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(EngineError, match="nobody answers at"):
            await Softphone.ring(http, "http://127.0.0.1:9/voice")
