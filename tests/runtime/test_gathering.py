"""How the caller's audio is gathered: nothing lost, nothing late that matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.gathering import GATHERED_MS, RESTING_MS, Gathering

FRAME_MS = 20
SILENT, SOFT, LOUD = -96.0, -40.0, -20.0


def sizes(*stretches: tuple[float, int]) -> list[int]:
    """What goes out of stretches of (level in dBFS, ms), ms each; what is held in the end left out."""
    gathering, out, at = Gathering(), [], 0
    for level, ms in stretches:
        for _ in range(ms // FRAME_MS):
            if gathering.add(bytes(8 * FRAME_MS), at, level):
                taken = gathering.take()
                assert taken is not None
                out.append(len(taken[1]) // 8)
            at += FRAME_MS
    return out


def test_sound_goes_out_in_pieces() -> None:
    assert sizes((LOUD, 400)) == [GATHERED_MS] * 4


def test_the_first_silence_after_speech_goes_out_frame_by_frame() -> None:
    assert sizes((LOUD, 200), (SILENT, 600)) == [100, 100] + [20] * 20 + [100, 100]


def test_a_softer_sound_is_silence_beside_a_loud_one_but_not_for_long() -> None:
    told = sizes((LOUD, 100), (SOFT, 2_000))
    assert told[:4] == [100, 20, 20, 20] and set(told[-10:]) == {100}


def test_a_long_silence_goes_out_in_long_pieces_and_the_first_sound_at_once() -> None:
    told = sizes((SILENT, 2_320), (LOUD, 120))
    assert told[:12] == [100] * 12
    assert set(told[12:-2]) == {RESTING_MS + 10}, "frames are not cut"
    assert told[-2:] == [2_340 - 1_200 - 4 * 260, 100]


def test_what_follows_and_what_does_not() -> None:
    gathering = Gathering()
    assert gathering.joins(700), "nothing is held"
    gathering.add(bytes(161), 700, LOUD)
    assert [gathering.joins(at) for at in (718, 719, 720, 721, 722)] == [False, True, True, True, False]
    assert gathering.take() == (700, bytes(161))
    assert gathering.take() is None


@given(st.lists(st.tuples(st.floats(-96, 0), st.integers(0, 400)), max_size=200))
def test_every_byte_goes_out_once_and_none_is_held_for_long(pieces: list[tuple[float, int]]) -> None:
    gathering, out, fed = Gathering(), b"", b""
    for level, size in pieces:
        payload = bytes([size % 256]) * size
        fed += payload
        if gathering.add(payload, len(fed) // 8, level) and (taken := gathering.take()) is not None:
            out += taken[1]
        assert len(fed) - len(out) < RESTING_MS * 8
    if (taken := gathering.take()) is not None:
        out += taken[1]
    assert out == fed
