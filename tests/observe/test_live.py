"""The live view prints a call line by line, and nothing that was said can steer the terminal."""

from __future__ import annotations

import io
import sys

import pytest

from engine.core import notes as nt
from engine.errors import MissingExtra
from engine.observe.live import LiveView
from tests.observe.sample_call import sample_steps

pytest.importorskip("rich")


def printed(*notes: nt.Note) -> list[str]:
    file = io.StringIO()
    LiveView(file).on_step(0, None, notes)
    return file.getvalue().splitlines()


def test_the_sample_call_line_by_line() -> None:
    file = io.StringIO()
    view = LiveView(file)
    for now, event, effects in sample_steps():
        view.on_step(now, event, effects)
    lines = file.getvalue().splitlines()
    assert lines[0] == " 0:00.000  call   joined, twilio/1.0"
    assert lines[-1] == " 0:29.000  call   ended after 29.0 s: agent hung up, goodbye"
    for line in (
        " 0:07.160  answer 660 ms after the caller's last sound = end of turn 600 + hand-over 2 + carrier 58",
        " 0:07.100  turn   over after 600 ms of silence: the usual wait",
        " 0:09.720  barge  agent falls silent 120 ms after the caller's first sound (sound)",
        " 0:10.020  barge  caller interrupted the agent, silent after 120 ms (words)",
        " 0:13.700  barge  agent goes on (no words)",
        " 0:09.720  agent  One latte. What size would you  (interrupted)",
        " 0:11.700  error  model: 503 Service Unavailable",
        " 0:23.100  clock  awaiting response",
        " 0:24.900  caller keys 1",
        ' 0:06.900  tool   look_up({"drink": "latte"})',
        ' 0:06.930  tool   look_up → {"price": 4}',
    ):
        assert line in lines, line


def test_plain_lines_without_control_codes_in_a_pipe() -> None:
    file = io.StringIO()
    view = LiveView(file)
    for now, event, effects in sample_steps():
        view.on_step(now, event, effects)
    assert "\x1b" not in file.getvalue() and "\r" not in file.getvalue()


def test_words_cannot_steer_the_terminal_or_the_markup() -> None:
    (line,) = printed(nt.WordsRecognised(0, "a\x1b[2Jb\nc [red]d[/red]\x07", final=True))
    assert line.endswith("caller a [2Jb c [red]d[/red] ")


def heard(*interims: tuple[int, str]) -> list[tuple[str, str]]:
    """Interims at their ms, with a step each 20 ms as a call has: the second and the text of each line."""
    file, coming = io.StringIO(), dict(interims)
    view = LiveView(file)
    for now in range(0, 1_500, 20):
        view.on_step(now, None, [nt.WordsRecognised(now, coming[now])] if now in coming else [])
    return [(line[3:9], line[18:]) for line in file.getvalue().splitlines()]


def test_an_interim_is_printed_at_once_and_the_next_one_a_third_of_a_second_later() -> None:
    lines = heard((0, "I"), (100, "I wand"), (200, "I want"), (1_000, "I want two"))
    assert lines == [("00.000", "I …"), ("00.340", "I want …"), ("01.000", "I want two …")]


def test_an_interim_that_says_the_same_is_not_printed_again() -> None:
    assert heard((0, "I"), (500, "I"), (1_000, "I")) == [("00.000", "I …")]
    assert [text for _, text in heard((0, "I"), (100, "I am"), (200, "I"))] == ["I …"]


def test_final_words_stand_at_once_and_end_what_waits() -> None:
    file = io.StringIO()
    view = LiveView(file)
    for now, text, final in ((0, "I", False), (20, "I wand", False), (40, "I want", True), (900, "", True)):
        view.on_step(now, None, [nt.WordsRecognised(now, text, final)])
    assert [line[18:] for line in file.getvalue().splitlines()] == ["I …", "I want"]


def test_a_key_is_no_sound_of_the_caller() -> None:
    (line,) = printed(nt.Interrupted(500, "stop", 500, "key"))
    assert line.endswith("barge  a key interrupted the agent")


def test_planned_text_is_printed_as_it_grows() -> None:
    lines = printed(
        nt.ReplyStarted(0, 1, "answer"),
        nt.ReplyText(0, 1, "One."),
        nt.ReplyText(1, 1, "One. Two."),
        nt.ReplyText(2, 2, "One."),
    )
    assert [line.split("agent  ")[1] for line in lines] == ["One. …", "Two. …", "One. …"]


def test_a_reply_that_was_never_heard_is_not_said() -> None:
    assert printed(nt.ReplyStarted(0, 1, "answer"), nt.ReplyEnded(1, 1, "answer", nt.Cut.DROPPED)) == []


def test_without_rich_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(MissingExtra, match=r"engine\[server\]"):
        LiveView()
