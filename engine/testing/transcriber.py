"""A scripted transcriber: it hears the script's words, at the times at which their audio reaches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engine.core.effects import CloseTranscriber, Effect, FeedTranscriber, FlushTranscriber, OpenTranscriber
from engine.core.events import FinalWords, InterimWords, TranscriberFailed, TranscriberReady, TurnVote, Vote
from engine.testing.caller import SaidWord
from engine.testing.faults import Fails, Fault, Faults, Refuses, Silent, Stalls, nth_fault

if TYPE_CHECKING:
    from engine.testing.world import World


class ScriptedTranscriber:
    """Hears every word whose audio it was fed.

    ``ready_ms`` after being opened it is ready. While there are words that are not final it says them as an
    interim every ``interim_every`` ms (None: never). A flush is answered ``final_delay`` ms later with one
    final for all that was fed by then, empty where no whole word was. With ``endpointing_ms`` it also gives
    a final of its own after so much silence, with a vote on the turn's end if ``votes``. ``hears`` turns
    what was said into what it understands. ``repeats`` says every final twice; ``after_close`` is a final
    that comes when it is closed. ``faults`` go by stream (ms of audio for `Stalls` and `Fails`),
    ``down`` by vendor.
    """

    def __init__(
        self,
        *,
        ready_ms: int = 0,
        interim_every: int | None = 200,
        final_delay: int = 100,
        endpointing_ms: int | None = None,
        votes: bool = False,
        hears: Callable[[str], str] = str,
        repeats: bool = False,
        after_close: str = "",
        faults: Faults = None,
        down: Mapping[int, Fault] | None = None,
    ) -> None:
        self._ready_ms = ready_ms
        self._interim_every = interim_every
        self._final_delay = final_delay
        self._endpointing_ms = endpointing_ms
        self._votes = votes
        self._hears = hears
        self._repeats = repeats
        self._after_close = after_close
        self._faults = faults
        self._down = dict(down or {})

    def enter(self, world: World) -> None:
        """Start afresh in a world."""
        self._world = world
        self._open = False
        self._opened = 0
        self._fed = 0
        self._final = 0
        self._interim_at = 0
        self._interim_words = 0
        self.performs: dict[type[Effect], Callable[..., None]] = {
            OpenTranscriber: self._on_open,
            FeedTranscriber: self._on_feed,
            FlushTranscriber: self._on_flush,
            CloseTranscriber: self._on_close,
        }

    def _on_open(self, effect: OpenTranscriber) -> None:
        fault = self._down.get(effect.vendor) or nth_fault(self._faults, self._opened)
        self._opened += 1
        if isinstance(fault, Refuses):
            failed = TranscriberFailed(fault.reason, fault.retryable, fault.retry_after)
            self._world.later(fault.after, failed)
            return
        self._fault = fault
        self._open = True
        self._fed = 0
        if not isinstance(fault, Silent):
            self._world.later(self._ready_ms, TranscriberReady())

    def _on_feed(self, effect: FeedTranscriber) -> None:
        if not self._open:
            return
        self._fed += len(effect.payload) // 8
        fault = self._fault
        if fault is not None:
            if isinstance(fault, Fails) and self._fed >= fault.after:
                self._open = False
                self._world.later(0, TranscriberFailed(fault.reason, fault.retryable))
            if isinstance(fault, Fails | Silent) or (isinstance(fault, Stalls) and self._fed >= fault.after):
                return
        words = self._world.caller.words
        if self._final < len(words):
            self._listen(words)

    def _listen(self, words: list[SaidWord]) -> None:
        """There are words that are not final: an interim, or an end that it finds itself."""
        now = self._world.clock.now
        heard = self._heard(words)
        if heard == self._final:
            return
        if self._endpointing_ms is not None and now - words[heard - 1].end >= self._endpointing_ms:
            if heard == len(words) or words[heard].start >= now:
                self._finalise(0)
                if self._votes:
                    self._world.later(0, TurnVote(Vote.END))
        elif (
            self._interim_every is not None
            and heard > self._interim_words
            and now - self._interim_at >= self._interim_every
        ):
            self._interim_at, self._interim_words = now, heard
            text = self._hears(" ".join(word.text for word in words[self._final : heard]))
            self._world.later(0, InterimWords(text))

    def _on_flush(self, effect: FlushTranscriber) -> None:
        if self._open and not isinstance(self._fault, Silent | Stalls):
            self._finalise(self._final_delay)
            if self._interim_every is not None:  # no interim overtakes the final
                self._interim_at = self._world.clock.now + self._final_delay - self._interim_every + 1

    def _finalise(self, delay: int) -> None:
        """Make all that was heard by now final, and say so ``delay`` ms later."""
        words = self._world.caller.words
        heard = self._heard(words)
        said = words[self._final : heard]
        self._final = self._interim_words = heard
        final = FinalWords("")
        if said:
            final = FinalWords(self._hears(" ".join(word.text for word in said)), said[0].start, said[-1].end)
        self._world.later(delay, final)
        if self._repeats:
            self._world.later(delay, final)

    def _heard(self, words: list[SaidWord]) -> int:
        """How many of the words have reached it whole."""
        now = self._world.clock.now
        heard = self._final
        while heard < len(words) and words[heard].end <= now:
            heard += 1
        return heard

    def _on_close(self, effect: CloseTranscriber) -> None:
        self._open = False
        if self._after_close:
            self._world.later(0, FinalWords(self._after_close))
