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
        " 0:07.160  answer 660 ms  (turn end 600  model 210  sentence 50  voice 90  hand-over 2  carrier 58)",
        " 0:07.100  turn   over after 600 ms of silence (silence)",
        " 0:09.720  barge  hold 120 ms after onset (sound)",
        " 0:10.020  barge  stop 420 ms after onset (words)",
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


def test_an_interim_is_printed_when_it_grew_by_a_word() -> None:
    lines = printed(
        nt.WordsRecognised(0, "I"),
        nt.WordsRecognised(1, "I"),
        nt.WordsRecognised(2, "I want"),
        nt.WordsRecognised(3, "I want", final=True),
        nt.WordsRecognised(4, "yes"),
    )
    assert [line.split("caller ")[1] for line in lines] == ["I …", "I want …", "I want", "yes …"]


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
