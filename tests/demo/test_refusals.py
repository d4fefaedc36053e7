"""What the user got wrong is one sentence and exit status 2, and nothing is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.agent import load_agent
from engine.demo.caller import AfterAgent, HangUp, Interrupt, StaySilent
from engine.demo.script import TEXTS, built_in, of_files
from engine.demo.wav import mulaw_wav
from engine.errors import EngineError

pytest.importorskip("typer")
pytest.importorskip("rich")


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: Path, *arguments: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["engine", "demo", "--out", str(out), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert not out.exists()
    sentence = capsys.readouterr().err.strip()
    assert len(sentence.splitlines()) == 1
    return sentence


def test_wrong_commands_are_told_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = tmp_path / "words.txt"
    text.write_text("hello")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    out = tmp_path / "calls"
    cases = {
        ("--caller", str(text)): f"{text} is no WAV file",
        ("--caller", str(tmp_path / "no.wav")): "cannot be read: No such file",
        (str(text),): "name all WAV files after one --caller",
        ("--agent", "nobody"): "no agent called 'nobody'",
        ("--agent", str(broken)): "line 1: not valid TOML",
    }
    for arguments, told in cases.items():
        assert told in refused(monkeypatch, capsys, out, *arguments)


def test_a_folder_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    (tmp_path / "file").touch()
    assert "cannot be written to" in refused(monkeypatch, capsys, tmp_path / "file" / "calls")


def test_an_agent_for_whom_there_are_no_lines() -> None:
    other = load_agent({"name": "Other", "model": {"playbook": "mine.toml"}})
    with pytest.raises(EngineError, match=r"name WAV files with what the caller says"):
        built_in(other)


def test_the_lines_of_the_user_take_the_places_of_the_built_in_ones(tmp_path: Path) -> None:
    files = []
    for number in range(4):
        files.append(tmp_path / f"{number}.wav")
        files[-1].write_bytes(mulaw_wav(bytes((number,)) * 800))
    kinds = [type(step) for step in of_files(files)]
    assert kinds == [AfterAgent, Interrupt, StaySilent, AfterAgent, AfterAgent, HangUp]
    assert [type(step) for step in of_files(files[:1])] == [AfterAgent, StaySilent, HangUp]
    assert [step.speech[0] for step in of_files(files) if hasattr(step, "speech")] == [0, 1, 2, 3]


@pytest.mark.parametrize("playbook", TEXTS)
def test_each_shipped_agent_has_its_caller(playbook: str) -> None:
    assert len(built_in(load_agent(playbook))) == len(TEXTS[playbook]) + 2
