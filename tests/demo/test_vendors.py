"""Calls with hosted vendors: the demo's choice of vendors, and one whole call over real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.agent import Agent, load_agent
from engine.agent.problems import InvalidAgent
from engine.core.notes import EndReason
from engine.demo.call import hold_call, with_vendors
from engine.demo.caller import AfterAgent, HangUp
from engine.settings import VendorSettings
from fixtures.deepgram import Deepgram
from fixtures.elevenlabs import ElevenLabs
from fixtures.openai import OpenAI
from fixtures.openai_forms import Reply, ToolCall
from tests.stand_ins import LOUD


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VendorSettings.__annotations__, "ENGINE_SETTINGS"):
        monkeypatch.delenv(name.upper(), raising=False)


def test_other_vendors_take_the_place_of_the_agents() -> None:
    desk = load_agent("appointment_desk")
    changed = with_vendors(desk, "deepgram", "openai", "elevenlabs")
    assert (changed.transcriber.vendor, changed.model.vendor) == ("deepgram", "openai")
    assert (changed.voice.vendor, changed.voice.voice) == ("elevenlabs", "")
    assert (changed.model.playbook, changed.model.filler_after) == ("", desk.model.filler_after)
    assert with_vendors(desk, "pocketsphinx", "playbook", "espeak").voice == desk.voice
    assert with_vendors(desk) == desk.for_call()


def test_a_recogniser_keeps_the_grammar_of_the_playbook() -> None:
    changed = with_vendors(load_agent("appointment_desk"), model="openai")
    assert changed.transcriber.grammar == "appointment_desk"


def test_a_vendor_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(InvalidAgent, match=r"^voice\.vendor must be .*: did you mean 'elevenlabs'\?$"):
        with_vendors(load_agent("appointment_desk"), voice="elevenlab")


AGENT: dict[str, Any] = {
    "opening": {"message": "Hi!", "delay": 0},
    "transcriber": {"vendor": "deepgram", "keyterms": ["Zoe"]},
    "model": {"vendor": "openai", "max_tokens": 50},
    "voice": {"vendor": "elevenlabs"},
    "turns": {"voice_activity": "level"},
    "tools": [
        {
            "name": "find_order",
            "parameters": {
                "type": "object",
                "properties": {"number": {"type": "integer"}},
                "required": ["number"],
            },
            "handler": "tests.demo.test_vendors:find_order",
        }
    ],
}


def find_order(number: int) -> str:
    """A tool; arguments that are not as its schema says must not reach it."""
    assert isinstance(number, int)
    return f"order {number} is on its way"


TALK = (
    Reply("", [ToolCall("find_order", '{"number": "seven"}')]),
    Reply("", [ToolCall("find_order", '{"number": 7}')]),
    Reply("Bye.", [ToolCall("hang_up")]),
)
"""What the model says: it asks for a tool wrongly, then rightly, then takes its leave."""


def tool_results(body: dict[str, Any]) -> list[str]:
    """What a request tells the model of its tools."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


async def test_a_whole_call_over_real_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")

    async def answer(body: dict[str, Any]) -> Reply:
        return TALK[min(len(tool_results(body)), 2)]

    keys = ("deepgram-secret", "sk-secret-0123456789", "elevenlabs-secret")
    async with (
        Deepgram(sayings=["Where is my order, Zoe?"], api_key=keys[0]) as deepgram,
        OpenAI(keys[1], answer=answer) as openai,
        ElevenLabs(keys[2]) as elevenlabs,
    ):
        for name, vendor, key in (
            ("DEEPGRAM", deepgram, keys[0]),
            ("OPENAI", openai, keys[1]),
            ("ELEVENLABS", elevenlabs, keys[2]),
        ):
            monkeypatch.setenv(f"{name}_API_KEY", key)
            monkeypatch.setenv(f"{name}_BASE_URL", vendor.url)
        script = [AfterAgent(LOUD * 40, pause=200), HangUp()]
        call = await hold_call(Agent.model_validate(AGENT), script, tmp_path / "calls", limit=15)
    record = orjson.loads((call.folder / "record.json").read_bytes())
    transcript = orjson.loads((call.folder / "transcript.json").read_bytes())
    assert call.reason is EndReason.AGENT_HUNG_UP
    assert record["error_count"] == 0
    spoken = [(line["role"], line["text"]) for line in transcript if line["role"] != "tool"]
    assert spoken == [("assistant", "Hi!"), ("user", "Where is my order, Zoe?"), ("assistant", "Bye.")]
    results = tool_results(openai.requests[-1].body)
    assert "number must be of type integer" in results[0]
    assert "order 7 is on its way" in results[1]
    assert openai.requests[0].body["max_tokens"] == 50
    assert deepgram.connections[0].values("keyterm") == ["Zoe"]
    assert elevenlabs.connections[0].texts() == ["Hi! ", "Bye. "]
    for file in call.folder.iterdir():
        assert not any(key.encode() in file.read_bytes() for key in keys), f"{file.name} holds a key"
