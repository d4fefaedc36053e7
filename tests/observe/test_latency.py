"""Where an answer's time went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import notes as nt
from engine.observe.latency import Bar, StageLatency, answer_ms, latencies, percentile, shares, waterfall
from engine.observe.timeline import Timeline
from tests.observe.sample_call import sample_steps


@pytest.fixture(scope="module")
def line() -> Timeline:
    timeline = Timeline()
    for _, _, effects in sample_steps():
        for effect in effects:
            if isinstance(effect, nt.Note):
                timeline.add(effect)
    return timeline


def test_a_drafts_waterfall_overlaps_the_wait(line: Timeline) -> None:
    assert waterfall(line, line.turns[0]) == [
        Bar("turn end", 0, 600),
        Bar("model", 180, 390),
        Bar("sentence", 390, 440),
        Bar("voice", 440, 530),
        Bar("hand-over", 600, 602),
        Bar("carrier", 602, 660),
    ]
    assert answer_ms(line, line.turns[0]) == 660


def test_what_the_stages_added_is_the_answer(line: Timeline) -> None:
    assert shares(line, line.turns[0]) == [("turn end", 600), ("hand-over", 2), ("carrier", 58)]
    assert shares(line, line.turns[1])[:2] == [("turn end", 460), ("model", 640)]
    for turn in line.turns:
        assert sum(ms for _, ms in shares(line, turn)) == answer_ms(line, turn)


def test_time_that_no_stage_covers_is_told_as_such() -> None:
    timeline = Timeline()
    for note in (
        nt.TurnEnded(1_000, "hello", 400, 600),
        nt.ReplyStarted(1_000, 1, "answer"),
        nt.ReplyStage(1_200, 1, "first_sent"),
        nt.ReplyStage(1_250, 1, "first_heard"),
    ):
        timeline.add(note)
    assert shares(timeline, timeline.turns[0]) == [("turn end", 600), ("other", 200), ("carrier", 50)]


def test_a_model_that_speaks_itself_has_a_voice_and_no_sentence() -> None:
    timeline = Timeline()
    for note in (
        nt.ReplyStarted(700, 1, "answer", draft=True),
        nt.ReplyStage(700, 1, "model_asked"),
        nt.TurnEnded(1_000, "hello", 400, 600),
        nt.ReplyChosen(1_000, 1),
        nt.ReplyStage(1_100, 1, "first_text"),
        nt.ReplyStage(1_220, 1, "first_audio"),
        nt.ReplyStage(1_221, 1, "first_sent"),
        nt.ReplyStage(1_250, 1, "first_heard"),
    ):
        timeline.add(note)
    parts = [("turn end", 600), ("model", 100), ("voice", 120), ("hand-over", 1), ("carrier", 29)]
    assert shares(timeline, timeline.turns[0]) == parts


@pytest.mark.parametrize("why", ["key", "say now", "text"])
def test_only_a_sound_has_a_reaction_to_measure(why: str) -> None:
    timeline = Timeline()
    timeline.add(nt.Interrupted(500, "stop", 500, why))
    assert latencies(timeline) == []


def test_percentiles_over_the_call(line: Timeline) -> None:
    of = {each.stage: each for each in latencies(line)}
    assert of["answer"] == StageLatency("answer", 3, 730, 1_320, 1_320)
    assert of["turn end"] == StageLatency("turn end", 3, 460, 600, 600)
    assert of["interruption"] == StageLatency("interruption", 2, 120, 120, 120)


def test_a_turn_without_an_answer_has_only_its_wait() -> None:
    timeline = Timeline()
    timeline.add(nt.TurnEnded(1_000, "hello", 400, 600))
    assert waterfall(timeline, timeline.turns[0]) == [Bar("turn end", 0, 600)]
    assert answer_ms(timeline, timeline.turns[0]) is None
    assert [each.stage for each in latencies(timeline)] == ["turn end"]


def test_nearest_rank() -> None:
    assert [percentile(range(1, 101), p) for p in (50, 90, 99, 100)] == [50, 90, 99, 100]
    assert percentile([7], 50) == percentile([7], 99) == 7
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@given(st.lists(st.integers(0, 5_000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_enough_do_not_exceed(values: list[int], percent: int) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
