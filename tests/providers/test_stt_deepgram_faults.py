"""What Deepgram's transcribers make of a vendor that misbehaves: every fault, at both of its endpoints."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from unittest.mock import patch

import pytest
from aiohttp import web

from engine.audio import mulaw
from engine.core.events import FinalWords, Survived, TranscriberReady, TurnVote
from engine.providers.contracts import MOST_SURVIVED, ProviderError
from engine.providers.stt import deepgram_account, deepgram_stream
from engine.providers.stt.deepgram_stream import DeepgramStream
from fixtures.deepgram import API_KEY, LATE_WORDS, Deepgram
from fixtures.faults import Fault, Faults, Kind
from tests.providers.deepgram_streams import SAYINGS, UTTERANCES, Make, both, failure, nova
from tests.providers.transcriber_conformance import HUSH, PATIENCE, ask, collect, feed, left_behind, text

REFUSED = (Fault(Kind.REFUSE), Fault(Kind.REFUSE))
"""Refused once: aiohttp repeats a handshake that was cut off before any answer."""


def failing(*script: Fault | None) -> Deepgram:
    return Deepgram(sayings=SAYINGS, faults=Faults(script))


async def refusal(make: Make, deepgram: Deepgram, **options: object) -> ProviderError:
    """How a stream that cannot be opened fails; the next one is opened as if nothing had been."""
    transcriber = make(deepgram, **options)
    with pytest.raises(ProviderError) as failed:
        await transcriber.open()
    assert left_behind() == []
    await (await transcriber.open()).close()
    await transcriber.close()
    return failed.value


@both
@pytest.mark.parametrize(
    ("fault", "told", "retryable"),
    [
        (Fault(Kind.STATUS, 400), "refused the settings (400): Bad Request", False),
        (Fault(Kind.STATUS, 401), "refused the key (401): check DEEPGRAM_API_KEY: Invalid cred", False),
        (Fault(Kind.STATUS, 402), "no credit left for this account (402)", False),
        (Fault(Kind.STATUS, 403), "does not let this key use the model (403)", False),
        (Fault(Kind.STATUS, 418), "Deepgram refused the connection (418)", False),
        (Fault(Kind.STATUS, 429), "too many streams of this account (429): Too many requests", True),
        (Fault(Kind.STATUS, 429, retry_after=3), "to be tried again after 3 s", True),
        (Fault(Kind.STATUS, 500), "Deepgram is failing (500)", True),
        (Fault(Kind.STATUS, 503), "Deepgram is failing (503)", True),
    ],
)
async def test_a_refused_stream_says_why(make: Make, fault: Fault, told: str, retryable: bool) -> None:
    async with failing(fault) as deepgram:
        error = await refusal(make, deepgram)
    assert told in error.reason
    assert error.retryable is retryable
    assert "\n" not in error.reason
    if fault.status == 429 and fault.retry_after is None:
        assert "tried again" not in error.reason
    if fault.retry_after is not None:
        assert error.retry_after_ms == fault.retry_after * 1_000


@both
async def test_a_handshake_that_is_cut_off(make: Make) -> None:
    async with failing(*REFUSED) as deepgram:
        error = await refusal(make, deepgram)
    assert error.reason == "cannot reach Deepgram (127.0.0.1): ServerDisconnectedError"
    assert error.retryable


@both
async def test_nobody_listens(make: Make) -> None:
    async with Deepgram() as gone:
        pass
    transcriber = make(gone)
    with pytest.raises(
        ProviderError, match=r"cannot reach Deepgram \(127.0.0.1\): Connect call failed"
    ) as failed:
        await transcriber.open()
    assert failed.value.retryable
    await transcriber.close()


@both
async def test_five_seconds_of_latency_are_too_much(make: Make) -> None:
    async with failing(Fault(Kind.LATENCY, seconds=5)) as deepgram:
        transcriber = make(deepgram, connect_within_ms=20)
        with pytest.raises(ProviderError, match="did not answer in time") as failed:
            await transcriber.open()
        assert failed.value.retryable
        await transcriber.close()


@both
async def test_the_key_is_nowhere_to_be_seen(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with failing(Fault(Kind.STATUS, 401), *REFUSED) as deepgram:
        transcriber = make(deepgram)
        shown = [repr(transcriber)]
        for _ in range(2):
            with pytest.raises(ProviderError) as failed:
                await transcriber.open()
            error: BaseException | None = failed.value
            while error is not None:
                shown += [repr(error), str(error)]
                error = error.__cause__ or error.__context__
        stream = await transcriber.open()
        shown += [repr(stream), caplog.text]
        await transcriber.close()
    assert not [text for text in shown if API_KEY in text]
    assert deepgram.connections[-1].authorization == f"Token {API_KEY}", "it was sent, though"


@both
@pytest.mark.parametrize("kind", [Kind.DROP, Kind.HALF_FRAME])
@pytest.mark.parametrize("after", [1, 2, 3])
async def test_a_connection_that_breaks_off(make: Make, kind: Kind, after: int) -> None:
    async with failing(Fault(kind, after=after)) as deepgram:
        transcriber = make(deepgram)
        stream = await transcriber.open()
        ask(stream, UTTERANCES[0].audio)
        error, _ = await failure(stream)
        assert error.retryable
        assert "Deepgram" in error.reason
        feed(stream, UTTERANCES[0].audio)
        stream.flush()
        await stream.close()
        again = await transcriber.open()
        ask(again, UTTERANCES[0].audio)
        assert text(await collect(aiter(again), UTTERANCES[0].ms)) == UTTERANCES[0].text
        await transcriber.close()
        assert left_behind() == []


@both
@pytest.mark.parametrize(("age", "allowed"), [(0.0, 1.2), (1.2, 0.9), (2.0, 0.7), (60.0, 0.7)])
async def test_only_audio_that_was_fed_faster_than_it_is_spoken_gets_more_time(
    make: Make, age: float, allowed: float
) -> None:
    async with failing(Fault(Kind.SILENT)) as deepgram:
        transcriber = make(deepgram)
        stream = await transcriber.open()
        now = stream._opened + age
        stream._now = lambda: now
        feed(stream, mulaw.silence(2_000))
        stream.flush()
        assert stream._answer_by is not None
        assert stream._answer_by - now == pytest.approx(allowed)
        await transcriber.close()


@both
@pytest.mark.parametrize("fault", [Fault(Kind.SILENT), Fault(Kind.STALL, after=1)])
async def test_a_vendor_that_falls_silent_is_noticed_while_the_caller_is_heard(
    make: Make, fault: Fault
) -> None:
    async with failing(fault) as deepgram:
        transcriber = make(deepgram)
        stream = await transcriber.open()
        feed(stream, UTTERANCES[0].audio + mulaw.silence(HUSH))
        seconds = itertools.count(stream._now())
        stream._now = lambda: next(seconds)
        stream.flush()

        async def talk_on() -> None:
            while True:
                stream.feed(mulaw.silence(20))
                await asyncio.sleep(0)

        talking = asyncio.create_task(talk_on())
        error, events = await failure(stream)
        talking.cancel()
        assert error.reason == "Deepgram does not answer any more"
        assert error.retryable
        assert not any(isinstance(event, FinalWords) for event in events)
        await transcriber.close()


class Hand:
    """A clock that is set by hand, and speech that was flushed under it: nova's final never comes."""

    def __init__(self, stream: DeepgramStream) -> None:
        self.stream, self.now = stream, stream._now()
        stream._opened -= 60  # so that nothing was fed faster than it is spoken
        stream._now = lambda: self.now
        self.heard = 0
        self._hear, stream._hear = stream._hear, self.hear  # type: ignore[method-assign]

    def hear(self, text: str) -> None:
        self.heard += 1
        self._hear(text)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.stream.feed(mulaw.silence(20))

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not happened():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)


@pytest.mark.parametrize("patience_ms", [1_500, 400])
async def test_a_slow_vendor_that_has_spoken_and_lives_is_waited_for(patience_ms: int) -> None:
    async with Deepgram(sayings=SAYINGS, final_ms=60_000, pause_ms=60_000) as deepgram:
        transcriber = nova(deepgram, patience_ms=patience_ms)
        stream = await transcriber.open()
        feed(stream, UTTERANCES[0].audio)
        hand = Hand(stream)
        stream.flush()
        connection = await deepgram.connection()
        await hand.until(lambda: "Finalize" in connection.messages and hand.heard == connection.sent > 0)
        hand.after(0.71)
        asked_until = stream._answer_by
        await hand.until(lambda: stream._answer_by != asked_until)
        hand.after(patience_ms / 1000 - 0.01)
        assert not stream._events.over
        hand.after(0.02)
        assert (await failure(stream))[0].reason == "Deepgram does not answer any more"
        await transcriber.close()


async def test_one_that_does_not_answer_a_ping_is_not_waited_for() -> None:
    async with failing(Fault(Kind.STALL, after=1)) as deepgram:
        transcriber = nova(deepgram)
        stream = await transcriber.open()
        feed(stream, UTTERANCES[0].audio)
        hand = Hand(stream)
        await hand.until(lambda: stream._spoken)
        stream.flush()
        hand.after(0.71)
        assert not stream._events.over
        hand.after(0.31)
        assert stream._events.over
        await transcriber.close()


async def test_any_message_is_a_sign_of_life() -> None:
    async with failing(Fault(Kind.SILENT)) as deepgram:
        transcriber = nova(deepgram)
        stream = await transcriber.open()
        feed(stream, UTTERANCES[0].audio)
        hand = Hand(stream)
        stream.flush()
        hand.after(0.69)
        stream._hear('{"type": "Metadata"}')
        hand.after(0.69)
        assert not stream._events.over and not stream._pinged
        await transcriber.close()


@both
async def test_a_stalled_peer_is_noticed_by_its_missing_pong(make: Make) -> None:
    async with failing(Fault(Kind.STALL, after=0)) as deepgram:
        with patch.object(deepgram_account, "_HEARTBEAT", 0.02):
            transcriber = make(deepgram)
            stream = await transcriber.open()
        feed(stream, UTTERANCES[0].audio)
        error, _ = await failure(stream)
        assert error.reason == "the connection to Deepgram broke off (1006)"
        assert error.retryable
        await transcriber.close()


@both
async def test_a_peer_that_takes_no_audio_is_not_fed_for_ever(make: Make) -> None:
    async with Deepgram() as deepgram:
        transcriber = make(deepgram)
        stream = await transcriber.open()
        feed(stream, mulaw.silence(10_100))
        error, _ = await failure(stream)
        assert error.reason == "Deepgram takes no more audio"
        await transcriber.close()


@both
async def test_closing_a_stalled_stream_does_not_wait_for_the_peer(make: Make) -> None:
    async with failing(Fault(Kind.STALL, after=0)) as deepgram:
        with patch.object(deepgram_stream, "_CLOSE_WITHIN", 0.01):
            transcriber = make(deepgram)
            stream = await transcriber.open()
            feed(stream, UTTERANCES[0].audio)
            async with asyncio.timeout(PATIENCE):
                await stream.close()
        assert left_behind() == []
        await transcriber.close()


class Babble(Deepgram):
    """Sends messages without any sense in them."""

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for _ in range(2 * MOST_SURVIVED):
            await socket.send_str("{}")
        async for _ in socket:
            pass
        return socket


@both
@pytest.mark.parametrize("after", [0, 1, 2])
async def test_malformed_messages_are_counted_and_survived(make: Make, after: int) -> None:
    async with failing(Fault(Kind.MALFORMED, after=after)) as deepgram:
        transcriber = make(deepgram)
        stream = await transcriber.open()
        ask(stream, UTTERANCES[0].audio)
        events = await collect(aiter(stream), UTTERANCES[0].ms)
        assert text(events) == UTTERANCES[0].text
        survived = [event for event in events if isinstance(event, Survived)]
        assert len(survived) >= 3 and {event.role for event in survived} == {"transcriber"}
        await transcriber.close()


@both
async def test_a_server_that_makes_no_sense_at_all_is_given_up(make: Make) -> None:
    async with Babble() as babble:
        transcriber = make(babble)
        survived = []
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ProviderError, match="as documented"):
                async for event in await transcriber.open():
                    survived.append(event)
        assert len([event for event in survived if isinstance(event, Survived)]) == MOST_SURVIVED
        await transcriber.close()


@both
async def test_what_is_said_twice_is_heard_once(make: Make) -> None:
    async with failing(Fault(Kind.DUPLICATE)) as deepgram:
        transcriber = make(deepgram)
        stream = await transcriber.open()
        events, heard, fed = aiter(stream), [], 0
        for utterance in UTTERANCES:
            ask(stream, utterance.audio)
            heard += await collect(events, fed + utterance.ms)
            fed += utterance.ms + 1200
        feed(stream, mulaw.silence(500))
        stream.flush()
        feed(stream, mulaw.silence(500))
        heard += await collect(events, fed + 400)
        assert text(heard) == " ".join(SAYINGS)
        ends = [event for event in heard if isinstance(event, TurnVote) and event.vote == "end"]
        assert len(ends) == 2
        await transcriber.close()


@both
async def test_a_final_after_the_close_is_not_heard(make: Make) -> None:
    async with failing(Fault(Kind.AFTER_CLOSE)) as deepgram:
        transcriber = make(deepgram)
        stream = await transcriber.open()
        events = aiter(stream)
        assert await anext(events) == TranscriberReady()
        feed(stream, UTTERANCES[0].audio)
        await stream.close()
        async with asyncio.timeout(PATIENCE):
            connection = await deepgram.connection()
            await connection.until(lambda c: c.closed)
            heard = [event async for event in events]
        assert connection.messages[-1] == "CloseStream"
        assert LATE_WORDS not in repr(heard)
        assert heard == []
        await transcriber.close()


async def test_the_socket_is_gone_when_the_transcriber_is_closed() -> None:
    async with Deepgram(sayings=SAYINGS) as deepgram:
        transcriber = nova(deepgram)
        for _ in range(20):
            feed(await transcriber.open(), UTTERANCES[0].audio)
        await transcriber.close()
        async with asyncio.timeout(PATIENCE):
            for connection in deepgram.connections:
                await connection.until(lambda c: c.closed)
        assert left_behind() == []
