"""What is compiled is named by patterns: one that has lost its file is told, and so is a missing compiler."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from compile_hook import chosen, what_is_missing
from engine.audio.vad import VoiceActivity
from engine.core.conversation import Message
from engine.core.policy import Policy
from engine.observe.codec import EFFECT_TYPES, EVENT_TYPES
from engine.providers.contracts import Transcriber
from engine.runtime.carrier import CarrierLeg
from engine.runtime.socket import MediaSocket
from tests.conftest import ROOT


def test_what_users_make_is_not_compiled() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    table = wheel["hooks"]["custom"]
    assert table["enable-by-default"] is False
    files = chosen(ROOT, table["include"], table["exclude"])
    modules = {".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files}
    assert {"engine.core.call", "engine.wire.twilio_stream"} <= modules
    made = {kind.__module__ for kind in (*EVENT_TYPES.values(), *EFFECT_TYPES.values(), Policy, Message)}
    contracts = {kind.__module__ for kind in (VoiceActivity, Transcriber, CarrierLeg, MediaSocket)}
    assert not modules & (made | contracts)


def test_a_pattern_without_a_file_is_told(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "c.txt"):
        (tmp_path / name).touch()
    assert chosen(tmp_path, ["*.py"], ["b.py"]) == [tmp_path / "a.py"]
    with pytest.raises(ValueError, match=r"no file is named gone\.py"):
        chosen(tmp_path, ["*.py"], ["gone.py"])


def test_a_missing_compiler_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    assert "no-such-compiler" in str(what_is_missing())
