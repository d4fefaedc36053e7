"""Everything a call can ask of the world: small frozen records, performed in order by the shell.

An effect says what to do, never how. `Note` effects ask for nothing: they are what the call tells about
itself, and the record, the metrics and the live view are folds over them (`notes.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.core.conversation import Message
from engine.core.notes import Note

# --- the transcriber ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenTranscriber:
    """Open a transcriber stream; ``attempt`` counts the streams of this call from 0.

    ``vendor``, here and below, is the place in the agent's order of preference of whom to ask.
    """

    attempt: int = 0
    vendor: int = 0


@dataclass(slots=True)  # not frozen: one is made of every frame, and freezing doubles what that costs
class FeedTranscriber:
    """Caller audio, µ-law at 8 kHz, unchanged."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class FlushTranscriber:
    """The caller paused: make what was heard so far final as soon as possible."""


@dataclass(frozen=True, slots=True)
class CloseTranscriber:
    """No more audio will come."""


# --- the model ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartModel:
    """Ask the model for a reply to ``messages``."""

    reply: int
    attempt: int
    messages: tuple[Message, ...] = field(repr=False)
    vendor: int = 0


@dataclass(frozen=True, slots=True)
class CancelModel:
    """The reply's text is no longer wanted: of one attempt, or (None) of all."""

    reply: int
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class TruncateModel:
    """Of its own speech for this request the model is told what was heard: ``heard`` ms, and no more."""

    attempt: int
    heard: int


# --- the voice ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenVoice:
    """Open the voice's connection, so that the first piece need not wait for it."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Turn a piece of text into audio. Pieces of one reply are asked for in order."""

    reply: int
    piece: int
    attempt: int
    text: str = field(repr=False)
    vendor: int = 0
    keep: bool = False
    """The text is fixed (a greeting, a clock's message): its audio is worth keeping for other calls."""


@dataclass(frozen=True, slots=True)
class CancelVoice:
    """The reply's audio is no longer wanted."""

    reply: int


# --- the carrier's stream -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Agent audio for the caller: µ-law at 8 kHz."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class SendMark:
    """Have the carrier say when it has played all that was sent before."""

    name: str


@dataclass(frozen=True, slots=True)
class SendClear:
    """Throw away what the carrier holds and has not played."""


@dataclass(frozen=True, slots=True)
class AudioHeard:
    """This agent audio was played to the caller, beginning at call time ``at`` (ms): for the recording."""

    payload: bytes
    at: int


# --- the carrier's leg --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HangUp:
    """Complete the caller's leg at the carrier. Asked at most once a call."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Connect the caller to ``target`` (an E.164 number or a SIP address) and leave."""

    target: str = field(repr=False)
    ring: int = 30_000
    """How long it may ring there, ms."""


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Press keys towards the far end; ``w`` is a pause of 500 ms."""

    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Close the media stream's socket."""


# --- tools --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run one of the agent's own tools. ``arguments`` is the model's JSON text."""

    tool_call: str
    name: str
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CancelTool:
    """The tool's answer is no longer waited for."""

    tool_call: str


Effect = (
    OpenTranscriber | FeedTranscriber | FlushTranscriber | CloseTranscriber
    | StartModel | CancelModel | TruncateModel | OpenVoice | Speak | CancelVoice
    | SendAudio | SendMark | SendClear | AudioHeard
    | HangUp | Transfer | SendDigits | CloseStream | RunTool | CancelTool | Note
)  # fmt: skip
