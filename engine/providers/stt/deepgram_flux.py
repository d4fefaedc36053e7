"""Deepgram Flux: https://developers.deepgram.com/reference/speech-to-text/listen-flux.

Flux hears turns, not pauses: it says when a turn may be over (``EagerEndOfTurn``), that it goes on after all
(``TurnResumed``) and that it is over (``EndOfTurn``); see https://developers.deepgram.com/docs/flux/state.

A flush does not end its turn (``ForceEndTurn`` would, and Flux would judge the rest of the sentence as a new
one). About every 250 ms of audio Flux tells all words of the turn so far; the first such message that
reaches the flush answers it, and what the turn brings later is told without those words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.audio import mulaw
from engine.core.events import FinalWords, InterimWords, TranscriberReady, TurnVote, Vote
from engine.errors import EngineError
from engine.providers.contracts import TranscriberEvent
from engine.providers.stt.deepgram_account import BASE_URL, DeepgramAccount
from engine.providers.stt.deepgram_errors import reported

_SLACK = 100
"""ms by which a message may fall short of a flush that it answers: Flux works in pieces of 80 ms."""
_SILENCE = 100
"""ms of silence that keep a stream alive which has no audio: Flux has no message for it."""
_VOTES = {"EagerEndOfTurn": Vote.EAGER, "TurnResumed": Vote.RESUMED, "EndOfTurn": Vote.END}


class FluxListener:
    """What the messages of ``/v2/listen`` mean: pure, in the order in which they come."""

    def __init__(self) -> None:
        self._covered = 0
        """ms up to which the words are final."""
        self._heard = 0
        """ms up to which Flux has told of the audio."""
        self._flushes: list[int] = []
        """Up to when final words are asked for."""
        self._given = 0
        """Words of the turn that are final already."""
        self._interim = ""
        self._sequence = -1
        self._silences: list[int] = []
        """Where silence was put in to keep the stream alive, in ms of what Deepgram was sent."""

    def ready(self) -> Iterable[TranscriberEvent]:
        """Flux itself says when it is ready."""
        return ()

    def keep_alive(self, fed: int) -> bytes:
        """A little silence, which is not part of the caller's time."""
        self._silences.append(fed + _SILENCE * len(self._silences))
        return mulaw.silence(_SILENCE)

    def owes(self) -> int:
        """ms still to be heard for the flushes that are not answered."""
        return max((max(1, until - self._heard) for until in self._flushes), default=0)

    def flush(self, fed: int) -> tuple[str, Iterable[TranscriberEvent]]:
        """Wait for the message that reaches ``fed``; where a final covers it already, that is the answer."""
        if fed <= self._covered:
            return "", (FinalWords("", self._covered, self._covered),)
        if fed not in self._flushes:
            self._flushes.append(fed)
        return "", ()

    def hear(self, message: Mapping[str, Any]) -> Iterable[TranscriberEvent]:
        """Take a message of the server; one that was heard before is left out."""
        kind = message["type"]
        if kind == "Error":
            raise reported(message.get("code", ""), message.get("description", ""))
        if kind not in ("Connected", "TurnInfo"):
            return ()
        sequence = int(message["sequence_id"])
        if sequence <= self._sequence:
            return ()
        events = (TranscriberReady(),) if kind == "Connected" else self._turn(message)
        self._sequence = sequence
        return events

    def _turn(self, message: Mapping[str, Any]) -> Iterable[TranscriberEvent]:
        words: Sequence[Mapping[str, Any]] = message["words"]
        event, transcript = message["event"], message["transcript"].strip()
        start, end = (
            self._own_time(message["audio_window_start"]),
            self._own_time(message["audio_window_end"]),
        )
        confidence = float(message["end_of_turn_confidence"])
        rest = [word for index, word in enumerate(words) if self._is_new(index, word)]
        text = " ".join(word["word"] for word in rest) if self._given else transcript
        answered = [until for until in self._flushes if until <= end + _SLACK]
        self._heard = max(self._heard, end)
        events: list[TranscriberEvent] = []
        if (text and event == "EndOfTurn") or answered:
            self._flushes = [until for until in self._flushes if until not in answered]
            self._covered = max(self._covered, end, *answered)
            first = self._own_time(rest[0]["start"]) if rest and "start" in rest[0] else start
            certainty = sum(word["confidence"] for word in rest) / len(rest) if rest else 1.0
            events.append(FinalWords(text, min(first, self._covered), self._covered, certainty))
            self._given, self._interim = len(words), ""
        elif text != self._interim:
            self._interim = text
            events.append(InterimWords(text))
        if event == "EndOfTurn":
            self._given, self._interim = 0, ""
        if event in _VOTES and transcript:
            events.append(TurnVote(_VOTES[event], confidence))
        return events

    def _is_new(self, index: int, word: Mapping[str, Any]) -> bool:
        """Whether a word of the turn was not given yet: by its time, or by its place where it has no time."""
        if not self._given:
            return True
        if "start" in word and "end" in word:
            return self._own_time((word["start"] + word["end"]) / 2) > self._covered
        return index >= self._given

    def _own_time(self, seconds: float) -> int:
        """ms of what was fed for Deepgram's time, which counts the silences too."""
        at = round(seconds * 1000)
        return at - sum(min(_SILENCE, max(0, at - silence)) for silence in self._silences)


class DeepgramFluxTranscriber(DeepgramAccount):
    """A `Transcriber` on Deepgram Flux."""

    def __init__(
        self,
        api_key: str,
        *,
        model: str = "flux-general-en",
        keyterms: Sequence[str] = (),
        language_hints: Sequence[str] = (),
        base_url: str = BASE_URL,
        eager_eot_threshold: float | None = 0.5,
        eot_threshold: float = 0.7,
        eot_timeout_ms: int = 5_000,
        mip_opt_out: bool = False,
        answer_within_ms: int = 700,
        patience_ms: int = 1_500,
        keep_alive_ms: int = 4_000,
        connect_within_ms: int = 5_000,
    ) -> None:
        """Choose what is asked of Deepgram; each name but the last four is one of its query parameters.

        ``language_hints`` are for models of several languages. ``eager_eot_threshold`` (0.3 to 0.9, not above
        ``eot_threshold``; None: no eager votes) and ``eot_threshold`` (0.5 to 1.0) are confidences that the
        turn is over; after ``eot_timeout_ms`` (500 to 60000) of silence it is. Raises `EngineError`.
        """
        if language_hints and model.endswith("-en"):
            raise EngineError(f"deepgram: {model} takes no language_hints, flux-general-multi does")
        _check("eot_threshold", eot_threshold, 0.5, 1.0)
        _check("eot_timeout_ms", eot_timeout_ms, 500, 60_000)
        query = [("model", model), ("encoding", "mulaw"), ("sample_rate", "8000")]
        if eager_eot_threshold is not None:
            _check("eager_eot_threshold", eager_eot_threshold, 0.3, min(0.9, eot_threshold))
            query.append(("eager_eot_threshold", str(eager_eot_threshold)))
        query += [("eot_threshold", str(eot_threshold)), ("eot_timeout_ms", str(eot_timeout_ms))]
        if mip_opt_out:
            query.append(("mip_opt_out", "true"))
        query += [("keyterm", term) for term in keyterms]
        query += [("language_hint", language) for language in language_hints]
        super().__init__(
            api_key,
            base_url,
            "/v2/listen",
            query,
            FluxListener,
            answer_within_ms=answer_within_ms,
            patience_ms=patience_ms,
            keep_alive_ms=keep_alive_ms,
            connect_within_ms=connect_within_ms,
        )


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise EngineError(f"deepgram: {name} must be {least:g} to {most:g}, not {value:g}")
