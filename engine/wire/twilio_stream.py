"""Twilio Media Streams, both ways: the messages of a bidirectional ``<Connect><Stream>`` websocket.

Follows https://www.twilio.com/docs/voice/media-streams/websocket-messages. The codec does no I/O: give
the text of each websocket message to a `Decoder` and send what an `Encoder` returns. Audio is µ-law at
8 kHz (8 bytes a millisecond), base64 on the wire.

`Decoder.feed` never raises; what is wrong with a message is returned as a `WireFault` of one of these kinds:

=====================  =================================================================================
``oversized``          longer than ``max_message``; not looked at
``malformed_json``     not JSON
``wrong_type``         JSON, but a field is missing, of the wrong type or of an impossible value
``bad_payload``        audio that is empty or not base64
``unknown_event``      an event that is not documented; never counts towards ``too_many_faults``
``wrong_stream``       the message names another stream
``duplicate``          a sequence number that was there before; the message is dropped
``out_of_order``       a sequence number that had been passed over; the message is kept
``sequence_reset``     the sequence numbers jumped too far to be loss; the message is kept
``timestamp``          a media timestamp that is not believed; the audio is kept, by sample count
``media_before_start`` more messages came before ``start`` than are kept; the oldest is dropped
``second_start``       ``start`` came again; ignored
``after_stop``         a message after ``stop``; ignored
``bad_start``          fatal: ``start`` does not say which stream and which call
``wrong_format``       fatal: the audio is not µ-law, 8000 Hz, one channel
``too_many_faults``    fatal: more faults than ``max_faults``
=====================  =================================================================================

After a fatal fault the decoder returns nothing any more.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from engine.core.events import KeyPressed, MarkEchoed, MediaGap, StreamStopped, WireFault
from engine.wire.media_clock import MediaClock
from engine.wire.sequence import SequenceCount

ENCODING = "audio/x-mulaw"
SAMPLE_RATE = 8000
CHANNELS = 1
MAX_MESSAGE = 64 * 1024
MAX_FAULTS = 100
EARLY_LIMIT = 50
"""Messages kept until ``start`` comes: one second of frames."""

_KEYS = frozenset("0123456789*#ABCD")


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Twilio's ``start``: which call this stream belongs to, and its audio format."""

    stream_sid: str
    call_sid: str
    account_sid: str
    custom_parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The ``<Parameter>`` values of the TwiML, among them the stream's token."""
    encoding: str = ENCODING
    sample_rate: int = SAMPLE_RATE
    channels: int = CHANNELS


@dataclass(slots=True)  # not frozen: one is made of every frame, and freezing doubles what that costs
class Media:
    """Caller audio: µ-law bytes at 8 kHz, 20 ms as a rule."""

    payload: bytes = field(repr=False)
    at: int
    """Media time of the first sample, ms."""


@dataclass(frozen=True, slots=True)
class DecoderStats:
    """What a decoder has seen so far."""

    messages: int
    """All messages, good and bad."""
    frames: int
    """Inbound media messages handed on (or kept for ``start``)."""
    outbound_frames: int
    """Media of our own track, ignored."""
    lost: int
    """Messages that never came, by sequence number."""
    gaps: int
    missing_ms: int
    """Audio that never came, by media timestamp."""
    faults: Mapping[str, int]
    """Faults by kind."""

    @property
    def duplicates(self) -> int:
        """Messages dropped because their sequence number was there before."""
        return self.faults.get("duplicate", 0)

    @property
    def out_of_order(self) -> int:
        """Messages that came after a later one."""
        return self.faults.get("out_of_order", 0)


Decoded = StreamStart | Media | MediaGap | KeyPressed | MarkEchoed | StreamStopped | WireFault


class Decoder:
    """Reads the messages of one websocket.

    ``media_start``: media time of the first sample, ms, where this stream carries on a call that had a
    stream before. ``max_message``: longest message read, in characters (bytes for bytes).
    """

    __slots__ = (
        "_clock", "_dead", "_early", "_faults", "_frames", "_gaps", "_max_faults", "_max_message",
        "_messages", "_missing_ms", "_outbound", "_sequence", "_started", "_stopped", "_stream_sid",
        "_tolerated",
    )  # fmt: skip

    def __init__(
        self, *, max_message: int = MAX_MESSAGE, max_faults: int = MAX_FAULTS, media_start: int = 0
    ) -> None:
        self._max_message = max_message
        self._max_faults = max_faults
        self._clock = MediaClock(media_start)
        self._sequence = SequenceCount()
        self._stream_sid: str | None = None
        self._started = False
        self._stopped = False
        self._dead = False
        self._early: deque[Decoded] = deque()
        self._messages = self._frames = self._outbound = 0
        self._gaps = self._missing_ms = 0
        self._faults: dict[str, int] = {}
        self._tolerated = 0

    def stats(self) -> DecoderStats:
        """The counters, as they stand."""
        return DecoderStats(
            messages=self._messages,
            frames=self._frames,
            outbound_frames=self._outbound,
            lost=self._sequence.lost,
            gaps=self._gaps,
            missing_ms=self._missing_ms,
            faults=dict(self._faults),
        )

    def feed(self, text: str | bytes) -> list[Decoded]:
        """Read one websocket message; what it says, in order. Never raises."""
        self._messages += 1
        if self._dead:
            return []
        if len(text) > self._max_message:
            return self._fault("oversized")
        try:
            message = orjson.loads(text)
        except ValueError:
            return self._fault("malformed_json")
        if type(message) is not dict:
            return self._fault("wrong_type")
        event = message.get("event")
        sid = message.get("streamSid")
        if sid != self._stream_sid and self._started and sid is not None and event != "start":
            return self._fault("wrong_stream")
        out: list[Decoded] = []
        raw = message.get("sequenceNumber")
        if raw is not None:
            number = _number(raw)
            fault = "wrong_type" if number is None else self._sequence.check(number)
            if fault is not None:
                out += self._fault(fault)
                if fault == "duplicate" or self._dead:
                    return out
        if self._stopped:
            out += self._fault("after_stop")
        elif event == "media":
            self._media(message, out)
        else:
            self._other(event, message, out)
        return out if self._started or not out else self._keep(out)

    def _media(self, message: dict[str, Any], out: list[Decoded]) -> None:
        media = message.get("media")
        if type(media) is not dict:
            out += self._fault("wrong_type")
            return
        track = media.get("track", "inbound")
        if track != "inbound":
            if track == "outbound":
                self._outbound += 1
            else:
                out += self._fault("wrong_type")
            return
        try:
            payload = a2b_base64(media["payload"], strict_mode=True)
        except (KeyError, TypeError, ValueError):
            payload = b""
        if not payload:
            out += self._fault("bad_payload")
            return
        raw = media.get("timestamp")
        timestamp = _number(raw)
        missing = 0 if timestamp is None else self._clock.missing(timestamp)
        at = self._clock.advance(len(payload))
        if missing:
            self._gaps += 1
            self._missing_ms += missing
            out.append(MediaGap(at - missing, missing))
        elif missing is None or (timestamp is None and raw is not None):
            out += self._fault("timestamp")
            if self._dead:
                return
        self._frames += 1
        out.append(Media(payload, at))

    def _other(self, event: object, message: dict[str, Any], out: list[Decoded]) -> None:
        match event:
            case "mark":
                name = _member(message, "mark", "name")
                out += [MarkEchoed(name)] if type(name) is str else self._fault("wrong_type")
            case "dtmf":
                digit = _member(message, "dtmf", "digit")
                known = type(digit) is str and digit in _KEYS
                out += [KeyPressed(digit)] if known else self._fault("wrong_type")
            case "start":
                self._start(message, out)
            case "stop":
                self._stopped = True
                out.append(StreamStopped())
            case "connected":
                pass
            case str():
                out += self._fault("unknown_event")
            case _:
                out += self._fault("wrong_type")

    def _start(self, message: dict[str, Any], out: list[Decoded]) -> None:
        if self._started:
            out += self._fault("second_start")
            return
        start = message.get("start")
        start = start if type(start) is dict else {}
        stream_sid: Any = start.get("streamSid", message.get("streamSid"))
        call_sid: Any = start.get("callSid")
        account_sid: Any = start.get("accountSid")
        if not all(type(sid) is str and sid for sid in (stream_sid, call_sid, account_sid)):
            out += self._fault("bad_start", fatal=True)
            return
        if not _is_mulaw(start.get("mediaFormat")):
            out += self._fault("wrong_format", fatal=True)
            return
        given = start.get("customParameters")
        given = {} if given is None else given
        parameters = {k: v for k, v in given.items() if type(v) is str} if type(given) is dict else {}
        if parameters != given:
            out += self._fault("wrong_type")
            if self._dead:
                return
        self._started = True
        self._stream_sid = stream_sid
        out.append(StreamStart(stream_sid, call_sid, account_sid, parameters))
        out += self._early
        self._early.clear()

    def _keep(self, out: list[Decoded]) -> list[Decoded]:
        """Keep what came before ``start``; faults and the end of the stream are told at once."""
        told: list[Decoded] = []
        for item in out:
            if isinstance(item, WireFault | StreamStopped):
                told.append(item)
                continue
            if len(self._early) == EARLY_LIMIT:
                self._frames -= isinstance(self._early.popleft(), Media)
                told += self._fault("media_before_start")
                if self._dead:
                    break
            self._early.append(item)
        return told

    def _fault(self, kind: str, *, fatal: bool = False) -> list[Decoded]:
        self._faults[kind] = self._faults.get(kind, 0) + 1
        self._dead = self._dead or fatal
        out: list[Decoded] = [WireFault(kind, fatal)]
        if not fatal and kind != "unknown_event":
            self._tolerated += 1
            if self._tolerated > self._max_faults and not self._dead:
                out += self._fault("too_many_faults", fatal=True)
        return out


class Encoder:
    """Writes the messages to one stream."""

    __slots__ = ("_clear", "_mark", "_media")

    def __init__(self, stream_sid: str) -> None:
        sid = json.dumps(stream_sid)
        self._media = f'{{"event":"media","streamSid":{sid},"media":{{"payload":"'
        self._mark = f'{{"event":"mark","streamSid":{sid},"mark":{{"name":'
        self._clear = f'{{"event":"clear","streamSid":{sid}}}'

    def media(self, payload: bytes) -> str:
        """Play µ-law audio (8 kHz, any length, no file header) after what was sent before."""
        return self._media + b2a_base64(payload, newline=False).decode("ascii") + '"}}'

    def mark(self, name: str) -> str:
        """Have ``name`` echoed when all audio sent before has been played or cleared."""
        return self._mark + json.dumps(name) + "}}"

    def clear(self) -> str:
        """Throw away the audio not yet played; Twilio then echoes every mark that is still pending."""
        return self._clear


def _number(value: object) -> int | None:
    """Twilio writes numbers as strings; both forms are read. None for anything else."""
    if type(value) is str:
        try:
            return int(value)
        except ValueError:
            return None
    return value if type(value) is int else None


def _member(message: dict[str, Any], outer: str, inner: str) -> Any:
    holder = message.get(outer)
    return holder.get(inner) if type(holder) is dict else None


def _is_mulaw(media_format: object) -> bool:
    return (
        type(media_format) is dict
        and media_format.get("encoding") == ENCODING
        and _number(media_format.get("sampleRate")) == SAMPLE_RATE
        and _number(media_format.get("channels")) == CHANNELS
    )
