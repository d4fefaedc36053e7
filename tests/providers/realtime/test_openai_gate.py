"""Which audio goes out: sounds whole and early, silence not at all, and never a word too little."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine.audio import mulaw
from engine.providers.realtime.openai_gate import AFTER_MS, BEFORE_MS, FRAME, SilenceGate
from engine.testing.corpus import read_corpus

SOUND = bytes([0x10, 0x90] * 80)
HISS = bytes(random.Random(7).choice((0xFE, 0x7E, 0xFD, 0x7D)) for _ in range(FRAME))
"""20 ms of a quiet line, far below any speech."""


def ms(audio: bytes) -> int:
    return len(audio) // mulaw.BYTES_PER_MS


def feed(gate: SilenceGate, audio: bytes, size: int = FRAME) -> bytes:
    return b"".join(gate.feed(audio[at : at + size]) for at in range(0, len(audio), size))


def test_silence_stays_here() -> None:
    gate = SilenceGate()
    assert feed(gate, mulaw.silence(60_000)) == b""
    assert gate.close() == b""
    assert ms(bytes(gate.position)) == 60_000


@pytest.mark.parametrize("size", [7, 160, 1000, 1_000_000])
def test_a_sound_comes_with_what_was_before_it(size: int) -> None:
    gate = SilenceGate()
    audio = HISS * 200 + SOUND * 5
    sent = feed(gate, audio, size) + gate.close()
    assert audio.endswith(sent)
    assert ms(sent) == BEFORE_MS + 100


def test_what_follows_a_sound_goes_out_until_the_flush() -> None:
    gate = SilenceGate()
    feed(gate, SOUND * 5)
    assert feed(gate, mulaw.silence(500)) == mulaw.silence(500)
    assert gate.silent_for == 500
    assert gate.close() == b""
    assert feed(gate, mulaw.silence(5_000)) == b""


def test_a_gate_that_nobody_closes_says_for_how_long() -> None:
    gate = SilenceGate()
    feed(gate, SOUND * 5 + mulaw.silence(AFTER_MS))
    assert gate.silent_for == AFTER_MS
    assert gate.sounded == 100
    gate.shut()
    assert (gate.silent_for, gate.sounded) == (0, 0)
    assert feed(gate, mulaw.silence(500)) == b""


def test_whatever_is_no_digital_silence_goes_out_when_it_is_asked_for() -> None:
    gate = SilenceGate()
    assert feed(gate, HISS * 10 + HISS[:40]) == b""
    assert gate.close() == HISS * 10 + HISS[:40]
    assert gate.close() == b"", "once"
    assert feed(gate, SOUND) == SOUND


def test_steady_noise_becomes_the_background() -> None:
    gate = SilenceGate()
    noise = bytes(random.Random(3).choice((0x60, 0xE0)) for _ in range(FRAME))
    feed(gate, mulaw.silence(1_000) + noise * 1_500)
    assert gate.silent_for > 0
    gate.shut()
    assert feed(gate, noise * 100) == b""
    assert ms(feed(gate, SOUND)) == BEFORE_MS + 20, "and speech is still above it"


def test_recorded_people_are_sent_from_their_first_word_to_their_last(speech_dir: Path) -> None:
    recordings = [clip.recording() for clip in read_corpus(speech_dir, "endpoint")]
    assert recordings
    for recording in recordings:
        start, end = recording.speech[0][0], recording.speech[-1][1]
        gate = SilenceGate()
        sent = feed(gate, recording.audio) + gate.close()
        assert recording.audio[start * 8 : end * 8] in sent, recording.text
