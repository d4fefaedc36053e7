"""Calls with hosted vendors: the demo's choice of vendors, and one whole call over real sockets."""

from __future__ import annotations

import asyncio
import logging
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
from fixtures.playht import PlayHT
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


KEYS = ("deepgram-secret", "sk-secret-0123456789", "elevenlabs-secret", "playht-secret")


def known(monkeypatch: pytest.MonkeyPatch, **vendors: Any) -> None:
    """The stand-ins in the environment, each with its key."""
    for name, vendor in vendors.items():
        monkeypatch.setenv(f"{name}_API_KEY", vendor.api_key)
        monkeypatch.setenv(f"{name}_BASE_URL", vendor.url)


def holds_a_key(folder: Path) -> list[str]:
    """The files of a call in which a key stands."""
    return [file.name for file in folder.iterdir() if any(key.encode() in file.read_bytes() for key in KEYS)]


async def test_a_whole_call_over_real_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("soxr")

    async def answer(body: dict[str, Any]) -> Reply:
        return TALK[min(len(tool_results(body)), 2)]

    async with (
        Deepgram(sayings=["Where is my order, Zoe?"], api_key=KEYS[0]) as deepgram,
        OpenAI(KEYS[1], answer=answer) as openai,
        ElevenLabs(KEYS[2]) as elevenlabs,
    ):
        known(monkeypatch, DEEPGRAM=deepgram, OPENAI=openai, ELEVENLABS=elevenlabs)
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
    assert not holds_a_key(call.folder)


LATE = "Your order left us this morning. It should be with you on Friday, and if it is not, please call."
"""More than sixteen words, of which the sixteenth is in the middle of a clause."""


@pytest.mark.parametrize(
    ("hears", "thinks", "speaks"),
    [("deepgram-flux", "openai-responses", "playht"), ("deepgram", "openai", "openai")],
)
async def test_a_reply_is_cut_at_its_token_limit_and_ends_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hears: str, thinks: str, speaks: str
) -> None:
    pytest.importorskip("soxr")

    async def answer(body: dict[str, Any]) -> Reply:
        return Reply(LATE)

    fields = AGENT | {
        "transcriber": {"vendor": hears},
        "model": {"vendor": thinks, "max_tokens": 16},
        "voice": {"vendor": speaks, "speed": 2.0},
        "tools": [],
    }
    async with (
        Deepgram(sayings=["Where is it?"]) as deepgram,
        OpenAI(answer=answer) as openai,
        PlayHT() as play,
    ):
        known(monkeypatch, DEEPGRAM=deepgram, OPENAI=openai, PLAYHT=play)
        monkeypatch.setenv("PLAYHT_USER_ID", play.user_id)
        script = [AfterAgent(LOUD * 40, pause=200), HangUp(pause=400)]
        call = await hold_call(Agent.model_validate(fields), script, tmp_path / "calls", limit=15)
    transcript = orjson.loads((call.folder / "transcript.json").read_bytes())
    cut = "Your order left us this morning. It should be with you on Friday."
    assert [line["text"] for line in transcript] == ["Hi!", "Where is it?", cut]
    asked = [request for request in openai.requests if not request.path.endswith("/speech")]
    assert {request.body.get("max_tokens") or request.body["max_output_tokens"] for request in asked} == {16}
    texts = [request.body["text"] for request in play.requests]
    texts += [request.body["input"] for request in openai.requests if request not in asked]
    assert " ".join(texts) == f"Hi! {cut}"


REFUSED: list[dict[str, Any]] = [
    {"transcriber": {"vendor": "deepgram", "alternatives": [{"vendor": "deepgram-flux"}]}},
    {
        "opening": {"prompt": "Greet."},
        "model": {"vendor": "openai", "failures": 1, "alternatives": [{"vendor": "openai-responses"}]},
    },
    {"voice": {"vendor": "elevenlabs", "alternatives": [{"vendor": "playht"}, {"vendor": "openai"}]}},
]


async def test_keys_that_are_refused_are_shown_nowhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("soxr")
    caplog.set_level(logging.DEBUG)
    base = AGENT | {"transcriber": {"vendor": "none"}, "voice": {"vendor": "espeak"}, "tools": []}
    agents = [Agent.model_validate(base | fields) for fields in REFUSED]
    async with Deepgram() as deepgram, OpenAI() as openai, ElevenLabs() as eleven, PlayHT() as play:
        vendors = {"DEEPGRAM": deepgram, "OPENAI": openai, "ELEVENLABS": eleven, "PLAYHT": play}
        known(monkeypatch, **vendors)
        for (name, _), key in zip(vendors.items(), KEYS, strict=True):
            monkeypatch.setenv(f"{name}_API_KEY", key)
        monkeypatch.setenv("PLAYHT_USER_ID", "me")
        calls = await asyncio.gather(
            *(hold_call(agent, [HangUp()], tmp_path / "calls", limit=10) for agent in agents)
        )
    reasons = []
    for call in calls:
        assert call.reason is EndReason.PROVIDER_ERROR
        assert not holds_a_key(call.folder)
        record = orjson.loads((call.folder / "record.json").read_bytes())
        assert record["error_count"] == len(record["faults"])
        reasons += [fault["reason"] for fault in record["faults"]]
    told = " ".join(reasons)
    for setting in ("DEEPGRAM_API_KEY", "OPENAI_API_KEY", "ELEVENLABS_API_KEY", "PLAYHT_API_KEY"):
        assert setting in told
    shown = capsys.readouterr()
    everything = f"{caplog.text} {shown.out} {shown.err} {agents!r} {calls!r}"
    assert not [key for key in KEYS if key in everything]
