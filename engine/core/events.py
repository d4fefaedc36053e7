"""Everything that can happen to a call: small frozen records, in the order a call meets them.

Times named ``at``, ``start`` and ``end`` are media time: whole milliseconds of the caller's stream,
counted from its first sample. The moment at which an event reaches the call is not part of the event;
it is the ``now`` argument of `Call.handle`. Text that people say is left out of every ``repr``, so that
a log line of an event holds no personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import Any


class Urgency(StrEnum):
    """When a text that arrives from outside takes effect."""

    NOW = "now"
    """Cut what is being said and act at once."""
    NEXT = "next"
    """Act when the agent has finished what it is saying."""
    LATER = "later"
    """Only remember it for the next turn."""


class Vote(StrEnum):
    """What a transcriber or a turn model says about the end of the caller's turn."""

    EAGER = "eager"
    """Probably over: a draft may start."""
    END = "end"
    """Over."""
    RESUMED = "resumed"
    """The caller goes on after an eager vote."""


# --- the line -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Created:
    """The call exists (the webhook came in, or the dial went out); nobody has joined yet."""

    direction: str = "inbound"


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The carrier's media stream is up. A second one for the same call closes a seam."""

    stream_id: str
    carrier_call_id: str = ""
    client: str = ""
    """What the joining side reports about itself (F10); empty where it reports nothing."""


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The carrier said that the stream is over (Twilio's ``stop``): hung up, or moved by a redirect."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The socket went away without a word."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The carrier reports that the caller's leg is completed."""


@dataclass(frozen=True, slots=True)
class WireFault:
    """A message that was malformed, oversized, out of order or unknown: counted and survived."""

    kind: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class WriteStalled:
    """The peer has not taken any of our bytes for ``waited`` ms."""

    waited: int


# --- the caller ---------------------------------------------------------------------------------------


@dataclass(slots=True)  # not frozen: one is made of every frame, and freezing doubles what that costs
class CallerAudio:
    """One frame of the caller: µ-law bytes at 8 kHz (8 bytes a millisecond, 20 ms as a rule)."""

    payload: bytes
    at: int
    """Media time of the first sample, ms."""
    level: float
    """RMS level, dBFS (0 is full scale, -96 and below is digital silence)."""
    voice: float
    """Probability of speech, 0 to 1, as the cheap detectors see it at once."""


@dataclass(frozen=True, slots=True)
class MediaGap:
    """The stream's own clock jumped: ``duration`` ms of the caller are missing from ``at`` on."""

    at: int
    duration: int


@dataclass(frozen=True, slots=True)
class VoiceVote:
    """A slower, better detector's word on the caller's audio that ended at ``at``."""

    at: int
    probability: float


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """One keypad digit: 0-9, ``*``, ``#``, A-D."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InterimWords:
    """What the transcriber believes of the stretch since its last final; replaces the interim before."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FinalWords:
    """Words that the transcriber will not change any more. Empty text: it heard speech but no words."""

    text: str = field(repr=False)
    start: int | None = None
    end: int | None = None
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class TurnVote:
    """A vote on the end of the caller's turn from whoever may judge it."""

    vote: Vote
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class TranscriberReady:
    """The transcriber accepts audio."""


@dataclass(frozen=True, slots=True)
class TranscriberFailed:
    """The transcriber's stream is gone or was refused."""

    reason: str
    retryable: bool = True
    retry_after: int | None = None
    """Here and below: ms that the vendor asks to be left alone before it is tried again."""


# --- any vendor ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Survived:
    """Something of a vendor's went wrong and cost nothing: a message that was no JSON, an idle stream lost.

    ``role`` is ``transcriber``, ``model`` or ``voice``; ``reason`` one sentence, without what people said.
    """

    role: str
    reason: str


# --- the model ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request cost, in the vendor's own units."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Those of ``input_tokens`` that the vendor had kept, and charges less for."""
    input_audio_tokens: int = 0
    """Here and below: those of the tokens above that are sound, which has a price of its own."""
    output_audio_tokens: int = 0
    cached_audio_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*map(sum, zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class ModelText:
    """A piece of a reply's text, as it streams; of a model that speaks itself, what its speech says."""

    reply: int
    attempt: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ModelAudio:
    """Speech of a reply from a model that speaks itself: µ-law at 8 kHz, any length, in order."""

    reply: int
    attempt: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ModelToolCall:
    """The model wants a tool run. ``arguments`` is the model's JSON text, unchecked."""

    reply: int
    attempt: int
    tool_call: str
    name: str
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ModelDone:
    """The model has finished. ``reason``: ``stop``, ``length`` or ``tools``."""

    reply: int
    attempt: int
    reason: str = "stop"
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """The model's stream broke or was refused."""

    reply: int
    attempt: int
    reason: str
    retryable: bool = True
    retry_after: int | None = None


# --- the voice ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word of a piece and where its sound begins."""

    text: str = field(repr=False)
    start: int
    """Samples (8 kHz) from the start of the piece's audio."""


@dataclass(frozen=True, slots=True)
class VoiceAudio:
    """Audio of one piece of a reply: µ-law at 8 kHz, any length, in order."""

    reply: int
    piece: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class VoiceWords:
    """Where the words of a piece lie in its audio, as far as is known; may come in several parts."""

    reply: int
    piece: int
    words: tuple[SpokenWord, ...]


@dataclass(frozen=True, slots=True)
class VoiceDone:
    """All audio of the piece has been given."""

    reply: int
    piece: int


@dataclass(frozen=True, slots=True)
class VoiceFailed:
    """The voice broke or refused; the piece's audio so far stays valid."""

    reply: int
    piece: int
    reason: str
    retryable: bool = True
    retry_after: int | None = None


# --- the books ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VendorUsed:
    """Something was asked of a vendor that stands on its bill. The call takes no heed of it; its record does.

    One kind of unit each: a model's request, when it is over, however it ended; a piece of text when a voice
    was given it; some seconds of the caller when a transcriber was. A model that speaks itself is requested
    for fixed texts too (role ``voice``), and may bill the caller's words in tokens. ``vendor`` is the place
    in the agent's order of preference.
    """

    role: str
    """``transcriber``, ``model`` or ``voice``."""
    vendor: int = 0
    requests: int = 0
    tokens: Usage | None = None
    """None for a request whose vendor did not tell: it failed, or was no longer wanted."""
    characters: int = 0
    audio_ms: int = 0


# --- the carrier's acknowledgements -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MarkEchoed:
    """The carrier has played everything that was sent before the mark of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class CarrierDone:
    """A request to the carrier (hang up, transfer, digits) came to its end.

    ``action`` is ``hang_up``, ``transfer`` or ``digits``; ``outcome`` is ``ok`` or why it failed
    (``busy``, ``no-answer``, ``rejected``, ``failed``, ``unavailable``).
    """

    action: str
    outcome: str = "ok"


# --- tools --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool answered. ``value`` is JSON text for the model."""

    tool_call: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """A tool raised or could not be run."""

    tool_call: str
    error: str


# --- control from outside -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SayNow:
    """Someone outside wants the agent to say exactly this."""

    text: str = field(repr=False)
    urgency: Urgency = Urgency.NEXT
    uninterruptible: bool = False


@dataclass(frozen=True, slots=True)
class UserText:
    """Typed text that counts as the caller's words."""

    text: str = field(repr=False)
    urgency: Urgency = Urgency.NEXT


@dataclass(frozen=True, slots=True)
class HangUpNow:
    """Someone outside wants the call ended, with these last words if any."""

    farewell: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TransferNow:
    """Someone outside wants the caller connected to ``target``."""

    target: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetOutputMedium:
    """Speak (``voice``) or only write (``text``) from the next reply on (F20)."""

    medium: str


@dataclass(frozen=True, slots=True)
class Drain:
    """The worker is going down: the call may go on for ``within`` ms, then says goodbye."""

    within: int
    farewell: str = field(default="", repr=False)


Event = (
    Created | StreamOpened | StreamStopped | StreamLost | CallerHungUp | WireFault | WriteStalled
    | CallerAudio | MediaGap | VoiceVote | KeyPressed
    | InterimWords | FinalWords | TurnVote | TranscriberReady | TranscriberFailed | Survived
    | ModelText | ModelAudio | ModelToolCall | ModelDone | ModelFailed
    | VoiceAudio | VoiceWords | VoiceDone | VoiceFailed | VendorUsed
    | MarkEchoed | CarrierDone | ToolResult | ToolFailed
    | SayNow | UserText | HangUpNow | TransferNow | SetOutputMedium | Drain
)  # fmt: skip

JsonObject = Mapping[str, Any]
