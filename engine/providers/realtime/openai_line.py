"""One call's line to a realtime model of OpenAI: transcriber, voice and model over one session at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from engine.core.conversation import Message
from engine.core.events import Survived, VendorUsed
from engine.providers.contracts import AudioDelta, ProviderError, TextDelta, ToolSpec
from engine.providers.realtime.openai_hearing import Hearing
from engine.providers.realtime.openai_responses import Delta
from engine.providers.realtime.openai_session import Session
from engine.providers.realtime.verbatim import says
from engine.providers.tts.requested import RequestedVoice

Charge = Callable[[VendorUsed], None]
Connect = Callable[[Charge], Awaitable[Session]]


class OpenAIRealtimeLine:
    """See `engine.providers.contracts.RealtimeLine`.

    There is a session from the transcriber's opening until the connection ends. What needs one meanwhile
    waits for it: how long it may take is the caller's to say. A new session knows nothing of the one before.
    """

    def __init__(self, connect: Connect, on_close: Callable[[OpenAIRealtimeLine], None]) -> None:
        """``connect`` makes a session that tells its bill."""
        self._connect = connect
        self._books: Charge = _nowhere
        self._on_close = on_close
        self._sessions: list[Session] = []
        """All that were not closed, the broken ones among them; the last one is the line's."""
        self._waiting: set[asyncio.Future[Session]] = set()
        self._closed = False
        self.transcriber = LineTranscriber(self)
        self.voice = LineVoice(self)

    def charge_to(self, books: Charge) -> None:
        """From now on tell ``books`` of all that stands on the vendor's bill."""
        self._books = books

    async def open(self) -> Hearing:
        """Make a session; from now on it is the line's. Raises `ProviderError`.

        Those who wait for one go on waiting where another try may help.
        """
        try:
            session = await self._connect(lambda used: self._books(used))
        except ProviderError as error:
            if not error.retryable:
                failed = error
                self._answer(lambda waiting: waiting.set_exception(failed.again()))
            raise
        self._sessions = [*(one for one in self._sessions if not one.closed), session]
        self._answer(lambda waiting: waiting.set_result(session))
        return session.hearing

    async def respond(
        self, attempt: int, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncIterator[Delta]:
        """Stream one reply. Closing the iterator cancels the response. Raises `ProviderError`."""
        responses = (await self._session()).responses
        response = await responses.ask(attempt, messages, tools)
        try:
            async for delta in response.deltas:
                yield delta
        finally:
            responses.cancel(response)

    async def speak(self, text: str) -> AsyncIterator[bytes | Survived]:
        """The µ-law audio of a fixed text, and whether it was another text. Raises `ProviderError`."""
        responses = (await self._session()).responses
        response = responses.say(text)
        said = ""
        try:
            async for delta in response.deltas:
                if isinstance(delta, AudioDelta):
                    yield delta.payload
                elif isinstance(delta, TextDelta):
                    said += delta.text
            if said and not says(said, text):
                yield Survived("voice", "the model did not read out a fixed text word for word")
        finally:
            responses.cancel(response)

    def truncate(self, attempt: int, heard_ms: int) -> None:
        """The caller heard this much of the reply's speech and will hear no more."""
        for session in self._sessions:
            session.responses.truncate(attempt, heard_ms)

    async def hang_up(self) -> None:
        """End the sessions; a new one may be made."""
        sessions, self._sessions = self._sessions, []
        await asyncio.gather(*(session.close() for session in sessions))

    async def close(self) -> None:
        """End the connection and free what it holds."""
        self._closed = True
        self._answer(lambda waiting: waiting.set_exception(_closed()))
        await self.voice.close()
        await self.hang_up()
        self._on_close(self)

    async def _session(self) -> Session:
        """The session of the moment, waited for. Raises `ProviderError` where it does not come to be."""
        if self._closed:
            raise _closed()
        if self._sessions and self._sessions[-1].usable:
            return self._sessions[-1]
        waiting: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        return await waiting

    def _answer(self, answer: Callable[[asyncio.Future[Session]], None]) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                answer(future)


def _nowhere(used: VendorUsed) -> None:
    """Nobody asked for the bill."""


def _closed() -> ProviderError:
    return ProviderError("the line is closed", retryable=False)


class LineTranscriber:
    """The line as a `engine.providers.contracts.Transcriber`: its connection is made and ended here."""

    def __init__(self, line: OpenAIRealtimeLine) -> None:
        self._line = line

    async def open(self) -> Hearing:
        """Connect. Raises `ProviderError`."""
        return await self._line.open()

    async def close(self) -> None:
        """End the connection."""
        await self._line.hang_up()


class LineVoice:
    """The line as a `engine.providers.contracts.Voice`: fixed texts in the model's own voice."""

    def __init__(self, line: OpenAIRealtimeLine) -> None:
        self._line = line
        self._streams: set[RequestedVoice] = set()

    async def open(self) -> RequestedVoice:
        """Open a stream; its pieces wait for the line's connection, and fail where that fails."""
        stream = RequestedVoice("OpenAI Realtime", self._line.speak)
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        """End all streams."""
        streams, self._streams = self._streams, set()
        await asyncio.gather(*(stream.close() for stream in streams))
