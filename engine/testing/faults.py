"""What can go wrong with a scripted vendor.

A vendor's ``faults`` are one fault for every request, or a list whose nth entry is the nth request's
(None: that request is fine; beyond the end all are).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silent:
    """Takes the request and never says a thing."""


@dataclass(frozen=True, slots=True)
class Refuses:
    """Refuses the request ``after`` ms; ``retry_after`` ms later it would like to be asked again."""

    after: int = 50
    reason: str = "refused"
    retryable: bool = True
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Stalls:
    """Falls silent for good ``after`` so much was given: tokens of a model, ms of audio of a voice."""

    after: int


@dataclass(frozen=True, slots=True)
class Fails:
    """Breaks ``after`` so much was given: tokens of a model, ms of audio of a voice, ms of a tool's time."""

    after: int = 0
    reason: str = "broken"
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Repeats:
    """Says its end twice: a model's done, a voice's last audio and done, a tool's result."""


Fault = Silent | Refuses | Stalls | Fails | Repeats
Faults = Fault | Sequence[Fault | None] | None


def nth_fault(faults: Faults, n: int) -> Fault | None:
    """The fault of the nth request (from 0), None if that one goes well."""
    if faults is None or isinstance(faults, Fault):
        return faults
    return faults[n] if n < len(faults) else None
