"""The transcript: who said what, when it sounded, and only what was heard."""

from __future__ import annotations

from engine.core import notes as nt
from engine.observe.timeline import Timeline
from engine.records.transcript import Line, TranscriptFold
from tests.observe.real_call import real_steps
from tests.observe.sample_call import ATTACK, sample_steps


def lines_of(*notes: nt.Note) -> list[Line]:
    timeline = Timeline()
    fold = TranscriptFold(timeline)
    for note in notes:
        timeline.add(note)
        fold.add(note)
    return fold.lines()


def notes_of(steps: list) -> list[nt.Note]:
    return [effect for _, _, effects in steps for effect in effects if isinstance(effect, nt.Note)]


def test_the_sample_call() -> None:
    lines = lines_of(*notes_of(sample_steps()))
    assert [(line.role, line.start, line.end) for line in lines] == [
        ("assistant", 0.12, 2.9),
        ("user", 3.6, 6.5),
        ("tool", 6.9, 6.93),
        ("assistant", 7.16, 9.72),
        ("user", 9.6, 11.0),
        ("assistant", 12.32, 15.6),
        ("assistant", 23.2, 24.3),
        ("user", 25.6, 26.8),
        ("assistant", 27.53, 28.8),
    ]
    assert lines[1].text == f"I would like {ATTACK} please"
    assert (lines[2].name, lines[2].text, lines[2].failed) == ("look_up", '{"price": 4}', False)
    assert lines[3].text == "One latte. What size would you" and lines[3].interrupted
    assert not any(line.interrupted for i, line in enumerate(lines) if i != 3)


def test_a_real_call_tells_only_what_was_heard() -> None:
    lines = lines_of(*notes_of(real_steps()))
    assert [line.role for line in lines[:4]] == ["assistant", "user", "assistant", "user"]
    assert lines[0].text == "Hello, what can I get you?" and not lines[0].interrupted
    assert lines[2].interrupted and "One large latte coming up, would you like".startswith(lines[2].text)
    assert (lines[1].start, lines[1].end) == (2.7, 3.7)


def test_an_amended_message_is_one_message_over_both_stretches_of_speech() -> None:
    (line,) = lines_of(
        nt.SpeechStarted(1_000),
        nt.SpeechEnded(2_000),
        nt.MessageAdded(2_600, "user", "I want"),
        nt.SpeechStarted(2_700),
        nt.SpeechEnded(3_500),
        nt.MessageAdded(4_100, "user", "I want a latte", amended=True),
    )
    assert (line.text, line.start, line.end) == ("I want a latte", 1.0, 3.5)


def test_a_cough_long_before_is_not_part_of_the_message() -> None:
    (line,) = lines_of(
        nt.SpeechStarted(1_000),
        nt.SpeechEnded(1_300),
        nt.SpeechStarted(9_000),
        nt.SpeechEnded(10_000),
        nt.MessageAdded(10_600, "user", "hello"),
    )
    assert (line.start, line.end) == (9.0, 10.0)


def test_typed_text_has_no_duration() -> None:
    (line,) = lines_of(nt.MessageAdded(5_000, "user", "my name is Ada"))
    assert (line.start, line.end) == (5.0, 5.0)


def test_a_remark_is_told_apart_and_the_prompt_left_out() -> None:
    lines = lines_of(nt.MessageAdded(1, "system", "be nice"), nt.MessageAdded(2, "remark", "mm-hm"))
    assert [(line.role, line.text) for line in lines] == [("remark", "mm-hm")]


def test_a_failed_tool_says_why() -> None:
    (line,) = lines_of(nt.ToolStarted(1, "t", "pay", "{}"), nt.ToolEnded(9, "t", "pay", "timed out"))
    assert (line.role, line.text, line.failed) == ("tool", "timed out", True)


CUT_SHORT = (
    nt.ReplyStarted(0, 1, "answer"),
    nt.ReplyStage(500, 1, "first_heard"),
    nt.SpeechStarted(500, "agent"),
    nt.SpeechEnded(1_200, "agent"),
)


def test_an_interrupted_reply_ends_with_its_sound_and_not_with_the_decision() -> None:
    (line,) = lines_of(
        *CUT_SHORT,
        nt.ReplyEnded(2_000, 1, "answer", nt.Cut.CUT, "One", 700),
        nt.MessageAdded(2_000, "assistant", "One", reply=1),
    )
    assert (line.start, line.end, line.interrupted) == (0.5, 1.2, True)


def test_a_reply_that_was_held_and_went_on_lasts_from_its_first_sound_to_its_last() -> None:
    notes = [*CUT_SHORT, nt.MessageAdded(1_900, "assistant", "One", reply=1)]
    assert lines_of(*notes)[0].end is None, "a held reply may go on"
    notes += [
        nt.SpeechStarted(2_000, "agent"),
        nt.SpeechEnded(3_000, "agent"),
        nt.ReplyEnded(3_100, 1, "answer", nt.Cut.DONE, "One", 1_700),
    ]
    (line,) = lines_of(*notes)
    assert (line.start, line.end, line.interrupted) == (0.5, 3.0, False)


def test_a_reply_that_the_end_of_the_call_left_open_has_an_end() -> None:
    notes = (*CUT_SHORT, nt.MessageAdded(1_900, "assistant", "One", reply=1), nt.Closed(5_000))
    assert lines_of(*notes)[0].end == 1.2


def test_a_real_interruption_ends_the_line_where_the_agent_fell_silent() -> None:
    notes = notes_of(real_steps())
    cut = next(line for line in lines_of(*notes) if line.interrupted)
    timeline = Timeline()
    for note in notes:
        timeline.add(note)
    stop = timeline.interruptions[0]
    assert stop.silent is not None and stop.decided is not None and stop.silent < stop.decided
    assert cut.end == (stop.silent - timeline.origin) / 1000


def test_a_reply_that_is_being_spoken_has_no_end() -> None:
    (line,) = lines_of(
        nt.ReplyStarted(1, 1, "answer"),
        nt.ReplyStage(500, 1, "first_heard"),
        nt.MessageAdded(900, "assistant", "One", reply=1),
    )
    assert (line.start, line.end, line.interrupted) == (0.5, None, False)
