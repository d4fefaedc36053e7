"""Many simulated phones in one cheap process: the load of `benchmarks.density`.

    python -m benchmarks.phones --voice http://127.0.0.1:8080/twilio/voice --calls 50

Each phone rings the webhook, opens the media stream that the TwiML names and from then on sends a stamped
frame (`fixtures.stamp`) every 20 ms, each phone at a moment of its own. It keeps the play buffer of Twilio
(https://www.twilio.com/docs/voice/media-streams/websocket-messages): marks are echoed when what was sent
before them has been played, ``clear`` empties it. Its caller waits until the agent has been silent for a
while, says a sentence, hears the answer, and every fifth time speaks up in the middle of it. With ``--echo``
the address is that of an echo server (`benchmarks.echo`), and the caller only talks.

When all calls are up it says so in a JSON line; told ``begin`` it forgets what it measured, told ``end`` it
tells that and hangs up.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from binascii import a2b_base64, b2a_base64
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp
import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from engine.audio import mulaw
from engine.audio.level import level_dbfs
from engine.audio.mulaw import BYTES_PER_MS
from engine.demo.phone import stream_of
from engine.demo.wav import read_speech
from engine.testing.corpus import corpus_folder, read_corpus
from fixtures.scripted_vendors import QUIET
from fixtures.stamp import BITS, age_ms, stamp
from fixtures.told import commands, tell

FRAME_MS = 20
FRAME = FRAME_MS * BYTES_PER_MS
HOLE_S = 0.02
"""Silence inside an answer that a caller could notice."""
PATIENCE_S = 6.0
"""How long a caller waits for an answer; it is counted as none then."""
INTERRUPTS = 0.2
"""Share of the answers that the caller speaks into."""
_SETTLED_S = 0.7
"""Silence after which the caller takes the agent to be done."""
_QUIET_FRAMES = 50
_HEAD = BITS * 4 // 3
_ACCOUNT = "AC" + "0" * 32


@dataclass
class Heard:
    """What the callers noticed; times in ms."""

    answers: list[float] = field(default_factory=list)
    """From the last voiced frame of a sentence to the first sample of the answer."""
    stops: list[float] = field(default_factory=list)
    """From the first voiced frame of an interruption to ``clear``."""
    holes: list[float] = field(default_factory=list)
    """Each silence inside an answer."""
    round_trips: list[float] = field(default_factory=list)
    """Of an echo server's frames."""
    late: list[float] = field(default_factory=list)
    """How late the phones themselves sent."""
    early: int = 0
    """Answers that began while the caller was still speaking."""
    unanswered: int = 0
    dropped: int = 0
    """Calls that ended although nobody had hung up."""
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Sound:
    """A frame ready to be sent: base64 behind the stamp's place."""

    tail: str


def cut(audio: bytes) -> list[Sound]:
    """µ-law in frames; what is left over is dropped."""
    whole = range(0, len(audio) - FRAME + 1, FRAME)
    return [Sound(b2a_base64(audio[at + BITS : at + FRAME], newline=False).decode()) for at in whole]


def sentences(wanted: int = 8) -> list[list[Sound]]:
    """What the callers say: recorded sentences without their pauses, or a hum where there are none."""
    folder = corpus_folder(Path(__file__).parent.parent)
    clips = [] if folder is None else read_corpus(folder, "prompts-en")
    voices = [_without_pauses(read_speech(clip.path)) for clip in clips]
    fit = [voice for voice in voices if 1_500 <= len(voice) // BYTES_PER_MS <= 4_000]
    return [cut(voice) for voice in fit[:wanted]] or [cut(_hum(ms)) for ms in (1_800, 2_400, 3_000)]


def _without_pauses(audio: bytes) -> bytes:
    """A recording from its first sound to its last, pauses cut to 60 ms."""
    frames = [audio[at : at + FRAME] for at in range(0, len(audio) - FRAME + 1, FRAME)]
    levels = [level_dbfs(frame) for frame in frames]
    voiced = [level > max(levels) - 30 for level in levels]
    kept, quiet = [], 3
    for frame, loud in zip(frames, voiced, strict=True):
        quiet = 0 if loud else quiet + 1
        if quiet <= 3:
            kept.append(frame)
    return b"".join(kept[: len(kept) - min(quiet, 3)])


def _hum(ms: int) -> bytes:
    """A voice-like hum: a pulse of 120 Hz through two resonances, in syllables of 200 ms."""
    rate, out = 8 * 1_000, []
    y1 = y2 = z1 = z2 = 0.0
    for n in range(ms * BYTES_PER_MS):
        pulse = 1.0 if n % (rate // 120) == 0 else 0.0
        y1, y2 = pulse + 1.6 * y1 - 0.89 * y2, y1
        z1, z2 = pulse + 0.5 * z1 - 0.85 * z2, z1
        syllable = 1.0 if n // (200 * BYTES_PER_MS) % 2 else 0.6
        out.append(round(6_000 * syllable * (y1 + z1)))
    pcm = b"".join(max(-32_768, min(32_767, sample)).to_bytes(2, "little", signed=True) for sample in out)
    return mulaw.encode(pcm)


def line_noise(seed: int = 0) -> list[Sound]:
    """A second of a quiet line."""
    source = random.Random(seed)
    return cut(bytes(source.choice(QUIET) for _ in range(FRAME * _QUIET_FRAMES)))


class Phone(WSListener):
    """One call, and its caller."""

    def __init__(self, number: int, heard: Heard, lines: Sequence[list[Sound]], noise: list[Sound]) -> None:
        self.number = number
        self.greeted = False
        """The agent has spoken and is silent again."""
        self.over = False
        self._random = random.Random(number)
        self._heard = heard
        self._lines = lines
        self._noise = noise
        self._call_sid, self._stream_sid = f"CA{number:032x}", f"MZ{number:032x}"
        self._transport: WSTransport | None = None
        self._sequence = self._frames = 0
        self._saying: deque[Sound] = deque()
        self._interrupting: float | None = None
        self._asked_at: float | None = None
        self._play_end = 0.0
        self._answering = False
        self._interrupt_at: float | None = None
        self._marks: deque[tuple[float, str]] = deque()
        self._next_line = number

    # --- the line ---------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        if not self.over:
            self._heard.dropped += 1

    def start(self, parameters: dict[str, str]) -> None:
        """Twilio's first two messages."""
        self._send('{"event":"connected","protocol":"Call","version":"1.0.0"}')
        start = {"accountSid": _ACCOUNT, "streamSid": self._stream_sid, "callSid": self._call_sid}
        audio = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        more = {"tracks": ["inbound"], "mediaFormat": audio, "customParameters": parameters}
        self._tell("start", {**start, **more})

    def hang_up(self) -> None:
        """The caller puts the phone down."""
        self.over = True
        self._tell("stop", {"accountSid": _ACCOUNT, "callSid": self._call_sid})
        if self._transport is not None:
            self._transport.send_close()

    def _tell(self, event: str, body: object) -> None:
        self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), event: body}
        self._send(orjson.dumps({**message, "streamSid": self._stream_sid}).decode())

    def _send(self, message: str) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message.encode())

    # --- the mouth --------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Send the frame that is due, pass the marks that are, and let the caller decide."""
        if self._transport is None:
            return
        while self._marks and self._marks[0][0] <= now:
            self._tell("mark", {"name": self._marks.popleft()[1]})
        if self._saying:
            sound = self._saying.popleft()
            if not self._saying:
                self._asked_at, self._interrupting = now, None
        else:
            sound = self._noise[self._frames % _QUIET_FRAMES]
            self._decide(now)
        self._frames += 1
        self._sequence += 1
        self._heard.frames += 1
        self._send(
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"inbound",'
            f'"chunk":"{self._frames}","timestamp":"{(self._frames - 1) * FRAME_MS}",'
            f'"payload":"{stamp()}{sound.tail}"}},"streamSid":"{self._stream_sid}"}}'
        )

    def _decide(self, now: float) -> None:
        if self._asked_at is not None:
            if now - self._asked_at > PATIENCE_S:
                self._heard.unanswered += 1
                self._say(now)
        elif self._interrupt_at is not None and now >= self._interrupt_at and now < self._play_end:
            self._interrupting = now
            self._say(now)
        elif self._play_end and now > self._play_end + _SETTLED_S:
            self.greeted = True
            self._say(now)

    def _say(self, now: float) -> None:
        self._next_line += 1
        self._saying.extend(self._lines[self._next_line % len(self._lines)])
        self._asked_at = self._interrupt_at = None
        self._answering = False

    # --- the ear ----------------------------------------------------------------------------------------

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.TEXT:
            if frame.msg_type is WSMsgType.CLOSE:
                transport.disconnect()
            return
        message = orjson.loads(frame.get_payload_as_memoryview())
        now = time.monotonic()
        event = message["event"]
        if event == "media":
            self._play(len(message["media"]["payload"]) * 3 // 4, now)
        elif event == "mark":
            self._marks.append((max(now, self._play_end), message["mark"]["name"]))
        elif event == "clear":
            self._clear(now)

    def _play(self, size: int, now: float) -> None:
        silence = now - self._play_end
        self._play_end = max(now, self._play_end) + size / (BYTES_PER_MS * 1_000)
        if self._saying and self._interrupting is None:
            self._heard.early += silence > 0
        elif self._answering:
            if silence > HOLE_S:
                self._heard.holes.append(silence * 1_000)
        else:
            self._answering = True
            if self._asked_at is not None:
                self._heard.answers.append((now - self._asked_at) * 1_000)
                self._asked_at = None
            if self.greeted and self._random.random() < INTERRUPTS:
                self._interrupt_at = now + 0.8 + self._random.random()

    def _clear(self, now: float) -> None:
        if self._interrupting is not None:
            self._heard.stops.append((now - self._interrupting) * 1_000)
            self._interrupting = None
        self._play_end = min(now, self._play_end)
        self._answering = False
        while self._marks:
            self._tell("mark", {"name": self._marks.popleft()[1]})


class EchoPhone(Phone):
    """A caller who talks to an echo."""

    def _decide(self, now: float) -> None:
        self.greeted = True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            message = orjson.loads(frame.get_payload_as_memoryview())
            age = age_ms(a2b_base64(message["media"]["payload"][:_HEAD]))
            if age is not None:
                self._heard.round_trips.append(age)


class Crowd:
    """All phones, and the one clock that lets each send every 20 ms at its own moment."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.heard = Heard()
        self.phones: list[Phone] = []
        self._given = given
        self._slots: list[list[Phone]] = [[] for _ in range(FRAME_MS)]
        self._ticks = 0
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._timer = self._loop.call_at(self._began, self._tick)

    async def ring(self) -> None:
        """Make all calls, ``--ramp`` a second, and wait until every agent has greeted."""
        kind = EchoPhone if self._given.echo else Phone
        lines, noise = sentences(), line_noise()
        async with aiohttp.ClientSession() as http:
            calls = []
            for number in range(self._given.calls):
                phone = kind(number, self.heard, lines, noise)
                calls.append(self._loop.create_task(self._connect(phone, http)))
                await asyncio.sleep(1 / self._given.ramp)
            await asyncio.gather(*calls, return_exceptions=True)  # who is not up was not answered
        for _ in range(1_500):
            if all(phone.greeted for phone in self.phones):
                break
            await asyncio.sleep(FRAME_MS / 1_000)

    async def _connect(self, phone: Phone, http: aiohttp.ClientSession) -> None:
        url: str = self._given.voice
        parameters: dict[str, str] = {}
        if not self._given.echo:
            form = {"CallSid": f"CA{phone.number:032x}", "From": "+15550001000", "To": "+15550002000"}
            async with http.post(self._given.voice, data=form) as answer:
                url, parameters = stream_of(answer.status, await answer.text())
        await ws_connect(lambda: phone, url, use_aiofastnet=False)
        phone.start(parameters)
        self.phones.append(phone)
        self._slots[phone.number * 7 % FRAME_MS].append(phone)

    def _tick(self) -> None:
        """One ms: the phones whose moment it is. Moments that were missed are made up for at once."""
        now = self._loop.time()
        while (due := self._began + self._ticks / 1_000) <= now:
            slot = self._slots[self._ticks % FRAME_MS]
            if slot:
                self.heard.late.append((self._loop.time() - due) * 1_000)
            for phone in slot:
                phone.tick(self._loop.time())
            self._ticks += 1
        self._timer = self._loop.call_at(due, self._tick)

    def hang_up(self) -> None:
        """End all calls."""
        self._timer.cancel()
        for phone in self.phones:
            phone.hang_up()


async def _main(given: argparse.Namespace) -> None:
    crowd = Crowd(given)
    await crowd.ring()
    tell(up=sum(phone.greeted for phone in crowd.phones), of=given.calls)
    async for command in commands():
        if command == "begin":
            fresh = Heard()
            crowd.heard = fresh
            for phone in crowd.phones:
                phone._heard = fresh
        elif command == "end":
            tell(**asdict(crowd.heard))
            break
    crowd.hang_up()
    await asyncio.sleep(0.3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Hold the calls until told to end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.phones")
    parser.add_argument("--voice", required=True, help="the webhook, or the echo server's websocket")
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--ramp", type=float, default=20.0, help="calls a second")
    parser.add_argument("--echo", action="store_true")
    import uvloop

    uvloop.run(_main(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
