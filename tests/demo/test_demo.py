"""One whole spoken call, judged by what it leaves behind: the files a user would open."""

from __future__ import annotations

import sys
from array import array
from itertools import pairwise
from json import loads
from math import log10, sqrt
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.audio import mulaw
from engine.core import notes
from engine.observe.replay import replay
from tests.demo.finished_call import RATE, Call

LEVEL_OF_SPEECH = -40.0
"""dBFS."""
SILENT_REST = mulaw.silence(20)
"""The end of a reply is filled up to a whole frame."""


def level(samples: array[int]) -> float:
    return 10 * log10(sum(sample * sample for sample in samples) / len(samples) / 2**30 + 1e-12)


def pcm(payload: bytes) -> array[int]:
    return array("h", mulaw.decode(payload))


def test_the_last_line_is_the_folder_with_all_its_files(demo: Call) -> None:
    assert demo.status == 0
    names = {file.name for file in demo.folder.iterdir()}
    assert names == {"recording.wav", "transcript.json", "record.json", "journal.jsonl", "report.html"}


def test_the_terminal_showed_the_call_live(demo: Call) -> None:
    shown = "\n".join(demo.printed[:-1])
    for moment in ("joined", "caller speaks", "barge", "(interrupted)", "awaiting response", "agent hung up"):
        assert moment in shown


def test_the_caller_interrupted_once_fell_silent_once_and_the_agent_hung_up(demo: Call) -> None:
    assert demo.record["end"]["reason"] == "agent_hung_up"
    assert demo.record["error_count"] == 0
    assert [each["outcome"] for each in demo.record["interruptions"]] == ["stop"]
    assert [clock["clock"] for clock in demo.record["clocks"]] == ["awaiting_response"]
    said = [line["text"] for line in demo.transcript if line["role"] == "user"]
    assert said[0] == "i need an appointment on tuesday please"
    assert said[-1] == "goodbye"
    assert len(said) == 5
    booked = {"day": "tuesday", "time": "11:00", "name": "David Miller"}
    assert booked in [loads(tool["arguments"]) for tool in demo.record["tools"]]


def test_both_sides_are_heard_in_a_recording_as_long_as_the_call(demo: Call) -> None:
    for track in demo.tracks:
        frames = [level(track[at : at + 160]) for at in range(0, len(track) - 160, 160)]
        speech = [frame for frame in frames if frame > LEVEL_OF_SPEECH]
        assert len(speech) * 0.02 > 5, "less than five seconds of speech"
        assert -26 < 20 * log10(sqrt(sum(10 ** (frame / 10) for frame in speech) / len(speech))) < -14
    (joined,), (closed,) = demo.notes(notes.Joined), demo.notes(notes.Closed)
    assert len(demo.tracks[1]) / RATE == pytest.approx((closed.at - joined.at) / 1000, abs=0.5)
    assert len(demo.tracks[1]) / RATE == pytest.approx(demo.record["duration"], abs=0.5)


def test_the_agent_was_recorded_without_a_gap_as_the_voice_spoke_it(demo: Call) -> None:
    (joined,) = demo.notes(notes.Joined)
    heard = demo.heard()
    assert len(heard) >= 6
    for reply, spans in heard.items():
        for (start, length), (following, _) in pairwise(spans):
            assert abs(following - (start + length / 8)) <= 20
        voice = pcm(b"".join(audio for audio, _ in demo.spoken(reply)) + SILENT_REST)
        at = 0
        for start, length in spans:
            first = (start - joined.at) * 8
            whole = length - length % 8  # the next span begins at a whole ms, over the last samples
            assert demo.tracks[1][first : first + whole] == voice[at : at + whole]
            at += length


def onset(demo: Call) -> int:
    """The first sample of the interruption that has a voice in it."""
    caller = demo.tracks[0]
    since = int((demo.record["interruptions"][0]["at"] - 0.3) * RATE)
    return next(at for at in range(since, len(caller), 80) if level(caller[at : at + 80]) > LEVEL_OF_SPEECH)


def test_the_agent_fell_silent_when_it_was_interrupted(demo: Call) -> None:
    began = onset(demo)
    answer = next(line for line in demo.transcript if line["start"] > demo.interrupted["start"] + 1
                  and line["role"] == "assistant")  # fmt: skip
    over = demo.tracks[1][began : int(answer["start"] * RATE)]
    last = max((at for at, sample in enumerate(over) if sample), default=0)
    assert last < 0.3 * RATE
    assert any(demo.tracks[1][began - RATE // 2 : began]), "the agent was not speaking: no interruption"


def test_the_transcript_holds_what_the_recording_holds_of_the_words(demo: Call) -> None:
    (cut,) = demo.notes(notes.ReplyEnded, how=notes.Cut.CUT)
    assert demo.interrupted["text"] == cut.heard.strip()
    words, at = [], 0
    for audio, starts in demo.spoken(cut.reply):
        words += [(text, at + start) for text, start in starts]
        at += len(audio)
    length = sum(length for _, length in demo.heard()[cut.reply])
    kept = len(cut.heard.split())
    assert [text for text, _ in words[:kept]] == cut.heard.split()
    last, following = words[kept - 1][1], words[kept][1]
    ends = [start for _, start in words[1:]] + [at]
    assert length > (last + ends[kept - 1]) / 2, "the last word of the transcript was hardly heard"
    assert length < ends[kept], "a whole word more was heard than the transcript says"
    assert last < following


def test_the_silence_was_ended_by_the_clock_and_its_message_heard(demo: Call) -> None:
    (message,) = (line for line in demo.transcript if line["text"] == "Are you still there?")
    before = max(line["end"] for line in demo.transcript if line["end"] and line["end"] < message["start"])
    assert message["start"] - before == pytest.approx(7.5, abs=0.3)
    track = demo.tracks[1][int(message["start"] * RATE) : int(message["end"] * RATE)]
    assert level(track) > LEVEL_OF_SPEECH


def test_the_same_events_give_the_same_effects(
    demo: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    journal = demo.folder / "journal.jsonl"
    result = replay(journal)
    assert result.same
    assert result.steps == len(demo.steps)
    assert command(monkeypatch, "replay", str(journal)) == 0
    assert "all with the same effects" in capsys.readouterr().out
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(journal.read_bytes().replace(b"Are you still there?", b"Are you still here?"))
    head, rest = changed.read_bytes().split(b"\n", 1)
    changed.write_bytes(head.replace(b"still here", b"still there") + b"\n" + rest)
    assert command(monkeypatch, "replay", str(changed)) == 1
    assert "the last one differs" in capsys.readouterr().out


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of ``engine`` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["engine", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
