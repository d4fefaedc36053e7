"""The shared voice detector: windows of many calls in one batch, votes at the right media time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from engine.audio.silero import WINDOW, SileroState
from engine.core.events import Event, VoiceVote
from engine.runtime.voice_votes import WAITING, Ballot, VoiceVotes


class Model:
    """Says a voice where a window's first byte is not 0xFF."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.broken = False
        self.judging: Callable[[], object] = lambda: None

    def infer(self, states: Sequence[SileroState], windows: Sequence[bytes]) -> list[float]:
        if self.broken:
            raise RuntimeError("no memory")
        assert len(set(map(id, states))) == len(states) == len(windows)
        self.batches.append(len(windows))
        self.judging()
        return [0.0 if window[0] == 0xFF else 0.9 for window in windows]


async def test_the_windows_of_all_calls_are_judged_together() -> None:
    model = Model()
    votes = VoiceVotes(model)  # type: ignore[arg-type]
    told: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
    for number in range(5):
        ballot = Ballot(votes, lambda event, number=number: told.put_nowait((number, event)))
        ballot.feed(bytes([0xFF if number == 3 else number]) * WINDOW, 0)
    got = dict([await told.get() for _ in range(5)])
    assert got == {number: VoiceVote(32, 0.0 if number == 3 else 0.9) for number in range(5)}
    assert model.batches == [5]


async def test_votes_lie_at_the_end_of_their_windows() -> None:
    votes = VoiceVotes(Model())  # type: ignore[arg-type]
    told: asyncio.Queue[Event] = asyncio.Queue()
    ballot = Ballot(votes, told.put_nowait)
    for frame in range(8):
        ballot.feed(bytes(160), 1000 + frame * 20)
    got = [await told.get() for _ in range(5)]
    assert [vote.at for vote in got] == [1032, 1064, 1096, 1128, 1160]


async def test_a_call_that_is_closed_hears_no_vote() -> None:
    model = Model()
    votes = VoiceVotes(model)  # type: ignore[arg-type]
    told: asyncio.Queue[Event] = asyncio.Queue()
    closed, live = Ballot(votes, told.put_nowait), Ballot(votes, told.put_nowait)
    closed.feed(bytes(WINDOW), 0)
    live.feed(bytes(WINDOW), 500)
    loop = asyncio.get_running_loop()
    model.judging = lambda: loop.call_soon_threadsafe(closed.close)
    assert await told.get() == VoiceVote(532, 0.9)
    assert told.empty()
    votes.close()


async def test_a_detector_that_fails_leaves_the_word_to_the_cheap_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = Model()
    model.broken = True
    votes = VoiceVotes(model)  # type: ignore[arg-type]
    told: asyncio.Queue[Event] = asyncio.Queue()
    ballot = Ballot(votes, told.put_nowait)
    ballot.feed(b"\xff" * WINDOW * 2, 0)
    assert [await told.get() for _ in range(2)] == [VoiceVote(32, 1.0), VoiceVote(64, 1.0)]
    assert len(caplog.records) == 1


async def test_what_waits_is_bounded() -> None:
    votes = VoiceVotes(Model())  # type: ignore[arg-type]
    told: asyncio.Queue[Event] = asyncio.Queue()
    ballot = Ballot(votes, told.put_nowait)
    ballot.feed(bytes(WINDOW) * (WAITING + 4), 0)
    got = [await told.get() for _ in range(WAITING)]
    assert got[0] == VoiceVote(5 * 32, 0.9)
    assert got[-1] == VoiceVote((WAITING + 4) * 32, 0.9)
