"""What the realtime model makes of a vendor that misbehaves: every fault, in every one of its roles."""

from __future__ import annotations

import asyncio
import logging

import pytest

from engine.core.conversation import Message
from engine.core.events import VoiceAudio, VoiceDone, VoiceFailed
from engine.providers.contracts import MOST_SURVIVED, ProviderError
from engine.providers.realtime.openai_hearing import INAUDIBLE
from fixtures.faults import Fault, Kind
from fixtures.openai_forms import Reply
from fixtures.openai_realtime import API_KEY, GREETING, OpenAIRealtimeServer
from fixtures.openai_realtime_forms import error_form
from fixtures.tone_speech import speak
from tests.providers.realtime.bench import (
    HELLO,
    PROMPT,
    SAYINGS,
    SOUND,
    UTTERANCES,
    begun,
    broken,
    failure,
    model_of,
    opened,
    reply,
    say,
    stand_in,
    survived,
)
from tests.providers.transcriber_conformance import PATIENCE, feed, left_behind
from tests.providers.voice_conformance import collect

REFUSED = (Fault(Kind.REFUSE), Fault(Kind.REFUSE))
"""Refused once: aiohttp repeats a handshake that was cut off before any answer."""


async def refusal(vendor: OpenAIRealtimeServer, **options: object) -> ProviderError:
    """How a connection that cannot be opened fails; the next one is opened as if nothing had been."""
    async with vendor:
        model = model_of(vendor, **options)
        line = model.line()
        with pytest.raises(ProviderError) as failed:
            await line.transcriber.open()
        assert left_behind() == []
        await (await line.transcriber.open()).close()
        await model.close()
    return failed.value


# --- opening ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "told", "retryable"),
    [
        (Fault(Kind.STATUS, 401), "refused the key (401): check OPENAI_API_KEY", False),
        (Fault(Kind.STATUS, 403), "refused the key (403): check OPENAI_API_KEY", False),
        (Fault(Kind.STATUS, 404), "answered 404", False),
        (Fault(Kind.STATUS, 429), "answered 429", True),
        (Fault(Kind.STATUS, 429, retry_after=3), "answered 429 (it asks to wait 3 s)", True),
        (Fault(Kind.STATUS, 500), "answered 500", True),
        (Fault(Kind.STATUS, 503), "answered 503", True),
    ],
)
async def test_a_refused_connection_says_why(fault: Fault, told: str, retryable: bool) -> None:
    error = await refusal(stand_in(fault))
    assert error.reason.startswith("127.0.0.1:")
    assert error.reason.endswith(told)
    assert error.retryable is retryable


async def test_a_handshake_that_is_cut_off() -> None:
    error = await refusal(stand_in(*REFUSED))
    assert error.reason.endswith("cannot be reached: ServerDisconnectedError")
    assert error.retryable


async def test_nobody_listens() -> None:
    async with OpenAIRealtimeServer() as gone:
        pass
    model = model_of(gone)
    with pytest.raises(ProviderError, match="cannot be reached: Connect call failed") as failed:
        await model.line().transcriber.open()
    assert failed.value.retryable
    await model.close()


@pytest.mark.parametrize("fault", [Fault(Kind.LATENCY, seconds=5), Fault(Kind.SILENT)])
async def test_a_session_that_does_not_come_in_time(fault: Fault) -> None:
    async with stand_in(fault) as vendor:
        model = model_of(vendor, connect_within_ms=50)
        with pytest.raises(ProviderError, match="did not answer in time") as failed:
            await model.line().transcriber.open()
        assert failed.value.retryable
        assert left_behind() == []
        await model.close()


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.HALF_FRAME])
@pytest.mark.parametrize("after", [0, 1])
async def test_a_session_that_breaks_off_before_it_is_ready(kind: Kind, after: int) -> None:
    error = await refusal(stand_in(Fault(kind, after=after)))
    assert "broke off" in error.reason
    assert error.retryable


async def test_a_model_that_does_not_exist() -> None:
    async with stand_in(models=("another",)) as vendor:
        model = model_of(vendor)
        with pytest.raises(ProviderError, match=r"model_not_found: The model 'gpt-realtime-2\.1'") as failed:
            await model.line().transcriber.open()
        assert not failed.value.retryable
        await model.close()


async def test_an_option_that_the_vendor_does_not_take() -> None:
    async with stand_in() as vendor:
        model = model_of(vendor)
        model._configuration["temperature"] = 0.8
        with pytest.raises(ProviderError, match=r"Unknown parameter: 'session\.temperature'") as failed:
            await model.line().transcriber.open()
        assert not failed.value.retryable
        await model.close()


async def test_the_key_is_nowhere_to_be_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with stand_in(Fault(Kind.STATUS, 401), *REFUSED) as vendor:
        model = model_of(vendor)
        line = model.line()
        shown = [repr(model), repr(line)]
        for _ in range(2):
            with pytest.raises(ProviderError) as failed:
                await line.transcriber.open()
            error: BaseException | None = failed.value
            while error is not None:
                shown += [repr(error), str(error)]
                error = error.__cause__ or error.__context__
        stream = await line.transcriber.open()
        shown += [repr(stream), caplog.text]
        await vendor.connections[-1].socket.send_json(  # type: ignore[union-attr]
            error_form(f"What about {API_KEY} and sk-another?", "odd")
        )
        await reply(line, 1)
        told = await survived(stream)
        shown += [caplog.text, told.reason]
        await model.close()
    assert "What about" in told.reason
    assert not [text for text in shown if API_KEY in text or "sk-another" in text]


async def test_those_who_wait_are_told_only_what_no_other_try_can_help() -> None:
    async with stand_in(Fault(Kind.STATUS, 503), Fault(Kind.STATUS, 401)) as vendor:
        model = model_of(vendor)
        line = model.line()
        voice = await line.voice.open()
        voice.say(1, 0, "Good morning.")
        answering = asyncio.create_task(failure(line, 1))
        await asyncio.sleep(0)
        with pytest.raises(ProviderError, match="answered 503"):
            await line.transcriber.open()
        await asyncio.sleep(0)
        assert not answering.done()
        with pytest.raises(ProviderError, match="refused the key"):
            await line.transcriber.open()
        assert "refused the key" in (await answering).reason
        (failed,) = await collect(voice, 1)
        assert isinstance(failed, VoiceFailed) and "refused the key" in failed.reason
        await line.transcriber.open()
        voice.say(1, 1, "Good morning.")
        assert isinstance((await collect(voice, 1))[-1], VoiceDone)
        await model.close()


async def test_a_session_that_is_being_closed_is_asked_for_nothing_more() -> None:
    async with opened(stand_in(tokens_per_second=20)) as bench:
        await begun(bench.line, 1)
        closing = asyncio.create_task(bench.stream.close())
        await asyncio.sleep(0)
        answering = asyncio.create_task(reply(bench.line, 2))
        await closing
        await bench.line.transcriber.open()
        assert (await answering).text == GREETING.text


# --- in the middle ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.HALF_FRAME])
@pytest.mark.parametrize("after", [2, 3, 4, 5])
async def test_a_connection_that_breaks_off_in_an_utterance(kind: Kind, after: int) -> None:
    async with opened(stand_in(Fault(kind, after=after))) as bench:
        feed(bench.stream, UTTERANCES[0].audio)
        bench.stream.flush()
        error = await broken(bench.stream)
        assert error.retryable
        assert "broke off" in error.reason
        feed(bench.stream, UTTERANCES[0].audio)
        bench.stream.flush()
        await bench.stream.close()
        again = await bench.line.transcriber.open()
        assert (await say(again, UTTERANCES[0].audio)).text == SAYINGS[0]


async def test_all_that_runs_on_a_connection_fails_with_it_and_goes_on_with_the_next() -> None:
    async with opened(stand_in(Fault(Kind.DROP, after=20), tokens_per_second=100)) as bench:
        voice = await bench.line.voice.open()
        voice.say(1, 0, "This is a text of some length, which is not heard to its end.")
        waiting = asyncio.create_task(failure(bench.line, 2))
        error = await failure(bench.line, 1)
        assert (await waiting).reason == error.reason == (await broken(bench.stream)).reason
        failed = (await collect(voice, 1))[-1]
        assert isinstance(failed, VoiceFailed)
        assert failed.reason == error.reason
        assert failed.retryable
        asking = asyncio.create_task(reply(bench.line, 3))
        voice.say(1, 1, "Good morning.")
        await asyncio.sleep(0)
        await bench.line.transcriber.open()
        assert (await asking).text == GREETING.text
        assert isinstance((await collect(voice, 1))[-1], VoiceDone)


async def test_after_a_new_connection_everything_goes_as_text() -> None:
    async with opened(stand_in()) as bench:
        words = await say(bench.stream, UTTERANCES[0].audio)
        conversation = [PROMPT, Message("user", words.text)]
        said = await reply(bench.line, 1, conversation)
        await bench.stream.close()
        stream = await bench.line.transcriber.open()
        conversation.append(Message("assistant", said.text))
        conversation.append(Message("user", (await say(stream, UTTERANCES[0].audio)).text))
        bench.line.truncate(1, 100)
        await reply(bench.line, 2, conversation)
        assert [item["type"] for item in bench.inputs()[0]] == ["message", "message", "item_reference"]
        assert not bench.connection.of("conversation.item.truncate")


async def test_a_server_that_reads_no_more() -> None:
    async with opened(stand_in(Fault(Kind.STALL, after=2))) as bench:
        bench.stream.feed(SOUND)
        bench.stream.flush()
        for _ in range(1_000):
            feed(bench.stream, UTTERANCES[0].audio)
        assert (await broken(bench.stream)).reason.endswith("takes no more audio")


async def test_a_session_that_has_lasted_too_long() -> None:
    async with opened(stand_in(lifetime=0.05)) as bench:
        error = await broken(bench.stream)
        assert "session_expired: Your session hit the maximum duration" in error.reason
        assert error.retryable
        await bench.stream.close()
        bench.vendor.lifetime = 3600
        await bench.line.transcriber.open()
        assert (await reply(bench.line, 1)).text == GREETING.text


async def test_messages_that_make_no_sense_are_left_out_and_told_of() -> None:
    for after in (1, 4, 8):
        async with opened(stand_in(Fault(Kind.MALFORMED, after=after))) as bench:
            assert (await reply(bench.line, 1)).text == GREETING.text
            assert "not as documented" in (await survived(bench.stream)).reason
            assert (await say(bench.stream, UTTERANCES[0].audio)).text == SAYINGS[0]


async def test_of_what_makes_no_sense_no_session_survives_any_number() -> None:
    async with opened(stand_in()) as bench:
        assert bench.connection.socket is not None
        for _ in range(MOST_SURVIVED + 1):
            await bench.connection.socket.send_str("[]")
        assert (await broken(bench.stream)).reason.endswith("not as documented")


async def test_what_is_said_twice_counts_once() -> None:
    async with opened(stand_in(Fault(Kind.DUPLICATE))) as bench:
        assert (await say(bench.stream, UTTERANCES[0].audio)).text == SAYINGS[0]
        assert (await reply(bench.line, 1)).text == GREETING.text
        assert (await reply(bench.line, 2)).text == GREETING.text
        bench.stream.flush()
        async with asyncio.timeout(PATIENCE):
            assert (await anext(aiter(bench.stream))).text == ""  # type: ignore[union-attr]


async def test_what_comes_of_a_cancelled_reply_is_not_heard() -> None:
    async with opened(stand_in(Fault(Kind.LATE_BYTE, seconds=0.01), rate=20)) as bench:
        deltas, _ = await begun(bench.line, 1, audio_ms=100)
        await deltas.aclose()  # type: ignore[attr-defined]
        said = await reply(bench.line, 2)
        assert said.text == GREETING.text
        cancelled = [
            event
            for event in bench.connection.sent
            if event["type"] == "response.done" and event["response"]["status"] == "cancelled"
        ]
        at = bench.connection.sent.index(cancelled[0])
        first = cancelled[0]["response"]["id"]
        late = [event for event in bench.connection.sent[at + 1 :] if event.get("response_id") == first]
        assert late, "something came late"
        assert said.audio == speak(GREETING.text).audio


async def test_words_that_could_not_be_written_down_are_heard_by_the_model() -> None:
    async with opened(stand_in(inaudible=1)) as bench:
        words = await say(bench.stream, UTTERANCES[0].audio)
        assert words.text == INAUDIBLE
        await reply(bench.line, 1, [PROMPT, Message("user", words.text)])
        (item, _) = bench.connection.items
        assert bench.inputs()[0] == [{"type": "item_reference", "id": item.id}]


async def test_a_response_that_failed_says_why() -> None:
    vendor = stand_in()
    vendor.replies.append(Reply(refusal="The server had an error."))
    async with opened(vendor) as bench:
        error = await failure(bench.line, 1)
        assert error.reason.endswith("reports server_error: The server had an error")
        assert error.retryable
        assert (await reply(bench.line, 2)).text == GREETING.text


async def test_a_reference_that_the_server_does_not_know_is_made_good_with_text() -> None:
    async with opened(stand_in()) as bench:
        words = await say(bench.stream, UTTERANCES[0].audio)
        conversation = [PROMPT, Message("user", words.text)]
        bench.connection.items.clear()
        error = await failure(bench.line, 1, conversation)
        assert "not found" in error.reason
        assert error.retryable
        assert (await reply(bench.line, 2, conversation)).text == GREETING.text
        assert bench.inputs()[1][0]["type"] == "message"


async def test_an_item_that_could_not_be_cut_is_not_referred_to() -> None:
    async with opened(stand_in()) as bench:
        said = await reply(bench.line, 1)
        bench.connection.items[0].audio_ms = 300
        bench.line.truncate(1, 600)
        async with asyncio.timeout(PATIENCE):
            await bench.connection.until(lambda one: one.sent[-1]["type"] == "error")
        told = bench.connection.sent[-1]["error"]["message"]
        assert told == "Audio content of 300ms is already shorter than 600ms"
        await reply(bench.line, 2)
        await reply(bench.line, 3, [*HELLO, Message("assistant", said.text[:10])])
        assert bench.inputs()[2][-1]["type"] == "message"


async def test_a_cancellation_that_comes_too_late_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(stand_in()) as bench:
        voice = await bench.line.voice.open()
        voice.say(1, 0, "Yes.")
        async with asyncio.timeout(PATIENCE):
            assert isinstance(await anext(aiter(voice)), VoiceAudio)
            voice.cancel(1)
            await bench.connection.until(lambda one: one.sent[-1]["type"] in ("error", "response.done"))
        assert (await reply(bench.line, 1)).text == GREETING.text
    assert not caplog.records


@pytest.mark.parametrize(("code", "fatal"), [("insufficient_quota", True), ("odd", False)])
async def test_an_error_that_is_about_nothing(code: str, fatal: bool) -> None:
    async with opened(stand_in()) as bench:
        assert bench.connection.socket is not None
        await bench.connection.socket.send_json(error_form("Sorry.", code))
        if fatal:
            assert (await broken(bench.stream)).reason.endswith("reports insufficient_quota: Sorry")
        else:
            assert (await reply(bench.line, 1)).text == GREETING.text
            assert (await survived(bench.stream)).reason.endswith("reports odd: Sorry")


async def test_a_fault_of_ones_own_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(stand_in()) as bench:
        session = bench.line._sessions[-1]  # type: ignore[attr-defined]
        session._takers["response.created"] = lambda event: 1 / 0
        error = await failure(bench.line, 1)
        assert error.reason.endswith("broke: ZeroDivisionError")
        assert (await broken(bench.stream)).reason == error.reason
    assert "ZeroDivisionError" in caplog.text
