"""The caller's side of a session by itself: what is committed, and what is given up by the clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.audio import mulaw
from engine.core.events import FinalWords, InterimWords, Survived, TranscriberReady, Usage, VendorUsed
from engine.providers.contracts import ProviderError, TranscriberEvent
from engine.providers.realtime.openai_gate import AFTER_MS
from engine.providers.realtime.openai_hearing import INAUDIBLE, Hearing
from engine.providers.realtime.openai_items import Items
from tests.providers.realtime.bench import SOUND

WITHIN = 2.5
UTTERANCE = SOUND * 50
"""A second: its transcript may take a quarter of a second longer."""


class Ear:
    """A `Hearing` with a clock that is set by hand, and what it sent."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[dict[str, Any]] = []
        self.items = Items()
        self.failed: list[ProviderError] = []
        self.bill: list[VendorUsed] = []
        self.hearing = Hearing(
            lambda message: self.sent.append(json.loads(message)),
            self.items,
            self.failed.append,
            self._close,
            self.bill.append,
            clock=lambda: self.now,
            host="the vendor",
            answer_within_ms=int(WITHIN * 1000),
        )

    async def _close(self) -> None:
        """There is no session."""

    def say(self) -> None:
        self.hearing.feed(UTTERANCE)
        self.hearing.flush()

    async def heard(self) -> list[TranscriberEvent]:
        self.hearing.events.end()
        return [event async for event in self.hearing if not isinstance(event, TranscriberReady)]


def of(item: str, **more: Any) -> dict[str, Any]:
    return {"item_id": item, **more}


async def test_a_transcript_that_does_not_come_is_given_up() -> None:
    ear = Ear()
    ear.say()
    ear.hearing.committed(of("a"))
    ear.now += WITHIN + 0.24
    ear.hearing.feed(mulaw.silence(20))
    assert ear.items.get("a").text == ""  # type: ignore[union-attr]
    ear.now += 0.02
    ear.hearing.feed(mulaw.silence(20))
    assert ear.items.get("a").text == INAUDIBLE  # type: ignore[union-attr]
    ear.hearing.transcript_completed(of("a", transcript="Too late."))
    late = Survived("transcriber", "the vendor did not write down in time what the caller said")
    assert await ear.heard() == [late, FinalWords(INAUDIBLE, 0, 1_000)]
    assert not ear.failed


async def test_a_server_that_takes_no_commit_is_gone() -> None:
    ear = Ear()
    ear.say()
    ear.now += WITHIN + 0.26
    ear.hearing.feed(mulaw.silence(20))
    assert [error.reason for error in ear.failed] == ["the vendor does not answer any more"]
    assert ear.failed[0].retryable


async def test_without_a_commit_the_clock_means_nothing() -> None:
    ear = Ear()
    ear.hearing.flush()
    ear.now += 3_600
    ear.hearing.feed(mulaw.silence(20))
    assert await ear.heard() == [FinalWords("", 0, 0)]
    assert not ear.failed
    assert not ear.sent


async def test_transcripts_out_of_order_are_given_in_order() -> None:
    ear = Ear()
    for item in ("a", "b"):
        ear.say()
        ear.hearing.committed(of(item))
    ear.hearing.transcript_completed(of("b", transcript="second."))
    ear.hearing.transcript_delta(of("a", delta="fir"))
    ear.hearing.transcript_completed(of("a", transcript=" first.\n"))
    words = await ear.heard()
    assert words == [InterimWords("fir"), FinalWords("first.", 0, 1_000), FinalWords("second.", 1_000, 2_000)]


async def test_an_unread_interim_is_replaced() -> None:
    ear = Ear()
    ear.say()
    ear.hearing.committed(of("a"))
    for delta in ("a", " large", " latte"):
        ear.hearing.transcript_delta(of("a", delta=delta))
    assert await ear.heard() == [InterimWords("a large latte")]


async def test_a_transcription_that_failed_leaves_the_sound() -> None:
    ear = Ear()
    ear.say()
    ear.hearing.committed(of("a"))
    ear.hearing.transcript_failed(of("a", error={"message": "?"}))
    assert ear.items.get("a").text == INAUDIBLE  # type: ignore[union-attr]
    told = Survived("transcriber", "the vendor could not write down what the caller said")
    assert await ear.heard() == [told, FinalWords(INAUDIBLE, 0, 1_000)]


async def test_what_was_committed_stands_on_the_bill_and_silence_does_not() -> None:
    ear = Ear()
    ear.say()
    ear.hearing.feed(mulaw.silence(5_000))
    ear.hearing.flush()
    assert ear.bill == [VendorUsed("transcriber", audio_ms=1_000)]
    ear.hearing.committed(of("a"))
    tokens = {"type": "tokens", "input_tokens": 14, "output_tokens": 3}
    ear.hearing.transcript_completed(
        of(
            "a",
            transcript="Hi.",
            usage={**tokens, "input_token_details": {"text_tokens": 4, "audio_tokens": 10}},
        )
    )
    assert ear.bill[1:] == [VendorUsed("transcriber", tokens=Usage(14, 3, input_audio_tokens=10))]


async def test_seconds_that_are_billed_are_not_told_twice() -> None:
    ear = Ear()
    ear.say()
    ear.hearing.committed(of("a"))
    ear.hearing.transcript_completed(of("a", transcript="Hi.", usage={"type": "duration", "seconds": 1}))
    assert ear.bill == [VendorUsed("transcriber", audio_ms=1_000)]


async def test_a_refused_commit_is_answered_with_no_words() -> None:
    ear = Ear()
    for _ in range(3):
        ear.say()
    commits = [event["event_id"] for event in ear.sent if event["type"] == "input_audio_buffer.commit"]
    assert ear.hearing.refused(commits[1], "input_audio_buffer_commit_empty")
    assert ear.hearing.refused(None, "input_audio_buffer_commit_empty"), "the oldest, where it is not named"
    assert not ear.hearing.refused("response-1", "invalid_value")
    assert not ear.hearing.refused(None, "invalid_value")
    ear.hearing.committed(of("c"))
    ear.hearing.transcript_completed(of("c", transcript="third."))
    assert [event.text for event in await ear.heard()] == ["", "", "third."]  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "Hello."])
async def test_a_sound_that_nobody_asked_about_is_told_only_if_it_has_words(text: str) -> None:
    ear = Ear()
    ear.hearing.feed(UTTERANCE + mulaw.silence(AFTER_MS))
    assert ear.sent[-1]["type"] == "input_audio_buffer.commit"
    ear.hearing.committed(of("a"))
    ear.hearing.transcript_completed(of("a", transcript=text))
    assert await ear.heard() == ([FinalWords(text, 0, 1_000 + AFTER_MS)] if text else [])


async def test_items_of_others_and_a_second_transcript_are_nothing() -> None:
    ear = Ear()
    ear.hearing.committed(of("stranger"))
    ear.say()
    ear.hearing.committed(of("a"))
    ear.hearing.transcript_completed(of("stranger", transcript="Who?"))
    for _ in range(2):
        ear.hearing.transcript_completed(of("a", transcript="I."))
    assert await ear.heard() == [FinalWords("I.", 0, 1_000)]
    assert ear.items.get("stranger") is None
