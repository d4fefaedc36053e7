"""The built-in lines say what their texts say, to the recogniser too, at a telephone's level."""

from __future__ import annotations

import pytest

from engine.audio.level import level_dbfs
from engine.demo.make_lines import SPEECH_LEVEL, hear, plain
from engine.demo.script import LINES, TEXTS
from engine.demo.wav import read_speech


@pytest.mark.parametrize("playbook", TEXTS)
async def test_the_recogniser_understands_every_line(playbook: str) -> None:
    pytest.importorskip("pocketsphinx")
    texts = TEXTS[playbook]
    assert sorted(file.stem for file in (LINES / playbook).glob("*.wav")) == list(texts)
    lines = {name: read_speech(LINES / playbook / f"{name}.wav") for name in texts}
    assert await hear(playbook, lines) == {name: plain(text) for name, text in texts.items()}


@pytest.mark.parametrize("line", sorted(LINES.glob("*/*.wav")), ids=lambda line: line.stem)
def test_every_line_is_as_loud_as_speech_on_a_phone(line: object) -> None:
    speech = read_speech(line)  # type: ignore[arg-type]
    frames = [level_dbfs(speech[at : at + 160]) for at in range(0, len(speech), 160)]
    loud = [frame for frame in frames if frame > max(frames) - 25]
    assert max(loud) < 0
    assert sum(loud) / len(loud) == pytest.approx(SPEECH_LEVEL, abs=5)
