"""A simulated phone that rings a worker the way Twilio does, over real HTTP and a real WebSocket.

It asks the number's webhook what to do, opens the media stream that the TwiML names, and from then on sends a
frame of its caller every 20 ms and plays what comes back (`engine.demo.ear`). One phone costs a task for its
frames and one for what it receives, so a load test may hold hundreds of them::

    async with aiohttp.ClientSession() as http:
        phone = await Softphone.ring(http, "http://127.0.0.1:8080/twilio/voice")
        await phone.until(lambda: phone.ear.stretches > 0 and phone.ear.silent_ms > 800)
        await phone.say(read_speech(Path("order.wav")))
        ...
        await phone.hang_up()

Follows https://www.twilio.com/docs/voice/media-streams/websocket-messages and
https://www.twilio.com/docs/voice/twiml/stream. It follows no TwiML beyond ``<Connect><Stream>``: when the
stream is over, so is the call.
"""

from __future__ import annotations

import asyncio
import secrets
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import aiohttp
import orjson

from engine.audio.mulaw import BYTES_PER_MS, silence
from engine.demo.ear import Ear
from engine.errors import EngineError
from engine.runtime.socket import WebSocketWriter

FRAME_MS = 20
_FRAME = FRAME_MS * BYTES_PER_MS
_QUIET = silence(FRAME_MS)
_ACCOUNT = "AC" + "0" * 32


@dataclass(frozen=True, slots=True)
class Said:
    """Something the caller said: ``start`` is the phone's time of its first sample, ms."""

    start: int
    speech: bytes = field(repr=False)

    @property
    def end(self) -> int:
        """The phone's time after its last sample, ms."""
        return self.start + len(self.speech) // BYTES_PER_MS


class Softphone:
    """One call. Made by `ring`; must be used on the event loop that it was made on.

    The phone's time counts from the moment its stream was opened: ms, or samples of 8 kHz in its ear. It is
    the loop's clock: where the loop stalls, the frames that are due are all sent when it goes on, and what
    the phone holds is taken as played on time.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, call_sid: str) -> None:
        """Take over a socket that was just opened; `ring` does this."""
        self.call_sid = call_sid
        self.stream_sid = "MZ" + secrets.token_hex(16)
        self.ear = Ear(self._echo)
        self.said: list[Said] = []
        """What the caller said so far; the last of it may still be going on."""
        self.over = asyncio.Event()
        """Set when the call has ended, whoever ended it."""
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()
        self._socket = socket
        self._writer = WebSocketWriter(socket.send_str, lambda code: socket.close(code=code))
        self._ended = False
        self._sequence = 0
        self._frames = 0
        self._lines: list[bytes] = []
        self._mouth = b""
        self._spoken = 0
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[bool]]] = []
        self._mark_timer: asyncio.TimerHandle | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @classmethod
    async def ring(
        cls,
        http: aiohttp.ClientSession,
        voice_url: str,
        *,
        caller: str = "+15550001000",
        number: str = "+15550002000",
    ) -> Softphone:
        """Ring ``number`` from ``caller``: ask the webhook at ``voice_url``, then open its media stream.

        Raises `EngineError` where nobody answers or the answer is no media stream.
        """
        call_sid = "CA" + secrets.token_hex(16)
        form = {
            "AccountSid": _ACCOUNT, "ApiVersion": "2010-04-01", "CallSid": call_sid, "CallStatus": "ringing",
            "Direction": "inbound", "From": caller, "To": number,
        }  # fmt: skip
        try:
            async with http.post(voice_url, data=form) as answer:
                url, parameters = stream_of(answer.status, await answer.text())
            socket = await http.ws_connect(url, compress=0, max_msg_size=0, autoping=True)
        except (aiohttp.ClientError, OSError) as error:
            raise EngineError(f"nobody answers at {voice_url}: {error}") from None
        phone = cls(socket, call_sid)
        phone._start(parameters)
        return phone

    # --- what a caller can do ---------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The phone's time, ms."""
        return self._samples() // BYTES_PER_MS

    @property
    def speaking(self) -> bool:
        """Whether the caller is saying something."""
        return bool(self._lines) or self._spoken < len(self._mouth)

    async def say(self, speech: bytes) -> bool:
        """Say µ-law audio, after what is being said; returns when it is said. False: the call ended first."""
        self._lines.append(speech)
        return await self.until(lambda: not self.speaking)

    async def until(self, condition: Callable[[], bool]) -> bool:
        """Wait until ``condition`` holds; it is asked every 20 ms. False: the call ended first."""
        if self._ended:
            return False
        future: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((condition, future))
        return await future

    def press(self, digit: str) -> None:
        """Press a key: 0-9, ``*``, ``#``, A-D."""
        self._tell("dtmf", {"track": "inbound_track", "digit": digit})

    async def hang_up(self) -> None:
        """Put the phone down. Does nothing when the call is over."""
        if not self._ended:
            self._tell("stop", {"accountSid": _ACCOUNT, "callSid": self.call_sid})
            self._writer.close()
        await self.over.wait()

    # --- the stream -------------------------------------------------------------------------------------

    def _start(self, parameters: Mapping[str, str]) -> None:
        self._writer.send_text('{"event":"connected","protocol":"Call","version":"1.0.0"}')
        self._tell(
            "start",
            {
                "accountSid": _ACCOUNT,
                "streamSid": self.stream_sid,
                "callSid": self.call_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(parameters),
            },
        )
        self._tasks = (
            self._loop.create_task(self._speak(), name="phone speaks"),
            self._loop.create_task(self._listen(), name="phone listens"),
        )

    def _tell(self, event: str, body: Mapping[str, Any]) -> None:
        """Send a message, with the next sequence number."""
        self._sequence += 1
        message = {
            "event": event,
            "sequenceNumber": str(self._sequence),
            event: body,
            "streamSid": self.stream_sid,
        }
        self._writer.send_text(orjson.dumps(message).decode())

    async def _speak(self) -> None:
        """Send each frame when its last sample has been said, until the call is over."""
        while True:
            due = self._opened + (self._frames + 1) * FRAME_MS / 1000
            if (early := due - self._loop.time()) > 0:
                await asyncio.sleep(early)
            payload = self._next_frame()
            self._frames += 1
            body = {
                "track": "inbound",
                "chunk": str(self._frames),
                "timestamp": str((self._frames - 1) * FRAME_MS),
                "payload": b2a_base64(payload, newline=False).decode(),
            }
            self._tell("media", body)
            self.ear.advance(self._samples())
            self._answer_waiting()

    def _next_frame(self) -> bytes:
        """The caller's next 20 ms."""
        if self._spoken >= len(self._mouth):
            if not self._lines:
                return _QUIET
            self._mouth, self._spoken = self._lines.pop(0), 0
            self.said.append(Said(self._frames * FRAME_MS, self._mouth))
        frame = self._mouth[self._spoken : self._spoken + _FRAME]
        self._spoken += _FRAME
        return frame.ljust(_FRAME, _QUIET[:1])

    def _answer_waiting(self) -> None:
        for waiting in tuple(self._waiting):
            condition, future = waiting
            if future.done() or condition():
                self._waiting.remove(waiting)
                if not future.done():
                    future.set_result(True)

    async def _listen(self) -> None:
        """Play what comes, until the socket is closed."""
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._hear(orjson.loads(message.data))
        finally:
            self._end()
            self._writer.close()
            await self._writer.closed()
            self.over.set()

    def _hear(self, message: Mapping[str, Any]) -> None:
        now = self._samples()
        match message.get("event"):
            case "media":
                self.ear.play(a2b_base64(message["media"]["payload"]), now)
            case "mark":
                self.ear.mark(message["mark"]["name"], now)
            case "clear":
                self.ear.clear(now)
        self._set_mark_timer()

    def _set_mark_timer(self) -> None:
        """Have the next mark echoed at its own time, not at the next frame."""
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None
        if (due := self.ear.next_mark) is not None and not self._ended:
            when = self._opened + due / (BYTES_PER_MS * 1000)
            self._mark_timer = self._loop.call_at(when, self._reach_mark)

    def _reach_mark(self) -> None:
        self._mark_timer = None
        self.ear.advance(self._samples())
        self._set_mark_timer()

    def _echo(self, name: str) -> None:
        self._tell("mark", {"name": name})

    def _samples(self) -> int:
        return int((self._loop.time() - self._opened) * BYTES_PER_MS * 1000)

    def _end(self) -> None:
        """The socket is closed, or closing: whatever is still in the buffer is never played."""
        self._ended = True
        self.ear.advance(self._samples())
        self._tasks[0].cancel()
        if self._mark_timer is not None:
            self._mark_timer.cancel()
        for _, future in self._waiting:
            if not future.done():
                future.set_result(False)
        self._waiting.clear()


def stream_of(status: int, twiml: str) -> tuple[str, dict[str, str]]:
    """The stream that a webhook's answer connects the call to: its URL and its parameters."""
    try:
        response = ElementTree.fromstring(twiml)
    except ElementTree.ParseError:
        raise EngineError(f"the webhook answered {status}, and no TwiML: {twiml.strip()[:200]}") from None
    stream = response.find("Connect/Stream")
    if stream is None:
        told = ElementTree.tostring(response, "unicode")
        raise EngineError(f"the worker did not take the call: it answered {told}")
    parameters = {each.get("name", ""): each.get("value", "") for each in stream.iter("Parameter")}
    return stream.get("url", ""), parameters
