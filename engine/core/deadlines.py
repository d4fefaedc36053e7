"""Named alarms of one call: at most one of each name; the earliest; the due ones, in order."""

from __future__ import annotations


class Deadlines:
    """Alarms by name, in call time (ms). Setting a name again moves its alarm."""

    __slots__ = ("_at", "_next")

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._next: int | None = None
        """The earliest; None: not known, for it is asked far more often than alarms change."""

    def set(self, name: str, at: int) -> None:
        """Have the alarm ``name`` go off at call time ``at``."""
        self._at[name] = at
        self._next = None

    def cancel(self, name: str) -> None:
        """Forget the alarm, if it is set."""
        if self._at.pop(name, None) is not None:
            self._next = None

    def at(self, name: str) -> int | None:
        """When the alarm goes off; None if it is not set."""
        return self._at.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def __len__(self) -> int:
        return len(self._at)

    @property
    def next(self) -> int | None:
        """Call time of the earliest alarm."""
        if self._next is None:
            self._next = min(self._at.values(), default=None)
        return self._next

    def take_due(self, now: int) -> str | None:
        """Remove and return the earliest alarm that is due; of equal ones, the one first in the alphabet."""
        due = min(((at, name) for name, at in self._at.items() if at <= now), default=None)
        if due is None:
            return None
        self.cancel(due[1])
        return due[1]

    def clear(self) -> None:
        """Forget all alarms."""
        self._at.clear()
        self._next = None
