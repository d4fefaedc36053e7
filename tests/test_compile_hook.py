"""What is compiled is named by patterns: one that has lost its file is told, and so is a missing compiler."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from compile_hook import chosen, what_is_missing
from engine.audio.vad import VoiceActivity
from engine.core.conversation import Message
from engine.core.interface import CallCore
from engine.core.policy import Policy
from engine.observe.codec import EFFECT_TYPES, EVENT_TYPES
from engine.providers.contracts import Transcriber
from engine.runtime.carrier import CarrierLeg
from engine.runtime.socket import MediaSocket
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def compiled_files() -> list[Path]:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    table = wheel["hooks"]["custom"]
    assert table["enable-by-default"] is False
    return chosen(ROOT, table["include"], table["exclude"])


def test_what_programs_make_or_derive_from_is_not_compiled(compiled_files: list[Path]) -> None:
    modules = {".".join(file.relative_to(ROOT).with_suffix("").parts) for file in compiled_files}
    assert {"engine.core.call", "engine.wire.twilio_stream"} <= modules
    made = {kind.__module__ for kind in (*EVENT_TYPES.values(), *EFFECT_TYPES.values(), Policy, Message)}
    contracts = {kind.__module__ for kind in (VoiceActivity, Transcriber, CarrierLeg, MediaSocket, CallCore)}
    assert not modules & (made | contracts)


def test_no_coroutine_is_compiled(compiled_files: list[Path]) -> None:
    """One that waits while it handles an exception would show it to every other task as theirs."""
    assert [where for where, node in nodes(compiled_files) if isinstance(node, ast.AsyncFunctionDef)] == []


def test_constants_of_compiled_classes_can_be_asked_of_the_class(compiled_files: list[Path]) -> None:
    """What is not a ``ClassVar`` belongs to the instances of a class, once it is compiled."""
    for where, node in nodes(compiled_files):
        if isinstance(node, ast.ClassDef) and not node.bases:
            assigned = {ast.unparse(line.targets[0]) for line in node.body if isinstance(line, ast.Assign)}
            assert assigned <= {"__slots__"}, f"{where}: {node.name}"


def nodes(files: list[Path]) -> Iterator[tuple[str, ast.AST]]:
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            yield file.name, node


def test_a_pattern_without_a_file_is_told(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "c.txt"):
        (tmp_path / name).touch()
    assert chosen(tmp_path, ["*.py"], ["b.py"]) == [tmp_path / "a.py"]
    with pytest.raises(ValueError, match=r"no file is named gone\.py"):
        chosen(tmp_path, ["*.py"], ["gone.py"])


def test_a_missing_compiler_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    assert "no-such-compiler" in str(what_is_missing())
