"""The timeline of a call is what its notes said, at any moment of it."""

from __future__ import annotations

from engine.core import notes as nt
from engine.observe.timeline import Interruption, Span, Timeline
from tests.observe.real_call import real_steps
from tests.observe.sample_call import JOINED, sample_steps


def timeline(*notes: nt.Note) -> Timeline:
    line = Timeline()
    for note in notes:
        line.add(note)
    return line


def notes_of(steps: list) -> list[nt.Note]:
    return [effect for _, _, effects in steps for effect in effects if isinstance(effect, nt.Note)]


def test_the_sample_call() -> None:
    line = timeline(*notes_of(sample_steps()))
    assert (line.origin, line.length, line.reason) == (JOINED, 29_000, nt.EndReason.AGENT_HUNG_UP)
    assert line.speech["caller"][:2] == [Span(4_000, 5_200), Span(5_600, 6_900)]
    assert [turn.reply for turn in line.turns] == [2, 3, 5]
    assert line.replies[2].how is nt.Cut.CUT and line.replies[2].heard == "One latte. What size would you"
    assert line.replies[2].text == "One latte. What size would you like?"
    assert [clock.clock for clock in line.clocks] == ["awaiting_response"]
    assert [fault.role for fault in line.faults] == ["model"]
    assert line.tools["t1"].ended == 7_330 and line.tools["t1"].value == '{"price": 4}'
    assert line.interruptions == [
        Interruption(10_000, "stop", "words", silent=10_120, decided=10_420),
        Interruption(13_480, "resume", "no words", silent=13_600, decided=14_100),
    ]


def test_a_real_call_has_its_answers_and_its_interruption() -> None:
    line = timeline(*notes_of(real_steps()))
    assert [turn.text for turn in line.turns] == ["a large latte please", "no wait make it small"]
    for turn in line.turns:
        assert turn.reply is not None and line.replies[turn.reply].kind == "answer"
        assert "first_heard" in line.replies[turn.reply].stages
    assert line.interruptions[0].outcome == "stop" and line.interruptions[0].since == 5_300
    assert line.reason is nt.EndReason.CALLER_HUNG_UP


def test_a_span_is_open_while_it_lasts_and_closed_with_the_call() -> None:
    notes = [nt.Joined(10), nt.SpeechStarted(100, "agent"), nt.SeamOpened(200)]
    line = timeline(*notes)
    assert line.speech["agent"] == [Span(100)] and line.length == 190
    line.add(nt.Closed(900, nt.EndReason.CONNECTION_ERROR))
    assert line.speech["agent"] == [Span(100, 900)] and line.seams == [Span(200, 900)]


def test_a_draft_answers_only_when_it_is_chosen() -> None:
    line = timeline(nt.ReplyStarted(50, 1, "answer", draft=True), nt.TurnEnded(100, "one", 40, 60))
    assert line.turns[0].reply is None
    line.add(nt.ReplyChosen(100, 1))
    assert line.turns[0].reply == 1 and line.replies[1].chosen == 100


def test_a_clocks_message_is_no_answer() -> None:
    line = timeline(nt.TurnEnded(100, "one", 40, 60), nt.ReplyStarted(9_000, 1, "awaiting_response"))
    assert line.turns[0].reply is None


def test_a_turn_that_goes_on_before_its_answer_was_heard_is_one_turn() -> None:
    line = timeline(
        nt.TurnEnded(1_000, "I want", 400, 600, "silence"),
        nt.ReplyStarted(1_000, 1, "answer"),
        nt.ReplyEnded(1_500, 1, "answer", nt.Cut.DROPPED),
        nt.TurnEnded(2_000, "a latte", 1_600, 400, "finished"),
        nt.TurnAmended(2_000, "I want a latte"),
        nt.ReplyStarted(2_000, 2, "answer"),
    )
    (turn,) = line.turns
    assert (turn.number, turn.text, turn.speech_ended, turn.reply) == (1, "I want a latte", 1_600, 2)


def test_late_words_change_the_turn_and_its_reply() -> None:
    line = timeline(
        nt.TurnEnded(1_000, "yes", 400, 600),
        nt.ReplyStarted(1_000, 1, "answer"),
        nt.ReplyStage(1_100, 1, "first_heard"),
        nt.TurnEnded(3_000, "a latt", 2_400, 600),
        nt.ReplyStarted(3_000, 2, "answer"),
        nt.TurnAmended(3_200, "a latte"),
        nt.ReplyStarted(3_200, 3, "answer"),
    )
    assert [(turn.text, turn.reply) for turn in line.turns] == [("yes", 1), ("a latte", 3)]


def test_an_answer_that_was_dropped_unheard_gives_way_to_the_next() -> None:
    line = timeline(
        nt.TurnEnded(1_000, "yes", 400, 600),
        nt.ReplyStarted(1_000, 1, "answer"),
        nt.ReplyStarted(1_300, 2, "answer"),
    )
    assert line.turns[0].reply == 2
    line.add(nt.ReplyStage(1_400, 2, "first_heard"))
    line.add(nt.ReplyStarted(9_000, 3, "answer"))
    assert line.turns[0].reply == 2


def test_a_sound_that_was_never_decided_is_not_joined_to_the_next() -> None:
    line = timeline(nt.Interrupted(500, "duck", 400, "sound"), nt.Interrupted(900, "hold", 800, "sound"))
    assert line.interruptions == [
        Interruption(400, "duck", "sound"),
        Interruption(800, "hold", "sound", silent=900),
    ]


def held_and_resumed() -> Timeline:
    return timeline(
        nt.Joined(0),
        nt.ReplyStarted(0, 1, "answer"),
        nt.ReplyStage(100, 1, "first_heard"),
        nt.SpeechStarted(100, "agent"),
        nt.Interrupted(520, "hold", 400, "sound"),
        nt.SpeechEnded(520, "agent"),
        nt.Interrupted(900, "resume", 400, "no words"),
        nt.SpeechStarted(910, "agent"),
    )


def test_a_reply_is_silent_from_the_end_of_its_last_sound() -> None:
    line = held_and_resumed()
    assert line.replies[1].silent is None
    line.add(nt.SpeechEnded(2_000, "agent"))
    line.add(nt.ReplyEnded(2_400, 1, "answer"))
    assert (line.replies[1].silent, line.replies[1].ended) == (2_000, 2_400)


def test_the_end_of_the_call_ends_a_sound_that_lasts_and_no_other() -> None:
    line = held_and_resumed()
    line.add(nt.Closed(3_000))
    assert line.replies[1].silent == 3_000
    line = timeline(nt.ReplyStarted(0, 1), nt.ReplyStage(9, 1, "first_heard"), nt.SpeechStarted(9, "agent"))
    line.add(nt.SpeechEnded(500, "agent"))
    line.add(nt.Closed(3_000))
    assert line.replies[1].silent == 500


def test_words_that_stop_an_agent_that_no_sound_held_count_from_the_callers_onset() -> None:
    agent, caller = nt.SpeechStarted(100, "agent"), nt.SpeechStarted(700, "caller")
    stop = nt.Interrupted(1_300, "stop", 1_300, "words")
    assert timeline(agent, caller, stop).interruptions == [Interruption(700, "stop", "words", 1_300, 1_300)]
    early = nt.SpeechStarted(50, "caller")
    assert timeline(early, agent, stop).interruptions[0].since == 100
    key = nt.Interrupted(1_300, "stop", 1_300, "key")
    assert timeline(agent, caller, key).interruptions[0].since == 1_300


def test_notes_of_unknown_replies_are_survived() -> None:
    line = timeline(
        nt.ReplyChosen(1, 7),
        nt.ReplyStage(1, 7, "first_text"),
        nt.ReplyText(1, 7, "x"),
        nt.ReplyEnded(1, 7),
        nt.SpeechEnded(1, "agent"),
        nt.TurnAmended(1, "x"),
        nt.ToolEnded(1, "t", "look_up"),
    )
    assert line.replies == {} and line.turns == [] and line.tools["t"].ended == 1
