"""Sequence numbers: loss, lateness, repetition, and counters that begin anew."""

from __future__ import annotations

import pytest

from engine.wire.sequence import WINDOW, SequenceCount


def check(*numbers: int) -> tuple[list[str | None], int]:
    count = SequenceCount()
    return [count.check(number) for number in numbers], count.lost


@pytest.mark.parametrize(
    ("numbers", "last", "lost"),
    [
        ((1, 2, 3), None, 0),
        ((3,), None, 2),
        ((3, 1), "out_of_order", 1),
        ((0, 1), None, 0),
        ((1000, 1001), None, 0),
        ((1, 4), None, 2),
        ((1, 4, 3), "out_of_order", 1),
        ((1, 4, 3, 3), "duplicate", 1),
        ((1, 2, 2), "duplicate", 0),
        ((1, 2, 1), "duplicate", 0),
        ((1, 2 + WINDOW), None, WINDOW),
        ((1, 3 + WINDOW), "sequence_reset", 0),
        ((1, 10**30, 2), "sequence_reset", 0),
        ((1, 10**30, 2, 3), None, 0),
        ((1, 3, 1000, 2), "sequence_reset", 1),
    ],
)
def test_the_last_number_is_judged_by_those_before(
    numbers: tuple[int, ...], last: str | None, lost: int
) -> None:
    verdicts, total = check(*numbers)
    assert (verdicts[-1], total) == (last, lost)


def test_what_is_lost_is_forgotten_when_a_later_jump_leaves_it_behind() -> None:
    assert check(1, 3, *range(4, 60), 2)[0][-1] == "out_of_order"
    verdicts, lost = check(1, 3, *range(4, 60), 61, 2)
    assert (verdicts[-1], lost) == ("sequence_reset", 2)
