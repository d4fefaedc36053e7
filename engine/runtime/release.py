"""What happens when a call is over: its providers close their streams, and whoever waits for that is told."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable

from engine.runtime.tasks import Tasks

_log = logging.getLogger(__name__)

FREE_WITHIN_S = 5.0
"""How long providers may take to close their streams before they are cancelled."""


class Release:
    """Frees what one call held."""

    def __init__(self, call_id: str, tasks: Tasks) -> None:
        """``tasks`` are all that the call may still have running."""
        self._call_id = call_id
        self._tasks = tasks
        self._afterwards: list[Callable[[], object]] = []
        self._over = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    def then(self, done: Callable[[], object]) -> None:
        """Have ``done`` called, and awaited if need be, when all is freed."""
        self._afterwards.append(done)

    def begin(self) -> None:
        """The call is over."""
        loop = asyncio.get_running_loop()
        self._working = loop.create_task(self._work(), name=f"free call {self._call_id}")

    async def wait(self) -> None:
        """Wait until all is freed and everybody was told."""
        await self._over.wait()

    async def _work(self) -> None:
        """Let the providers close their streams; cancel what takes too long."""
        try:
            await asyncio.wait_for(self._tasks.wait(), FREE_WITHIN_S)
        except TimeoutError:
            if left := len(self._tasks):  # a busy loop tells of the time before it tells of the ends
                _log.warning("call %s: %d tasks did not end in time", self._call_id, left)
            self._tasks.cancel()
        for done in self._afterwards:
            try:
                result = done()
                if inspect.isawaitable(result):
                    await result
            except Exception:
                _log.exception("call %s could not be put away", self._call_id)
        self._over.set()
