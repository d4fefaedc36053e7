"""Trivial providers, a phone and a Twilio API for tests that hold whole calls over real loopback sockets."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from xml.etree import ElementTree

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator

from engine.agent import Agent, load_agent
from engine.audio.gates import LevelGate
from engine.core.conversation import Message
from engine.core.events import FinalWords, SpokenWord, TranscriberReady, VoiceAudio, VoiceDone, VoiceWords
from engine.providers.contracts import Finished, ProviderError, TextDelta, ToolSpec
from engine.runtime.carrier import TwilioAccount
from engine.runtime.registry import Providers
from engine.runtime.worker import Settings

PUBLIC = "https://voice.example.com"
SID, TOKEN = "AC00000000000000000000000000000001", "secret"
LOUD = bytes([0x10, 0x90] * 80)
QUIET = b"\xff" * 160
PIECE = 12 * 160
"""µ-law bytes of every piece that the voice speaks."""
GREETING = "Hello, this is the test."


class Queued:
    """A stream whose events are put into a queue; an exception in it is raised."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[object] = asyncio.Queue()
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1

    def __aiter__(self) -> AsyncIterator[object]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[object]:
        while (event := await self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event


class Opens:
    """Opens streams of one kind; the first ``refusals`` times it refuses."""

    def __init__(self, refusals: int = 0) -> None:
        self.streams: list[Queued] = []
        self.opened: asyncio.Queue[Queued] = asyncio.Queue()
        self.refusals = refusals
        self.closed = False

    async def open(self) -> Queued:
        if self.refusals:
            self.refusals -= 1
            raise ProviderError("no room", retryable=True)
        stream = self.make()
        self.streams.append(stream)
        self.opened.put_nowait(stream)
        return stream

    def make(self) -> Queued:
        return Queued()

    async def close(self) -> None:
        self.closed = True


class ToneStream(Queued):
    """A voice whose every piece is the same `PIECE` of tone."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[int, int, str]] = []
        self.cancelled: list[int] = []

    def say(self, reply: int, piece: int, text: str) -> None:
        self.said.append((reply, piece, text))
        self.events.put_nowait(VoiceAudio(reply, piece, LOUD * 12))
        self.events.put_nowait(VoiceWords(reply, piece, (SpokenWord(text, 0),)))
        self.events.put_nowait(VoiceDone(reply, piece))

    def cancel(self, reply: int) -> None:
        self.cancelled.append(reply)


class ToneVoice(Opens):
    def make(self) -> ToneStream:
        return ToneStream()


class ScriptedStream(Queued):
    """A transcriber that answers each flush with the next of its lines."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines
        self.fed = bytearray()
        self.events.put_nowait(TranscriberReady())

    def feed(self, payload: bytes) -> None:
        self.fed += payload

    def flush(self) -> None:
        self.events.put_nowait(FinalWords(self.lines.pop(0) if self.lines else ""))


class ScriptedTranscriber(Opens):
    def __init__(self, lines: Iterable[str] = (), refusals: int = 0) -> None:
        super().__init__(refusals)
        self.lines = list(lines)

    def make(self) -> ScriptedStream:
        return ScriptedStream(list(self.lines))


class EchoModel:
    """Says what it was told."""

    def __init__(self) -> None:
        self.asked: list[Sequence[Message]] = []
        self.closed = False

    async def generate(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[object]:
        self.asked.append(messages)
        yield TextDelta(f"You said {messages[-1].text}.")
        yield Finished()

    async def close(self) -> None:
        self.closed = True


def stand_ins(*lines: str, refusals: int = 0) -> Providers:
    """Providers for calls in which the caller says ``lines``, one a turn."""
    return Providers(
        transcriber=ScriptedTranscriber(lines, refusals),
        model=EchoModel(),
        voice=ToneVoice(),
        open_voice_activity=LevelGate,
        confirms=False,
    )


def greeter(**more: object) -> Agent:
    """An agent that greets."""
    return load_agent({"opening": {"message": GREETING}, **more})


class TwilioApi:
    """A stand-in for Twilio's REST API: takes down the requests, answers with ``statuses`` and then 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.authorization: list[tuple[str, str]] = []
        self.asked = asyncio.Event()
        self.statuses: list[int] = []
        self.base = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, {k: str(v) for k, v in (await request.post()).items()}))
        scheme, _, credentials = request.headers["Authorization"].partition(" ")
        assert scheme == "Basic"
        user, _, password = b64decode(credentials).decode().partition(":")
        self.authorization.append((user, password))
        self.asked.set()
        return web.json_response({}, status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def twilio_api() -> AsyncIterator[TwilioApi]:
    """A `TwilioApi` on a loopback port."""
    api = TwilioApi()
    app = web.Application()
    app.router.add_post("/{path:.*}", api.answer)
    async with listening(app) as port:
        api.base = f"http://127.0.0.1:{port}"
        yield api


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[int]:
    """Serve an aiohttp application on a loopback port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def settings(api_base: str = "http://127.0.0.1:9", **more: object) -> Settings:
    """The settings of a worker at `PUBLIC`, which takes calls however busy the machine is."""
    account = TwilioAccount(SID, TOKEN, api_base)
    return Settings(**{"public_url": PUBLIC, "account": account, "most_lag": None, **more})  # type: ignore[arg-type]


def signature(url: str, form: dict[str, str] | None = None) -> str:
    """What Twilio would sign a request with."""
    return str(RequestValidator(TOKEN).compute_signature(url, form or {}))


class Twilio:
    """Twilio, towards a worker on a loopback port: rings, and opens the stream that the TwiML asks for."""

    def __init__(
        self, http: aiohttp.ClientSession, port: int, *, get: bool = False, prefix: str = "/twilio"
    ) -> None:
        self._prefix = prefix
        self._http = http
        self._base = f"http://127.0.0.1:{port}"
        self._get = get

    async def ask(
        self, path: str, form: dict[str, str], signed: str | None = None
    ) -> tuple[int, ElementTree.Element | None]:
        """Ask a webhook; status and TwiML. ``signed``: the signature, instead of the right one."""
        if self._get:
            query = "&".join(f"{name}={value}" for name, value in form.items())
            target = f"{path}?{query}"
            headers = {"X-Twilio-Signature": signature(PUBLIC + target) if signed is None else signed}
            answering = self._http.get(self._base + target, headers=headers)
        else:
            headers = {"X-Twilio-Signature": signature(PUBLIC + path, form) if signed is None else signed}
            answering = self._http.post(self._base + path, data=form, headers=headers)
        async with answering as answer:
            text = await answer.text()
            twiml = ElementTree.fromstring(text) if text.startswith("<?xml") else None
            return answer.status, twiml

    async def ring(self, call_sid: str = "CA1") -> tuple[str, str]:
        """Ask the number's webhook; the path and token of the stream that its TwiML wants."""
        form = {"CallSid": call_sid, "From": "15550100", "To": "15550101"}
        status, twiml = await self.ask(f"{self._prefix}/voice", form)
        assert status == 200 and twiml is not None
        return stream_of(twiml)

    async def open(
        self, path: str, token: str | None, call_sid: str = "CA1", *, signed: bool = True
    ) -> Phone:
        """Open the stream."""
        url = PUBLIC.replace("https", "wss") + path
        headers = {"X-Twilio-Signature": signature(url)} if signed else {}
        websocket = await self._http.ws_connect(self._base + path, headers=headers)
        phone = Phone(websocket)
        await phone.start(token, call_sid)
        return phone

    async def call(self, call_sid: str = "CA1") -> Phone:
        """Ring and open the stream."""
        path, token = await self.ring(call_sid)
        return await self.open(path, token, call_sid)


def stream_of(twiml: ElementTree.Element) -> tuple[str, str]:
    """Path and token of the stream in a TwiML."""
    stream = twiml.find("Connect/Stream")
    assert stream is not None
    url = urlsplit(stream.attrib["url"])
    assert f"{url.scheme}://{url.netloc}" == "wss://voice.example.com"
    parameters = {each.attrib["name"]: each.attrib["value"] for each in stream.findall("Parameter")}
    return url.path, parameters["token"]


class Phone:
    """The phone behind one media stream. It plays what it gets at once, so marks come back at once."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.heard = bytearray()
        self.cleared = 0
        self.acknowledged = False
        self._sequence = 0
        self._chunk = 0

    async def send(self, event: str, **more: object) -> None:
        """Send one message of the stream."""
        self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), "streamSid": "MZ1", **more}
        await self.websocket.send_str(json.dumps(message))

    async def start(self, token: str | None, call_sid: str = "CA1") -> None:
        """Say whose stream it is."""
        await self.websocket.send_str('{"event": "connected", "protocol": "Call", "version": "1.0.0"}')
        await self.send(
            "start",
            start={
                "streamSid": "MZ1",
                "callSid": call_sid,
                "accountSid": SID,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": {} if token is None else {"token": token},
            },
        )

    async def audio(self, frame: bytes, count: int) -> None:
        """Send ``count`` frames of 20 ms."""
        for _ in range(count):
            self._chunk += 1
            media = {
                "track": "inbound",
                "chunk": str(self._chunk),
                "timestamp": str((self._chunk - 1) * 20),
                "payload": b64encode(frame).decode(),
            }
            await self.send("media", media=media)

    async def say(self) -> None:
        """Half a second of sound and as much silence as ends any turn."""
        await self.audio(QUIET, 10)
        await self.audio(LOUD, 25)
        await self.audio(QUIET, 150)

    async def listen(self, until: int) -> None:
        """Play until ``until`` bytes have been heard in all and the last of them are acknowledged."""
        while len(self.heard) < until or not self.acknowledged:
            assert await self.take(), "the stream ended"

    async def listen_to_end(self) -> int:
        """Play and acknowledge until the stream ends; its close code."""
        while await self.take():
            pass
        assert self.websocket.close_code is not None
        return self.websocket.close_code

    async def take(self) -> bool:
        """Take one message; False at the end of the stream."""
        received = await self.websocket.receive()
        if received.type is not aiohttp.WSMsgType.TEXT:
            return False
        message = json.loads(received.data)
        self.acknowledged = message["event"] == "mark"
        if message["event"] == "media":
            self.heard += b64decode(message["media"]["payload"])
        elif message["event"] == "mark":
            await self.send("mark", mark=message["mark"])
        else:
            self.cleared += 1
        return True

    def abort(self) -> None:
        """The network goes away."""
        connection = self.websocket._response.connection
        assert connection is not None and connection.transport is not None
        connection.transport.abort()

    async def hang_up(self) -> None:
        """The caller hangs up."""
        await self.send("stop", stop={"accountSid": SID, "callSid": "CA1"})
