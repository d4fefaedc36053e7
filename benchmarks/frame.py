"""What a frame costs: the call core alone, the codec and voice activity with it, beside bare JSON and base64.

    python -m benchmarks.frame

One inbound frame of 20 ms is taken from the socket's text to the core's effects; the outbound side is
measured as a reply that goes through the ledger to media messages. The baseline is the least that any
program must do with the same messages: `json.loads`, `base64.b64decode`, and back.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Sequence

from benchmarks.report import Result, show
from benchmarks.timing import Row, microseconds, rows_with_ratio
from engine.audio.mulaw import encode
from engine.audio.vad import open_vad
from engine.core.call import Call
from engine.core.effects import FeedTranscriber, SendAudio, SendMark
from engine.core.events import (
    CallerAudio,
    Created,
    InterimWords,
    MarkEchoed,
    SayNow,
    StreamOpened,
    VoiceAudio,
    VoiceDone,
)
from engine.core.policy import Idle, Opening, Policy, Turns
from engine.wire.twilio_stream import Decoder, Encoder, Media

FRAMES = 3_000
QUIET = b"\xff" * 160
POLICY = Policy(
    opening=Opening(message=""), idle=Idle(dead_air=None), turns=Turns(hold_limit=10**9, longest_turn=10**9)
)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    show(run())


def run() -> Result:
    """Measure."""
    voiced = tone()
    rows = [
        Row("json.loads + b64decode", microseconds(bare_in, FRAMES), "baseline, in"),
        Row("core: a quiet caller", microseconds(lambda: core_in(QUIET, -70.0, 0.0), FRAMES), "in"),
        Row("core: a talking caller", microseconds(lambda: core_in(voiced, -20.0, 1.0), FRAMES), "in"),
        Row("codec + voice activity + core: quiet", microseconds(whole_in(QUIET), FRAMES), "in"),
        Row("codec + voice activity + core: talking", microseconds(whole_in(voiced), FRAMES), "in"),
        Row("b64encode + json.dumps", microseconds(bare_out, FRAMES), "baseline, out"),
        Row("ledger + codec: a speaking agent", microseconds(speak, FRAMES), "out"),
    ]
    return {
        "title": "What a frame of 20 ms costs",
        "columns": ["", "µs", "x its baseline", ""],
        "rows": rows_with_ratio(rows),
        "notes": [
            f"Median CPU time of several runs of {FRAMES} frames. The baseline is the least that any program"
            " must do with the same media messages; absolute times are this machine's.",
        ],
    }


def tone() -> bytes:
    """A frame of 160 µ-law bytes that every detector calls loud."""
    samples = [round(6000 * math.sin(2 * math.pi * 220 * n / 8000)) for n in range(160)]
    return encode(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))


def messages(payload: bytes) -> list[str]:
    """The carrier's messages for that many frames of the same audio."""
    text = base64.b64encode(payload).decode()
    media = {"track": "inbound", "payload": text}
    return [
        json.dumps(
            {
                "event": "media",
                "sequenceNumber": str(n + 2),
                "media": {**media, "chunk": str(n + 1), "timestamp": str(n * 20)},
                "streamSid": "MZ1",
            }
        )
        for n in range(FRAMES)
    ]


def bare_in() -> None:
    """The least that one can do with a media message."""
    for message in BARE:
        base64.b64decode(json.loads(message)["media"]["payload"])


def bare_out() -> None:
    """The least that one can do to send a frame."""
    for _ in range(FRAMES):
        payload = base64.b64encode(QUIET).decode()
        json.dumps({"event": "media", "streamSid": "MZ1", "media": {"payload": payload}})


def open_call() -> Call:
    """A call in progress, with nobody speaking."""
    call = Call(POLICY)
    call.handle(Created(), 0)
    call.handle(StreamOpened("MZ1"), 0)
    return call


def core_in(payload: bytes, level: float, voice: float) -> None:
    """Frames through the core alone."""
    call = open_call()
    if voice:
        call.handle(InterimWords("well I was thinking"), 0)
    for n in range(FRAMES):
        call.handle(CallerAudio(payload, n * 20, level, voice), n * 20 + 20)


def whole_in(payload: bytes) -> Callable[[], None]:
    """Frames from the socket's text to the transcriber."""
    texts = messages(payload)

    def run() -> None:
        call, decoder, vad = open_call(), Decoder(), open_vad("webrtc")
        decoder.feed(START)
        now, fed = 0, 0
        for text in texts:
            for message in decoder.feed(text):
                assert isinstance(message, Media)
                level, voice = vad.feed(message.payload)
                now = message.at + 20
                for effect in call.handle(CallerAudio(message.payload, message.at, level, voice), now):
                    fed += isinstance(effect, FeedTranscriber)
        assert fed == FRAMES

    return run


def speak() -> None:
    """A reply from the voice to media messages, acknowledged mark by mark."""
    call, encoder = open_call(), Encoder("MZ1")
    call.handle(SayNow("word " * 40), 0)
    call.handle(VoiceAudio(1, 0, QUIET * FRAMES), 0)
    call.handle(VoiceDone(1, 0), 0)
    now, sent = 0, 0
    while (at := call.wake_at) is not None and sent < FRAMES * 160 and now < FRAMES * 20:
        now = max(at, now)
        for effect in call.wake(now):
            if isinstance(effect, SendAudio):
                encoder.media(effect.payload)
                sent += len(effect.payload)
            elif isinstance(effect, SendMark):
                encoder.mark(effect.name)
                call.handle(MarkEchoed(effect.name), now)


BARE = messages(QUIET)
START = json.dumps(
    {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "streamSid": "MZ1",
            "accountSid": "AC1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "customParameters": {},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
        "streamSid": "MZ1",
    }
)

if __name__ == "__main__":
    main()
