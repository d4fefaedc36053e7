"""The events of a streamed reply: ``text/event-stream`` bytes in, JSON objects out.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html as far as OpenAI uses it: ``data``
lines, an empty line after each event, ``[DONE]`` as the last event of a chat completion.
"""

from __future__ import annotations

from typing import Any

import orjson

from engine.core.events import Survived
from engine.providers.contracts import ProviderError

LONGEST_EVENT = 1024 * 1024
"""Bytes of one event; a longer one is no reply."""

_DONE = b"[DONE]"
MALFORMED: dict[str, Any] = {}
"""Stands for an event that is no JSON object."""


class JsonEvents:
    """Cuts a stream of bytes into its events, however they were cut on their way here.

    The first event that is no JSON object is given as `MALFORMED`; with the second the reply is given up.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._malformed = 0
        self.done = False
        """``[DONE]`` has come: whatever may follow is not part of the reply."""

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Take bytes; returns the events that are complete now. Raises `ProviderError`."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        found: list[dict[str, Any]] = []
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                self._size += len(line)
            elif not line and self._data:
                data, self._data, self._size = b"\n".join(self._data), [], 0
                if data == _DONE:
                    self.done = True
                if self.done:
                    break
                found.append(self._parsed(data))
        if len(self._rest) + self._size > LONGEST_EVENT:
            raise ProviderError("the model's reply has an event that does not end")
        return found

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = None
        if isinstance(event, dict):
            return event
        self._malformed += 1
        if self._malformed > 1:
            raise ProviderError("the model's reply is no JSON")
        return MALFORMED


SURVIVED = Survived("model", "an event of the model's reply is no JSON and was left out")
"""What is told of an event that is `MALFORMED`."""
