"""What a call's record says it used, beside what the vendors' stand-ins were asked: by real sockets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from engine.agent import Agent
from engine.demo.caller import AfterAgent, HangUp, Step, play
from engine.demo.phone import Softphone
from engine.observe.replay import replay
from engine.records.record import record_from_journal
from engine.runtime.worker import Settings, Worker
from engine.server.metrics import Metrics
from engine.server.standalone import make_app
from engine.settings import VendorSettings
from fixtures.deepgram import Deepgram
from fixtures.elevenlabs import ElevenLabs
from fixtures.fault_calls import WordDeepgram, spoken
from fixtures.faults import Fault, Faults, Kind
from fixtures.openai import OpenAI, Received
from fixtures.openai_forms import Reply
from fixtures.playht import PlayHT
from tests.stand_ins import LOUD, QUIET

GREETING = "Good morning."
AGENT: dict[str, Any] = {
    "opening": {"message": GREETING},
    "turns": {"voice_activity": "level"},
    "transcriber": {"vendor": "deepgram", "alternatives": [{"vendor": "deepgram-flux"}]},
    "model": {
        "vendor": "openai",
        "model": "gpt-4o",
        "max_tokens": 40,
        "alternatives": [{"vendor": "openai-responses", "model": "gpt-4.1"}],
    },
    "voice": {"vendor": "elevenlabs", "alternatives": [{"vendor": "playht", "voice": "ayla"}]},
}
HESITATING = spoken("please order some hot") + QUIET * 22 + spoken("coffee then")
"""With a pause in which a draft begins that the caller then talks down."""


class Vendors:
    """The stand-ins, and a worker in front of them."""

    def __init__(self) -> None:
        self.deepgram = Deepgram(sayings=["My order is late."])
        self.openai = OpenAI(first_token=400, tokens_per_second=60, answer=self.answer)
        self.elevenlabs = ElevenLabs(first_audio=30, rate=8)
        self.playht = PlayHT(first_audio=30, rate=8)
        self.records: list[dict[str, Any]] = []

    async def answer(self, body: dict[str, Any]) -> Reply:
        return Reply("I will look at once, just wait.", cached=3)

    async def hold(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *scripts: Sequence[Step]) -> None:
        """A call for each script, one after the other, with the same worker."""
        async with AsyncExitStack() as stack:
            for vendor in (self.deepgram, self.openai, self.elevenlabs, self.playht):
                await stack.enter_async_context(vendor)
            for name, vendor in (
                ("DEEPGRAM", self.deepgram),
                ("OPENAI", self.openai),
                ("ELEVENLABS", self.elevenlabs),
                ("PLAYHT", self.playht),
            ):
                monkeypatch.setenv(f"{name}_API_KEY", vendor.api_key)
                monkeypatch.setenv(f"{name}_BASE_URL", vendor.url)
            monkeypatch.setenv("PLAYHT_USER_ID", self.playht.user_id)
            agent = Agent.model_validate(AGENT)
            worker = Worker(agent, Settings(insecure=True, calls=folder))
            async with worker:
                for script in scripts:
                    await _ring(worker, script)
        self.records = _records(folder)

    def used(self, role: str, vendor: str, unit: str) -> float:
        """What the calls' records say of a vendor, in all."""
        return sum(
            entry[unit]
            for record in self.records
            for entry in record["usage"]["vendors"]
            if (entry["role"], entry["vendor"]) == (role, vendor)
        )

    def heard_s(self, path: str) -> float:
        """Seconds of audio that came to Deepgram."""
        return sum(len(each.audio) for each in self.deepgram.connections if each.path == path) / 8000

    def asked(self, path: str) -> list[Received]:
        """The requests that came to OpenAI."""
        return [request for request in self.openai.requests if request.path == path]


def _records(folder: Path) -> list[dict[str, Any]]:
    """The calls' records in the order of their beginning; each journal says the same."""
    records = []
    for call in folder.iterdir():
        record = orjson.loads((call / "record.json").read_bytes())
        assert record_from_journal(call / "journal.jsonl").usage.model_dump() == record["usage"]
        assert replay(call / "journal.jsonl").same
        records.append(record)
    return sorted(records, key=lambda record: record["created"])


async def _ring(worker: Worker, script: Sequence[Step]) -> None:
    runner = web.AppRunner(make_app(worker, Metrics()), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as http:
            phone = await Softphone.ring(http, f"http://127.0.0.1:{runner.addresses[0][1]}/twilio/voice")
            await play(script, phone, 20)
        for session in list(worker.sessions.values()):
            await session.wait_closed()
    finally:
        await runner.cleanup()


@pytest.fixture
def vendors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vendors:
    monkeypatch.chdir(tmp_path)
    for name in (*VendorSettings.__annotations__, "ENGINE_SETTINGS"):
        monkeypatch.delenv(name.upper(), raising=False)
    return Vendors()


def check(vendors: Vendors) -> None:
    """The records against the stand-ins' own counts."""
    for vendor, path in (("openai", "/v1/chat/completions"), ("openai-responses", "/v1/responses")):
        asked = vendors.asked(path)
        told = [request.told for request in asked if request.told is not None]
        units = (
            ("prompt_tokens", "completion_tokens")
            if vendor == "openai"
            else ("input_tokens", "output_tokens")
        )
        assert vendors.used("model", vendor, "requests") == len(asked)
        assert vendors.used("model", vendor, "requests_untold") == len(asked) - len(told)
        assert vendors.used("model", vendor, "input_tokens") == sum(usage[units[0]] for usage in told)
        assert vendors.used("model", vendor, "output_tokens") == sum(usage[units[1]] for usage in told)
        assert vendors.used("model", vendor, "cached_tokens") == 3 * len(told)
    texts = [text.strip() for each in vendors.elevenlabs.connections for text in each.texts()]
    assert vendors.used("voice", "elevenlabs", "characters") == sum(map(len, texts))
    texts = [request.body["text"] for request in vendors.playht.requests]
    assert vendors.used("voice", "playht", "characters") == sum(map(len, texts))
    for vendor, path in (("deepgram", "/v1/listen"), ("deepgram-flux", "/v2/listen")):
        # The last message of a stream, a quarter of a second in a long silence, may not be sent any more.
        heard, streams = (
            vendors.heard_s(path),
            sum(each.path == path for each in vendors.deepgram.connections),
        )
        assert heard <= vendors.used("transcriber", vendor, "audio_seconds") <= heard + 0.26 * streams


async def test_a_draft_that_was_dropped_and_a_greeting_that_was_kept(
    vendors: Vendors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors.deepgram = WordDeepgram()
    talk = [AfterAgent(HESITATING, pause=300), HangUp(pause=300)]
    await vendors.hold(tmp_path / "calls", monkeypatch, talk, [HangUp(pause=300)])
    check(vendors)
    first, second = (record["usage"] for record in vendors.records)
    greeted = [
        text for each in vendors.elevenlabs.connections for text in each.texts() if text.strip() == GREETING
    ]
    assert len(greeted) == 1
    assert first["voice_characters"] > len(GREETING) and second["voice_characters"] == 0
    assert vendors.used("model", "openai", "requests_untold") > 0
    assert [record["error_count"] for record in vendors.records] == [0, 0]
    assert {(each["vendor"], each["model"]) for each in first["vendors"]} == {
        ("deepgram", "nova-3"),
        ("openai", "gpt-4o"),
        ("elevenlabs", "eleven_flash_v2_5"),
    }


async def test_alternatives_that_stepped_in_and_the_errors_that_made_them(
    vendors: Vendors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors.deepgram.faults = Faults([Fault(Kind.DROP, after=3)])
    vendors.openai.faults = Faults([Fault(Kind.STATUS, 500)])
    vendors.elevenlabs.faults = Faults([Fault(Kind.DROP, after=5)])
    await vendors.hold(tmp_path / "calls", monkeypatch, [AfterAgent(LOUD * 40, pause=300), HangUp(pause=300)])
    check(vendors)
    (record,) = vendors.records
    assert sorted(fault["role"] for fault in record["faults"]) == ["model", "transcriber", "voice"]
    assert record["error_count"] == 3
    assert len(record["usage"]["vendors"]) == 6
