"""How late the event loop runs: the one figure that says whether a worker has room for more calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

EVERY_S = 0.1


class LoopLag:
    """Asks for a turn of the loop ten times a second and measures how late it comes.

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
