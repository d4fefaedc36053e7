"""What the tests of the realtime model share: the stand-in, a line to it, sounds, and a whole reply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.audio import mulaw
from engine.core.conversation import Message
from engine.core.events import FinalWords, Survived, TranscriberReady
from engine.providers.contracts import (
    AudioDelta,
    Finished,
    ProviderError,
    RealtimeLine,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
    TranscriberStream,
)
from engine.providers.realtime.openai import OpenAIRealtime
from fixtures.faults import Fault, Faults
from fixtures.openai_realtime import API_KEY, Connection, OpenAIRealtimeServer
from tests.providers.transcriber_conformance import HUSH, PATIENCE, Utterance, feed

SOUND = bytes([0x10, 0x90] * 80)
"""20 ms of a loud tone."""
UTTERANCES = (
    Utterance(mulaw.silence(100) + SOUND * 50, "a large coffee please."),
    Utterance(SOUND * 30, "that is all."),
)
SAYINGS = tuple(utterance.text for utterance in UTTERANCES)
PROMPT = Message("system", "Be brief.")
HELLO = (PROMPT, Message("user", "Hello?"))


@dataclass
class Bench:
    """A stand-in, a model of it, and one line whose transcriber is open."""

    vendor: OpenAIRealtimeServer
    model: OpenAIRealtime
    line: RealtimeLine
    stream: TranscriberStream

    @property
    def connection(self) -> Connection:
        """The last connection that came in."""
        return self.vendor.connections[-1]

    def inputs(self) -> list[list[dict[str, Any]]]:
        """The inputs of the responses that were asked for."""
        return [event["response"]["input"] for event in self.connection.of("response.create")]


def stand_in(*script: Fault | None, **settings: Any) -> OpenAIRealtimeServer:
    return OpenAIRealtimeServer(**{"sayings": SAYINGS, "faults": Faults(script)} | settings)


def model_of(vendor: OpenAIRealtimeServer, **options: Any) -> OpenAIRealtime:
    return OpenAIRealtime(API_KEY, "gpt-realtime-2.1", **{"base_url": vendor.url, **options})


@asynccontextmanager
async def opened(vendor: OpenAIRealtimeServer, **options: Any) -> AsyncIterator[Bench]:
    """The stand-in runs, and a line is open; all is closed in the end."""
    async with vendor:
        model = model_of(vendor, **options)
        line = model.line()
        try:
            yield Bench(vendor, model, line, await line.transcriber.open())
        finally:
            await model.close()


async def say(stream: TranscriberStream, audio: bytes) -> FinalWords:
    """An utterance of the caller, and the words that come of it."""
    feed(stream, audio + mulaw.silence(HUSH))
    stream.flush()
    return await final(stream)


async def final(stream: TranscriberStream) -> FinalWords:
    """The next final words."""
    async with asyncio.timeout(PATIENCE):
        async for event in stream:
            if isinstance(event, FinalWords):
                return event
    raise AssertionError("the stream ended without final words")


async def survived(stream: TranscriberStream) -> Survived:
    """What next went wrong without harm; nothing but that has happened."""
    async with asyncio.timeout(PATIENCE):
        async for event in stream:
            if isinstance(event, Survived):
                return event
            assert isinstance(event, TranscriberReady)
    raise AssertionError("nothing went wrong")


@dataclass
class Reply:
    """All that came of a response."""

    text: str = ""
    audio: bytes = field(default=b"", repr=False)
    calls: list[ToolCallDelta] = field(default_factory=list)
    finished: Finished | None = None

    def take(self, delta: TextDelta | AudioDelta | ToolCallDelta | Finished) -> None:
        assert self.finished is None, "something came after the end"
        if isinstance(delta, TextDelta):
            self.text += delta.text
        elif isinstance(delta, AudioDelta):
            self.audio += delta.payload
        elif isinstance(delta, ToolCallDelta):
            self.calls.append(delta)
        else:
            self.finished = delta

    @property
    def ms(self) -> int:
        return len(self.audio) // mulaw.BYTES_PER_MS


async def reply(
    line: RealtimeLine, attempt: int, messages: Sequence[Message] = HELLO, tools: Sequence[ToolSpec] = ()
) -> Reply:
    """A whole response."""
    said = Reply()
    async with asyncio.timeout(PATIENCE):
        async for delta in line.respond(attempt, messages, tools):
            said.take(delta)
    assert said.finished is not None
    return said


async def begun(
    line: RealtimeLine, attempt: int, messages: Sequence[Message] = HELLO, *, audio_ms: int = 0
) -> tuple[AsyncIterator[Any], Reply]:
    """A response of which there is some text, and so much audio; its iterator is still open."""
    said, deltas = Reply(), aiter(line.respond(attempt, messages, ()))
    async with asyncio.timeout(PATIENCE):
        while not said.text or said.ms < audio_ms:
            said.take(await anext(deltas))
    return deltas, said


async def failure(line: RealtimeLine, attempt: int, messages: Sequence[Message] = HELLO) -> ProviderError:
    """How a response failed."""
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ProviderError) as failed:
            async for _ in line.respond(attempt, messages, ()):
                pass
    return failed.value


async def broken(stream: TranscriberStream) -> ProviderError:
    """How the transcriber's stream failed; after that it is over."""
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ProviderError) as failed:
            async for event in stream:
                assert isinstance(event, TranscriberReady | Survived)
        assert [event async for event in stream] == []
    return failed.value
