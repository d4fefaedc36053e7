"""The ledger, sample by sample: what is sent when, what counts as heard, the four operations."""

from __future__ import annotations

import pytest

from engine.audio.level import EchoFloor, level_dbfs
from engine.core.effects import AudioHeard, Effect, SendAudio, SendClear, SendMark
from engine.core.playout import Playout
from engine.core.policy import Playout as Limits
from engine.core.policy import Policy
from engine.core.step import Step

MS = 8
TONE = bytes((0x10, 0x90))


class Ledger:
    """A playout and the step it is worked with; ``effects`` of the last thing done."""

    def __init__(self, **limits: int) -> None:
        self.step = Step(Policy(playout=Limits(**limits)))
        self.floor = EchoFloor(-18.0)
        self.playout = Playout(self.floor)
        self.playout.begin()

    def give(self, ms: int, *, last: bool = False) -> None:
        self.playout.give(TONE * (ms * MS // 2))
        if last:
            self.playout.finish()

    def pump(self, now: int) -> list[Effect]:
        self.step.now = now
        self.playout.pump(self.step)
        return self.step.take()

    def echo(self, name: str, now: int) -> list[Effect]:
        self.step.now = now
        self.playout.echo(self.step, name)
        return self.step.take()

    def do(self, operation: str, now: int, *arguments: int) -> list[Effect]:
        self.step.now = now
        getattr(self.playout, operation)(self.step, *arguments)
        return self.step.take()

    @property
    def wake(self) -> int | None:
        return self.step.deadlines.at("pump")

    @property
    def counts(self) -> tuple[int, int, int]:
        """Given, sent and heard, ms."""
        return self.playout.given // MS, self.playout.sent // MS, self.playout.heard // MS


def sizes(effects: list[Effect]) -> list[int | str]:
    """The audio sent (ms), and the names of the marks, in order."""
    return [
        len(effect.payload) // MS if isinstance(effect, SendAudio) else effect.name
        for effect in effects
        if isinstance(effect, SendAudio | SendMark)
    ]


# --- sending ------------------------------------------------------------------------------------------


def test_a_short_first_chunk_then_as_far_ahead_as_the_lead() -> None:
    ledger = Ledger()
    ledger.give(3_000)
    assert sizes(ledger.pump(0)) == [
        40, "1.320", 200, "1.1920", 200, "1.3520", 200, "1.5120", 200, "1.6720", 200, "1.8320",
    ]  # fmt: skip
    assert ledger.counts == (3_000, 1_040, 0)
    assert ledger.wake == 240


def test_every_wake_sends_one_chunk_more() -> None:
    ledger = Ledger()
    ledger.give(2_000, last=True)
    ledger.pump(0)
    sent = []
    while ledger.wake is not None:
        assert ledger.playout.dry_at - ledger.wake >= 800
        sent.append((ledger.wake, sizes(ledger.pump(ledger.wake))[0]))
    assert sent == [(240, 200), (440, 200), (640, 200), (840, 200), (1_040, 160)]


def test_a_late_wake_sends_all_that_is_due() -> None:
    ledger = Ledger()
    ledger.give(3_000)
    ledger.pump(0)
    assert sizes(ledger.pump(740))[::2] == [200, 200, 200, 200]
    assert ledger.playout.dry_at == 1_840


@pytest.mark.parametrize(("given", "sent"), [(20, 20), (39, 20), (19, 0), (30, 20)])
def test_only_whole_frames_are_sent(given: int, sent: int) -> None:
    ledger = Ledger()
    ledger.give(given)
    ledger.pump(0)
    assert ledger.counts == (given, sent, 0)


def test_the_last_frame_is_filled_with_silence() -> None:
    ledger = Ledger()
    ledger.give(30, last=True)
    effects = ledger.pump(0)
    assert [e.payload for e in effects if isinstance(e, SendAudio)] == [TONE * 120 + b"\xff" * 80]
    assert sizes(effects) == [40, "1.320"]


def test_the_rest_waits_while_enough_is_ahead_so_that_messages_stay_large() -> None:
    ledger = Ledger()
    ledger.give(740)
    assert sizes(ledger.pump(0))[::2] == [40, 200, 200, 200]
    assert ledger.wake == 140
    assert sizes(ledger.pump(140)) == [100]


def test_a_mark_closes_what_was_sent_without_one() -> None:
    ledger = Ledger()
    ledger.give(100)
    assert sizes(ledger.pump(0)) == [40, "1.320", 60]
    ledger.playout.finish()
    assert sizes(ledger.pump(0)) == ["1.800"]


def test_the_bytes_sent_are_the_bytes_given() -> None:
    ledger = Ledger()
    given = bytes(n * 7 % 251 for n in range(5_000))
    ledger.playout.give(given)
    ledger.playout.finish()
    effects = ledger.pump(0)
    assert b"".join(e.payload for e in effects if isinstance(e, SendAudio)) == given + b"\xff" * 120


# --- hearing ------------------------------------------------------------------------------------------


def test_an_echo_says_what_was_heard_and_when_it_began() -> None:
    ledger = Ledger()
    ledger.give(240, last=True)
    ledger.pump(1_000)
    assert ledger.echo("1.320", 1_090) == [AudioHeard(TONE * 160, 1_050)]
    assert ledger.counts == (240, 240, 40)
    assert ledger.echo("1.1920", 1_290) == [AudioHeard(TONE * 800, 1_090)]
    assert ledger.playout.done and ledger.playout.played_to == 1_290


def test_a_jittered_echo_leaves_no_gap_in_the_recording() -> None:
    ledger = Ledger()
    ledger.give(640, last=True)
    ledger.pump(0)
    heard = ledger.echo("1.320", 50) + ledger.echo("1.1920", 400) + ledger.echo("1.3520", 445)
    ends = [(e.at, e.at + len(e.payload) // MS) for e in heard if isinstance(e, AudioHeard)]
    assert ends == [(10, 50), (50, 250), (250, 450)]


def test_an_echo_answers_for_all_marks_before_it() -> None:
    ledger = Ledger()
    ledger.give(440)
    ledger.pump(0)
    ledger.echo("1.3520", 440)
    assert ledger.counts == (440, 440, 440)
    assert ledger.echo("1.320", 441) == []
    assert ledger.counts == (440, 440, 440)


@pytest.mark.parametrize("name", ["", "1.", "1.321", "0.320", "2.320", "x.320", "1.-320", "1.99999"])
def test_unknown_marks_move_nothing(name: str) -> None:
    ledger = Ledger()
    ledger.give(440)
    ledger.pump(0)
    assert ledger.echo(name, 440) == []
    assert ledger.counts == (440, 440, 0)


@pytest.mark.parametrize(("now", "heard"), [(40, 40), (41, 41), (139, 139), (240, 240), (900, 240)])
def test_between_two_marks_the_clock_counts_but_never_past_the_next(now: int, heard: int) -> None:
    ledger = Ledger()
    ledger.give(1_000)
    ledger.pump(0)
    ledger.echo("1.320", 40)
    assert ledger.playout.position(now) == heard * MS


def test_before_the_first_echo_nothing_counts_as_heard() -> None:
    ledger = Ledger()
    ledger.give(1_000)
    ledger.pump(0)
    assert ledger.playout.position(900) == 0


def test_the_clock_does_not_count_while_the_carrier_had_nothing_to_play() -> None:
    ledger = Ledger()
    ledger.give(40)
    ledger.pump(0)
    ledger.echo("1.320", 40)
    ledger.give(500)
    assert sizes(ledger.pump(1_000)) == [200, "1.1920", 200, "1.3520", 100]
    assert ledger.playout.position(1_050) <= (40 + 50) * MS


def test_a_late_echo_of_a_stretch_that_is_over_says_nothing_of_the_next() -> None:
    ledger = Ledger()
    ledger.give(40)
    ledger.pump(0)
    ledger.give(500)
    ledger.pump(100)
    ledger.echo("1.320", 105)
    assert ledger.playout.position(140) == 40 * MS


def test_without_acknowledgements_what_was_sent_counts_in_the_end() -> None:
    ledger = Ledger()
    ledger.give(240, last=True)
    ledger.pump(0)
    heard = ledger.do("assume_heard", 2_240)
    assert ledger.playout.done
    assert sum(len(e.payload) for e in heard if isinstance(e, AudioHeard)) == 240 * MS


# --- the four operations ------------------------------------------------------------------------------


def playing(ms: int = 1_000, now: int = 500) -> Ledger:
    """Audio of ``ms`` that has been played since 0, and acknowledged up to ``now``."""
    ledger = Ledger()
    ledger.give(ms, last=True)
    ledger.pump(0)
    ledger.echo("1.320", 40)
    ledger.echo("1.1920", 240)
    ledger.echo("1.3520", 440)
    ledger.step.now = now
    return ledger


def test_stop_keeps_what_was_heard_and_forgets_the_rest() -> None:
    ledger = playing()
    assert ledger.do("stop", 500) == [AudioHeard(TONE * (60 * MS // 2), 440), SendClear()]
    assert ledger.counts == (500, 500, 500)
    assert ledger.echo("1.5120", 500) == ledger.echo("1.8000", 500) == []
    assert ledger.counts == (500, 500, 500) and ledger.wake is None


def test_hold_and_resume_send_again_from_the_given_place() -> None:
    ledger = playing()
    assert ledger.do("hold", 500)[-1] == SendClear()
    assert ledger.pump(600) == [] and not ledger.playout.done
    ledger.give(0)
    again = ledger.do("resume", 900, 450 * MS)
    assert sizes(again) == [40, "2.3920", 200, "2.5520", 200, "2.7120", 110, "2.8000"]
    assert ledger.counts == (1_000, 1_000, 500)
    assert ledger.echo("1.8000", 910) == []
    assert ledger.echo("2.3920", 940) == [AudioHeard(TONE * 160, 900)]
    assert ledger.counts == (1_000, 1_000, 500)
    ledger.echo("2.8000", 1_450)
    assert ledger.playout.done


def test_voice_may_go_on_giving_during_a_hold() -> None:
    ledger = Ledger()
    ledger.give(100)
    ledger.pump(0)
    ledger.echo("1.320", 40)
    ledger.do("hold", 60)
    ledger.give(100, last=True)
    assert ledger.pump(100) == []
    assert sizes(ledger.do("resume", 300, 60 * MS))[::2] == [40, 100]


def test_duck_goes_on_at_once_and_lower() -> None:
    ledger = playing()
    ducked = ledger.do("duck", 500)
    assert ducked[1] == SendClear()
    assert sizes(ducked) == [40, "2.4320", 200, "2.5920", 200, "2.7520", 60, "2.8000"]
    loud, low = TONE[:1], next(e.payload for e in ducked if isinstance(e, SendAudio))[:1]
    assert (loud[0] & 0x70) < (low[0] & 0x70)
    back = ledger.do("resume", 600, 590 * MS)
    assert SendClear() in back
    assert next(e.payload for e in back if isinstance(e, SendAudio)) == TONE * 160


def test_what_is_sent_again_was_not_heard_again_before_the_carrier_says_so() -> None:
    ledger = playing()
    ledger.do("hold", 500)
    ledger.do("resume", 900, 450 * MS)
    assert ledger.do("hold", 905) == [SendClear()]


def test_clear_is_not_sent_when_the_carrier_holds_nothing() -> None:
    ledger = Ledger()
    ledger.give(40, last=True)
    ledger.pump(0)
    ledger.echo("1.320", 40)
    assert ledger.do("stop", 500) == []


def test_a_new_reply_starts_from_nothing_and_old_marks_do_not_reach_it() -> None:
    ledger = playing()
    ledger.do("stop", 500)
    ledger.playout.begin()
    ledger.give(300)
    names = [name for name in sizes(ledger.pump(600)) if isinstance(name, str)]
    assert len(names) == 2
    for old in ("1.5120", "1.320", "1.1920", "2.1920"):
        assert old not in names and ledger.echo(old, 610) == []
    assert ledger.counts == (300, 300, 0)


def test_the_echo_of_a_message_is_as_loud_as_its_loudest_frame_and_lasts_from_there() -> None:
    soft, loud = TONE * 80, b"\x80\x00" * 80
    ledger = Ledger()
    ledger.playout.give(soft * 5 + loud + soft * 10)
    ledger.pump(1_000)
    below = level_dbfs(loud) - 18.0
    assert ledger.floor.floor(1_099) == level_dbfs(soft) - 18.0
    assert ledger.floor.floor(1_100) == ledger.floor.floor(1_499) == below
    assert ledger.floor.floor(1_500) == level_dbfs(soft) - 18.0
