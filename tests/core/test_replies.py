"""One reply: its pieces, and what of them was heard, to the word and the sample."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audio.level import EchoFloor
from engine.core.events import SpokenWord
from engine.core.playout import Playout
from engine.core.policy import Policy
from engine.core.replies import USUAL_PACE, Kind, Reply

MS = 8
SOUND = b"\x10" * MS
QUIET = b"\xff" * MS


def spoken(
    *words: tuple[str, int], timed: bool = True, done: bool = True, tail: int = 0
) -> tuple[Reply, Playout]:
    """A reply of one piece of words, each ``(text, ms)``, with ``tail`` ms of silence behind the last one."""
    reply, playout = Reply(1, Kind.ANSWER, Policy()), Playout(EchoFloor(-18.0))
    reply.say(" ".join(text for text, _ in words))
    (piece,) = reply.pieces
    piece.asked, piece.start, piece.done = True, 0, done
    for text, ms in words:
        if timed:
            piece.words.append(SpokenWord(text, piece.samples))
        playout.give(SOUND * ms)
        piece.samples += ms * MS
    playout.give(QUIET * tail)
    piece.samples += tail * MS
    return reply, playout


@pytest.mark.parametrize(
    ("heard", "words", "goes_on_at"),
    [
        (0, "", 0), (1, "", 0), (259, "", 0), (260, "one", 260), (300, "one", 300), (559, "one", 300),
        (560, "one two", 560), (600, "one two", 600), (859, "one two", 600), (860, "one two three", 860),
        (900, "one two three", 900), (1_000, "one two three", 1_000),
    ],
)  # fmt: skip
def test_the_words_that_were_heard_and_the_word_that_was_cut(heard: int, words: str, goes_on_at: int) -> None:
    reply, playout = spoken(("one", 300), ("two", 300), ("three", 300), tail=100)
    playout.heard = heard * MS
    assert reply.heard(playout, 40) == words
    assert reply.cut_word(playout, 40) == goes_on_at * MS


@pytest.mark.parametrize("heard", [0, 1, 100, 5_000])
def test_no_tolerance_no_gift(heard: int) -> None:
    reply, playout = spoken(("one", 300), ("two", 300))
    playout.heard = 299 * MS
    assert reply.heard(playout, 0) == "" and reply.heard(playout, 1) == "one"


def test_the_last_word_of_a_piece_that_is_still_growing_is_not_whole_yet() -> None:
    reply, playout = spoken(("one", 300), ("two", 300), done=False)
    playout.heard = 600 * MS
    assert reply.heard(playout, 40) == "one" and reply.cut_word(playout, 40) == 300 * MS


def test_without_times_a_words_place_is_its_share_of_the_characters() -> None:
    reply, playout = spoken(("aaaa", 400), ("bb", 300), ("cccc", 400), timed=False)
    playout.heard = 500 * MS
    assert reply.heard(playout, 0) == "aaaa"
    playout.heard = 801 * MS
    assert reply.heard(playout, 0) == "aaaa bb"


@given(st.lists(st.integers(50, 900), min_size=1, max_size=8), st.data())
def test_what_was_heard_is_a_beginning_and_the_rest_begins_at_the_cut_word(
    lengths: list[int], data: st.DataObject
) -> None:
    names = [f"w{number}" for number in range(len(lengths))]
    reply, playout = spoken(*zip(names, lengths, strict=True))
    playout.heard = data.draw(st.integers(0, sum(lengths))) * MS
    heard = reply.heard(playout, 40).split()
    assert heard == names[: len(heard)]
    whole = sum(lengths[: len(heard)])
    assert whole <= playout.heard // MS + 40
    assert reply.cut_word(playout, 40) == min(whole * MS, playout.heard)


def test_pieces_lie_one_behind_the_other() -> None:
    reply = Reply(1, Kind.ANSWER, Policy())
    reply.say("One two. Three.")
    first, second = reply.pieces
    assert (first.text, second.text, reply.text) == ("One two.", "Three.", "One two. Three.")
    assert reply.next_piece() == 0 and reply.voicing is None
    first.asked = True
    assert reply.next_piece() == 1 and reply.voicing == 0 and not reply.voiced
    first.done = second.asked = second.done = True
    assert reply.next_piece() is None and reply.voicing is None and reply.voiced


def test_a_piece_that_breaks_off_is_split_where_its_audio_ends() -> None:
    reply, _ = spoken(("one", 300), ("two", 300), ("three", 300))
    piece = reply.pieces[0]
    piece.samples, piece.done = 600 * MS, False
    reply.split(0, USUAL_PACE)
    assert [(p.text, p.done) for p in reply.pieces] == [("one two", True), ("three", False)]
    assert reply.next_piece() == 1 and reply.text == "one two three"


def test_a_piece_without_any_audio_is_asked_for_whole() -> None:
    reply = Reply(1, Kind.ANSWER, Policy())
    reply.say("One two.")
    reply.pieces[0].asked = True
    reply.split(0, USUAL_PACE)
    assert reply.pieces[1].text == "One two." and reply.text == "One two."


def test_what_was_heard_after_a_piece_that_failed_without_a_sound_counts() -> None:
    reply, playout = Reply(1, Kind.ANSWER, Policy()), Playout(EchoFloor(-18.0))
    reply.say("One two.")
    reply.pieces[0].asked = True
    reply.split(0, USUAL_PACE)
    again = reply.pieces[1]
    again.start, again.samples, again.done = 0, 600 * MS, True
    again.words = [SpokenWord("One", 0), SpokenWord("two.", 300 * MS)]
    playout.give(SOUND * 600)
    playout.heard = 400 * MS
    assert reply.heard(playout, 40) == "One"
    assert reply.cut_word(playout, 40) == 300 * MS


@pytest.mark.parametrize("timed", [True, False])
def test_a_word_whose_audio_has_not_come_was_not_heard(timed: bool) -> None:
    reply, playout = spoken(("one", 3), ("two", 0), timed=False, done=False)
    if timed:
        reply.pieces[0].words = [SpokenWord("one", 0), SpokenWord("two", 300 * MS)]
    playout.heard = 3 * MS
    assert reply.heard(playout, 40) == ""


def test_a_fixed_text_loses_its_markup_and_is_complete() -> None:
    reply = Reply(1, Kind.GREETING, Policy())
    reply.say("**Hello** [there](https://example.com).")
    assert reply.text == "Hello there." and reply.text_done and reply.fixed


def test_a_reply_starts_as_a_draft_or_chosen() -> None:
    assert not Reply(1, Kind.ANSWER, Policy(), draft=True).chosen
    assert Reply(1, Kind.ANSWER, Policy()).chosen
