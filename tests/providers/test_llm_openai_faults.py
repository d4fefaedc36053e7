"""What can go wrong at OpenAI, in both of its APIs: what was said until then, and how the failure is told."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import Any

import pytest

from engine.core.events import Survived
from engine.providers.contracts import ProviderError
from engine.providers.llm.openai_chat import OpenAIChatModel
from engine.providers.llm.openai_responses import OpenAIResponsesModel
from fixtures.faults import Fault
from fixtures.faults import Kind as Wrong
from fixtures.openai import GREETING, OpenAI, Reply
from tests.providers.openai_bench import HELLO, KINDS, PATIENCE, Kind, connect, failure, reply, vendor

__all__ = ["vendor"]

pytestmark = pytest.mark.parametrize("kind", KINDS)

QUOTA = {
    "message": "You exceeded your current quota.",
    "type": "insufficient_quota",
    "code": "insufficient_quota",
}


@pytest.mark.parametrize(
    ("fault", "retryable", "told"),
    [
        (Fault(Wrong.STATUS, 401), False, "refused the key (401): check OPENAI_API_KEY"),
        (Fault(Wrong.STATUS, 403), False, "answered 403"),
        (Fault(Wrong.STATUS, 429), True, "answered 429: Rate limit reached"),
        (Fault(Wrong.STATUS, 429, retry_after=1), True, "it asks to wait 1 s"),
        (Fault(Wrong.STATUS, 429, retry_after=20), True, "it asks to wait 20 s"),
        (Fault(Wrong.STATUS, 500), True, "answered 500"),
        (Fault(Wrong.STATUS, 503), True, "answered 503"),
        (Fault(Wrong.REFUSE), True, "cannot be reached"),
        (Fault(Wrong.DROP, after=0), True, "broke off"),
    ],
)
async def test_a_reply_that_fails_before_its_first_word(
    vendor: OpenAI, kind: Kind, fault: Fault, retryable: bool, told: str
) -> None:
    vendor.faults.add(fault)
    text, error = await failure(connect(kind, vendor))
    assert text == ""
    assert error.retryable is retryable
    if fault.retry_after is not None:
        assert error.retry_after_ms == fault.retry_after * 1_000
    assert told in error.reason
    assert "127.0.0.1" in error.reason, "the host is named"
    assert len(vendor.requests) == 1, "nothing is tried twice"


@pytest.mark.parametrize("wrong", [Wrong.DROP, Wrong.HALF_FRAME])
async def test_a_reply_that_breaks_in_the_middle(vendor: OpenAI, kind: Kind, wrong: Wrong) -> None:
    vendor.faults.add(Fault(wrong, after=6))
    text, error = await failure(connect(kind, vendor))
    assert text
    assert GREETING.text.startswith(text)
    assert text != GREETING.text
    assert error.retryable
    assert error.reason.endswith("broke off in the middle of its answer")


async def test_nobody_listens(kind: Kind) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        _, error = await failure(kind("key", model="gpt-4o", base_url=f"http://127.0.0.1:{port}/v1"))
    assert error.retryable
    assert f"127.0.0.1:{port} cannot be reached" in error.reason


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Wrong.MALFORMED, after=3),
        Fault(Wrong.LATENCY, seconds=0.01),
        Fault(Wrong.LATE_BYTE, seconds=0.01),
        Fault(Wrong.DUPLICATE),
        Fault(Wrong.AFTER_CLOSE),
    ],
    ids=lambda fault: fault.kind,
)
async def test_what_a_reply_survives(vendor: OpenAI, kind: Kind, fault: Fault) -> None:
    vendor.faults.add(fault)
    text, _, finished = await reply(connect(kind, vendor))
    assert text == GREETING.text
    assert finished.reason == "stop"
    assert finished.usage.output_tokens > 0


async def test_what_a_reply_survives_is_told(vendor: OpenAI, kind: Kind) -> None:
    vendor.faults.add(Fault(Wrong.MALFORMED, after=3))
    model = connect(kind, vendor)
    survived = [delta async for delta in model.generate(HELLO, ()) if isinstance(delta, Survived)]
    await model.close()
    assert [(delta.role, "no JSON" in delta.reason) for delta in survived] == [("model", True)]


@pytest.mark.parametrize("packet", [1, 7])
async def test_events_may_be_cut_anywhere(vendor: OpenAI, kind: Kind, packet: int) -> None:
    vendor.packet = packet
    vendor.replies.append(Reply("Gerne, Zoë – 你好 😀"))
    assert (await reply(connect(kind, vendor)))[0] == "Gerne, Zoë – 你好 😀"


@pytest.mark.parametrize(
    "lines",
    [["nonsense", "{{{"], ["[1]", "7"], ['{"choices": 7, "type": 7}', '{"type":"response.completed"}']],
)
async def test_nonsense_is_no_reply(vendor: OpenAI, kind: Kind, lines: list[str]) -> None:
    vendor.replies.append(Reply(raw=lines))
    _, error = await failure(connect(kind, vendor))
    assert error.retryable


async def test_a_reply_without_an_end_has_failed(vendor: OpenAI, kind: Kind) -> None:
    chat = '{"choices":[{"index":0,"delta":{"content":"Well"}}]}'
    vendor.replies.append(Reply(raw=[chat[:-1] + ',"type":"response.output_text.delta","delta":"Well"}']))
    text, error = await failure(connect(kind, vendor))
    assert text == "Well"
    assert "broke off in the middle of its reply" in error.reason
    assert error.retryable


@pytest.mark.parametrize(
    ("error", "retryable"),
    [({"message": "Overloaded.", "type": "server_error"}, True), (QUOTA, False)],
)
async def test_an_error_in_the_stream_is_told(
    vendor: OpenAI, kind: Kind, error: dict[str, Any], retryable: bool
) -> None:
    forms = {
        OpenAIChatModel: [{"error": error}],
        OpenAIResponsesModel: [
            {"type": "error", "error": error},
            {"type": "error", "message": error["message"], "code": error.get("code")},
            {"type": "response.failed", "response": {"error": error}},
        ],
    }
    for form in forms[kind]:
        vendor.replies.append(Reply(raw=[json.dumps(form)]))
        _, failed = await failure(connect(kind, vendor))
        assert error["message"].rstrip(".") in failed.reason
        assert failed.retryable is retryable


@pytest.mark.parametrize("wrong", [Wrong.SILENT, Wrong.STALL])
async def test_a_silent_vendor_is_left_at_once(vendor: OpenAI, kind: Kind, wrong: Wrong) -> None:
    vendor.faults.add(Fault(wrong, after=6))
    model = connect(kind, vendor)
    said = asyncio.Event()

    async def generate() -> None:
        async for _ in model.generate(HELLO, ()):
            said.set()

    task = asyncio.create_task(generate())
    async with asyncio.timeout(PATIENCE):
        await (vendor.received(1) if wrong is Wrong.SILENT else said.wait())
        task.cancel()
        await asyncio.wait([task])
        assert (await vendor.received(1, lambda request: request.over)).aborted
    assert task.cancelled()
    text, _, _ = await reply(model)
    assert text == GREETING.text


@pytest.mark.parametrize(
    ("options", "parameter", "instead"),
    [
        ({"temperature": 0.5}, "temperature", {}),
        ({"max_tokens": 50}, "max_tokens", {"max_completion_tokens": 50}),
    ],
)
async def test_what_a_model_does_not_take_is_not_sent_again(
    vendor: OpenAI, kind: Kind, options: dict[str, Any], parameter: str, instead: dict[str, Any]
) -> None:
    """A model that no rule knows: the next attempt goes without the parameter."""
    if kind is OpenAIResponsesModel and instead:
        pytest.skip("responses have one name for the limit")
    vendor.models = ("brand-new",)
    refused = f"Unsupported parameter: '{parameter}' is not supported with this model."
    vendor.refuses[parameter] = refused
    model = connect(kind, vendor, "brand-new", **options)
    with pytest.raises(ProviderError, match="Unsupported parameter") as failed:
        await anext(model.generate(HELLO, ()))
    assert failed.value.retryable
    assert (await reply(model))[0] == GREETING.text
    sent = vendor.requests[1].body
    assert parameter not in sent
    assert instead.items() <= sent.items()


async def test_an_unknown_model_is_not_tried_again(vendor: OpenAI, kind: Kind) -> None:
    _, error = await failure(connect(kind, vendor, "gpt-none"))
    assert not error.retryable
    assert "`gpt-none` does not exist" in error.reason


async def test_the_key_is_never_told(vendor: OpenAI, kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.faults.add(
        Fault(Wrong.STATUS, 401), Fault(Wrong.STATUS, 500), Fault(Wrong.DROP), Fault(Wrong.REFUSE)
    )
    errors = [(await failure(connect(kind, vendor)))[1] for _ in range(4)]
    echo = f"You sent {vendor.api_key}, or Bearer abc-123, or sk-proj-xyz: why?"
    vendor.replies.append(Reply(raw=[f'{{"error": {{"message": "{echo}"}}, "type": "error"}}']))
    errors.append((await failure(connect(kind, vendor)))[1])
    told = " ".join([*map(repr, errors), repr(errors[0].__cause__), repr(connect(kind, vendor)), caplog.text])
    for secret in (vendor.api_key, "0123456789", "abc-123", "xyz"):
        assert secret not in told
    assert "You sent ***, or Bearer-***" in errors[-1].reason
