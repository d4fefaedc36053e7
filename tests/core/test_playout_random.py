"""The ledger under random orders of everything that can be done to it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.level import EchoFloor
from engine.audio.mulaw import attenuate
from engine.core.effects import AudioHeard, Effect, SendAudio, SendClear, SendMark
from engine.core.playout import Playout
from engine.core.policy import Policy
from engine.core.step import Step

MS = 8


class Phone:
    """A buffer that plays 8 samples a millisecond and echoes marks; it keeps what it has played."""

    def __init__(self) -> None:
        self.queue: list[tuple[int, bytes | str]] = []
        self.dry = 0
        self.played = 0
        """Samples played since the last clear."""
        self.sent = b""
        """Everything sent since the last clear."""

    def take(self, effect: Effect, now: int) -> list[str]:
        """Perform an effect; the marks that a clear sends back."""
        if isinstance(effect, SendAudio):
            self.dry = max(self.dry, now * MS) + len(effect.payload)
            self.queue.append((self.dry, effect.payload))
            self.sent += effect.payload
        elif isinstance(effect, SendMark):
            self.queue.append((self.dry, effect.name))
        elif isinstance(effect, SendClear):
            back = [name for _, name in self.queue if isinstance(name, str)]
            self.queue.clear()
            self.dry, self.sent, self.played = now * MS, b"", 0
            return back
        return []

    def run(self, until: int) -> list[tuple[int, str]]:
        """Play up to ``until`` (ms); the marks that come back, with their times."""
        back = []
        while self.queue and self.queue[0][0] <= until * MS:
            at, what = self.queue.pop(0)
            if isinstance(what, str):
                back.append((-(-at // MS), what))
            else:
                self.played += len(what)
        return back

    def playing(self, now: int) -> int:
        """Samples played since the last clear, the message that is playing included."""
        done = self.played
        for end, what in self.queue:
            if isinstance(what, bytes):
                return done + max(0, min(len(what), now * MS - (end - len(what))))
        return done


class Trial:
    """A ledger with a phone; after every step it is checked against what the phone knows."""

    def __init__(self) -> None:
        self.step = Step(Policy())
        self.playout = Playout(EchoFloor(-18.0))
        self.playout.begin()
        self.phone = Phone()
        self.old: list[str] = []
        self.claimed = b""
        self.heard = 0
        self.whole = b""

    def do(self, name: str, *arguments: Any) -> None:
        getattr(self.playout, name)(self.step, *arguments)
        self.perform()

    def perform(self) -> None:
        for effect in self.step.take():
            if isinstance(effect, AudioHeard):
                self.claimed += effect.payload
                assert self.phone.sent.startswith(self.claimed), "heard is what was sent, in its order"
                truth = self.phone.playing(self.step.now)
                assert len(self.claimed) <= truth, f"{len(self.claimed)} heard, {truth} played"
            if isinstance(effect, SendClear):
                self.claimed = b""
            self.old += self.phone.take(effect, self.step.now)
        self.check()

    def check(self) -> None:
        ledger = self.playout
        assert ledger.given >= ledger.sent >= ledger.heard >= self.heard
        self.heard = ledger.heard

    def wait(self, ms: int) -> None:
        until = self.step.now + ms
        for at, name in self.phone.run(until):
            self.step.now = max(self.step.now, at)
            self.do("echo", name)
        self.step.now = until
        if "pump" in self.step.deadlines:
            self.do("pump")

    def give(self, size: int) -> None:
        if not self.playout.complete:
            self.whole += bytes((len(self.whole) // 97 * 31 + n) % 255 for n in range(size))
            self.playout.give(self.whole[len(self.whole) - size :])
            self.do("pump")

    def late_mark(self) -> None:
        if self.old:
            before = self.playout.heard
            self.do("echo", self.old.pop())
            assert self.playout.heard == before

    def resume(self, back: int) -> None:
        if self.playout.paused or self.playout.ducked:
            self.do("resume", max(0, self.playout.heard - back))

    def finish(self) -> None:
        self.playout.finish()
        self.do("pump")


steps = st.lists(
    st.one_of(
        st.tuples(st.just("give"), st.sampled_from((1, 160, 333, 800, 4_000, 16_000))),
        st.tuples(st.just("wait"), st.sampled_from((1, 7, 20, 20, 40, 100, 200, 500, 1_500))),
        st.tuples(st.just("wait"), st.sampled_from((20, 40, 100, 200))),
        st.tuples(st.sampled_from(("hold", "duck", "settle", "finish", "late_mark"))),
        st.tuples(st.just("resume"), st.sampled_from((0, 80, 800, 5_000))),
    ),
    max_size=40,
)


@given(steps, st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_is_done_the_ledger_claims_no_more_than_was_played(
    todo: list[tuple[Any, ...]], stops: bool
) -> None:
    trial = Trial()
    for name, *arguments in todo:
        if name in ("hold", "duck") and (trial.playout.paused or not trial.playout.sent):
            continue
        if hasattr(trial, name):
            getattr(trial, name)(*arguments)
        else:
            trial.do(name)
    if stops:
        trial.do("stop")
        assert trial.playout.given == trial.playout.sent == trial.playout.heard
        return
    trial.resume(0)
    trial.finish()
    for _ in range(200):
        trial.wait(1_000)
    assert trial.playout.done and trial.heard >= len(trial.whole)


@given(steps)
@settings(max_examples=100, deadline=None)
def test_what_is_left_alone_is_heard_byte_for_byte(todo: list[tuple[Any, ...]]) -> None:
    trial = Trial()
    for name, *arguments in todo:
        if name in ("give", "wait"):
            getattr(trial, name)(*arguments)
    trial.finish()
    for _ in range(200):
        trial.wait(1_000)
    assert trial.claimed == trial.whole + b"\xff" * (-len(trial.whole) % 160)


def test_attenuation_keeps_the_number_of_samples() -> None:
    assert len(attenuate(bytes(range(256)), 12.0)) == 256
