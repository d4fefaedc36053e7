"""From an agent to its providers and functions: what is named is loaded, what is passed is used."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.agent import Agent, load_agent, shipped_agents
from engine.audio.gates import LevelGate, WebRtcGate
from engine.core.conversation import Message
from engine.errors import EngineError, MissingExtra
from engine.providers.contracts import Finished, TextDelta, ToolCallDelta, ToolSpec
from engine.providers.stt import pocketsphinx
from engine.providers.tts import espeak
from engine.runtime import registry
from engine.runtime.registry import build, load_tools, tool_specs
from engine.settings import VendorSettings


class Own:
    """Stands for a program's own transcriber, model or voice; nobody opens it here."""

    async def open(self) -> Any:
        raise AssertionError("opened")

    async def generate(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncIterator[TextDelta | ToolCallDelta | Finished]:
        yield Finished()

    async def close(self) -> None:
        """Nothing to free."""


def agent(**fields: Any) -> Agent:
    return Agent.model_validate({"turns": {"voice_activity": "level"}, **fields})


def test_passed_providers_take_the_place_of_the_named_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("stt.pocketsphinx", "llm.playbook", "tts.espeak"):
        monkeypatch.setitem(sys.modules, f"engine.providers.{module}", None)
    transcriber, model, voice = Own(), Own(), Own()
    built = build(agent(), transcriber=transcriber, model=model, voice=voice)
    assert built.transcriber is transcriber
    assert built.model is model
    assert built.voice is voice


def test_without_a_transcriber_there_is_none() -> None:
    built = build(agent(transcriber={"vendor": "none"}), model=Own(), voice=Own())
    assert built.transcriber is None


def test_each_call_gets_its_own_detector() -> None:
    built = build(agent(), transcriber=Own(), model=Own(), voice=Own())
    one, other = built.open_voice_activity(), built.open_voice_activity()
    assert isinstance(one, LevelGate)
    assert one is not other
    assert not built.confirms


def test_silero_confirms_what_webrtc_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_model", lambda: Path("silero_vad.onnx"))
    wanted = agent(turns={"voice_activity": "silero"})
    built = build(wanted, transcriber=Own(), model=Own(), voice=Own())
    assert isinstance(built.open_voice_activity(), WebRtcGate)
    assert built.confirms
    monkeypatch.setattr(registry, "find_model", lambda: None)
    with pytest.raises(EngineError, match=r"turns\.voice_activity is 'silero', and its model is not here"):
        build(wanted, transcriber=Own(), model=Own(), voice=Own())


def test_a_missing_library_is_told_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    known = VendorSettings(openai_api_key="sk-x")
    with pytest.raises(MissingExtra, match=r"engine\[local\]"):
        build(agent(voice={"vendor": "openai"}), transcriber=Own(), model=Own(), settings=known)


def test_settings_that_only_the_vendor_knows_are_refused_by_name() -> None:
    pytest.importorskip("espeakng_loader")
    with pytest.raises(EngineError, match=r"voice\.voice: .*nobody"):
        build(agent(voice={"voice": "nobody"}), transcriber=Own(), model=Own())
    with pytest.raises(EngineError, match=r"voice\.voice: .*nobody"):
        build(agent(voice={"vendor": "flite", "voice": "nobody"}), transcriber=Own(), model=Own())


def test_a_playbook_must_be_named() -> None:
    with pytest.raises(EngineError, match=r"model\.playbook is empty"):
        build(agent(), transcriber=Own(), voice=Own())


def test_a_playbook_must_be_there_and_have_its_tools() -> None:
    with pytest.raises(EngineError, match=r"^model\.playbook: .*zzz"):
        build(agent(model={"playbook": "zzz"}), transcriber=Own(), voice=Own())
    with pytest.raises(
        EngineError, match="calls tools that the agent does not have: book_appointment, find_slots"
    ):
        build(agent(model={"playbook": "appointment_desk"}), transcriber=Own(), voice=Own())


@pytest.mark.parametrize("name", shipped_agents())
def test_shipped_agents_can_be_built(name: str) -> None:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("espeakng_loader")
    shipped = load_agent(name)
    built = build(shipped)
    assert built.transcriber is not None
    functions = load_tools(shipped)
    for tool in shipped.tools:
        accepted = inspect.signature(functions[tool.name]).parameters
        assert set(tool.parameters["properties"]) == set(accepted)


def test_settings_reach_the_vendors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(pocketsphinx, "PocketsphinxTranscriber", lambda **given: made.update(given))
    monkeypatch.setattr(espeak, "EspeakVoice", lambda *given: made.update(voice=given))
    grammar = tmp_path / "yes.gram"
    grammar.write_text("#JSGF V1.0; grammar g; public <g> = yes | no;")
    transcriber = {"grammar": str(grammar), "reject_below": -3.5, "pronunciations": {"zoe": "Z OW IY"}}
    voice = {"voice": "f3", "speed": 1.5, "pitch": 40}
    build(agent(language="en-GB", transcriber=transcriber, voice=voice), model=Own())
    assert made == {**transcriber, "grammar": grammar.read_text(), "voice": ("en-GB", 1.5, "f3", 40)}
    build(agent(transcriber={"grammar": str(grammar)}), model=Own())
    assert made["reject_below"] == pocketsphinx.REJECT_BELOW
    assert made["voice"] == ("en", 1.0, None, None)


def test_a_grammar_of_its_own_needs_a_playbook_or_a_file(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"transcriber\.grammar is 'auto', which needs a playbook"):
        build(agent(), model=Own(), voice=Own())
    missing = str(tmp_path / "none.gram")
    with pytest.raises(EngineError, match=r"transcriber\.grammar: .*none\.gram cannot be read"):
        build(agent(transcriber={"grammar": missing}), model=Own(), voice=Own())


# --- tools --------------------------------------------------------------------------------------------

MODULE = """
VALUE = 3
def find_slots(day: str) -> list[str]:
    return [day]
"""


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that an agent's handlers may name."""
    (tmp_path / "desk_tools.py").write_text(MODULE)
    (tmp_path / "broken_tools.py").write_text("raise RuntimeError('no database')")
    (tmp_path / "needy_tools.py").write_text("import surely_not_installed")
    monkeypatch.syspath_prepend(tmp_path)


def with_handler(handler: str) -> Agent:
    return agent(tools=[{"name": "find", "handler": handler}])


@pytest.mark.usefixtures("handlers")
def test_handlers_are_imported() -> None:
    functions = load_tools(with_handler("desk_tools:find_slots"))
    assert functions["find"]("monday") == ["monday"]


def test_a_passed_function_takes_the_place_of_the_handler() -> None:
    functions = load_tools(with_handler("nowhere.at_all:find"), {"find": len, "other": max})
    assert functions == {"find": len}


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        ("", "is empty: name 'package.module:function', or pass the function"),
        ("desk_tolls:find_slots", "names the module 'desk_tolls', and there is no 'desk_tolls'"),
        ("desk_tools.more:find", "names the module 'desk_tools.more', and there is no"),
        (
            "needy_tools:find",
            "names 'needy_tools', which needs a module that is missing: surely_not_installed",
        ),
        ("broken_tools:find", "names 'broken_tools', which fails on import: RuntimeError: no database"),
        ("desk_tools:find_slot", "which is no function of 'desk_tools': did you mean 'find_slots'?"),
        ("desk_tools:VALUE", "names 'VALUE', which is no function of 'desk_tools'"),
    ],
)
def test_faulty_handlers(handler: str, sentence: str) -> None:
    with pytest.raises(EngineError) as refused:
        load_tools(with_handler(handler))
    assert str(refused.value).startswith("the handler of tool 'find' ")
    assert sentence in str(refused.value)


def test_the_model_is_told_of_what_the_agent_can_do() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}}
    tools = [{"name": "find", "description": "Finds.", "parameters": schema}]
    specs = tool_specs(agent(tools=tools))
    assert specs[0] == ToolSpec("find", "Finds.", schema)
    assert [spec.name for spec in specs] == ["find", "hang_up", "send_digits"]
    reachable = tool_specs(agent(handoff={"target": "+14155550123"}))
    assert [spec.name for spec in reachable] == ["hang_up", "transfer", "send_digits"]
