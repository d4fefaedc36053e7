"""The carrier's answers come over another connection than its stream: in any order, early, late or never."""

from __future__ import annotations

import pytest

from engine.core.call import Call
from engine.core.effects import Effect, HangUp, OpenTranscriber, SendDigits, Transfer
from engine.core.events import (
    CallerAudio,
    CarrierDone,
    Created,
    Drain,
    Event,
    FinalWords,
    ModelDone,
    ModelText,
    ModelToolCall,
    SayNow,
    StreamOpened,
    StreamStopped,
    TranscriberReady,
)
from engine.core.line import Phase
from engine.core.notes import EndReason, Fault
from engine.core.policy import Carrier, Idle, Limits, Policy, Turns
from engine.testing import Caller, ScriptedTranscriber, World

KEYS = Carrier(hangs_up=True, transfers=True, digits_in_band=False)


class Line:
    """A call that is told events by hand, with what it asked for."""

    def __init__(self, **limits: int | None) -> None:
        idle, turns = Idle(dead_air=None), Turns(drafts=False)
        self.call = Call(Policy(idle=idle, turns=turns, carrier=KEYS, limits=Limits(**limits)))  # type: ignore[arg-type]
        self.asked: list[Effect] = []
        self.now = 0
        self.tell(Created()).tell(StreamOpened("s1"))

    def tell(self, event: Event, at: int | None = None) -> Line:
        self.until(self.now if at is None else at)
        self.asked += self.call.handle(event, self.now)
        return self

    def until(self, at: int) -> Line:
        while (wake := self.call.wake_at) is not None and wake <= at:
            self.asked += self.call.wake(wake)
        self.now = at
        return self

    def calls_tool(self, name: str, arguments: str) -> Line:
        self.tell(FinalWords("Please do it.")).until(self.now + 700)
        self.tell(ModelToolCall(1, 1, "t1", name, arguments)).tell(ModelDone(1, 1, "tools"))
        return self.tell(ModelText(1, 2, "")).tell(ModelDone(1, 2))

    def of(self, kind: type[Effect]) -> list[Effect]:
        return [effect for effect in self.asked if isinstance(effect, kind)]


@pytest.mark.parametrize("order", ["answer first", "stream first"])
def test_keys_are_pressed_and_the_call_goes_on_whatever_comes_first(order: str) -> None:
    line = Line().calls_tool("send_digits", '{"digits": "5"}')
    assert line.of(SendDigits)
    events: list[Event] = [CarrierDone("digits"), StreamStopped()]
    for event in events if order == "answer first" else reversed(events):
        line.tell(event, line.now + 200)
    assert line.call.line.phase is Phase.SEAM
    line.tell(StreamOpened("s2"), line.now + 1_500)
    assert line.call.line.live and line.call.reason is None
    line.tell(StreamStopped(), line.now + 30_000)
    assert line.call.reason is EndReason.CALLER_HUNG_UP


def test_long_waits_between_keys_do_not_lose_the_call() -> None:
    line = Line().calls_tool("send_digits", '{"digits": "' + "w" * 24 + '123"}')
    line.tell(StreamStopped(), line.now + 200).until(line.now + 12_900)
    assert line.call.line.phase is Phase.SEAM
    assert line.tell(StreamOpened("s2")).call.line.live


def test_a_stream_that_is_never_taken_may_end_as_usual() -> None:
    line = Line(seam=5_000).calls_tool("send_digits", '{"digits": "5"}')
    line.tell(CarrierDone("digits"), line.now + 100).until(line.now + 6_000)
    assert line.tell(StreamStopped()).call.reason is EndReason.CALLER_HUNG_UP


def transferring(**limits: int | None) -> Line:
    line = Line(**limits).calls_tool("transfer", '{"target": "+14155550123"}')
    assert line.of(Transfer) and line.call.line.transferring
    return line.tell(StreamStopped(), line.now + 300)


def test_the_ringing_time_goes_to_the_carrier() -> None:
    (transfer,) = transferring(transfer=20_000).of(Transfer)
    assert isinstance(transfer, Transfer) and transfer.ring == 20_000


def test_an_answered_transfer_that_nobody_confirms_is_never_hung_up_on() -> None:
    line = transferring(transfer=20_000).until(60_000)
    assert line.call.reason is EndReason.TRANSFERRED and not line.of(HangUp)


@pytest.mark.parametrize("clock", ["longest", "drain"])
def test_no_clock_hangs_up_on_a_transfer_that_may_have_been_answered(clock: str) -> None:
    line = transferring(transfer=20_000, longest=10_000 if clock == "longest" else None)
    if clock == "drain":
        line.tell(Drain(5_000))
    line.tell(CarrierDone("transfer"), line.now + 22_000)
    assert line.call.reason is EndReason.TRANSFERRED and not line.of(HangUp)


def test_another_stream_of_a_call_takes_over_without_losing_a_word() -> None:
    policy = Policy(idle=Idle(dead_air=None))
    world = World(policy, caller=Caller())
    world.at(500, SayNow("One two three four five six seven eight nine ten."))
    world.at(1_500, StreamOpened("another"))
    world.run(12_000)
    assert world.heard_text.endswith("eight nine ten.")


# --- a transcriber that hangs -----------------------------------------------------------------------------


def test_a_transcriber_that_does_not_open_is_asked_again() -> None:
    line = Line().until(5_200)
    assert len(line.of(OpenTranscriber)) == 1 and line.of(Fault)
    assert len(line.until(5_300).of(OpenTranscriber)) == 2


def test_a_transcriber_that_opened_and_hears_nothing_is_replaced() -> None:
    caller = Caller().says("Hello there, hello?", at=1_000).says("Is anybody there?", at=4_000)
    deaf = ScriptedTranscriber(hears=lambda text: "", interim_every=None)
    world = World(Policy(idle=Idle(dead_air=None)), caller=caller, transcriber=deaf).run(12_000)
    assert len(world.effects(OpenTranscriber)) == 1, "an empty final is an answer"
    line = Line().tell(TranscriberReady())
    for start in (1_000, 6_000):
        for at in range(start, start + 3_000, 20):
            voice = 0.9 if at < start + 800 else 0.0
            line.tell(CallerAudio(b"\xff" * 160, at, -20.0 if voice else -60.0, voice), at + 20)
    assert [note.reason for note in line.of(Fault) if isinstance(note, Fault)] == ["no answer to speech"]
