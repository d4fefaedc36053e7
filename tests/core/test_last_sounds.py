"""Words die away: what faint voice behind the last loud one does to the end of the turn."""

from __future__ import annotations

import pytest

from engine.core.notes import ReplyEnded, ReplyStarted, TurnEnded
from engine.testing import Caller, ScriptedTranscriber, World, run_call
from tests.core.turn_scenes import policy

LOUD_UNTIL = 2_000
FAINT = -50.0
"""dBFS; 28 dB below how loud the caller speaks."""
WHOLE, OPEN = "I would like a table.", "I would like a table"


def dies_away(text: str, *faint: int, **turns: int) -> World:
    """Someone who is loud until `LOUD_UNTIL`, then faint and (below 0) silent for so many ms."""
    caller = Caller().says(text, at=1_000, lasts=LOUD_UNTIL - 1_000)
    for ms in faint:
        caller.coughs(lasts=abs(ms), level=FAINT, voice=0.9 if ms > 0 else 0.0)
    return run_call(policy(**turns), caller.hangs_up(at=9_000))


def decided(world: World) -> int:
    """From the last loud sound to the end of the turn, ms."""
    (ended,) = world.times(TurnEnded)
    return ended - LOUD_UNTIL


@pytest.mark.parametrize("faint", [(), (20,), (80,), (160,), (60, -20, 60), (300,)])
def test_behind_a_finished_sentence_it_is_silence(faint: tuple[int, ...]) -> None:
    assert decided(dies_away(WHOLE, *faint)) == 480


@pytest.mark.parametrize(
    ("faint", "expected"),
    [
        ((), 600),
        # The first 80 ms are the caller's own: weak consonants between two vowels are as faint.
        ((40,), 640),
        ((80,), 680),
        # Of what follows, 60 ms are a word's own fall.
        ((120,), 680),
        ((160,), 700),
        ((200,), 740),
        # It may have holes, as speech has, but not for long.
        ((120, -60, 60), 780),
        ((120, -80, 60), 680),
        # It is no speech for ever.
        ((280,), 820),
        ((800,), 820),
    ],
)
def test_behind_words_that_may_go_on_it_is_speech(faint: tuple[int, ...], expected: int) -> None:
    assert decided(dies_away(OPEN, *faint)) == expected


@pytest.mark.parametrize(("text", "expected"), [(WHOLE, 560), (OPEN, 680)])
def test_it_can_be_left_to_the_detector_alone(text: str, expected: int) -> None:
    assert decided(dies_away(text, 300, tail=0)) == expected


def test_it_drops_no_draft_of_an_answer() -> None:
    caller = Caller().says(WHOLE, at=1_000, lasts=LOUD_UNTIL - 1_000).coughs(lasts=80, level=FAINT, voice=0.9)
    transcriber = ScriptedTranscriber(endpointing_ms=20, interim_every=None)
    world = run_call(policy(), caller.hangs_up(at=9_000), transcriber=transcriber)
    (draft,) = world.notes(ReplyStarted)
    assert draft.draft and draft.at == LOUD_UNTIL + 20
    assert [ended.reply for ended in world.notes(ReplyEnded)] == [draft.reply]


def test_louder_voice_behind_it_is_speech_and_ends_the_draft() -> None:
    caller = Caller().says(WHOLE, at=1_000, lasts=LOUD_UNTIL - 1_000).coughs(lasts=40, level=FAINT, voice=0.9)
    caller.coughs(lasts=100).hangs_up(at=9_000)
    world = run_call(policy(), caller, transcriber=ScriptedTranscriber(endpointing_ms=20, interim_every=None))
    assert decided(world) == 40 + 100 + 480
    assert len(world.notes(ReplyStarted)) == 2
