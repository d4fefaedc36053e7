"""The border to a web server's websocket: messages go out in order, and nobody waits for the peer."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

_log = logging.getLogger(__name__)

NORMAL_CLOSURE = 1000
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
"""The close codes the engine uses (RFC 6455, section 7.4.1, and IANA's registry of close codes)."""

BACKLOG = 256 * 1024
"""Characters that may wait for a peer: twenty times what a call keeps at the carrier."""


class MediaSocket(Protocol):
    """One carrier's websocket, as a call sees it."""

    stalled: Callable[[int], None] | None
    """Whom to tell that the peer takes nothing, and for how many ms; set by whoever uses the socket."""

    def send_text(self, text: str) -> None:
        """Send a message after those sent before. Returns at once; does nothing after `close`."""

    def close(self, code: int = NORMAL_CLOSURE) -> None:
        """Send what is waiting, then close with ``code`` (RFC 6455). Returns at once; again does nothing."""


class WebSocketWriter:
    """A `MediaSocket` on top of any asynchronous ``send(text)`` and ``close(code)``.

    One task writes; it ends when the socket is closed. A peer that takes nothing for ``stall`` ms, or lets
    more than `BACKLOG` characters pile up, is reported to ``stalled`` with the milliseconds it was waited
    for, again and again for as long as that lasts. Closing waits for such a peer ``stall`` ms at most.
    """

    def __init__(
        self,
        send: Callable[[str], Awaitable[object]],
        close: Callable[[int], Awaitable[object]],
        *,
        stall: int = 5_000,
    ) -> None:
        self.stalled: Callable[[int], None] | None = None
        self._send = send
        self._close = close
        self._stall = stall / 1000
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[str] = deque()
        self._backlog = 0
        self._more: asyncio.Future[None] | None = None
        self._code: int | None = None
        self._progress = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._give_up: asyncio.TimerHandle | None = None
        self._task = self._loop.create_task(self._write(), name="websocket writer")

    def send_text(self, text: str) -> None:
        """See `MediaSocket.send_text`."""
        if self._code is not None or self._task.done():
            return
        if self._backlog > BACKLOG:
            self._tell_stalled()
            return
        self._waiting.append(text)
        self._backlog += len(text)
        self._wake()

    def close(self, code: int = NORMAL_CLOSURE) -> None:
        """See `MediaSocket.close`."""
        if self._code is None and not self._task.done():
            self._code = code
            self._wake()
            self._give_up = self._loop.call_later(self._stall, self._task.cancel)

    async def closed(self) -> None:
        """Wait until everything is written and the socket is closed, or the peer is gone."""
        await asyncio.wait([self._task])

    def lost(self) -> None:
        """The peer is gone: nothing more can be written."""
        self._task.cancel()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def _write(self) -> None:
        try:
            while True:
                await self._write_waiting()
                if self._code is not None:
                    break
                self._more = self._loop.create_future()
                await self._more
            await self._close(self._code)
        except Exception as error:  # every web server has its own way to say that the peer is gone
            _log.debug("websocket is gone: %r", error)
        finally:
            for timer in (self._watch, self._give_up):
                if timer is not None:
                    timer.cancel()

    async def _write_waiting(self) -> None:
        """Write all that waits, under one alarm for the whole batch."""
        self._progress = self._loop.time()
        if self._waiting and self._watch is None:
            self._watch = self._loop.call_later(self._stall, self._check)
        while self._waiting:
            text = self._waiting.popleft()
            await self._send(text)
            self._backlog -= len(text)
            self._progress = self._loop.time()

    def _check(self) -> None:
        """The alarm: tell of a peer that has taken nothing since; look again while text waits."""
        self._watch = None
        if not self._backlog:
            return
        quiet = self._loop.time() - self._progress
        if quiet >= self._stall:
            self._tell_stalled()
            quiet = 0.0
        self._watch = self._loop.call_later(self._stall - quiet, self._check)

    def _tell_stalled(self) -> None:
        if self.stalled is not None:
            self.stalled(round((self._loop.time() - self._progress) * 1000))
