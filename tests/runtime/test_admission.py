"""When a call is taken."""

from __future__ import annotations

import pytest

from engine.runtime.admission import Admission, Refusal
from engine.runtime.lag import SAMPLES, RecentLag


def test_the_p99_is_the_second_longest_of_the_last_hundred() -> None:
    lag = RecentLag()
    assert lag.p99 == 0
    for ms in (10, 30, 20):
        lag.add(ms / 1000)
    assert lag.p99 == 0.02
    for _ in range(SAMPLES - 2):
        lag.add(0.001)
    assert lag.p99 == 0.02
    lag.add(0.001)
    assert lag.p99 == 0.001


@pytest.mark.parametrize(
    ("calls", "lags", "draining", "refusal"),
    [
        (0, [], False, None),
        (1, [0.05, 0.05], False, None),
        (1, [0.051], False, None),
        (1, [0.051, 0.051], False, Refusal.LATE),
        (2, [], False, Refusal.FULL),
        (3, [0.051, 0.051], False, Refusal.FULL),
        (0, [], True, Refusal.DRAINING),
        (2, [0.051, 0.051], True, Refusal.DRAINING),
    ],
)
def test_what_refuses(calls: int, lags: list[float], draining: bool, refusal: Refusal | None) -> None:
    admission = Admission(2, 0.05)
    admission.draining = draining
    for seconds in lags:
        admission.lag.add(seconds)
    assert admission.refusal(calls) is refusal


def test_without_limits_only_a_drain_refuses() -> None:
    admission = Admission(None, None)
    admission.lag.add(9.0)
    admission.lag.add(9.0)
    assert admission.refusal(10_000) is None
    admission.draining = True
    assert admission.refusal(0) is Refusal.DRAINING
