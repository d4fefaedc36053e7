"""A provider's stream from its opening to its end, and whatever ends it as one failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeVar

from engine.providers.contracts import ProviderError
from engine.runtime.failures import as_provider_error


class ProviderStream(Protocol):
    """What the streams of transcribers and voices have in common."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """Its events, as they come."""

    async def close(self) -> None:
        """End it and free what it holds."""


S = TypeVar("S", bound=ProviderStream)


async def follow(
    role: str,
    open_stream: Callable[[], Awaitable[S]],
    begin: Callable[[S], None],
    hear: Callable[[Any], None],
    fail: Callable[[ProviderError], None],
) -> None:
    """Open a stream, ``begin`` with it, ``hear`` its events until it fails, and close it.

    A stream that ends by itself has failed, too. Cancelled, it passes nothing on any more.
    """
    stream = None
    try:
        try:
            stream = await open_stream()
            begin(stream)
            async for event in stream:
                hear(event)
            failure = ProviderError(f"the {role} ended its stream")
        except Exception as error:
            failure = as_provider_error(error, role)
        fail(failure)
    finally:
        if stream is not None:
            await stream.close()
