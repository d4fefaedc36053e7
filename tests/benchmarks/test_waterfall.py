"""What a turn took, and what of it the engine added."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.scene import Heard
from benchmarks.vendors import PROFILES, Tail, serial_of
from benchmarks.waterfall import Turn, read_turns

END = 1_000.0
"""s: when the caller's last voiced frame was sent."""
REFERENCE = PROFILES["reference"]


def note(kind: str, after_ms: float, **about: Any) -> dict[str, Any]:
    return {"t": END + after_ms / 1000, "call": "c1", "note": kind, **about}


def turn_of(answer_ms: float | None, *more: dict[str, Any], why: str = "finished, voted over") -> Turn:
    notes = [
        note("Joined", -9_000, carrier_call_id="CA1"),
        note("ReplyStage", -3_000, reply=1, stage="first_sent"),
        note("WordsRecognised", 101, final=True, text="All done."),
        note("ReplyStage", 102, reply=2, stage="model_asked"),
        note("TurnEnded", 200, text="All done.", why=why, waited=200),
        note("ReplyText", 353, reply=2, text="This is answer 7 for you now."),
        note("ReplyStage", 436, reply=2, stage="first_sent"),
        *more,
    ]
    turn = {
        "line": "x",
        "start": END - 2,
        "end": END,
        "next": END + 4,
        "early": False,
        "answer_ms": answer_ms,
    }
    heard = Heard([{"call": "CA1", "turns": [turn]}], notes)
    (found,) = read_turns(heard, REFERENCE, {})
    return found


def test_the_engine_added_what_neither_vendors_nor_policy_took() -> None:
    turn = turn_of(437)
    assert REFERENCE.chain(7) == pytest.approx(430)
    assert turn.engine == pytest.approx(7)
    assert turn.stages["words final"] == pytest.approx(101)
    assert turn.stages["model asked"] == pytest.approx(102)
    assert turn.stages["at the ear"] == 437


def test_a_policy_that_waits_longer_than_the_vendors_is_no_delay_of_the_engine() -> None:
    ended = note("TurnEnded", 600, text="so it", why="silence", waited=610)
    assert turn_of(610, ended).engine == pytest.approx(10)


def test_a_turn_without_an_answer_has_no_engine_time() -> None:
    turn = turn_of(None)
    assert (turn.answer, turn.engine) == (None, None)


def test_a_long_tail_has_its_percentiles_and_the_same_draw_for_the_same_number() -> None:
    tail = Tail(350, 1_200)
    drawn = sorted(tail.drawn("model", serial) for serial in range(1, 4_001))
    assert drawn[2_000] == pytest.approx(350, rel=0.05)
    assert drawn[3_960] == pytest.approx(1_200, rel=0.15)
    assert tail.drawn("model", 3) == tail.drawn("model", 3) != tail.drawn("voice", 3)
    assert serial_of("This is answer 12 for you now.") == 12
    assert serial_of("Hello") is None
