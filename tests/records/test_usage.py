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


def test_sound_is_told_apart_from_text_and_fixed_texts_from_replies() -> None:
    speaks = [("openai", "gpt-realtime")]
    fold = UsageFold({"model": speaks, "voice": speaks, "transcriber": [("openai", "gpt-transcribe")]})
    for used in (
        VendorUsed("model", requests=1, tokens=Usage(50, 20, 8, 30, 14, 5)),
        VendorUsed("model", requests=1, tokens=Usage(5, 2, 1, 3, 1, 1)),
        VendorUsed("voice", requests=1, tokens=Usage(7, 9, output_audio_tokens=8)),
        VendorUsed("transcriber", audio_ms=1_200),
        VendorUsed("transcriber", tokens=Usage(12, 3, input_audio_tokens=12)),
    ):
        fold.add(used)
    record = fold.record()
    wrote, replied, read_out = record.vendors
    assert (replied.input_audio_tokens, replied.output_audio_tokens, replied.cached_audio_tokens) == (
        33,
        15,
        6,
    )
    assert (replied.input_tokens, replied.output_tokens, replied.cached_tokens) == (55, 22, 9)
    assert (read_out.requests, read_out.output_tokens, read_out.output_audio_tokens) == (1, 9, 8)
    assert (wrote.requests, wrote.audio_seconds, wrote.input_audio_tokens) == (0, 1.2, 12)
    assert (record.model_requests, record.input_tokens, record.input_audio_tokens) == (3, 74, 45)
    assert (record.output_audio_tokens, record.cached_audio_tokens) == (23, 6)


def test_a_call_that_used_nothing() -> None:
    record = UsageFold({}).record()
    assert (record.vendors, record.model_requests, record.transcriber_seconds) == ([], 0, 0.0)


def test_a_vendor_without_a_name_is_counted_all_the_same() -> None:
    fold = UsageFold({})
    fold.add(VendorUsed("voice", 3, characters=5))
    assert [(each.vendor, each.characters) for each in fold.record().vendors] == [("", 5)]
