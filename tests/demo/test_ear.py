"""The play buffer plays in real time, echoes marks when they are passed, and forgets on clear."""

from __future__ import annotations

from engine.audio.mulaw import silence
from engine.demo.ear import Ear

LOUD = bytes((0x10, 0x90)) * 80
"""20 ms."""


def ms(value: int) -> int:
    return value * 8


def test_it_plays_as_fast_as_time_goes_and_fills_with_silence() -> None:
    ear = Ear(lambda _: None)
    ear.play(LOUD * 3, ms(100))
    ear.advance(ms(130))
    assert bytes(ear.track) == silence(100) + (LOUD * 3)[: ms(30)]
    ear.advance(ms(200))
    assert bytes(ear.track) == silence(100) + LOUD * 3 + silence(40)


def test_a_mark_is_echoed_when_what_was_before_it_has_been_played() -> None:
    echoed: list[str] = []
    ear = Ear(echoed.append)
    ear.play(LOUD, 0)
    ear.mark("one", 0)
    ear.play(LOUD, 0)
    ear.mark("two", 0)
    assert (echoed, ear.next_mark) == ([], ms(20))
    ear.advance(ms(20) - 1)
    assert echoed == []
    ear.advance(ms(20))
    assert (echoed, ear.next_mark) == (["one"], ms(40))
    ear.advance(ms(45))
    ear.mark("three", ms(45))
    assert (echoed, ear.next_mark) == (["one", "two", "three"], None)


def test_clear_forgets_the_audio_and_echoes_every_pending_mark() -> None:
    echoed: list[str] = []
    ear = Ear(echoed.append)
    for name in ("one", "two"):
        ear.play(LOUD * 10, 0)
        ear.mark(name, 0)
    ear.clear(ms(50))
    assert echoed == ["one", "two"]
    ear.play(LOUD, ms(60))
    ear.advance(ms(100))
    assert bytes(ear.track) == (LOUD * 10)[: ms(50)] + silence(10) + LOUD + silence(20)


def test_a_late_look_hears_the_same_as_a_steady_one() -> None:
    steady, late = Ear(lambda _: None), Ear(lambda _: None)
    for ear in (steady, late):
        ear.play(LOUD * 20 + silence(300) + LOUD * 20, ms(7))
    for now in range(0, 1_200, 3):
        steady.advance(ms(now))
    late.advance(ms(1_197))
    assert steady.track == late.track
    assert (steady.stretches, steady.silent_ms) == (late.stretches, late.silent_ms)


def test_speech_is_told_from_silence() -> None:
    ear = Ear(lambda _: None)
    ear.advance(ms(900))
    assert (ear.audible, ear.talking_ms, ear.stretches, ear.silent_ms) == (False, 0, 0, 900)
    ear.play(LOUD * 20 + silence(200) + LOUD * 20, ms(1_000))  # a breath inside one stretch
    ear.advance(ms(1_300))
    assert (ear.audible, ear.talking_ms, ear.stretches) == (True, 300, 1)
    ear.advance(ms(1_500))
    assert (ear.audible, ear.talking_ms, ear.silent_ms) == (False, 500, 100)
    ear.advance(ms(2_000))
    assert (ear.audible, ear.talking_ms, ear.stretches) == (True, 1_000, 1)
    ear.advance(ms(2_500))
    assert (ear.audible, ear.talking_ms, ear.silent_ms) == (False, 0, 500)
    ear.play(LOUD, ms(2_500))
    ear.advance(ms(2_520))
    assert ear.stretches == 2


def test_what_is_audible_is_a_matter_of_level() -> None:
    dull, keen = Ear(lambda _: None, audible_over=0.0), Ear(lambda _: None, audible_over=-40.0)
    for ear in (dull, keen):
        ear.play(LOUD, 0)
        ear.advance(ms(20))
    assert (dull.audible, keen.audible) == (False, True)
