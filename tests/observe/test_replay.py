"""A journalled call runs again to the same effects, and a change that matters shows at its step."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from engine.core.events import VoiceAudio
from engine.errors import EngineError
from engine.observe.journal import JournalHead, JournalWriter
from engine.observe.replay import replay
from tests.observe.real_call import POLICY, real_steps
from tests.observe.sample_call import CREATED


@pytest.fixture(scope="module")
def real_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    with path.open("wb") as file:
        writer = JournalWriter(file, JournalHead("call-1", CREATED, POLICY))
        for now, event, effects in real_steps():
            writer.step(now, event, effects)
        writer.flush()
    return path


def changed(journal: Path, tmp_path: Path, line: int, change: dict[str, object]) -> Path:
    """A copy of the journal in which fields of one step were replaced."""
    lines = journal.read_bytes().split(b"\n")
    lines[line - 1] = orjson.dumps(orjson.loads(lines[line - 1]) | change)
    copy = tmp_path / "changed.jsonl"
    copy.write_bytes(b"\n".join(lines))
    return copy


def line_with(journal: Path, text: str) -> int:
    return next(i for i, line in enumerate(journal.read_text().split("\n"), 1) if text in line)


def test_the_sample_holds_what_a_replay_must_repeat() -> None:
    steps = real_steps()
    names = {type(effect).__name__ for _, _, effects in steps for effect in effects}
    assert {"Interrupted", "SendClear", "StartModel", "ReplyEnded", "AudioHeard", "Closed"} <= names
    assert any(isinstance(event, VoiceAudio) for _, event, _ in steps)
    assert any(event is None for _, event, _ in steps)


def test_a_call_replays_to_the_same_effects(real_journal: Path) -> None:
    result = replay(real_journal)
    assert result.same
    assert result.steps == len(real_steps())
    assert str(result) == f"{result.steps} steps, all with the same effects"


def test_another_effect_in_the_file_is_the_first_difference(real_journal: Path, tmp_path: Path) -> None:
    line = line_with(real_journal, '"type":"SendClear"')
    result = replay(changed(real_journal, tmp_path, line, {"effects": [{"type": "SendClear"}]}))
    assert not result.same and result.first_difference is not None
    assert result.first_difference.line == line
    assert result.first_difference.expected == [{"type": "SendClear"}]
    assert len(result.first_difference.got) > 1
    assert f"line {line}" in str(result)


def test_another_event_leads_to_other_effects(real_journal: Path, tmp_path: Path) -> None:
    line = line_with(real_journal, "no wait make it small")
    result = replay(changed(real_journal, tmp_path, line, {"event": {"type": "FinalWords", "text": "yes"}}))
    assert result.first_difference is not None and result.first_difference.line >= line


def test_another_policy_leads_to_other_effects(real_journal: Path, tmp_path: Path) -> None:
    head = orjson.loads(real_journal.read_bytes().split(b"\n")[0])
    head["policy"]["opening"]["message"] = "Good evening."
    result = replay(changed(real_journal, tmp_path, 1, head))
    assert result.first_difference is not None
    assert "Good evening." in str(result.first_difference)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(EngineError, match="line 1"):
        replay(path)
