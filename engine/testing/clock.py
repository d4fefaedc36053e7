"""The virtual clock: what is going to happen, in order. Time jumps; nothing ever waits."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Clock:
    """Call time in whole ms, and the actions that are due; of equal times, the one first asked for."""

    __slots__ = ("_due", "_number", "now")

    def __init__(self) -> None:
        self.now = 0
        self._due: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._number = 0

    def at(self, time: int, action: Callable[[Any], None], argument: Any = None) -> None:
        """Have ``action(argument)`` done at call time ``time`` (ms); at once if that is past."""
        self._number += 1
        heappush(self._due, (max(time, self.now), self._number, action, argument))

    @property
    def next(self) -> int | None:
        """When the next action is due; None if nothing is."""
        return self._due[0][0] if self._due else None

    def step(self) -> None:
        """Jump to the next action and do it. Raises `IndexError` if there is none."""
        self.now, _, action, argument = heappop(self._due)
        action(argument)
