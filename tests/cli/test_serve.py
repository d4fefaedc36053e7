"""``engine serve``: what it refuses, and in what words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.__main__ import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run ``engine``; what it says on the standard error, having ended with status 2."""
    sys.argv = ["engine", *arguments]
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_without_credentials_it_does_not_serve_strangers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC1")
    said = refused(capsys, "serve", "--agent", "any.toml", "--port", "0", "--public-url", "https://x.example")
    assert "TWILIO_AUTH_TOKEN must be set" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "voice.example.com", "::"])
def test_the_insecure_mode_is_for_this_machine_only(capsys: pytest.CaptureFixture[str], host: str) -> None:
    said = refused(capsys, "serve", "--agent", "any.toml", "--port", "0", "--insecure", "--host", host)
    assert said.count("\n") == 1
    assert "127.0.0.1 only" in said


@pytest.mark.skipif(sys.platform == "win32", reason="workers share a port on POSIX only")
def test_what_a_worker_cannot_start_with_is_said_once_by_its_parent(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    agent = tmp_path / "agent.toml"
    agent.write_text(
        '[model]\nplaybook = "drink_orders"\n[[tools]]\nname = "look"\nhandler = "nowhere:look"\n'
    )
    said = refused(capsys, "serve", "--agent", str(agent), "--port", "0", "--insecure", "--workers", "2")
    assert said.count("\n") == 1
    assert "nowhere" in said


def test_an_agent_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "serve", "--agent", "nowhere.toml", "--port", "0", "--insecure")
    assert said == "nowhere.toml: there is no such file\n"


def test_without_typer_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    assert "pip install 'engine[server]'" in refused(capsys, "serve")
