"""One call of the live benchmarks: phone, worker and vendors as processes of their own, over real sockets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.latency import COMMAND
from benchmarks.lines import lines, read, write
from benchmarks.peers import script_of
from benchmarks.scene import play
from benchmarks.subjects.engine_app import AGENT
from benchmarks.vendors import PROFILES
from benchmarks.waterfall import STAGES, read_turns

pytest.importorskip("uvloop")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def no_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("espeakng_loader", reason="the callers' voice")
    monkeypatch.setenv("ENGINE_SPEECH", str(tmp_path))


def test_a_call_is_held_and_every_stage_of_its_answer_known(no_recordings: None) -> None:
    script, about = lines("finished")
    assert "synthetic" in about
    heard = play(COMMAND, script[:1], 1, profile="fast", notes=True)
    assert heard.failed == 0
    (turn,) = read_turns(heard, PROFILES["fast"], AGENT)
    assert not turn.early
    assert set(turn.stages) == set(STAGES)
    moments = [turn.stages[name] for name in ("model asked", "first text", "first audio", "sent")]
    assert moments == sorted(moments)
    assert turn.engine is not None and turn.answer is not None
    assert turn.answer >= PROFILES["fast"].words
    assert heard.cpu_ms > 0 and heard.idle_mb > 0
    assert heard.connections["transcriber_connections"] == 1


def test_a_script_of_lines_is_the_same_when_it_is_read(no_recordings: None, tmp_path: Path) -> None:
    script = script_of(lines("pausing")[0], 3)
    assert [said.over for said in script] == [False, False, True]
    write(tmp_path / "lines.json", script)
    assert read(tmp_path / "lines.json") == script
    for said in script:
        (_, pause), (goes_on, _) = said.line.speech
        assert goes_on - pause in (300, 380, 460)
