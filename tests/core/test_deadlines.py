"""Named alarms: one of each name, the earliest, the due ones in order."""

from __future__ import annotations

from engine.core.deadlines import Deadlines


def test_nothing_is_set_at_first() -> None:
    deadlines = Deadlines()
    assert deadlines.next is None
    assert deadlines.take_due(10**9) is None
    assert len(deadlines) == 0 and "a" not in deadlines


def test_the_earliest_is_next_and_due_at_its_millisecond() -> None:
    deadlines = Deadlines()
    deadlines.set("late", 300)
    deadlines.set("early", 200)
    assert deadlines.next == 200
    assert deadlines.take_due(199) is None
    assert deadlines.take_due(200) == "early"
    assert deadlines.next == 300


def test_setting_a_name_again_moves_its_alarm() -> None:
    deadlines = Deadlines()
    deadlines.set("a", 100)
    deadlines.set("a", 500)
    assert (deadlines.at("a"), len(deadlines)) == (500, 1)
    assert deadlines.take_due(499) is None


def test_due_ones_come_by_time_and_then_by_name() -> None:
    deadlines = Deadlines()
    for name, at in (("z", 100), ("b", 200), ("a", 200), ("c", 300)):
        deadlines.set(name, at)
    assert [deadlines.take_due(250) for _ in range(4)] == ["z", "a", "b", None]


def test_cancelled_and_cleared_alarms_never_go_off() -> None:
    deadlines = Deadlines()
    deadlines.set("a", 100)
    deadlines.set("b", 200)
    deadlines.cancel("a")
    deadlines.cancel("never set")
    assert deadlines.at("a") is None and deadlines.next == 200
    deadlines.clear()
    assert deadlines.next is None
