"""The steps of a call as an outsider sees them: what is called, what is logged, and the log taken again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from engine.core.call import Call
from engine.core.conversation import Message
from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.interface import CallCore
from engine.core.policy import Policy

LogEntry = tuple[int, Event | str, tuple[Effect, ...]]
"""One step: call time, the event or ``"wake"``, and the effects."""

_LONGEST = 160
"""Characters shown of an event or effect: audio is not worth reading."""


class CallLike(CallCore, Protocol):
    """What the world and the laws need of a call; `engine.core.call.Call` is one."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation."""

    @property
    def agent(self) -> Any:
        """``live``, and ``playout`` with ``given``, ``sent`` and ``heard``."""

    @property
    def caller(self) -> Any:
        """``speaking``."""


class LawBroken(AssertionError):  # noqa: N818 - the name says what happened
    """A call broke a law. ``law`` is its number, or ``handle never raises``."""

    def __init__(self, law: str, message: str, log: Sequence[LogEntry] = ()) -> None:
        self.law = law
        self._made_of = (law, message)
        super().__init__("\n".join([f"law {law}: {message}", "the last steps:", *map(_line, log[-8:])]))

    def __reduce__(self) -> tuple[type[LawBroken], tuple[str, str]]:
        return type(self), self._made_of


def replay(policy: Policy, log: Sequence[LogEntry], call: Callable[[Policy], CallLike] = Call) -> CallLike:
    """Take the steps of a log with a fresh call; raises `LawBroken` (law 12) where an effect differs."""
    fresh = call(policy)
    for number, (now, event, effects) in enumerate(log):
        again = fresh.wake(now) if isinstance(event, str) else fresh.handle(event, now)
        if tuple(again) != effects:
            raise LawBroken("12", f"step {number} now gives {again}", log[: number + 1])
    return fresh


def _line(entry: LogEntry) -> str:
    now, event, effects = entry
    return f"  {now:>7} ms  {_short(event)}  ->  {', '.join(map(_short, effects)) or 'nothing'}"


def _short(thing: object) -> str:
    text = str(thing)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
