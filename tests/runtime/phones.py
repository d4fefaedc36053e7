"""A carrier without a network: a socket that plays what it gets at once, on a stream that it feeds itself."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Callable

from engine.runtime.media_stream import Admit, MediaStream
from engine.runtime.twilio_door import TwilioDoor
from tests.stand_ins import LOUD, QUIET, SID


class InstantPhone:
    """Both ends of a media socket in one: echoes each mark in the loop turn after it came."""

    def __init__(
        self, door: TwilioDoor, *, token: str | None, call_sid: str = "CA1", admit: Admit | None = None
    ) -> None:
        self.stalled: Callable[[int], None] | None = None
        self.heard = bytearray()
        self.closed: int | None = None
        self.stream = MediaStream(self, admit) if admit else door.open_stream(self)
        self._loop = asyncio.get_running_loop()
        self._frames = 0
        self._marks = 0
        self._played = asyncio.Event()
        self.send(
            "start",
            start={
                "streamSid": "MZ1",
                "callSid": call_sid,
                "accountSid": SID,
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": {} if token is None else {"token": token},
            },
        )

    def send(self, event: str, **more: object) -> None:
        """Give one message to the stream."""
        self.stream.receive(json.dumps({"event": event, "streamSid": "MZ1", **more}))

    def say(self) -> None:
        """Half a second of sound and as much silence as ends any turn."""
        for frame in [QUIET] * 10 + [LOUD] * 25 + [QUIET] * 150:
            self.send(
                "media", media={"payload": b64encode(frame).decode(), "timestamp": str(self._frames * 20)}
            )
            self._frames += 1

    async def played(self, until: int) -> None:
        """Wait until ``until`` bytes have been heard in all and the last of them are acknowledged."""
        while len(self.heard) < until or self._marks:
            self._played.clear()
            await self._played.wait()

    # --- the socket, as the call sees it ------------------------------------------------------------------

    def send_text(self, text: str) -> None:
        message = json.loads(text)
        if message["event"] == "media":
            self.heard += b64decode(message["media"]["payload"])
        elif message["event"] == "mark":
            self._marks += 1
            self._loop.call_soon(self._echo, message["mark"])

    def close(self, code: int = 1000) -> None:
        if self.closed is None:
            self.closed = code
            self._loop.call_soon(self.stream.lost)

    def _echo(self, mark: dict[str, str]) -> None:
        self._marks -= 1
        self.send("mark", mark=mark)
        self._played.set()
