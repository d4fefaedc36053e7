"""A call core as whoever drives it sees it: the live session, the virtual world, the laws."""

from __future__ import annotations

from typing import Protocol

from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.notes import EndReason


class CallCore(Protocol):
    """What decides; `engine.core.call.Call` is one. All times are call time, ms."""

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Tell it what happened at ``now``; what it asks for."""

    def wake(self, now: int) -> list[Effect]:
        """Tell it that it is ``now``; what it asks for."""

    @property
    def wake_at(self) -> int | None:
        """When it wants to be woken; None only when it is closed."""

    @property
    def closed(self) -> bool:
        """It will ask for nothing any more."""

    @property
    def reason(self) -> EndReason | None:
        """Why the call ended, or is ending; None while it lives."""
