"""One websocket of the carrier, from its first message to its last: who it is, then what it says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from engine.core.events import MediaGap, StreamLost, StreamOpened, StreamStopped, WireFault
from engine.runtime.session import Session
from engine.runtime.socket import POLICY_VIOLATION, TRY_AGAIN_LATER, MediaSocket
from engine.wire.twilio_stream import Decoded, Decoder, Media, StreamStart

_log = logging.getLogger(__name__)

START_WITHIN_S: Final = 10.0
"""How long a socket may be open before it says whose stream it is."""

Admit = Callable[[StreamStart], Session | int]
"""Finds the call of a stream; or the close code with which a stream that has none is turned away."""


class MediaStream:
    """Reads one Twilio media socket and hands what it says to its call.

    Until ``start`` has named a call that is waiting for it, nothing is opened and no audio is looked at; a
    stream that names none, or nothing within `START_WITHIN_S`, is closed with a policy violation, and one
    for which there is no room with ``TRY_AGAIN_LATER``.
    """

    def __init__(self, socket: MediaSocket, admit: Admit) -> None:
        self._socket = socket
        self._admit = admit
        self._decoder = Decoder()
        self._session: Session | None = None
        self._offset = 0
        self._over = False
        self._patience = asyncio.get_running_loop().call_later(
            START_WITHIN_S, self._turn_away, "it did not start"
        )

    def receive(self, text: str | bytes) -> None:
        """Take one message. Never raises, whatever it holds."""
        for item in self._decoder.feed(text):
            if self._session is None:
                self._before_start(item)
            elif type(item) is Media:
                self._session.hear(item.payload, item.at + self._offset)
            else:
                self._tell(self._session, item)

    def lost(self, detail: str = "") -> None:
        """The socket is closed or gone. A second call does nothing."""
        self._patience.cancel()
        if self._over:
            return
        if self._session is not None:
            self._session.detach(self._socket, StreamLost(detail))
        self._leave()

    def _before_start(self, item: Decoded) -> None:
        if self._over:
            return
        if isinstance(item, StreamStart):
            self._start(item)
        elif isinstance(item, StreamStopped) or (isinstance(item, WireFault) and item.fatal):
            self._turn_away("its first messages made no sense")

    def _start(self, start: StreamStart) -> None:
        session = self._admit(start)
        if isinstance(session, int):
            full = session == TRY_AGAIN_LATER
            self._turn_away("there is no room" if full else "its token is good for no call", session)
            return
        self._patience.cancel()
        self._session = session
        self._offset = session.attach(self._socket, StreamOpened(start.stream_sid, start.call_sid))

    def _tell(self, session: Session, item: Decoded) -> None:
        if isinstance(item, StreamStart | Media):
            return
        if isinstance(item, MediaGap):
            session.miss(replace(item, at=item.at + self._offset))
            return
        session.dispatch(item)
        if isinstance(item, StreamStopped) or (isinstance(item, WireFault) and item.fatal):
            session.detach(self._socket, None)
            self._leave()

    def _turn_away(self, why: str, code: int = POLICY_VIOLATION) -> None:
        if not self._over:
            _log.warning("a media stream was turned away: %s", why)
            self._patience.cancel()
            self._over = True
            self._socket.close(code)

    def _leave(self) -> None:
        self._over = True
        self._session = None
        self._socket.close()
