"""``engine check``: one table, and an exit status."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.cli.check import table
from engine.runtime.vendor_check import Finding
from fixtures.demo import running

pytest.importorskip("typer")
pytest.importorskip("soxr")


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for vendor in ("DEEPGRAM", "OPENAI", "ELEVENLABS", "PLAYHT"):
        for name in ("API_KEY", "BASE_URL", "USER_ID"):
            monkeypatch.delenv(f"{vendor}_{name}", raising=False)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["engine", "check", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_it_succeeds_if_all_that_is_configured_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running("") as environment:
        monkeypatch.setenv("ELEVENLABS_API_KEY", environment["ELEVENLABS_API_KEY"])
        monkeypatch.setenv("ELEVENLABS_BASE_URL", environment["ELEVENLABS_BASE_URL"])
        assert run(monkeypatch) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 9
        (works,) = (line for line in lines if " yes " in line)
        assert works.split()[:5] == [
            "voice",
            "elevenlabs",
            "eleven_flash_v2_5",
            "hP72SDESIJq2YuAblBqz",
            "yes",
        ]
        assert works.endswith(" ms")
        assert sum("not configured: " in line for line in lines) == 7


def test_it_fails_if_something_does_not_work_and_shows_no_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running("") as environment:
        monkeypatch.setenv("ELEVENLABS_API_KEY", "very-wrong-key")
        monkeypatch.setenv("ELEVENLABS_BASE_URL", environment["ELEVENLABS_BASE_URL"])
        assert run(monkeypatch) == 1
    out, err = capsys.readouterr()
    assert "ElevenLabs refused the key (HTTP 401)" in out
    assert "very-wrong-key" not in out + err


def test_an_agent_that_will_not_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('[voice]\nvendor = "elevenlabs"\nvoice = "nobody"')
    assert run(monkeypatch, "--agent", str(file)) == 2
    file.write_text('[transcriber]\nvendor = "none"\n[model]\nvendor = "openai"')
    assert run(monkeypatch, "--agent", str(file)) == 1


def test_the_table() -> None:
    findings = [
        Finding("voice", "playht", "PlayHT2.0 ayla", True, first_ms=120),
        Finding("model", "openai", "gpt-4o", False, "one\n  two"),
        Finding("voice", "openai", "tts-1", None, "not configured"),
    ]
    assert table(findings).splitlines() == [
        "role   vendor  model, voice    works  first result  why not",
        "voice  playht  PlayHT2.0 ayla  yes    120 ms",
        "model  openai  gpt-4o          no                   one two",
        "voice  openai  tts-1           -                    not configured",
    ]
