"""Twilio's REST API from a call's point of view, against a stand-in on a loopback port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.runtime import carrier
from engine.runtime.carrier import TwilioAccount, TwilioLeg, TwilioRest
from tests.stand_ins import SID, TOKEN, TwilioApi, twilio_api


class Bench:
    def __init__(self, api: TwilioApi, rest: TwilioRest) -> None:
        self.api = api
        self.leg = TwilioLeg(
            rest,
            "CA1",
            press_twiml=lambda digits: f"press {digits}",
            dial_twiml=lambda target, ring: f"dial {target} {ring:g}",
        )


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(carrier, "RETRY_AFTER_S", 0)
    async with twilio_api() as api:
        rest = TwilioRest(TwilioAccount(SID, TOKEN, api.base))
        yield Bench(api, rest)
        await rest.close()


async def test_a_hang_up_completes_the_leg(bench: Bench) -> None:
    assert await bench.leg.hang_up() == "ok"
    assert bench.api.requests == [
        (f"/2010-04-01/Accounts/{SID}/Calls/CA1.json", {"Status": "completed"}),
    ]
    assert bench.api.authorization == [(SID, TOKEN)]


@pytest.mark.parametrize(
    ("statuses", "outcome", "asked"),
    [
        ([503], "ok", 2),
        ([503, 500], "ok", 3),
        ([503, 500, 502], "unavailable", 3),
        ([401], "rejected", 1),
        ([404], "ok", 1),
    ],
)
async def test_what_may_pass_is_asked_again(
    bench: Bench, statuses: list[int], outcome: str, asked: int
) -> None:
    bench.api.statuses = statuses
    assert await bench.leg.hang_up() == outcome
    assert len(bench.api.requests) == asked


async def test_a_carrier_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "RETRY_AFTER_S", 0)
    rest = TwilioRest(TwilioAccount(SID, TOKEN, "http://127.0.0.1:1"))
    leg = TwilioLeg(rest, "CA1", press_twiml=str, dial_twiml=lambda target, ring: target)
    assert await leg.hang_up() == "unavailable"
    await rest.close()


async def test_keys_are_pressed_by_new_twiml(bench: Bench) -> None:
    assert await bench.leg.press("12w3") == "ok"
    assert bench.api.requests[0][1] == {"Twiml": "press 12w3"}


async def test_twiml_that_cannot_be_written_has_failed(bench: Bench) -> None:
    def refuse(target: str, ring: float) -> str:
        raise ValueError("no such target")

    leg = TwilioLeg(bench.leg._rest, "CA1", press_twiml=str, dial_twiml=refuse)
    assert await leg.transfer("nonsense", 20) == "failed"
    assert bench.api.requests == []


@pytest.mark.parametrize(("status", "outcome"), [("busy", "busy"), ("completed", "ok")])
async def test_a_transfer_ends_as_its_dial_ends(bench: Bench, status: str, outcome: str) -> None:
    transferring = asyncio.ensure_future(bench.leg.transfer("+15550123", 20))
    await bench.api.asked.wait()
    bench.leg.dial_ended(status)
    assert await transferring == outcome
    assert bench.api.requests[0][1] == {"Twiml": "dial +15550123 20"}


async def test_a_transfer_that_rang_out_of_time_without_failing_was_answered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "ANSWER_GRACE_S", -19.99)
    assert await bench.leg.transfer("+15550123", 20) == "ok"
    bench.leg.dial_ended("busy")


async def test_a_transfer_that_twilio_refuses_has_failed_at_once(bench: Bench) -> None:
    bench.api.statuses = [400]
    assert await bench.leg.transfer("+15550123", 20) == "failed"
