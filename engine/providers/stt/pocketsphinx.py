"""Speech to text on this machine with pocketsphinx 5: no key, no network, English.

It is good at anything that can be written down as a grammar (orders, menus, yes and no) and unfit for free
dictation; ``benchmarks/recogniser.py`` measures both. What it may hear is given as a JSGF grammar, as
example phrases (a trigram model is made of them), or as a language model of one's own; with none of them
the general English model is used.

One worker process (`pocketsphinx_worker`) decodes for all streams of a `PocketsphinxTranscriber`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from engine.core.events import FinalWords, InterimWords, TranscriberReady
from engine.errors import EngineError, MissingExtra
from engine.providers.contracts import ProviderError, TranscriberEvent
from engine.providers.event_queue import EventQueue
from engine.providers.stt import pocketsphinx_frames as frames

log = logging.getLogger(__name__)

REJECT_BELOW = -4.4
"""Mean log score per frame of words, in thousandths, under which a grammar's words are not believed.

Of the recorded orders one in thirty lies below, of other telephone speech four in five."""

_BYTES_PER_MS = 8
_CLOSE_WITHIN = 2.0
"""Seconds the worker has to end by itself; it may be in the middle of an utterance."""


class PocketsphinxStream:
    """One caller's audio in, words out."""

    def __init__(self, transcriber: PocketsphinxTranscriber, number: int) -> None:
        self.dropped_ms = 0
        """Ms of audio that were dropped because the worker lagged too far behind."""
        self._transcriber = transcriber
        self._number = number
        self._skipped = 0
        self._events: EventQueue[TranscriberEvent] = EventQueue()
        self._events.put(TranscriberReady())

    def feed(self, payload: bytes) -> None:
        """Take caller audio (µ-law, 8 kHz); where the pipe to the worker is too full it is left out."""
        if self._events.over or not payload:
            return
        if self._transcriber._is_backed_up():
            self._skipped += len(payload) // _BYTES_PER_MS
            self._dropped(len(payload) // _BYTES_PER_MS)
            return
        if self._skipped:
            self._send(frames.SKIP, json.dumps(self._skipped).encode())
            self._skipped = 0
        self._send(frames.AUDIO, payload)

    def flush(self) -> None:
        """Ask for a `FinalWords` for all that was fed; it comes also where there were no words."""
        self._send(frames.FLUSH)

    async def close(self) -> None:
        """End the stream; its iterator ends."""
        if not self._events.over:
            self._send(frames.CLOSE)
            self._transcriber._forget(self._number)
            self._end()

    def __aiter__(self) -> AsyncIterator[TranscriberEvent]:
        """The words, as they come. Raises `ProviderError` where the worker died."""
        return self._events

    def _send(self, kind: int, body: bytes = b"") -> None:
        if not self._events.over:
            self._transcriber._write(frames.pack(kind, self._number, body))

    def _dropped(self, ms: int) -> None:
        if not self.dropped_ms:
            log.warning("the recogniser is too slow for its callers: audio is being dropped")
        self.dropped_ms += ms

    def _take(self, kind: int, body: bytes) -> None:
        """Take one of the worker's frames."""
        value = json.loads(body)
        if kind == frames.DROPPED:
            self._dropped(value)
            return
        # An interim replaces the one before, so at most one of them waits to be read.
        words = InterimWords(value) if kind == frames.INTERIM else FinalWords(**value)
        self._events.put(words, instead_of=InterimWords)

    def _end(self, error: ProviderError | None = None) -> None:
        self._events.end(error)


class PocketsphinxTranscriber:
    """A `Transcriber` that runs on this machine; one worker process, started by the first `open`."""

    def __init__(
        self,
        *,
        grammar: str = "",
        phrases: Sequence[str] = (),
        hmm: Path | str = "",
        lm: Path | str = "",
        dictionary: Path | str = "",
        pronunciations: Mapping[str, str] | None = None,
        reject_below: float | None = REJECT_BELOW,
        decoders: int = 4,
        max_lag_ms: int = 10_000,
        end_silence_ms: int = 800,
        interim_ms: int = 200,
    ) -> None:
        """Choose what may be heard: a JSGF ``grammar``, example ``phrases`` or a language model file ``lm``.

        ``hmm`` and ``dictionary`` replace the acoustic model and the dictionary; ``pronunciations`` adds
        words (``{"voyager": "V OY AH JH ER"}``). With a grammar, words that score below ``reject_below``
        become an empty final (None: never). ``decoders`` people can speak at once, the next waits; audio
        that has waited ``max_lag_ms`` is dropped. An utterance ends at `flush` or after ``end_silence_ms``.
        Raises `EngineError`.
        """
        if sum(map(bool, (grammar, phrases, lm))) > 1:
            raise EngineError("pocketsphinx takes one of grammar, phrases and lm, not several")
        if decoders < 1:
            raise EngineError("pocketsphinx: decoders must be at least 1")
        _check_paths({"hmm": hmm, "lm": lm, "dictionary": dictionary})
        _check_installed()
        self._max_lag_ms = max_lag_ms
        self._config = {
            "grammar": grammar,
            "phrases": list(phrases),
            "hmm": str(hmm),
            "lm": str(lm),
            "dict": str(dictionary),
            "pronunciations": dict(pronunciations or {}),
            "reject_below": reject_below if grammar else None,
            "decoders": decoders,
            "max_lag_ms": max_lag_ms,
            "end_silence_ms": end_silence_ms,
            "interim_ms": interim_ms,
        }
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._streams: dict[int, PocketsphinxStream] = {}
        self._opened = 0

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._process.pid if self._process is not None else None

    async def open(self) -> PocketsphinxStream:
        """Open a stream, and start the worker if it does not run. Raises `ProviderError`."""
        async with self._starting:
            if self._process is None:
                await self._start()
        self._opened += 1
        stream = self._streams[self._opened] = PocketsphinxStream(self, self._opened)
        self._write(frames.pack(frames.OPEN, self._opened))
        return stream

    async def close(self) -> None:
        """End all streams and the worker; when it returns the process is gone."""
        for stream in list(self._streams.values()):
            await stream.close()
        async with self._starting:
            process, reader = self._process, self._reader
            if process is None or reader is None:
                return
            _close_stdin(process)
            done, _ = await asyncio.wait([reader], timeout=_CLOSE_WITHIN)
            if not done:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await reader

    async def _start(self) -> None:
        """Start the worker and wait until it is ready. Raises `ProviderError`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "engine.providers.stt.pocketsphinx_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(frames.pack_json(frames.CONFIG, 0, self._config))
            kind, _, body = await _read_frame(process.stdout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, (asyncio.IncompleteReadError, OSError)):
                raise ProviderError("the pocketsphinx worker ended while it started") from error
            raise
        if kind != frames.READY:
            _close_stdin(process)
            await process.wait()
            raise ProviderError(json.loads(body), retryable=False)
        self._process = process
        self._reader = asyncio.create_task(self._read(process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Give the worker's words to their streams until it ends; then every open stream fails."""
        assert process.stdout is not None
        try:
            while True:
                kind, number, body = await _read_frame(process.stdout)
                if stream := self._streams.get(number):
                    stream._take(kind, body)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._process = None
            streams, self._streams = self._streams, {}
            for stream in streams.values():
                stream._end(ProviderError("the pocketsphinx worker ended unexpectedly"))
            _close_stdin(process)
            await process.wait()

    def _write(self, frame: bytes) -> None:
        """Send a frame to the worker; the pipe takes it when it can, `_is_backed_up` keeps it bounded."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(frame)

    def _is_backed_up(self) -> bool:
        """Whether more audio waits for the pipe than any stream may lag."""
        if self._process is None or self._process.stdin is None:
            return False
        limit = self._max_lag_ms * _BYTES_PER_MS * max(1, len(self._streams))
        return self._process.stdin.transport.get_write_buffer_size() > limit

    def _forget(self, number: int) -> None:
        self._streams.pop(number, None)


def _check_paths(paths: Mapping[str, Path | str]) -> None:
    """Raise `EngineError` for a file of the user's own that is not there."""
    for name, path in paths.items():
        if path and not Path(path).exists():
            raise EngineError(f"pocketsphinx: {name} {str(path)!r} does not exist")


def _check_installed() -> None:
    """Raise `EngineError` (`MissingExtra`) where the library is not there."""
    if importlib.util.find_spec("pocketsphinx") is not None:
        return
    if sys.version_info >= (3, 14):
        raise EngineError("pocketsphinx is not there for Python 3.14 yet: use Python 3.11 to 3.13")
    raise MissingExtra("pocketsphinx", "local")


def _close_stdin(process: asyncio.subprocess.Process) -> None:
    """Tell the worker to end, which it does when its standard input does."""
    if process.stdin is not None:
        process.stdin.close()


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """The worker's next frame. Raises `asyncio.IncompleteReadError` when the worker has ended."""
    length, kind, number = frames.HEADER.unpack(await reader.readexactly(frames.HEADER.size))
    return kind, number, await reader.readexactly(length)
