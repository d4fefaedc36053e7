"""What the engine asks of a transcriber, a language model and a voice.

A stream is ``feed`` / ``say`` / ``cancel`` plus an asynchronous iterator of events. It owns no timer and
no retry: deadlines and failover are the call core's. The methods that are not coroutines must return at
once; whatever needs time happens behind them. The iterator ends when the stream is over; a failure is
raised from it as `ProviderError`, once, and nothing comes after it. What went wrong without harm is told as
`Survived`, at most `MOST_SURVIVED` times a stream: more of it is a failure.

Audio is µ-law at 8 kHz everywhere: 8 bytes a millisecond.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from engine.core.conversation import Message
from engine.core.events import (
    FinalWords,
    InterimWords,
    Survived,
    TranscriberReady,
    TurnVote,
    Usage,
    VendorUsed,
    VoiceAudio,
    VoiceDone,
    VoiceFailed,
    VoiceWords,
)

MOST_SURVIVED = 20
"""Messages of one stream that may make no sense; a peer that sends more of them is not what it should be."""


class ProviderError(Exception):
    """A provider failed. ``reason`` is one sentence; ``retryable`` says whether trying again may help.

    ``retry_after_ms`` is how long the provider asks to be left alone before, in ms; None: it does not say.
    """

    def __init__(self, reason: str, *, retryable: bool = True, retry_after_ms: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms

    def again(self) -> ProviderError:
        """The same failure, to be raised in another place too."""
        reason, retryable, retry_after_ms = self.told
        return ProviderError(reason, retryable=retryable, retry_after_ms=retry_after_ms)

    @property
    def told(self) -> tuple[str, bool, int | None]:
        """What the call is told: the last fields of `TranscriberFailed`, `ModelFailed` and `VoiceFailed`."""
        return self.reason, self.retryable, self.retry_after_ms


# --- transcriber --------------------------------------------------------------------------------------

TranscriberEvent = TranscriberReady | InterimWords | FinalWords | TurnVote | Survived


class TranscriberStream(Protocol):
    """One caller's audio in, words out. Media times count from the first byte fed to this stream."""

    def feed(self, payload: bytes) -> None:
        """Take the next caller audio (µ-law, 8 kHz): 20 to 250 ms as a rule, as much as is worth a message.

        Never blocks; a stream that cannot keep up drops and says so.
        """

    def flush(self) -> None:
        """The caller paused: give a `FinalWords` for all that was fed, as soon as possible.

        A stream answers every flush with exactly one `FinalWords` that covers the audio up to it (its text
        is empty where there were no words); where a final already covered that audio it may stay quiet.
        """

    async def close(self) -> None:
        """End the stream and free what it holds. May be called at any time, and more than once."""

    def __aiter__(self) -> AsyncIterator[TranscriberEvent]:
        """The words, as they come."""


class Transcriber(Protocol):
    """Opens streams. One per process and configuration; shared by calls."""

    async def open(self) -> TranscriberStream:
        """Open a stream. Raises `ProviderError`."""

    async def close(self) -> None:
        """Free what all streams share."""


# --- language model -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it: JSON Schema ``parameters``, in OpenAI's form."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the reply's text."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A complete tool call: the model's own id for it, the tool, and its arguments as JSON text."""

    tool_call: str
    name: str
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a generation. ``reason``: ``stop``, ``length`` or ``tools``."""

    reason: str = "stop"
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """A piece of the reply's speech, from a model that speaks itself: µ-law at 8 kHz, in order."""

    payload: bytes = field(repr=False)


ModelEvent = TextDelta | ToolCallDelta | Finished | Survived


class LanguageModel(Protocol):
    """Text and tool calls for a conversation. One per process and configuration; shared by calls."""

    def generate(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[ModelEvent]:
        """Stream one reply; the last item is `Finished`. Closing the iterator cancels the request.

        Raises `ProviderError` from the iterator.
        """

    async def close(self) -> None:
        """Free what all generations share."""


@runtime_checkable
class Warms(Protocol):
    """A model whose first request would have to connect first, and that can do so before."""

    async def warm(self) -> None:
        """Have a connection open, if there is none that is idle. Raises nothing."""


# --- voice --------------------------------------------------------------------------------------------

PieceEvent = VoiceAudio | VoiceWords | VoiceDone | VoiceFailed
VoiceEvent = PieceEvent | Survived


class VoiceStream(Protocol):
    """One call's voice. Pieces are spoken in the order they were asked for, and fail in it, too.

    The next one may be asked for while the one before it still comes.
    """

    def say(self, reply: int, piece: int, text: str) -> None:
        """Ask for a piece. Its events carry its numbers; the last is `VoiceDone` or `VoiceFailed`."""

    def cancel(self, reply: int) -> None:
        """Stop all pieces of a reply. Nothing of it need be given any more; what comes late is harmless."""

    async def close(self) -> None:
        """End the stream. May be called at any time, and more than once."""

    def __aiter__(self) -> AsyncIterator[VoiceEvent]:
        """The audio, as it comes."""


class Voice(Protocol):
    """Opens streams of one voice. One per process and configuration; shared by calls."""

    async def open(self) -> VoiceStream:
        """Open a stream. Raises `ProviderError`."""

    async def close(self) -> None:
        """Free what all streams share."""


# --- speech to speech ---------------------------------------------------------------------------------


class RealtimeLine(Protocol):
    """One call's line to a model that hears and speaks itself: one connection, in three roles.

    As a `Transcriber` it opens the connection, takes the caller's audio and gives the caller's words; as a
    `Voice` it speaks fixed texts, word for word; `respond` is the model. The transcriber's stream ends when
    the connection does, and its next ``open`` makes a new one. The voice's stream lasts as long as the line:
    what it is asked for while there is no connection waits for the next one. The conversation is the
    engine's: each request is given all of it, and what the vendor keeps is brought in line with that.
    """

    def charge_to(self, books: Callable[[VendorUsed], None]) -> None:
        """From now on tell ``books`` of all that stands on the vendor's bill, in whichever role.

        A line knows it best: which audio was worth sending, and what a cancelled request cost all the same.
        """

    @property
    def transcriber(self) -> Transcriber:
        """The caller's audio to the model, and the caller's words back."""

    @property
    def voice(self) -> Voice:
        """Fixed texts in the model's own voice."""

    def respond(
        self, attempt: int, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncIterator[ModelEvent | AudioDelta]:
        """Stream one reply: speech, and the text of it; the last item is `Finished`.

        ``attempt`` names the request, and is never used twice in a call. Closing the iterator cancels the
        request. Raises `ProviderError` from the iterator.
        """

    def truncate(self, attempt: int, heard_ms: int) -> None:
        """The caller heard this much of the request's speech and will hear no more: the rest never was."""

    async def close(self) -> None:
        """End the connection and free what it holds. May be called more than once."""


class RealtimeModel(Protocol):
    """Makes lines. One per process and configuration; shared by calls."""

    def line(self) -> RealtimeLine:
        """A line for one call; it connects when its transcriber is opened."""

    async def close(self) -> None:
        """Free what all lines share."""
