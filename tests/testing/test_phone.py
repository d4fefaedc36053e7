"""The phone: buffer, marks, clear, network; and the ear that knows what was played."""

from __future__ import annotations

import pytest

from engine.audio.mulaw import attenuate, silence
from engine.core.events import MarkEchoed
from engine.testing import Phone
from engine.testing.clock import Clock
from engine.testing.tape import Tape

WORDS = [("one", 200), ("two", 200), ("three", 300)]


class Bench:
    """A phone on a clock, and what it says."""

    def __init__(self, **network: object) -> None:
        self.clock = Clock()
        self.tape = Tape()
        self.told: list[tuple[int, str]] = []
        self.phone = Phone(**network)
        self.phone.connect(self.clock, self.tape, self._tell)
        self.ear = self.phone.ear

    def _tell(self, event: object) -> None:
        assert isinstance(event, MarkEchoed)
        self.told.append((self.clock.now, event.name))

    def speak(self, reply: int = 1, piece: int = 0) -> bytes:
        return self.tape.record(reply, piece, WORDS)[0]

    def until(self, time: int) -> None:
        while self.clock.next is not None and self.clock.next <= time:
            self.clock.step()
        self.clock.now = time

    def words(self, now: int) -> list[tuple[str, int, int]]:
        return [(word.text, word.start, word.end) for word in self.ear.words(now)]


def test_audio_plays_in_a_row_and_words_are_heard_when_their_last_sample_is() -> None:
    bench = Bench()
    audio = bench.speak()
    bench.until(100)
    bench.phone.audio(audio[:320])
    bench.phone.audio(audio[320:])
    assert bench.words(299) == []
    assert bench.words(300) == [("one", 100, 300)]
    assert bench.words(2_000) == [("one", 100, 300), ("two", 300, 500), ("three", 500, 800)]
    assert bench.ear.played(350) == 250 * 8
    assert bench.ear.sounding(799) and not bench.ear.sounding(800)
    assert bench.ear.silent_since(900) == 800


def test_a_mark_is_echoed_when_what_was_before_it_has_been_played() -> None:
    bench = Bench()
    bench.phone.mark("empty")
    bench.phone.audio(bench.speak())
    bench.phone.mark("end")
    bench.until(5_000)
    assert bench.told == [(0, "empty"), (700, "end")]


def test_clear_empties_the_buffer_and_echoes_all_pending_marks_at_once() -> None:
    bench = Bench()
    audio = bench.speak()
    for part, name in ((audio[:1600], "a"), (audio[1600:3200], "b"), (audio[3200:], "c")):
        bench.phone.audio(part)
        bench.phone.mark(name)
    bench.until(250)
    bench.phone.clear()
    bench.until(5_000)
    assert bench.told == [(200, "a"), (250, "b"), (250, "c")]
    assert bench.words(5_000) == [("one", 0, 200)]
    assert [word.missing for word in bench.ear.all_words(5_000)] == [0, 150 * 8]
    assert bench.ear.silence_after(100) == 250


def test_after_a_clear_the_phone_plays_at_once() -> None:
    bench = Bench()
    bench.phone.audio(bench.speak())
    bench.until(100)
    bench.phone.clear()
    bench.phone.audio(bench.speak(reply=2))
    assert [(word.reply, word.end) for word in bench.ear.words(1_000)] == [(2, 300), (2, 500), (2, 800)]
    assert bench.ear.gaps() == []


def test_the_network_delays_both_ways() -> None:
    bench = Bench(delay_ms=50)
    bench.phone.audio(bench.speak())
    bench.phone.mark("end")
    bench.until(300)
    bench.phone.clear()
    bench.until(5_000)
    assert bench.words(5_000) == [("one", 50, 250)]
    assert bench.ear.silence_after(100) == 350
    assert bench.told == [(400, "end")]


def test_jitter_reorders_nothing() -> None:
    bench = Bench(jitter=(100, 0))
    audio = bench.speak()
    bench.phone.audio(audio[:1600])
    bench.phone.audio(audio[1600:])
    assert bench.words(5_000) == [("one", 100, 300), ("two", 300, 500), ("three", 500, 800)]


def test_a_stall_leaves_a_gap_that_the_ear_reports() -> None:
    bench = Bench(stalls=[(150, 400)])
    audio = bench.speak()
    bench.phone.audio(audio[:1600])
    bench.until(180)
    bench.phone.audio(audio[1600:])
    assert [(gap.start, gap.length) for gap in bench.ear.gaps()] == [(200, 350)]


def test_a_lower_copy_and_a_second_playing_are_recognised() -> None:
    bench = Bench()
    audio = bench.speak()
    bench.phone.audio(attenuate(audio[:2000], 12))
    bench.phone.clear()
    bench.phone.audio(attenuate(audio[800:], 12))
    bench.phone.audio(audio[:800])
    assert sorted(word.text for word in bench.ear.words(5_000)) == ["one", "three", "two"]


def test_padding_is_silence_and_tones_are_sound_of_nobody() -> None:
    bench = Bench()
    bench.phone.audio(silence(40) + bench.speak() + silence(20))
    bench.phone.audio(bytes((0x20, 0xA0)) * 400)
    assert bench.words(5_000)[0] == ("one", 40, 240)
    assert bench.ear.silence_after(100) == 740
    assert bench.ear.played(2_000) == (40 + 700 + 20 + 100) * 8
    assert bench.ear.spans[-1].reply is None
    assert bench.ear.sound_after(745) == 760


def test_audio_across_two_replies_is_told_apart() -> None:
    bench = Bench()
    first, _, third = bench.speak(1), bench.speak(2), bench.speak(3)
    bench.phone.audio(first[-800:] + third)
    assert [span.reply for span in bench.ear.spans] == [1, 3]
    assert [word.reply for word in bench.ear.words(5_000)] == [3, 3, 3]


def test_hanging_up_ends_the_sound_and_the_marks() -> None:
    bench = Bench()
    bench.phone.audio(bench.speak())
    bench.phone.mark("end")
    bench.until(250)
    bench.phone.hang_up()
    bench.until(5_000)
    assert bench.told == []
    assert bench.words(5_000) == [("one", 0, 200)]


@pytest.mark.parametrize(("now", "since"), [(50, 0), (750, None), (1_000, 900)])
def test_how_long_the_agent_has_been_sounding(now: int, since: int | None) -> None:
    bench = Bench()
    bench.phone.audio(bench.speak())
    bench.until(900)
    bench.phone.audio(bench.speak(piece=1))
    assert bench.ear.sounding_since(now) == since
