"""What a call tells about itself. Nobody has to act on a note; whoever wants to know a call folds over them.

Every note carries ``at``, the call time in ms at which it became true (for speech edges: the edge itself,
which lies a little before the moment it was noticed).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class EndReason(StrEnum):
    """Why a call ended. Exactly one is set on every call."""

    CALLER_HUNG_UP = "caller_hung_up"
    AGENT_HUNG_UP = "agent_hung_up"
    REQUESTED = "requested"
    """Someone outside asked for the end."""
    TRANSFERRED = "transferred"
    SILENCE = "silence"
    """Dead air: nobody spoke for the agent's limit."""
    INACTIVITY = "inactivity"
    """The inactivity ladder reached a step that ends the call."""
    MAX_DURATION = "max_duration"
    UNJOINED = "unjoined"
    CONNECTION_ERROR = "connection_error"
    """The carrier's stream was lost, stalled or spoke nonsense."""
    PROVIDER_ERROR = "provider_error"
    """Every transcriber, model or voice of the agent failed."""
    ENGINE_ERROR = "engine_error"
    """A fault of the engine itself."""
    DRAINED = "drained"
    """The worker was stopped."""


class Cut(StrEnum):
    """How a reply came to its end."""

    DONE = "done"
    """Heard to its last sample."""
    CUT = "cut"
    """Stopped while it was being heard."""
    DROPPED = "dropped"
    """Never heard."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that became true at call time ``at`` (ms)."""

    at: int


@dataclass(frozen=True, slots=True)
class Joined(Note):
    """The media stream is up for the first time."""

    carrier_call_id: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class SeamOpened(Note):
    """The stream went away and the call waits for the next one."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class SeamClosed(Note):
    """A new stream carries the call on."""


@dataclass(frozen=True, slots=True)
class SpeechStarted(Note):
    """Someone started to speak: ``caller`` or ``agent``."""

    who: str = "caller"


@dataclass(frozen=True, slots=True)
class SpeechEnded(Note):
    """The same stretch of speech is over."""

    who: str = "caller"


@dataclass(frozen=True, slots=True)
class WordsRecognised(Note):
    """The transcriber's words for what the caller is saying; an interim replaces the interim before."""

    text: str = field(default="", repr=False)
    final: bool = False


@dataclass(frozen=True, slots=True)
class KeysPressed(Note):
    """The caller's keypad digits, complete as the rules of collection say."""

    digits: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TurnEnded(Note):
    """The caller's turn is over; ``waited`` ms of silence were needed, and ``why`` says the evidence."""

    text: str = field(default="", repr=False)
    speech_ended: int = 0
    waited: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class TurnAmended(Note):
    """Words for a turn that had been taken as over: it goes on, and the reply to it is replaced."""

    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ReplyStarted(Note):
    """A reply exists. ``kind`` is one of `replies.Kind`."""

    reply: int = 0
    kind: str = ""
    draft: bool = False


@dataclass(frozen=True, slots=True)
class ReplyChosen(Note):
    """A draft became the answer to the caller's turn."""

    reply: int = 0


@dataclass(frozen=True, slots=True)
class ReplyStage(Note):
    """A step of a reply on its way to the ear, once each.

    ``stage``: ``model_asked``, ``first_text``, ``voice_asked``, ``first_audio``, ``first_sent``,
    ``first_heard``.
    """

    reply: int = 0
    stage: str = ""


@dataclass(frozen=True, slots=True)
class ReplyText(Note):
    """Text of a reply went to the voice; the caller has not heard it yet."""

    reply: int = 0
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ReplyEnded(Note):
    """A reply is over. ``heard`` is what the caller heard of it, in ``heard_ms`` ms of sound."""

    reply: int = 0
    kind: str = ""
    how: Cut = Cut.DONE
    heard: str = field(default="", repr=False)
    heard_ms: int = 0


@dataclass(frozen=True, slots=True)
class Interrupted(Note):
    """What the caller's sound did to the speaking agent.

    ``action``: ``duck``, ``hold``, ``stop``, ``resume``; ``since`` is the call time at which the sound began.
    """

    action: str = ""
    since: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class MessageAdded(Note):
    """The conversation gained a message (or its last one of this role grew or was amended)."""

    role: str = ""
    text: str = field(default="", repr=False)
    amended: bool = False
    reply: int = 0


@dataclass(frozen=True, slots=True)
class ToolStarted(Note):
    """A tool was started."""

    tool_call: str = ""
    name: str = ""
    arguments: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ToolEnded(Note):
    """A tool has its one result; ``error`` is empty where it succeeded."""

    tool_call: str = ""
    name: str = ""
    error: str = ""
    value: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ClockFired(Note):
    """One of the call's clocks reached its limit."""

    clock: str = ""


@dataclass(frozen=True, slots=True)
class Fault(Note):
    """A failure that was handled: counted as one error on the record."""

    role: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Leaving(Note):
    """The call is on its way out; a farewell may still be heard, and if it is soft, revoked."""

    reason: EndReason = EndReason.AGENT_HUNG_UP


@dataclass(frozen=True, slots=True)
class Stayed(Note):
    """The caller spoke in the farewell and the call goes on."""


@dataclass(frozen=True, slots=True)
class Ending(Note):
    """The reason is set; the carrier is being told."""

    reason: EndReason = EndReason.AGENT_HUNG_UP
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Closed(Note):
    """The call is over and asks for nothing any more."""

    reason: EndReason = EndReason.AGENT_HUNG_UP
