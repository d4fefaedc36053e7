"""Message numbers of a carrier's stream: what was lost, what came late, what came twice."""

from __future__ import annotations

WINDOW = 50
"""Numbers a jump may span, forward or back, and still be loss or reordering (one second of frames)."""


class SequenceCount:
    """Checks the running number that a carrier puts on its messages, which begins at 1.

    A websocket neither loses nor reorders, so anything but the next number is the carrier's (or a
    proxy's) doing. A jump of up to `WINDOW` is taken as loss until the missing numbers turn up; a larger
    one, either way, as a counter that was corrupted or began anew, from which counting goes on.
    """

    __slots__ = ("_expected", "_missing", "lost")

    def __init__(self) -> None:
        self._expected: int | None = None
        self._missing: set[int] = set()
        self.lost = 0
        """Messages whose number was passed over and has not turned up."""

    def check(self, number: int) -> str | None:
        """Count a message. None if it is to be believed, else ``out_of_order``, ``duplicate`` or
        ``sequence_reset``; only a duplicate is to be thrown away."""
        if number == self._expected:
            self._expected = number + 1
            return None
        return self._unexpected(number)

    def _unexpected(self, number: int) -> str | None:
        if self._expected is None:  # a carrier that does not begin at 1 has not lost what came before
            self._expected = 1 if 1 <= number <= WINDOW else number
        skipped = number - self._expected
        if 0 <= skipped <= WINDOW:
            self._missing = {n for n in self._missing if n >= number - WINDOW}
            self._missing.update(range(self._expected, number))
            self.lost += skipped
            self._expected = number + 1
            return None
        if number in self._missing:
            self._missing.remove(number)
            self.lost -= 1
            return "out_of_order"
        if -WINDOW <= skipped < 0:
            return "duplicate"
        self._missing.clear()
        self._expected = number + 1
        return "sequence_reset"
