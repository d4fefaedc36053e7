"""Media time: samples counted, timestamps asked only for what is missing."""

from __future__ import annotations

from engine.wire.media_clock import MAX_GAP_MS, MediaClock

FRAME = 160


def play(clock: MediaClock, *timestamps: int) -> list[tuple[int | None, int]]:
    return [(clock.missing(timestamp), clock.advance(FRAME)) for timestamp in timestamps]


def test_time_starts_at_the_first_sample() -> None:
    assert play(MediaClock(), 121, 141) == [(0, 0), (0, 20)]


def test_jitter_is_no_gap() -> None:
    assert play(MediaClock(), 5, 31, 38, 84, 85) == [(0, 0), (0, 20), (0, 40), (0, 60), (0, 80)]


def test_one_lost_frame_is_a_gap() -> None:
    assert play(MediaClock(), 0, 40, 60) == [(0, 0), (20, 40), (0, 60)]


def test_slow_drift_becomes_a_gap_once_a_frame_is_missing() -> None:
    missing = [gap for gap, _ in play(MediaClock(), *(21 * n for n in range(45)))]
    assert [n for n, gap in enumerate(missing) if gap] == [20, 40]
    assert sum(gap or 0 for gap in missing) == 40


def test_one_timestamp_that_goes_back_is_not_believed() -> None:
    assert play(MediaClock(), 100, 120, 0, 160, 180) == [(0, 0), (0, 20), (None, 40), (0, 60), (0, 80)]


def test_one_absurd_timestamp_is_not_believed() -> None:
    late = 20 + MAX_GAP_MS + 1
    assert play(MediaClock(), 0, late, 40) == [(0, 0), (None, 20), (0, 40)]
    assert play(MediaClock(), 0, late - 1, late + 19) == [(0, 0), (MAX_GAP_MS, late - 1), (0, late + 19)]


def test_a_clock_set_anew_is_followed() -> None:
    out = play(MediaClock(), 900, 920, 0, 20, 40, 100)
    assert out == [(0, 0), (0, 20), (None, 40), (None, 60), (0, 80), (40, 140)]
