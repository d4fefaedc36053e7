"""The check of vendors, against their stand-ins."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from engine.agent import Agent
from engine.runtime import vendor_check
from engine.runtime.vendor_check import Finding, check_agent, check_configured
from engine.settings import VendorSettings
from fixtures.demo import start_vendors
from fixtures.faults import Fault, Faults, Kind
from fixtures.openai import OpenAI

pytest.importorskip("soxr")


async def known(stack: AsyncExitStack) -> VendorSettings:
    """The settings of stand-ins that run as long as the stack."""
    environment = await start_vendors(stack, "")
    return VendorSettings(**{name.lower(): value for name, value in environment.items()})


def by_vendor(findings: list[Finding]) -> dict[tuple[str, str], Finding]:
    return {(finding.role, finding.vendor): finding for finding in findings}


async def test_all_that_is_configured_works() -> None:
    async with AsyncExitStack() as stack:
        findings = await check_configured(await known(stack))
    assert [(finding.role, finding.vendor) for finding in findings] == [
        ("transcriber", "deepgram"),
        ("transcriber", "deepgram-flux"),
        ("model", "openai"),
        ("model", "openai-responses"),
        ("voice", "elevenlabs"),
        ("voice", "playht"),
        ("voice", "openai"),
        ("realtime", "openai"),
    ]
    assert [finding.why for finding in findings if not finding.works] == []
    assert all(finding.first_ms is not None for finding in findings)
    assert findings[4].name == "eleven_flash_v2_5 hP72SDESIJq2YuAblBqz"


async def test_an_agent_whose_model_speaks_itself() -> None:
    async with AsyncExitStack() as stack:
        settings = await known(stack)
        (works,) = await check_agent(Agent(mode="realtime"), settings)
        refused = replace(settings, openai_api_key="sk-wrong-key")
        (fails,) = await check_agent(Agent(mode="realtime"), refused)
    assert (works.role, works.vendor, works.works) == ("realtime", "openai", True)
    assert fails.works is False and "(401): check OPENAI_API_KEY" in fails.why


async def test_why_something_does_not_work() -> None:
    async with AsyncExitStack() as stack:
        settings = await known(stack)
        settings = replace(
            settings,
            deepgram_api_key="d-wrong-key",
            openai_api_key="sk-wrong-key",
            elevenlabs_base_url="http://127.0.0.1:9",
            playht_api_key="",
        )
        found = by_vendor(await check_configured(settings))
    assert "(401): check DEEPGRAM_API_KEY" in found["transcriber", "deepgram"].why
    assert "(401): check OPENAI_API_KEY" in found["model", "openai"].why
    assert "cannot be reached" in found["voice", "elevenlabs"].why
    assert found["voice", "playht"].why == "not configured: PLAYHT_API_KEY is not set"
    assert {finding.works for finding in found.values()} == {False, None}
    assert not any("wrong-key" in finding.why for finding in found.values())


async def test_a_vendor_that_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor_check, "WITHIN_S", 0.1)
    fields: dict[str, Any] = {"transcriber": {"vendor": "none"}, "model": {"vendor": "openai"}}
    async with OpenAI(faults=Faults([Fault(Kind.LATENCY)])) as vendor:
        settings = VendorSettings(openai_api_key=vendor.api_key, openai_base_url=vendor.url)
        found = by_vendor(await check_agent(Agent.model_validate(fields), settings))
    assert found["model", "openai"].why == "gave nothing within 0.1 s"


async def test_an_agents_vendors_and_alternatives_are_checked_with_its_tools() -> None:
    fields: dict[str, Any] = {
        "transcriber": {"vendor": "deepgram", "alternatives": [{"vendor": "deepgram-flux"}]},
        "model": {"vendor": "openai", "alternatives": [{"vendor": "openai", "model": "gpt-4o"}]},
        "voice": {"vendor": "playht", "voice": "ayla"},
        "tools": [{"name": "find_order"}],
    }
    async with AsyncExitStack() as stack:
        findings = await check_agent(Agent.model_validate(fields), await known(stack))
    assert [finding.name for finding in findings] == [
        "nova-3",
        "flux-general-en",
        "gpt-4.1-mini",
        "gpt-4o",
        "PlayHT2.0-turbo ayla",
    ]
    assert all(finding.works for finding in findings)
