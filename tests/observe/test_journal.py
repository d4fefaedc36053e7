"""A journal holds a call: what was written is read again, and a bad file is refused by line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from engine.core.events import VoiceAudio
from engine.errors import EngineError
from engine.observe.journal import JournalHead, JournalWriter, read_head, read_steps
from tests.observe.sample_call import CREATED, FACTS, POLICY, sample_steps

HEAD = JournalHead("call-1", CREATED, POLICY, FACTS.about())


def written(path: Path) -> Path:
    with path.open("wb") as file:
        writer = JournalWriter(file, HEAD)
        for now, event, effects in sample_steps():
            writer.step(now, event, effects)
        writer.flush()
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return written(tmp_path / "journal.jsonl")


def test_the_head_comes_back(journal: Path) -> None:
    assert read_head(journal) == HEAD


def test_the_steps_come_back(journal: Path) -> None:
    steps = list(read_steps(journal))
    sample = sample_steps()
    assert [step.now for step in steps] == [now for now, _, _ in sample]
    assert [type(step.event) for step in steps] == [type(event) for _, event, _ in sample]
    assert [len(step.effects()) for step in steps] == [len(effects) for _, _, effects in sample]
    assert steps[0].line == 2 and steps[0].event == sample[0][1]


def test_lines_are_written_in_batches() -> None:
    file = io.BytesIO()
    writer = JournalWriter(file, HEAD)
    head = len(file.getvalue())
    for now in range(63):
        writer.step(now, None, [])
    assert len(file.getvalue()) == head
    writer.step(64, None, [])
    assert file.getvalue().count(b"\n") == 65


def test_a_last_line_cut_short_is_left_out(journal: Path) -> None:
    whole = len(list(read_steps(journal)))
    journal.write_bytes(journal.read_bytes()[:-5])
    assert len(list(read_steps(journal))) == whole - 1


def test_the_wall_time_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        JournalWriter(io.BytesIO(), JournalHead("call-1", CREATED.replace(tzinfo=None), POLICY))


@pytest.mark.parametrize(
    ("line", "text", "complaint"),
    [
        (1, "", "line 1: not JSON"),
        (1, "[]", "line 1: expected an object"),
        (1, '{"journal": 99}', "line 1: this is no journal of version 1"),
        (3, "{oops", "line 3: not JSON"),
        (3, '{"now": -5, "event": null, "effects": []}', "line 3: a step needs now"),
        (3, '{"now": "soon", "event": null, "effects": []}', "line 3: a step needs now"),
        (3, '{"now": 400, "event": null, "effects": 1}', "line 3: a step needs now"),
        (
            3,
            '{"now": 400, "event": {"type": "Nothing"}, "effects": []}',
            "line 3: event: no event has the type",
        ),
        (
            3,
            '{"now": 400, "event": null, "effects": [{"type": "SendMark"}]}',
            "line 3: SendMark.name is missing",
        ),
    ],
)
def test_a_bad_file_is_refused_by_line(journal: Path, line: int, text: str, complaint: str) -> None:
    lines = journal.read_text().split("\n")
    lines[line - 1] = text
    journal.write_text("\n".join(lines))
    with pytest.raises(EngineError, match=complaint):
        read_head(journal)
        for step in read_steps(journal):
            step.effects()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        read_head(tmp_path / "nothing.jsonl")


def test_no_audio_of_the_caller_is_in_the_file(journal: Path) -> None:
    assert not any(isinstance(event, VoiceAudio) for _, event, _ in sample_steps())
    assert "mulaw" not in journal.read_text()
