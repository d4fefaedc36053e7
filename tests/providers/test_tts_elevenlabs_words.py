"""When the words of a text begin, from the vendor's alignments."""

from __future__ import annotations

from engine.core.events import SpokenWord
from engine.providers.tts.elevenlabs_words import WordTimes


def alignment(chars: str, character: int = 10) -> dict[str, object]:
    starts = list(range(0, len(chars) * character, character))
    return {"chars": list(chars), "charStartTimesMs": starts, "charDurationsMs": [character] * len(chars)}


def timed(text: str, *chunks: str) -> list[SpokenWord]:
    times = WordTimes(text)
    return [word for chunk in chunks for word in times.take(alignment(chunk))]


def test_words_that_chunks_cut_are_told_once_at_their_beginning() -> None:
    assert timed("We're going there.", "We're goi", "ng", " ther", "e. ") == [
        SpokenWord("We're", 0),
        SpokenWord("going", 6 * 80),
        SpokenWord("there.", 12 * 80),
    ]


def test_a_sentence_that_is_aligned_twice_is_told_once() -> None:
    assert timed("Hello, this is it.", "Hello, th", "Hello, this is it. ") == [
        SpokenWord("Hello,", 0),
        SpokenWord("this", 7 * 80),
        SpokenWord("is", 12 * 80),
        SpokenWord("it.", 15 * 80),
    ]


def test_words_that_are_spoken_otherwise_stay_untimed() -> None:
    words = timed("It costs $5 today, madam.", "It costs ", "five dollars ", "today, madam.")
    assert words == [
        SpokenWord("It", 0),
        SpokenWord("costs", 3 * 80),
        SpokenWord("today,", 22 * 80),
        SpokenWord("madam.", 29 * 80),
    ]


def test_characters_of_several_letters_count_as_all_of_them() -> None:
    chunk = {"chars": ["So", "...", " ", "no"], "charStartTimesMs": [0, 50, 90, 100]}
    words = WordTimes("So... no").take(chunk | {"charDurationsMs": [50, 40, 10, 60]})
    assert words == (SpokenWord("So...", 0), SpokenWord("no", 800))
