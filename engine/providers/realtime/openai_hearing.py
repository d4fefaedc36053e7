"""The caller's side of a realtime session: audio into the input buffer, transcripts back as words.

Follows https://developers.openai.com/api/docs/guides/realtime-conversations and, for the events,
https://developers.openai.com/api/reference/resources/realtime. The engine decides the turns, so the buffer is
committed when it asks for words; each commit becomes an item of the server's conversation, and its transcript
comes from a model beside the one that talks.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.audio import mulaw
from engine.audio.mulaw import BYTES_PER_MS
from engine.core.events import FinalWords, InterimWords, Survived, TranscriberReady, VendorUsed
from engine.providers.contracts import ProviderError, TranscriberEvent
from engine.providers.event_queue import EventQueue
from engine.providers.realtime.openai_gate import AFTER_MS, SilenceGate
from engine.providers.realtime.openai_items import Items
from engine.providers.realtime.openai_usage import usage_of

INAUDIBLE = "[inaudible]"
"""What stands for words that the model heard and the transcriber could not write down."""

CLEAR = '{"type":"input_audio_buffer.clear"}'
_SHORTEST_COMMIT = 120 * BYTES_PER_MS
"""Bytes of a commit. The server refuses one of less than 100 ms; the rest is for its rounding."""
_LONGEST_COMMIT = 30_000 * BYTES_PER_MS
"""Bytes after which even a sound without a pause is committed, so that no commit grows for ever."""
_WORTH_ASKING = 200
"""ms of sound that are transcribed although the engine took them for nothing; less is a click."""


@dataclass(eq=False, slots=True)
class _Commit:
    """A stretch of audio that was committed, as far as it is answered. Times are ms of the caller's audio."""

    event_id: str
    start: int
    end: int
    asked: bool
    """The engine asked for it, so it is owed an answer."""
    answer_by: float
    item_id: str = ""
    text: str = ""
    done: bool = False


class Hearing:
    """One caller's audio in, words out: a `engine.providers.contracts.TranscriberStream`.

    A flush commits what was sent since the last commit. A sound that nobody asks about is committed on its
    own when two seconds of silence have followed it, so that its words are not lost. A transcript that does
    not come is given up, and a server that takes no commit is gone: the stream looks at the clock when it is
    fed, it has no timer.
    """

    def __init__(
        self,
        send: Callable[[str], None],
        items: Items,
        fail: Callable[[ProviderError], None],
        close: Callable[[], Awaitable[None]],
        charge: Callable[[VendorUsed], None],
        *,
        clock: Callable[[], float],
        host: str,
        answer_within_ms: int,
    ) -> None:
        """``fail`` and ``close`` end the whole session, in disorder and in order."""
        self.events: EventQueue[TranscriberEvent] = EventQueue()
        self.events.put(TranscriberReady())
        self._send = send
        self._items = items
        self._fail = fail
        self._close = close
        self._charge = charge
        self._now = clock
        self._host = host
        self._answer_within = answer_within_ms / 1000
        self._gate = SilenceGate()
        self._start = 0
        self._uncommitted = 0
        self._count = 0
        self._commits: deque[_Commit] = deque()

    # --- from the engine ------------------------------------------------------------------------------

    def feed(self, payload: bytes) -> None:
        """Take caller audio (µ-law, 8 kHz)."""
        if self.events.over:
            return
        self._append(self._gate.feed(payload))
        if self._gate.silent_for >= AFTER_MS:
            self._end_unasked()
        elif self._uncommitted >= _LONGEST_COMMIT:
            self._commit(asked=False)
        self._look_at_the_clock()

    def flush(self) -> None:
        """Ask for a `FinalWords` for all that was fed."""
        if self.events.over:
            return
        self._append(self._gate.close())
        self._commit(asked=True)

    async def close(self) -> None:
        """End the stream, and the session with it."""
        self.events.drop()
        await self._close()

    def __aiter__(self) -> AsyncIterator[TranscriberEvent]:
        """The words, as they come. Raises `ProviderError` where the connection broke."""
        return self.events

    def _append(self, audio: bytes) -> None:
        if not audio:
            return
        if not self._uncommitted:
            self._start = (self._gate.position - len(audio)) // BYTES_PER_MS
        self._uncommitted += len(audio)
        encoded = b2a_base64(audio, newline=False).decode("ascii")
        self._send(f'{{"type":"input_audio_buffer.append","audio":"{encoded}"}}')

    def _end_unasked(self) -> None:
        """A sound is long over, and nobody took it for speech."""
        worth_asking = self._gate.sounded >= _WORTH_ASKING
        self._gate.shut()
        if worth_asking:
            self._commit(asked=False)
        elif self._uncommitted:
            self._send(CLEAR)
            self._uncommitted = 0

    def _commit(self, *, asked: bool) -> None:
        end = self._gate.position // BYTES_PER_MS
        if not self._uncommitted:
            self._commits.append(_Commit("", end, end, asked, 0.0, done=True))
            self._deliver()
            return
        if (missing := _SHORTEST_COMMIT - self._uncommitted) > 0:
            self._append(bytes((mulaw.SILENCE,)) * missing)
        self._charge(VendorUsed("transcriber", audio_ms=self._uncommitted // BYTES_PER_MS))
        self._count += 1
        event_id = f"commit-{self._count}"
        within = self._answer_within + self._uncommitted / BYTES_PER_MS / 4000
        self._commits.append(_Commit(event_id, self._start, end, asked, self._now() + within))
        self._uncommitted = 0
        self._send(f'{{"type":"input_audio_buffer.commit","event_id":"{event_id}"}}')

    def _look_at_the_clock(self) -> None:
        """A transcript that does not come is given up; a server that takes no commit is gone."""
        waiting = next((commit for commit in self._commits if not commit.done), None)
        if waiting is None or self._now() < waiting.answer_by:
            return
        if waiting.item_id:
            self._give_up(waiting, "did not write down in time what the caller said")
        else:
            self._fail(ProviderError(f"{self._host} does not answer any more"))

    # --- from the server ------------------------------------------------------------------------------

    def committed(self, event: Mapping[str, Any]) -> None:
        """A commit has become an item; they do so in their order."""
        item_id = event["item_id"]
        for commit in self._commits:
            if not (commit.done or commit.item_id):
                commit.item_id = item_id
                self._items.add(item_id, "user")
                return

    def transcript_delta(self, event: Mapping[str, Any]) -> None:
        """A piece of a transcript."""
        if commit := self._commit_of(event):
            commit.text += event.get("delta") or ""
            text = _plain(" ".join(other.text for other in self._commits if not other.done))
            self.events.put(InterimWords(text), instead_of=InterimWords)

    def transcript_completed(self, event: Mapping[str, Any]) -> None:
        """A whole transcript."""
        if commit := self._commit_of(event):
            text, cost = _plain(event["transcript"]), event.get("usage") or {}
            if cost.get("type") == "tokens":
                self._charge(VendorUsed("transcriber", tokens=usage_of(cost)))
            self._know(commit, text)

    def transcript_failed(self, event: Mapping[str, Any]) -> None:
        """The sound is there, its words are not: the model may answer it all the same."""
        if commit := self._commit_of(event):
            self._give_up(commit, "could not write down what the caller said")

    def refused(self, event_id: str | None, code: str | None) -> bool:
        """A commit was refused, so there is nothing to hear in it. Returns whether it was a commit."""
        for commit in self._commits:
            unnamed = not event_id and code == "input_audio_buffer_commit_empty" and not commit.item_id
            if not commit.done and (unnamed or commit.event_id == event_id):
                self._know(commit, "")
                return True
        return False

    def _commit_of(self, event: Mapping[str, Any]) -> _Commit | None:
        item_id = event["item_id"]
        return next((one for one in self._commits if one.item_id == item_id and not one.done), None)

    def _give_up(self, commit: _Commit, why: str) -> None:
        self.events.put(Survived("transcriber", f"{self._host} {why}"))
        self._know(commit, INAUDIBLE)

    def _know(self, commit: _Commit, text: str) -> None:
        commit.text, commit.done = text, True
        if item := self._items.get(commit.item_id):
            item.text = text
        self._deliver()

    def _deliver(self) -> None:
        """Give what is known, in the order in which it was said."""
        while self._commits and self._commits[0].done:
            commit = self._commits.popleft()
            if commit.asked or commit.text:
                self.events.put(FinalWords(commit.text, commit.start, commit.end))


def _plain(text: str) -> str:
    return " ".join(text.split())
