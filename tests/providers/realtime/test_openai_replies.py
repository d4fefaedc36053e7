"""OpenAI Realtime over real sockets, against the stand-in: what the model says, and what was heard of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.audio import mulaw
from engine.core.conversation import Message, ToolRequest
from engine.core.events import Survived, VoiceAudio, VoiceDone
from engine.providers.contracts import Finished, ProviderError, ToolSpec
from fixtures.openai_forms import Reply, ToolCall
from fixtures.openai_realtime import GREETING
from fixtures.tone_speech import CHARACTER, speak
from tests.providers.realtime.bench import (
    HELLO,
    PROMPT,
    SAYINGS,
    UTTERANCES,
    begun,
    model_of,
    opened,
    reply,
    say,
    stand_in,
)
from tests.providers.transcriber_conformance import PATIENCE, feed, left_behind
from tests.providers.voice_conformance import by_piece, collect

SIZE = {"type": "object", "properties": {"size": {"type": "string"}}}
BREW = ToolSpec("brew", "Makes a drink.", SIZE)


# --- the model ----------------------------------------------------------------------------------------


async def test_a_reply_is_speech_and_its_text() -> None:
    async with opened(stand_in()) as bench:
        said = await reply(bench.line, 1)
        assert said.text == GREETING.text
        assert said.audio == speak(GREETING.text).audio
        assert said.finished is not None
        assert said.finished.reason == "stop"
        done = bench.connection.sent[-1]["response"]
        assert said.finished.usage.input_tokens == done["usage"]["input_tokens"] > 0
        assert said.finished.usage.output_tokens == done["usage"]["output_tokens"] > 0


async def test_what_a_request_says() -> None:
    async with opened(stand_in()) as bench:
        note = Message("system", "The caller pressed 1.")
        await reply(bench.line, 1, [PROMPT, Message("user", "Hello?"), note], [BREW])
        (create,) = bench.connection.of("response.create")
        assert create["response"] == {
            "conversation": "auto",
            "instructions": "Be brief.",
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]},
                {"type": "message", "role": "system", "content": [{"type": "input_text", "text": note.text}]},
            ],
            "tools": [
                {"type": "function", "name": "brew", "description": "Makes a drink.", "parameters": SIZE}
            ],
            "metadata": {"request": create["event_id"]},
        }


async def test_tool_calls_come_whole_and_go_back() -> None:
    calls = [ToolCall("brew", '{"size": "large"}', "call_1"), ToolCall("brew", '{"size": "small"}', "call_2")]
    vendor = stand_in()
    vendor.replies.append(Reply("One moment.", calls))
    async with opened(vendor) as bench:
        said = await reply(bench.line, 1, HELLO, [BREW])
        assert said.text == "One moment."
        assert [(call.tool_call, call.name, call.arguments) for call in said.calls] == [
            ("call_1", "brew", '{"size": "large"}'),
            ("call_2", "brew", '{"size": "small"}'),
        ]
        assert said.finished is not None
        assert said.finished.reason == "tools"
        asked = tuple(ToolRequest(call.tool_call, call.name, call.arguments) for call in said.calls)
        results = [Message("tool", "{}", tool_call=call.tool_call) for call in said.calls]
        await reply(bench.line, 2, [*HELLO, Message("assistant", "One moment.", asked), *results], [BREW])
        kinds = [item["type"] for item in bench.inputs()[-1]]
        assert kinds == ["message", "item_reference", *["function_call"] * 2, *["function_call_output"] * 2]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_a_reply_that_is_cut_short_says_so(finish: str) -> None:
    vendor = stand_in()
    vendor.replies.append(Reply("One two three four.", finish=finish))
    async with opened(vendor) as bench:
        said = await reply(bench.line, 1)
        assert said.finished is not None
        assert said.finished.reason == "length"


async def test_the_token_limit_is_the_sessions() -> None:
    async with opened(stand_in(), max_tokens=2) as bench:
        said = await reply(bench.line, 1)
        assert (said.text, said.finished.reason if said.finished else "") == ("Hello, how", "length")


async def test_the_model_hears_the_caller_and_itself() -> None:
    async with opened(stand_in()) as bench:
        first = await say(bench.stream, UTTERANCES[0].audio)
        conversation = [PROMPT, Message("assistant", "Good morning."), Message("user", first.text)]
        said = await reply(bench.line, 1, conversation)
        feed(bench.stream, mulaw.silence(1_000))
        second = await say(bench.stream, UTTERANCES[1].audio)
        conversation += [Message("assistant", said.text), Message("user", second.text)]
        conversation += [Message("user", "Typed.")]
        await reply(bench.line, 2, conversation)
        caller, agent, again, _ = [item.id for item in bench.connection.items]
        greeted, *rest, typed = bench.inputs()[1]
        assert [item["id"] for item in rest] == [caller, agent, again]
        assert greeted["content"][0]["text"] == "Good morning."
        assert typed["content"][0]["text"] == "Typed."


# --- interruption -------------------------------------------------------------------------------------


async def test_a_closed_reply_is_cancelled_and_the_next_waits_for_its_end() -> None:
    async with opened(stand_in(tokens_per_second=50)) as bench:
        deltas, _ = await begun(bench.line, 1)
        await deltas.aclose()  # type: ignore[attr-defined]
        bench.vendor.tokens_per_second = 0
        said = await reply(bench.line, 2)
        assert said.text == GREETING.text
        order = [
            event["type"] for event in bench.connection.received if event["type"].startswith("response.")
        ]
        assert order == ["response.create", "response.cancel", "response.create"]
        statuses = [
            event["response"]["status"] for event in bench.connection.sent if event["type"] == "response.done"
        ]
        assert statuses == ["cancelled", "completed"]
        assert not [event for event in bench.connection.sent if event["type"] == "error"]


async def test_a_reply_that_is_closed_before_the_server_named_it_is_cancelled_by_its_id() -> None:
    async with opened(stand_in(first_token=60_000)) as bench:
        asking = asyncio.ensure_future(anext(aiter(bench.line.respond(1, HELLO, ()))))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        bench.vendor.first_token = 0
        assert (await reply(bench.line, 2)).text == GREETING.text
        (cancel,) = bench.connection.of("response.cancel")
        created = [event for event in bench.connection.sent if event["type"] == "response.created"]
        assert cancel["response_id"] == created[0]["response"]["id"]


async def test_a_reply_that_waits_for_its_turn_may_be_given_up() -> None:
    async with opened(stand_in(tokens_per_second=50)) as bench:
        deltas, _ = await begun(bench.line, 1)
        waiting = asyncio.ensure_future(anext(aiter(bench.line.respond(2, HELLO, ()))))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(PATIENCE):
            rest = [delta async for delta in deltas]
        assert isinstance(rest[-1], Finished)
        assert len(bench.connection.of("response.create")) == 1


async def test_truncated_after_its_end() -> None:
    async with opened(stand_in()) as bench:
        said = await reply(bench.line, 1)
        bench.line.truncate(1, 10 * CHARACTER)
        await reply(bench.line, 2, [*HELLO, Message("assistant", said.text[:10])])
        item = bench.connection.items[0]
        assert (item.cut, item.audio_ms, item.heard) == (True, 10 * CHARACTER, "Hello, how")
        assert bench.inputs()[1][-1] == {"type": "item_reference", "id": item.id}


async def test_truncated_in_the_middle_of_it() -> None:
    async with opened(stand_in(tokens_per_second=50)) as bench:
        deltas, _ = await begun(bench.line, 1, audio_ms=5 * CHARACTER)
        bench.line.truncate(1, 2 * CHARACTER)
        await deltas.aclose()  # type: ignore[attr-defined]
        bench.vendor.tokens_per_second = 0
        await reply(bench.line, 2)
        item = bench.connection.items[0]
        assert (item.cut, item.audio_ms) == (True, 2 * CHARACTER)


async def test_truncated_between_the_cancellation_and_its_end() -> None:
    async with opened(stand_in(tokens_per_second=50)) as bench:
        deltas, _ = await begun(bench.line, 1, audio_ms=5 * CHARACTER)
        await deltas.aclose()  # type: ignore[attr-defined]
        bench.line.truncate(1, 2 * CHARACTER)
        bench.vendor.tokens_per_second = 0
        await reply(bench.line, 2)
        assert bench.connection.items[0].audio_ms == 2 * CHARACTER


async def test_what_was_never_heard_never_was() -> None:
    async with opened(stand_in()) as bench:
        said = await reply(bench.line, 1)
        bench.line.truncate(1, 0)
        await reply(bench.line, 2, [*HELLO, Message("assistant", said.text)])
        assert len(bench.connection.items) == 1, "of the second reply"
        assert bench.inputs()[1][-1]["type"] == "message"


async def test_nothing_is_truncated_that_was_heard_to_its_end_or_is_unknown() -> None:
    async with opened(stand_in()) as bench:
        said = await reply(bench.line, 1)
        bench.line.truncate(1, said.ms)
        bench.line.truncate(1, said.ms + 5_000)
        bench.line.truncate(99, 100)
        await reply(bench.line, 2)
        assert not bench.connection.of("conversation.item.truncate")
        assert not bench.connection.items[0].cut


async def test_no_more_is_kept_than_has_come() -> None:
    async with opened(stand_in(tokens_per_second=50)) as bench:
        deltas, _ = await begun(bench.line, 1, audio_ms=4 * CHARACTER)
        await deltas.aclose()  # type: ignore[attr-defined]
        bench.line.truncate(1, 60_000)
        bench.vendor.tokens_per_second = 0
        await reply(bench.line, 2)
        (truncate,) = bench.connection.of("conversation.item.truncate")
        assert truncate["audio_end_ms"] >= 4 * CHARACTER
        assert not [event for event in bench.connection.sent if event["type"] == "error"]


# --- the voice ----------------------------------------------------------------------------------------


async def test_a_fixed_text_is_spoken_out_of_band() -> None:
    async with opened(stand_in()) as bench:
        voice = await bench.line.voice.open()
        voice.say(7, 0, " Good morning. ")
        spoken = by_piece(await collect(voice, 1))[7, 0]
        assert spoken.audio == speak("Good morning.").audio
        (create,) = bench.connection.of("response.create")
        assert create["response"]["conversation"] == "none"
        assert create["response"]["input"] == create["response"]["tools"] == []
        assert "Good morning." in create["response"]["instructions"]
        assert bench.connection.items == []


async def test_a_fixed_text_that_is_not_read_out_word_for_word_is_told_of() -> None:
    async with opened(stand_in(readings=deque(["Good morning, dear!", "good evening"]))) as bench:
        voice = await bench.line.voice.open()
        voice.say(1, 0, "Good morning.")
        voice.say(1, 1, "Good evening.")
        events = await collect(voice, 2)
        (told,) = [event for event in events if isinstance(event, Survived)]
        assert told.role == "voice" and "word for word" in told.reason
        assert events.index(told) < events.index(VoiceDone(1, 0))
        events.remove(told)
        assert by_piece(events)[1, 0].audio == speak("Good morning, dear!").audio


async def test_a_fixed_text_runs_beside_a_reply() -> None:
    async with opened(stand_in(tokens_per_second=50)) as bench:
        voice = await bench.line.voice.open()
        deltas, said = await begun(bench.line, 1)
        voice.say(2, 0, "One moment please.")
        spoken = by_piece(await collect(voice, 1))[2, 0]
        async with asyncio.timeout(PATIENCE):
            async for delta in deltas:
                said.take(delta)
        assert spoken.audio == speak("One moment please.").audio
        assert (said.text, said.audio) == (GREETING.text, speak(GREETING.text).audio)


async def test_a_cancelled_text_is_cancelled_at_the_vendor() -> None:
    async with opened(stand_in(rate=1)) as bench:
        voice = await bench.line.voice.open()
        voice.say(1, 0, "This is a long text that nobody wants to hear.")
        async with asyncio.timeout(PATIENCE):
            assert isinstance(await anext(aiter(voice)), VoiceAudio)
            voice.cancel(1)
            await bench.connection.until(lambda one: bool(one.of("response.cancel")))
        bench.vendor.rate = 0
        voice.say(2, 0, "Yes.")
        events = await collect(voice, 1)
        assert {event.reply for event in events} == {2}


async def test_a_voice_waits_for_the_connection() -> None:
    async with stand_in() as vendor:
        model = model_of(vendor)
        line = model.line()
        voice = await line.voice.open()
        voice.say(1, 0, "Good morning.")
        answering = asyncio.create_task(reply(line, 1))
        await asyncio.sleep(0)
        assert not vendor.connections
        await line.transcriber.open()
        assert isinstance((await collect(voice, 1))[-1], VoiceDone)
        assert (await answering).text == GREETING.text
        await model.close()


# --- the end ------------------------------------------------------------------------------------------


async def test_two_lines_of_a_model_do_not_mix() -> None:
    async with stand_in() as vendor:
        model = model_of(vendor)
        lines = [model.line() for _ in range(2)]
        streams = [await line.transcriber.open() for line in lines]
        words, said = await asyncio.gather(say(streams[0], UTTERANCES[0].audio), reply(lines[1], 1))
        assert (words.text, said.text) == (SAYINGS[0], GREETING.text)
        assert [len(connection.items) for connection in vendor.connections] == [1, 1]
        await lines[0].close()
        await reply(lines[1], 2)
        await model.close()


async def to_the_end(deltas: AsyncIterator[Any]) -> None:
    async for _ in deltas:
        pass


async def test_closing_leaves_nothing_behind() -> None:
    async with opened(stand_in(tokens_per_second=20)) as bench:
        voice = await bench.line.voice.open()
        voice.say(1, 0, "Good morning to you all.")
        deltas, _ = await begun(bench.line, 1)
        waiting = asyncio.ensure_future(anext(aiter(bench.line.respond(2, HELLO, ()))))
        await asyncio.sleep(0)
        await bench.line.close()
        await bench.line.close()
        async with asyncio.timeout(PATIENCE):
            for reading in (to_the_end(deltas), waiting):
                with pytest.raises(ProviderError, match="was closed"):
                    await reading
            assert [event async for event in bench.stream] == []
            assert [event async for event in voice] == []
            await bench.connection.until(lambda one: one.closed)
        assert left_behind() == []
