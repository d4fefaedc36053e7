"""The frames between `pocketsphinx` and its worker process, over the worker's standard input and output.

A frame is a header (length of the body, kind, stream) and a body. The first frame to the worker is
``CONFIG``; the worker answers ``READY`` or ``FATAL``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

HEADER = struct.Struct(">IBI")

CONFIG = 0
"""To the worker, JSON: the settings of `PocketsphinxTranscriber`."""
OPEN = 1
"""To the worker: a new stream."""
AUDIO = 2
"""To the worker: µ-law bytes of a stream."""
SKIP = 3
"""To the worker, JSON: that many ms of a stream's audio were left out."""
FLUSH = 4
"""To the worker: make final what a stream holds."""
CLOSE = 5
"""To the worker: the stream is over."""
READY = 10
"""From the worker: the recogniser is loaded."""
FATAL = 11
"""From the worker, JSON: why it cannot work at all; it ends."""
INTERIM = 12
"""From the worker, JSON: the words of a stream's open utterance so far."""
FINAL = 13
"""From the worker, JSON: ``text``, ``start`` and ``end`` (ms) and ``confidence`` of an utterance."""
DROPPED = 14
"""From the worker, JSON: ms of a stream's audio that were dropped because the worker lagged."""


def pack(kind: int, stream: int = 0, body: bytes = b"") -> bytes:
    """One frame as bytes."""
    return HEADER.pack(len(body), kind, stream) + body


def pack_json(kind: int, stream: int, value: Any) -> bytes:
    """One frame with a JSON body."""
    return pack(kind, stream, json.dumps(value).encode())


class Unpacker:
    """Cuts a byte stream, in pieces of any size, into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """The frames (kind, stream, body) that are complete with ``data``."""
        self._rest += data
        while len(self._rest) >= HEADER.size:
            length, kind, stream = HEADER.unpack_from(self._rest)
            end = HEADER.size + length
            if len(self._rest) < end:
                return
            body = bytes(self._rest[HEADER.size : end])
            del self._rest[:end]
            yield kind, stream, body
