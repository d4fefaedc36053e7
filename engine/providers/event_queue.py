"""Events on their way from a socket to the one who iterates over them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from engine.providers.contracts import ProviderError

T = TypeVar("T")


class EventQueue(Generic[T]):
    """An asynchronous iterator that others put events into, and end; a failure is raised once, at the end."""

    def __init__(self) -> None:
        self._events: deque[T] = deque()
        self._news = asyncio.Event()
        self._failure: ProviderError | None = None
        self.over = False
        """Nothing is taken any more; what came before may still be read."""

    def put(self, event: T, *, instead_of: type[T] | None = None) -> None:
        """Append an event; ``instead_of`` names a kind of which the last, if still unread, is replaced."""
        if self.over:
            return
        if instead_of is not None and self._events and isinstance(self._events[-1], instead_of):
            self._events.pop()
        self._events.append(event)
        self._news.set()

    def end(self, failure: ProviderError | None = None) -> None:
        """No more events; the iteration ends, or raises ``failure``."""
        if not self.over:
            self.over = True
            self._failure = failure
            self._news.set()

    def drop(self) -> None:
        """End at once: what was not read is never given."""
        self.over = True
        self._events.clear()
        self._failure = None
        self._news.set()

    def __aiter__(self) -> EventQueue[T]:
        return self

    async def __anext__(self) -> T:
        """The next event. Raises `ProviderError` where the queue was ended by one."""
        while not self._events:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if self.over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._events.popleft()
