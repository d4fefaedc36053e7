"""A call that does as it is told, to test the world around it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from engine.core.conversation import Message
from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.notes import EndReason
from engine.core.policy import Policy

Answer = list[Effect] | Callable[[Event, int], list[Effect]]


class FakeCall:
    """Answers each type of event with set effects, and takes note of all events."""

    def __init__(self, on: dict[type, Answer] | None = None) -> None:
        self.on = on or {}
        self.events: list[tuple[int, Event]] = []
        self.wakes: list[int] = []
        self.wake_at: int | None = 10**9
        self.on_wake: Callable[[int], list[Effect]] = lambda now: []
        self.closed = False
        self.reason: EndReason | None = None
        self.messages: tuple[Message, ...] = ()
        self.caller = SimpleNamespace(speaking=False)
        self.agent = SimpleNamespace(live=None, playout=SimpleNamespace(given=0, sent=0, heard=0))

    def __call__(self, policy: Policy) -> FakeCall:
        return self

    def handle(self, event: Event, now: int) -> list[Effect]:
        self.events.append((now, event))
        answer = self.on.get(type(event), [])
        return answer(event, now) if callable(answer) else answer

    def wake(self, now: int) -> list[Effect]:
        self.wakes.append(now)
        return self.on_wake(now)

    def got(self, kind: type) -> list[tuple[int, Event]]:
        """The events of a type that came, with their times."""
        return [(now, event) for now, event in self.events if type(event) is kind]
