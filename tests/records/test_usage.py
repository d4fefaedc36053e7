"""What a call used: added up by role, vendor and model."""

from __future__ import annotations

from engine.core.events import Usage, VendorUsed
from engine.records.usage import UsageFold

NAMES = {
    "transcriber": [("deepgram", "nova-3")],
    "model": [("openai", "gpt-4o"), ("openai-responses", "gpt-4.1")],
    "voice": [("elevenlabs", "eleven_flash_v2_5"), ("espeak", "")],
}


def test_each_vendor_has_its_own_units() -> None:
    fold = UsageFold(NAMES)
    for used in (
        VendorUsed("model", 1, requests=1, tokens=Usage(50, 5)),
        VendorUsed("voice", 1, characters=7),
        VendorUsed("model", 0, requests=1, tokens=Usage(100, 10, 64)),
        VendorUsed("model", 0, requests=1),
        VendorUsed("voice", 0, characters=20),
        VendorUsed("voice", 0, characters=22),
        VendorUsed("transcriber", 0, audio_ms=10_000),
        VendorUsed("transcriber", 0, audio_ms=1_240),
    ):
        fold.add(used)
    record = fold.record()
    told = [(each.role, each.vendor, each.model) for each in record.vendors]
    assert told == [
        ("transcriber", "deepgram", "nova-3"),
        ("model", "openai", "gpt-4o"),
        ("model", "openai-responses", "gpt-4.1"),
        ("voice", "elevenlabs", "eleven_flash_v2_5"),
        ("voice", "espeak", ""),
    ]
    heard, first, second, spoke, stepped_in = record.vendors
    assert heard.audio_seconds == record.transcriber_seconds == 11.24
    assert (first.requests, first.requests_untold) == (2, 1)
    assert (first.input_tokens, first.cached_tokens, first.output_tokens) == (100, 64, 10)
    assert (second.requests, second.requests_untold, second.input_tokens) == (1, 0, 50)
    assert (spoke.characters, stepped_in.characters) == (42, 7)
    assert (record.model_requests, record.input_tokens, record.output_tokens) == (3, 150, 15)
    assert (record.cached_tokens, record.voice_characters) == (64, 49)


def test_a_call_that_used_nothing() -> None:
    record = UsageFold({}).record()
    assert (record.vendors, record.model_requests, record.transcriber_seconds) == ([], 0, 0.0)


def test_a_vendor_without_a_name_is_counted_all_the_same() -> None:
    fold = UsageFold({})
    fold.add(VendorUsed("voice", 3, characters=5))
    assert [(each.vendor, each.characters) for each in fold.record().vendors] == [("", 5)]
