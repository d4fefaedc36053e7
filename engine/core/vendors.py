"""Which of a role's vendors to ask: the first in the agent's order that has not failed lately."""

from __future__ import annotations

REST = 60_000
"""ms for which a vendor that failed is passed over, as long as there is another."""


class Vendors:
    """The vendors of one role, by their place in the agent's order of preference (0 is the first)."""

    def __init__(self, count: int) -> None:
        self._failed_at: list[int | None] = [None] * max(1, count)

    def __len__(self) -> int:
        return len(self._failed_at)

    def pick(self, now: int, *, but: int | None = None) -> int:
        """The vendor to ask at call time ``now``: not ``but``, if there is another."""
        choices = [vendor for vendor in range(len(self)) if vendor != but] or [0]
        fit = [vendor for vendor in choices if self._rested(vendor, now)]
        return fit[0] if fit else min(choices, key=lambda vendor: self._failed_at[vendor] or 0)

    def failed(self, vendor: int, now: int) -> None:
        """The vendor refused, broke or stayed silent."""
        self._failed_at[vendor] = now

    def _rested(self, vendor: int, now: int) -> bool:
        at = self._failed_at[vendor]
        return at is None or now - at > REST
