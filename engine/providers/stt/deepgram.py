"""Deepgram's nova models, live: https://developers.deepgram.com/reference/speech-to-text/listen-streaming.

µ-law at 8 kHz goes through as the carrier sends it. Finals come when Deepgram has made up its mind
(``is_final``), when it hears a pause (``speech_final``), and when it is asked (``Finalize``, at a flush).
Such a pause, of ``endpointing`` ms, is no vote on the turn: the call counts silence itself. A second without
words (``UtteranceEnd``) is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.core.events import FinalWords, InterimWords, TranscriberReady, TurnVote, Vote
from engine.errors import EngineError
from engine.providers.contracts import TranscriberEvent
from engine.providers.stt.deepgram_account import BASE_URL, DeepgramAccount
from engine.providers.stt.deepgram_errors import reported

FINALIZE = '{"type":"Finalize"}'
KEEP_ALIVE = '{"type":"KeepAlive"}'
_SLACK = 100
"""ms by which a final may fall short of a flush that it answers; there is more silence before a flush."""
_NOTICEABLE = 500
"""ms of audio that Deepgram answers a Finalize for; for less than this it may say nothing."""
_SHORTEST_UTTERANCE_END = 1_000
_BEFORE_NOVA_3 = re.compile(r"(nova|nova-2|enhanced|base)(-[a-z]+)?")
"""Models that take keywords; all that came later take keyterms."""


class NovaListener:
    """What the messages of ``/v1/listen`` mean: pure, in the order in which they come."""

    def __init__(self) -> None:
        self._covered = 0
        """ms up to which the words are final."""
        self._heard = 0
        """ms up to which there are words at all, interim ones included."""
        self._flushes: list[int] = []
        """Up to when final words are asked for that no final covers yet, ms."""
        self._asked = self._answered = 0
        """Finalize messages sent, and finals that came of them."""
        self._interim = ""
        self._unvoted = False
        """There were words since the last vote."""

    def ready(self) -> Iterable[TranscriberEvent]:
        """Deepgram says nothing of its own when a stream begins."""
        return (TranscriberReady(),)

    def keep_alive(self, fed: int) -> str:
        """Sent where no audio is; it takes no time of the stream."""
        return KEEP_ALIVE

    def owes(self) -> int:
        """ms still to be heard for the flushes that Deepgram is sure to answer.

        Not for one that crossed a final on its way: there may be too little left of what it asked for.
        """
        sure = [until for until in self._flushes if until - self._covered >= _NOTICEABLE]
        return max((max(1, until - self._heard) for until in sure), default=0)

    def flush(self, fed: int) -> tuple[str, Iterable[TranscriberEvent]]:
        """Ask for the rest; where a final covers the audio already, that is the answer."""
        known: Iterable[TranscriberEvent] = ()
        if fed in self._flushes:
            return "", known
        if fed - self._covered <= _SLACK:
            known = (FinalWords("", self._covered, self._covered),)
        else:
            self._flushes.append(fed)
        if fed <= self._covered:
            return "", known
        self._asked += 1
        return FINALIZE, known

    def hear(self, message: Mapping[str, Any]) -> Iterable[TranscriberEvent]:
        """Take a message of the server; kinds that are not of interest here are left out."""
        kind = message["type"]
        if kind == "Results":
            return self._results(message) if message.get("is_final") else self._partial(message)
        if kind == "UtteranceEnd":
            return self._vote()
        if kind == "Error":
            raise reported(message.get("variant", ""), message.get("description", ""))
        return ()

    def _partial(self, message: Mapping[str, Any]) -> Iterable[TranscriberEvent]:
        text = message["channel"]["alternatives"][0]["transcript"].strip()
        self._heard = max(self._heard, _ms(message["start"] + message["duration"]))
        if text == self._interim:
            return ()
        self._interim = text
        self._unvoted |= bool(text)
        return (InterimWords(text),)

    def _results(self, message: Mapping[str, Any]) -> Iterable[TranscriberEvent]:
        """Final words. Empty ones count only as the answer to a flush; those said before, not at all."""
        best = message["channel"]["alternatives"][0]
        text, confidence, words = best["transcript"].strip(), float(best["confidence"]), best.get("words", ())
        begin = message["start"]
        start, end = _ms(begin), _ms(begin + message["duration"])
        first = _ms(words[0]["start"]) if words else start
        if start < end <= self._covered:
            return ()
        self._covered = max(self._covered, end)
        self._heard = max(self._heard, end)
        self._interim = ""
        self._unvoted |= bool(text)
        events: list[TranscriberEvent] = []
        answered = self._pop_answered(bool(message.get("from_finalize")))
        if text or answered is not None:
            self._covered = max(self._covered, answered or 0)
            events.append(FinalWords(text, first, self._covered, confidence if text else 1.0))
        return events

    def _pop_answered(self, from_finalize: bool) -> int | None:
        """How far the flushes reach that are answered by what is covered now; None if there are none.

        The answer to the last Finalize answers all of them, wherever Deepgram believes that it ends.
        """
        self._answered += from_finalize
        everything = from_finalize and self._answered == self._asked
        answered = [until for until in self._flushes if everything or until <= self._covered + _SLACK]
        self._flushes = [until for until in self._flushes if until not in answered]
        return max(answered, default=None)

    def _vote(self) -> Iterable[TranscriberEvent]:
        """No word for a second: said once, however many messages say it."""
        if not self._unvoted:
            return ()
        self._unvoted = False
        return (TurnVote(Vote.END),)


class DeepgramTranscriber(DeepgramAccount):
    """A `Transcriber` on Deepgram's nova models."""

    def __init__(
        self,
        api_key: str,
        *,
        model: str = "nova-3",
        language: str = "en",
        keywords: Sequence[str] = (),
        keyterms: Sequence[str] = (),
        base_url: str = BASE_URL,
        endpointing_ms: int | None = 300,
        utterance_end_ms: int | None = 1_000,
        punctuate: bool = True,
        smart_format: bool = False,
        numerals: bool = False,
        profanity_filter: bool = False,
        mip_opt_out: bool = False,
        answer_within_ms: int = 700,
        patience_ms: int = 1_500,
        keep_alive_ms: int = 4_000,
        connect_within_ms: int = 5_000,
    ) -> None:
        """Choose what is asked of Deepgram; each name but the last four is one of its query parameters.

        ``keywords`` (``word`` or ``word:intensifier``) are for models before nova-3, ``keyterms`` for others.
        ``endpointing_ms`` is the silence after which Deepgram makes words final (None: only when asked),
        ``utterance_end_ms`` the gap after the last word that ends an utterance (None, or 1000 and more).
        The last four are as in `DeepgramAccount`. Raises `EngineError`.
        """
        _check_words(model, keywords, keyterms)
        if utterance_end_ms is not None and utterance_end_ms < _SHORTEST_UTTERANCE_END:
            raise EngineError(f"deepgram: utterance_end_ms must be {_SHORTEST_UTTERANCE_END} or more")
        query = [
            ("model", model),
            ("language", language),
            ("encoding", "mulaw"),
            ("sample_rate", "8000"),
            ("channels", "1"),
            ("interim_results", "true"),
            ("endpointing", "false" if endpointing_ms is None else str(endpointing_ms)),
        ]
        if utterance_end_ms is not None:
            query.append(("utterance_end_ms", str(utterance_end_ms)))
        switches = {
            "punctuate": punctuate,
            "smart_format": smart_format,
            "numerals": numerals,
            "profanity_filter": profanity_filter,
            "mip_opt_out": mip_opt_out,
        }
        query += [(name, "true") for name, on in switches.items() if on]
        query += [("keywords", word) for word in keywords]
        query += [("keyterm", term) for term in keyterms]
        super().__init__(
            api_key,
            base_url,
            "/v1/listen",
            query,
            NovaListener,
            answer_within_ms=answer_within_ms,
            patience_ms=patience_ms,
            keep_alive_ms=keep_alive_ms,
            connect_within_ms=connect_within_ms,
        )


def _check_words(model: str, keywords: Sequence[str], keyterms: Sequence[str]) -> None:
    """Raise `EngineError` where the model has no such parameter."""
    before_3 = _BEFORE_NOVA_3.fullmatch(model) is not None
    if keywords and not before_3:
        raise EngineError(f"deepgram: {model} takes keyterms, not keywords")
    if keyterms and before_3:
        raise EngineError(f"deepgram: {model} takes keywords, not keyterms")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
