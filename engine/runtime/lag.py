"""How late the event loop runs: the one figure that says whether a worker has room for more calls."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

EVERY_S = 0.05
SAMPLES = 100
"""How many measurements are looked back on: five seconds, or longer where the loop came late."""


class LoopLag:
    """Asks for a turn of the loop twenty times a second and measures how late it comes.

    ``tell`` is given each measurement in seconds. Runs until `stop`.
    """

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(EVERY_S, self._sample)

    def _sample(self) -> None:
        self._tell(max(0.0, self._loop.time() - self._timer.when()))
        self._timer = self._loop.call_later(EVERY_S, self._sample)

    def stop(self) -> None:
        """Measure no more."""
        self._timer.cancel()


class RecentLag:
    """The last `SAMPLES` measurements. Those that were not made yet count as being on time."""

    def __init__(self) -> None:
        self._samples = deque([0.0] * SAMPLES, maxlen=SAMPLES)

    def add(self, seconds: float) -> None:
        """Take one measurement, s."""
        self._samples.append(seconds)

    @property
    def p99(self) -> float:
        """The 99th percentile, s: the second longest of a hundred, so that one hiccup alone says nothing."""
        return sorted(self._samples)[-(SAMPLES // 100) - 1]
