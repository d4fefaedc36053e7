"""The folder of a call: every file right, whatever happens to the disk or the process."""

from __future__ import annotations

import json
import wave
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from engine.audio import mulaw
from engine.core import events as ev
from engine.core import notes as nt
from engine.core.effects import AudioHeard
from engine.errors import EngineError
from engine.observe.replay import replay
from engine.records.folder import CallFolder, recover
from engine.records.record import CallRecord
from tests.observe.real_call import POLICY as REAL_POLICY
from tests.observe.real_call import real_steps
from tests.observe.sample_call import FACTS, JOINED, POLICY, noise, sample_steps


def kept(root: Path, steps: list | None = None, recording: bool = True) -> Path:
    folder = CallFolder(root, FACTS, POLICY, recording=recording)
    for now, event, effects in sample_steps() if steps is None else steps:
        folder.on_step(now, event, effects)
    folder.close()
    return folder.path


def tracks(path: Path) -> tuple[array, array]:
    with wave.open(str(path / "recording.wav"), "rb") as file:
        samples = array("h", file.readframes(file.getnframes()))
    return samples[0::2], samples[1::2]


def test_all_files_of_a_call(tmp_path: Path) -> None:
    path = kept(tmp_path)
    names = ["journal.jsonl", "record.json", "recording.wav", "report.html", "transcript.json"]
    assert path == tmp_path / "call-1"
    assert sorted(file.name for file in path.iterdir()) == names
    record = CallRecord.model_validate_json((path / "record.json").read_bytes())
    assert sorted(record.files) == names and record.duration == 29.0
    transcript = json.loads((path / "transcript.json").read_text())
    assert transcript[0]["role"] == "assistant" and transcript[3]["interrupted"] is True
    assert "Agent hung up" in (path / "report.html").read_text()


def test_the_recording_has_both_sides_at_their_times(tmp_path: Path) -> None:
    caller, agent = tracks(kept(tmp_path))
    assert len(caller) == 29_000 * 8
    spoken = array("h", mulaw.decode(noise(1_200, 4_000)))
    assert caller[(4_000 - JOINED) * 8 : (5_200 - JOINED) * 8] == spoken
    greeting = array("h", mulaw.decode(noise(2_780, 1, 0.4)))
    assert agent[120 * 8 : 2_900 * 8] == greeting
    assert not any(agent[2_900 * 8 : 7_160 * 8])


@pytest.mark.parametrize(("late", "kept_ms"), [(12, 12), (5_000, 500)])
def test_a_last_sound_that_ends_after_the_call_is_in_the_recording(
    tmp_path: Path, late: int, kept_ms: int
) -> None:
    *steps, closing = sample_steps()
    heard = AudioHeard(noise(200 + late, 7), closing[0] - 200)
    _, agent = tracks(kept(tmp_path, [*steps, (closing[0], None, [heard]), closing]))
    whole = array("h", mulaw.decode(heard.payload))[: (200 + kept_ms) * 8]
    assert agent[-len(whole) :] == whole


def test_with_recording_off_no_audio_is_stored(tmp_path: Path) -> None:
    path = kept(tmp_path, recording=False)
    assert not (path / "recording.wav").exists()
    assert "recording.wav" not in (path / "record.json").read_text()
    assert 'id="recording"></script>' in (path / "report.html").read_text()


def test_a_second_stream_is_placed_by_when_it_came(tmp_path: Path) -> None:
    loud = mulaw.encode(array("h", [8_000] * 160).tobytes())
    steps = [
        (0, ev.StreamOpened("MZ1"), [nt.Joined(0)]),
        (20, ev.CallerAudio(loud, 0, -12.0, 0.9), []),
        (1_000, ev.StreamOpened("MZ2"), [nt.SeamClosed(1_000)]),
        (1_120, ev.CallerAudio(loud, 0, -12.0, 0.9), []),
        (1_140, ev.CallerAudio(loud, 20, -12.0, 0.9), [AudioHeard(loud, 500)]),
        (2_000, ev.StreamStopped(), [nt.Closed(2_000, nt.EndReason.CALLER_HUNG_UP)]),
    ]
    caller, agent = tracks(kept(tmp_path, steps))
    assert all(caller[0:160]) and not any(caller[160:8_800]) and all(caller[8_800:9_120])
    assert not any(caller[9_120:]) and len(caller) == 16_000
    assert all(agent[4_000:4_160]) and sum(map(bool, agent)) == 160


def test_a_call_that_nobody_joined(tmp_path: Path) -> None:
    path = kept(tmp_path, [(0, ev.Created(), []), (30_000, None, [nt.Closed(30_000, nt.EndReason.UNJOINED)])])
    record = json.loads((path / "record.json").read_text())
    assert record["end"]["ultravox"] == "unjoined" and record["joined"] is None and record["duration"] == 0
    assert len(tracks(path)[0]) == 0


def test_the_record_of_a_living_call(tmp_path: Path) -> None:
    folder = CallFolder(tmp_path, FACTS, POLICY)
    folder.on_step(*sample_steps()[0])
    assert folder.record().end is None
    assert folder.record().files == ["recording.wav", "journal.jsonl"]
    folder.close()


def test_closing_twice_and_stepping_after_do_nothing(tmp_path: Path) -> None:
    folder = CallFolder(tmp_path, FACTS, POLICY)
    folder.close()
    folder.on_step(5, None, [nt.Joined(5)])
    folder.close()
    assert folder.record().joined is None


class FullDisk:
    def __init__(self, file: object) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@pytest.mark.parametrize("part", ["_journal", "_recorder"])
def test_a_full_disk_costs_the_file_and_not_the_call(tmp_path: Path, part: str) -> None:
    folder = CallFolder(tmp_path, FACTS, POLICY)
    writer = getattr(folder, part)
    writer._file = FullDisk(writer._file)
    for step in sample_steps():
        folder.on_step(*step)
    folder.close()
    record = json.loads((folder.path / "record.json").read_text())
    assert record["error_count"] == 2
    (fault,) = [fault for fault in record["faults"] if fault["role"] == "storage"]
    assert "No space left on device" in fault["reason"]
    assert len(json.loads((folder.path / "transcript.json").read_text())) == 9


def test_documents_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept(tmp_path)
    before = (path / "record.json").read_bytes()
    write = Path.write_bytes

    def cut_short(file: Path, content: bytes) -> int:
        write(file, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut_short)
    with pytest.raises(OSError, match="No space"):
        recover(path)
    assert (path / "record.json").read_bytes() == before


def test_a_call_that_died_is_recovered_from_its_journal(tmp_path: Path) -> None:
    folder = CallFolder(tmp_path, FACTS, POLICY)
    for step in sample_steps():
        if step[0] > 15_000:
            break
        folder.on_step(*step)
    assert not (folder.path / "record.json").exists()
    record = recover(folder.path)
    assert record.end is not None and record.end.reason is nt.EndReason.ENGINE_ERROR
    assert 13 < record.duration <= 14.6 and len(record.turns) == 2
    assert "report.html" in record.files
    assert "Engine error" in (folder.path / "report.html").read_text()
    folder.close()


def test_the_journal_of_a_folder_replays(tmp_path: Path) -> None:
    folder = CallFolder(tmp_path, FACTS, REAL_POLICY)
    for step in real_steps():
        folder.on_step(*step)
    folder.close()
    result = replay(folder.path / "journal.jsonl")
    assert result.same and result.steps == len(real_steps())


@pytest.mark.parametrize("call_id", ["", "..", "../up", "a/b", ".hidden", "a b", "x" * 200, "nul\0"])
def test_an_id_that_is_no_name_is_refused(tmp_path: Path, call_id: str) -> None:
    with pytest.raises(EngineError, match="cannot name a folder"):
        CallFolder(tmp_path, replace(FACTS, call_id=call_id), POLICY)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot be used"):
        CallFolder(tmp_path / "file", FACTS, POLICY)
