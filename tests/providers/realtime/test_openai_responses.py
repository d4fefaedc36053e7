"""The responses of a session by themselves: odd shapes, and what no stand-in does."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import pytest

from engine.core.conversation import Message
from engine.core.events import Usage, VendorUsed
from engine.providers.contracts import AudioDelta, Finished, ProviderError, TextDelta
from engine.providers.realtime.openai_errors import Failures
from engine.providers.realtime.openai_items import Items
from engine.providers.realtime.openai_responses import Response, Responses
from tests.providers.realtime.bench import HELLO

USAGE = {"input_tokens": 3, "output_tokens": 4, "input_token_details": {"cached_tokens": 2}}
COMPLETED = {"status": "completed", "usage": USAGE}


class Side:
    """`Responses` with a clock that is set by hand, what they sent, and a server that is written here."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[dict[str, Any]] = []
        self.items = Items()
        self.bill: list[VendorUsed] = []
        self.responses = Responses(
            self.sent.append,
            self.items,
            Failures("the vendor", ""),
            self._fail,
            self.bill.append,
            lambda: self.now,
        )

    def _fail(self, error: ProviderError) -> None:
        self.responses.end(error)

    async def ask(self, attempt: int) -> Response:
        """A response that the server has named ``resp-<attempt>``."""
        response = await self.responses.ask(attempt, HELLO, ())
        about = {"id": f"resp-{attempt}", "metadata": self.sent[-1]["response"]["metadata"]}
        self.responses.created({"response": about})
        return response

    def message(self, attempt: int, item: str, *texts: str, audio: bytes = b"") -> None:
        """A message in it."""
        of = {"response_id": f"resp-{attempt}", "item_id": item}
        self.responses.item_added({**of, "item": {"id": item, "type": "message"}})
        for text in texts:
            self.responses.text({**of, "delta": text})
        if audio:
            self.responses.audio({**of, "delta": b64encode(audio).decode()})
        self.responses.item_done({**of, "item": {"id": item, "type": "message"}})

    def done(self, attempt: int, **about: Any) -> None:
        self.responses.done({"response": {"id": f"resp-{attempt}", **(about or COMPLETED)}})


async def test_two_messages_in_a_response_are_one_speech() -> None:
    side = Side()
    response = await side.ask(1)
    side.message(1, "a", "One ", " moment.", audio=b"12345678" * 100)
    side.message(1, "b", "It is nine.", audio=b"12345678" * 200)
    side.done(1)
    assert [delta async for delta in response.deltas] == [
        TextDelta("One "),
        TextDelta(" moment."),
        AudioDelta(b"12345678" * 100),
        TextDelta(" "),
        TextDelta("It is nine."),
        AudioDelta(b"12345678" * 200),
        Finished("stop", Usage(3, 4, 2)),
    ]
    said = "One moment. It is nine."
    assert [item["id"] for item in side.items.input_for([Message("assistant", said)])] == ["a", "b"]
    side.responses.truncate(1, 150)
    assert [(event["item_id"], event["audio_end_ms"]) for event in side.sent[1:]] == [("b", 50)]


async def test_a_response_without_anything() -> None:
    side = Side()
    response = await side.ask(1)
    side.done(1, status="completed", usage=None)
    assert [delta async for delta in response.deltas] == [Finished("stop", Usage(0, 0))]


async def test_a_response_that_the_server_cancelled_has_failed() -> None:
    side = Side()
    response = await side.ask(1)
    side.done(1, status="cancelled", status_details={"type": "cancelled", "reason": "turn_detected"})
    with pytest.raises(ProviderError, match="turn_detected") as failed:
        await anext(response.deltas)
    assert failed.value.retryable


async def test_a_cancelled_response_gives_nothing_and_its_item_is_kept_up_with() -> None:
    side = Side()
    response = await side.ask(1)
    side.responses.cancel(response)
    side.message(1, "a", "Hello.", audio=b"12345678" * 100)
    side.done(1, status="cancelled")
    assert [delta async for delta in response.deltas] == []
    side.responses.truncate(1, 99_999)
    assert side.sent[-1]["audio_end_ms"] == 100


async def test_responses_of_others_are_nothing() -> None:
    side = Side()
    side.responses.created({"response": {"id": "resp-7", "metadata": None}})
    side.message(7, "a", "Hello.")
    side.done(7)
    assert side.items.get("a") is None
    assert not side.sent


@pytest.mark.parametrize("named", [True, False])
async def test_a_response_that_does_not_end_ends_the_session(named: bool) -> None:
    side = Side()
    response = await (side.ask(1) if named else side.responses.ask(1, HELLO, ()))
    side.responses.cancel(response)
    side.responses.cancel(response)
    assert [event["type"] for event in side.sent[1:]] == ["response.cancel"] * named
    side.now += 1.9
    waiting = asyncio.ensure_future(side.responses.ask(2, HELLO, ()))
    await asyncio.sleep(0)
    waiting.cancel()
    side.now += 0.2
    for attempt in (3, 4):
        with pytest.raises(ProviderError, match="the vendor does not end a response"):
            await side.responses.ask(attempt, HELLO, ())
    with pytest.raises(ProviderError):
        side.responses.say("Hello.")


async def test_a_response_that_runs_may_take_its_time() -> None:
    side = Side()
    await side.ask(1)
    side.now += 3_600
    waiting = asyncio.ensure_future(side.ask(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    side.done(1)
    assert (await waiting).attempt == 2


async def test_a_response_that_is_given_up_after_a_long_silence_ends_the_session() -> None:
    side = Side()
    response = await side.ask(1)
    side.now += 2.9
    side.message(1, "a", "One ", audio=b"12345678")
    side.now += 3.1
    side.responses.cancel(response)
    assert side.sent[-1]["type"] == "response.create"
    with pytest.raises(ProviderError, match="does not answer any more"):
        await side.responses.ask(2, HELLO, ())


async def test_one_that_thinks_for_a_while_and_is_not_wanted_any_more_does_not() -> None:
    side = Side()
    response = await side.ask(1)
    side.now += 2.9
    side.responses.cancel(response)
    assert side.sent[-1]["type"] == "response.cancel"
    side.done(1, status="cancelled")
    await side.ask(2)


COST = {
    "input_tokens": 50,
    "output_tokens": 20,
    "input_token_details": {
        "audio_tokens": 30,
        "cached_tokens": 8,
        "cached_tokens_details": {"text_tokens": 3, "audio_tokens": 5},
    },
    "output_token_details": {"text_tokens": 6, "audio_tokens": 14},
}
USED = Usage(50, 20, 8, 30, 14, 5)


async def test_every_request_stands_on_the_bill_once() -> None:
    side = Side()
    finished = await side.ask(1)
    side.done(1, status="completed", usage=COST)
    assert [delta async for delta in finished.deltas] == [Finished("stop", USED)]
    side.responses.cancel(await side.ask(2))
    side.done(2, status="cancelled", usage=COST)
    side.done(2, status="cancelled", usage=COST)
    await side.ask(3)
    side.done(3, status="failed", usage=None)
    side.responses.say("Good day.")
    await side.ask(4)
    side.responses.end(ProviderError("gone"))
    assert side.bill == [
        VendorUsed("model", requests=1, tokens=USED),
        VendorUsed("model", requests=1, tokens=USED),
        VendorUsed("model", requests=1),
        VendorUsed("voice", characters=9),
        VendorUsed("voice", requests=1),
        VendorUsed("model", requests=1),
    ]


async def test_closing_waits_for_what_the_last_response_cost() -> None:
    side = Side()
    response = await side.ask(1)
    closing = asyncio.create_task(side.responses.close(ProviderError("was closed")))
    await asyncio.sleep(0)
    assert side.sent[-1]["type"] == "response.cancel" and not closing.done()
    side.done(1, status="cancelled", usage=COST)
    await closing
    assert side.bill == [VendorUsed("model", requests=1, tokens=USED)]
    with pytest.raises(ProviderError, match="was closed"):
        await anext(response.deltas)
    with pytest.raises(ProviderError, match="was closed"):
        await side.responses.ask(2, HELLO, ())


async def test_fixed_texts_leave_no_items() -> None:
    side = Side()
    response = side.responses.say("Hello.")
    metadata = side.sent[-1]["response"]["metadata"]
    side.responses.created({"response": {"id": "resp-1", "metadata": metadata}})
    side.message(1, "a", "Hello.", audio=b"12345678")
    side.done(1)
    assert AudioDelta(b"12345678") in [delta async for delta in response.deltas]
    assert side.items.get("a") is None


async def test_a_refusal_without_a_name_is_of_the_request_that_waits() -> None:
    side = Side()
    asked = await side.responses.ask(1, HELLO, ())
    error = {"code": "conversation_already_has_active_response", "message": "?"}
    assert side.responses.refused(None, error)
    with pytest.raises(ProviderError) as failed:
        await anext(asked.deltas)
    assert failed.value.retryable
    assert (await side.ask(2)).attempt == 2, "the next may begin"
