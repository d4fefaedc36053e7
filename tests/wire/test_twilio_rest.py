"""REST requests as values, against the stand-in over a real socket."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator

import aiohttp
import pytest

from engine.wire import twilio_rest as rest
from fixtures.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, Fault, TwilioRest

CALL = "CA" + "1" * 32
TWIML = "<Response><Hangup/></Response>"


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioRest]:
    async with TwilioRest() as server:
        yield server


async def send(
    twilio: TwilioRest, request: rest.RestRequest, token: str = AUTH_TOKEN
) -> tuple[int, bytes, str | None]:
    """Status, body and Retry-After of the answer to a request."""
    pair = b64encode(f"{ACCOUNT_SID}:{token}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.request(request.method, twilio.url + request.path, data=request.form) as answer,
    ):
        return answer.status, await answer.read(), answer.headers.get("Retry-After")


async def outcome(twilio: TwilioRest, request: rest.RestRequest, token: str = AUTH_TOKEN) -> str:
    status, body, _ = await send(twilio, request, token)
    return rest.outcome(request, status, body)


async def test_hang_up_completes_the_call_and_may_be_asked_twice(twilio: TwilioRest) -> None:
    twilio.add_call(CALL)
    request = rest.hang_up(ACCOUNT_SID, CALL)
    assert await outcome(twilio, request) == "ok"
    assert twilio.calls[CALL]["status"] == "completed"
    status, body, _ = await send(twilio, request)
    assert (status, rest.error_code(body), rest.outcome(request, status, body)) == (400, 21220, "ok")
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/{CALL}.json"
    assert [(r.method, r.path, r.form) for r in twilio.requests] == [
        ("POST", path, (("Status", "completed"),))
    ] * 2


async def test_hang_up_of_a_call_that_nobody_knows_is_done(twilio: TwilioRest) -> None:
    request = rest.hang_up(ACCOUNT_SID, CALL)
    status, body, _ = await send(twilio, request)
    assert (status, rest.error_code(body), rest.outcome(request, status, body)) == (404, 20404, "ok")


async def test_new_twiml_needs_a_call_in_progress(twilio: TwilioRest) -> None:
    twilio.add_call(CALL)
    request = rest.update_twiml(ACCOUNT_SID, CALL, TWIML)
    assert await outcome(twilio, request) == "ok"
    assert twilio.requests[0].form == (("Twiml", TWIML),)
    twilio.calls[CALL]["status"] = "completed"
    assert await outcome(twilio, request) == "failed"
    assert await outcome(twilio, rest.update_twiml(ACCOUNT_SID, "CA2", TWIML)) == "failed"


async def test_dial(twilio: TwilioRest) -> None:
    request = rest.dial(
        ACCOUNT_SID,
        "+15550100",
        "+15550101",
        twiml=TWIML,
        status_callback="https://x/status",
        status_events=("answered", "completed"),
        machine_detection="Enable",
        machine_detection_callback="https://x/amd",
        timeout=25,
    )
    status, body, _ = await send(twilio, request)
    assert (status, rest.outcome(request, status, body)) == (201, "ok")
    sid = rest.call_sid(body)
    assert sid is not None
    assert (twilio.calls[sid]["status"], twilio.calls[sid]["to"]) == ("queued", "+15550101")
    assert twilio.requests[0].form == (
        ("From", "+15550100"),
        ("To", "+15550101"),
        ("Timeout", "25"),
        ("Twiml", TWIML),
        ("StatusCallback", "https://x/status"),
        ("StatusCallbackEvent", "answered"),
        ("StatusCallbackEvent", "completed"),
        ("MachineDetection", "Enable"),
        ("AsyncAmd", "true"),
        ("AsyncAmdStatusCallback", "https://x/amd"),
    )
    assert await outcome(twilio, rest.dial(ACCOUNT_SID, "+15550100", "", url="https://x")) == "failed"


async def test_wrong_credentials_are_rejected(twilio: TwilioRest) -> None:
    twilio.add_call(CALL)
    request = rest.hang_up(ACCOUNT_SID, CALL)
    status, body, _ = await send(twilio, request, "wrong")
    assert (status, rest.error_code(body), rest.outcome(request, status, body)) == (401, 20003, "rejected")
    assert await outcome(twilio, rest.hang_up("ACother", CALL)) == "rejected"
    assert twilio.calls[CALL]["status"] == "in-progress"


async def test_scripted_faults_come_once_each(twilio: TwilioRest) -> None:
    twilio.add_call(CALL)
    twilio.faults.extend([Fault(500), Fault(429, retry_after=3)])
    request = rest.hang_up(ACCOUNT_SID, CALL)
    assert await outcome(twilio, request) == "unavailable"
    status, body, retry_after = await send(twilio, request)
    assert (status, rest.error_code(body), retry_after) == (429, 20429, "3")
    assert rest.outcome(request, status, body) == "unavailable"
    assert await outcome(twilio, request) == "ok"


async def test_an_answer_can_be_held_back(twilio: TwilioRest) -> None:
    twilio.add_call(CALL)
    hold = asyncio.Event()
    twilio.faults.append(Fault(hold=hold))
    answer = asyncio.create_task(outcome(twilio, rest.hang_up(ACCOUNT_SID, CALL)))
    received = await twilio.received(1)
    assert received.value("Status") == "completed"
    assert twilio.calls[CALL]["status"] == "in-progress"
    hold.set()
    assert await answer == "ok"


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"code":"20404"}', "busy"])
def test_an_answer_that_is_no_json_is_judged_by_its_status(body: bytes | str) -> None:
    hang_up, update = rest.hang_up("AC1", "CA1"), rest.update_twiml("AC1", "CA1", TWIML)
    assert [rest.outcome(hang_up, status, body) for status in (200, 400, 404, 503)] == [
        "ok", "failed", "ok", "unavailable"
    ]  # fmt: skip
    assert rest.outcome(update, 404, body) == "failed"
    assert rest.error_code(body) is None
    assert rest.call_sid(body) is None


def test_sids_cannot_reach_another_path() -> None:
    for sid in ("", "CA1/../../Accounts", "CA1.json?", "CA 1"):
        with pytest.raises(ValueError, match="SID"):
            rest.hang_up("AC1", sid)


def test_a_dial_that_twilio_would_refuse() -> None:
    with pytest.raises(ValueError, match="twiml or url"):
        rest.dial("AC1", "+1", "+2")
    with pytest.raises(ValueError, match="twiml or url"):
        rest.dial("AC1", "+1", "+2", twiml=TWIML, url="https://x")
    with pytest.raises(ValueError, match="timeout"):
        rest.dial("AC1", "+1", "+2", twiml=TWIML, timeout=601)
    with pytest.raises(ValueError, match="machine_detection"):
        rest.dial("AC1", "+1", "+2", twiml=TWIML, machine_detection_callback="https://x")


def test_numbers_and_twiml_are_not_in_a_repr() -> None:
    assert "+15550101" not in repr(rest.dial("AC1", "+15550100", "+15550101", twiml=TWIML))
