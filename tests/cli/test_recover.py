"""``engine recover`` writes what a call that died could not."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from engine.cli import app
from engine.core.events import Created, StreamOpened
from engine.errors import EngineError
from engine.observe.journal import JournalHead, JournalWriter
from tests.observe.sample_call import CREATED, POLICY


def test_the_documents_of_a_call_that_died(tmp_path: Path) -> None:
    with (tmp_path / "journal.jsonl").open("wb") as file:
        journal = JournalWriter(file, JournalHead("call-7", CREATED, POLICY))
        journal.step(0, Created(), [])
        journal.step(120, StreamOpened("MZ1"), [])
        journal.flush()
    result = CliRunner().invoke(app, ["recover", str(tmp_path)])
    assert result.exit_code == 0 and "call-7" in result.stdout
    assert {"record.json", "transcript.json"} <= {path.name for path in tmp_path.iterdir()}


def test_a_folder_without_a_journal_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["recover", str(tmp_path)])
    assert isinstance(result.exception, EngineError) and "journal.jsonl" in str(result.exception)
