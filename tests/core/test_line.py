"""The line: joining or not (F9), the dead stream, the carrier's word; each end reason provoked (F65)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.core.effects import CloseStream, CloseTranscriber, HangUp, OpenTranscriber, OpenVoice
from engine.core.events import (
    CallerHungUp,
    Drain,
    HangUpNow,
    StreamLost,
    StreamOpened,
    StreamStopped,
    WireFault,
    WriteStalled,
)
from engine.core.line import Line, Phase
from engine.core.notes import Closed, EndReason, Joined
from engine.core.policy import Carrier, Ending, Idle, LadderStep, Limits, Opening, Policy, StepEnding, Turns
from engine.core.step import Step
from engine.testing import (
    Caller,
    Phone,
    Refuses,
    ScriptedCarrier,
    ScriptedModel,
    ScriptedVoice,
    ToolUse,
    World,
)
from tests.core.clock_scenes import GREETING, NO_CLOCKS, ending, fired, model, roles, spoken, when

SILENT = Policy(opening=Opening(), idle=NO_CLOCKS)
DEAF = 10_000
"""ms without frames after which these calls give up."""


# --- the machine alone ----------------------------------------------------------------------------------


def test_the_reason_is_set_once_and_all_alarms_go() -> None:
    line, step = Line(), Step(Policy())
    line.join(step)
    step.deadlines.set("anything", 5)
    line.end(step, EndReason.AGENT_HUNG_UP)
    line.end(step, EndReason.CALLER_HUNG_UP)
    assert (line.reason, line.phase) == (EndReason.AGENT_HUNG_UP, Phase.ENDING)
    assert [type(effect) for effect in step.take()].count(HangUp) == 1
    assert step.deadlines.next == Limits().carrier


def test_a_leg_that_is_gone_is_not_hung_up() -> None:
    line, step = Line(), Step(Policy())
    line.join(step)
    line.end(step, EndReason.CALLER_HUNG_UP)
    assert not any(isinstance(effect, HangUp) for effect in step.take())
    assert line.phase is Phase.CLOSED and step.deadlines.next is None


# --- joining --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [5_000, 30_000])
def test_nobody_joins(limit: int) -> None:
    world = World(Policy(limits=Limits(join=limit)), caller=Caller(joins=None)).run()
    assert ending(world) == ("unjoined", limit)
    assert world.ended_at == limit
    assert fired(world) == [("join", limit)]


def test_a_stream_that_comes_later_is_refused() -> None:
    world = World(Policy(opening=GREETING, limits=Limits(join=5_000)), caller=Caller(joins=5_001)).run()
    assert ending(world) == ("unjoined", 5_000)
    assert world.notes(Joined) == [] and world.heard_text == ""


def test_joining_at_the_last_millisecond_counts() -> None:
    world = World(Policy(opening=GREETING, limits=Limits(join=5_000)), caller=Caller(joins=4_999)).run(8_000)
    assert world.times(Joined) == [4_999]
    assert world.reason is None


def test_the_providers_are_opened_while_it_rings_and_once() -> None:
    world = World(SILENT, caller=Caller(joins=3_000)).run(4_000)
    assert (when(world, OpenTranscriber), when(world, OpenVoice)) == ([0], [0])


def test_what_the_joining_side_reports_is_kept() -> None:
    world = (
        World(SILENT, caller=Caller(joins=None)).at(70, StreamOpened("s1", "CA1", "softphone 2.1")).run(100)
    )
    assert world.notes(Joined) == [Joined(70, "CA1", "softphone 2.1")]


# --- a dead line ----------------------------------------------------------------------------------------


def deaf(joins: int = 0) -> World:
    """A stream that is up and brings nothing."""
    policy = Policy(idle=NO_CLOCKS, limits=Limits(no_frames=DEAF))
    world = World(policy, caller=Caller(joins=None))
    return world.at(joins, StreamOpened("s1", "CA1"))


def test_no_frames_at_all() -> None:
    world = deaf(joins=3_000).run()
    assert ending(world) == ("connection_error", 3_000 + DEAF)
    assert fired(world) == [("no_frames", 3_000 + DEAF)]


def test_no_frames_any_more() -> None:
    policy = Policy(idle=NO_CLOCKS, limits=Limits(no_frames=DEAF))
    world = World(policy, caller=Caller())
    world.at(4_010, world.caller.close_line).run()
    assert ending(world) == ("connection_error", 4_000 + DEAF)


def test_frames_keep_the_line_alive() -> None:
    world = World(Policy(idle=NO_CLOCKS, limits=Limits(no_frames=DEAF)), caller=Caller()).run(90_000)
    assert world.reason is None


@pytest.mark.parametrize(("waited", "dead"), [(4_999, False), (5_000, True)])
def test_a_peer_that_takes_nothing(waited: int, dead: bool) -> None:
    world = World(SILENT, caller=Caller()).at(2_000, WriteStalled(waited)).run(3_000)
    assert fired(world) == ([("write_stall", 2_000)] if dead else [])
    assert world.reason is (EndReason.CONNECTION_ERROR if dead else None)


def test_malformed_messages_are_survived_up_to_the_limit() -> None:
    world = World(Policy(idle=NO_CLOCKS, limits=Limits(wire_faults=3)), caller=Caller())
    for at in (100, 200, 300):
        world.at(at, WireFault("malformed"))
    assert world.run(1_000).reason is None


def test_more_malformed_messages_than_that_end_the_call() -> None:
    world = World(Policy(idle=NO_CLOCKS, limits=Limits(wire_faults=3)), caller=Caller())
    for at in (100, 200, 300, 400):
        world.at(at, WireFault("malformed"))
    assert ending(world.run(1_000)) == ("connection_error", 400)


class Mute(Phone):
    """A phone whose carrier never acknowledges what it has played."""

    def mark(self, name: str) -> None:
        """Nobody echoes it."""


@pytest.mark.parametrize(
    "sentences",
    [
        3,
        pytest.param(14),
    ],
)
def test_a_carrier_that_acknowledges_nothing_does_not_hold_the_call_for_ever(sentences: int) -> None:
    """14 sentences are more than the 12 s of unheard audio that are kept in memory."""
    policy = Policy(idle=Idle(dead_air=10_000), limits=Limits(longest=None))
    long = model("This is a sentence of some length that goes on for a while. " * sentences)
    world = World(policy, caller=Caller().says("Tell me.", at=200), model=long, phone=Mute(), laws=False)
    world.run(300_000)
    assert world.reason is EndReason.SILENCE


# --- the carrier's word ---------------------------------------------------------------------------------

HANG_UP = (2_000, HangUpNow())


def test_the_call_closes_when_the_carrier_confirms() -> None:
    world = World(SILENT, caller=Caller(), carrier=ScriptedCarrier(hang_up_ms=700)).at(*HANG_UP).run()
    assert (when(world, HangUp), world.times(Closed)) == ([2_000], [2_700])
    assert (when(world, CloseStream), when(world, CloseTranscriber)) == ([2_700], [2_700])


def test_a_carrier_that_never_confirms_is_waited_for_so_long() -> None:
    policy = Policy(idle=NO_CLOCKS, limits=Limits(carrier=5_000))
    world = World(policy, caller=Caller(), carrier=ScriptedCarrier(outcome="")).at(*HANG_UP).run()
    assert world.times(Closed) == [7_000]


@pytest.mark.parametrize("event", [StreamStopped(), StreamLost()])
def test_the_end_of_the_stream_is_confirmation_too(event: StreamStopped | StreamLost) -> None:
    world = World(SILENT, caller=Caller(), carrier=ScriptedCarrier(outcome="")).at(*HANG_UP)
    assert world.at(2_300, event).run().times(Closed) == [2_300]


def test_so_is_the_report_that_the_leg_is_completed() -> None:
    world = World(SILENT, caller=Caller(), carrier=ScriptedCarrier(outcome="")).at(*HANG_UP)
    assert world.at(2_300, CallerHungUp()).run().times(Closed) == [2_300]


def test_where_nothing_can_hang_up_the_stream_is_closed_at_once() -> None:
    policy = Policy(opening=Opening(), idle=NO_CLOCKS, carrier=Carrier(hangs_up=False))
    world = World(policy, caller=Caller()).at(*HANG_UP).run()
    assert when(world, HangUp) == []
    assert (when(world, CloseStream), world.times(Closed)) == ([2_000], [2_000])


def test_a_phone_that_rings_is_hung_up() -> None:
    world = World(SILENT, caller=Caller(joins=9_000)).at(*HANG_UP).run()
    assert when(world, HangUp) == [2_000]


# --- every reason, once ---------------------------------------------------------------------------------


def _nothing(world: World) -> None: ...


REASONS: dict[EndReason, tuple[Policy, dict[str, Any], Callable[[World], object]]] = {
    EndReason.CALLER_HUNG_UP: (SILENT, {"caller": Caller().hangs_up(at=1_000)}, _nothing),
    EndReason.AGENT_HUNG_UP: (
        SILENT,
        {"caller": Caller().says("That is all.", at=500), "model": model(ToolUse("hang_up"))},
        _nothing,
    ),
    EndReason.REQUESTED: (SILENT, {}, lambda world: world.at(1_000, HangUpNow())),
    EndReason.TRANSFERRED: (
        Policy(idle=NO_CLOCKS, carrier=Carrier(transfers=True), transfer_target="+15550100"),
        {"caller": Caller().says("A human.", at=500), "model": model(ToolUse("transfer"))},
        _nothing,
    ),
    EndReason.SILENCE: (Policy(idle=Idle(dead_air=3_000)), {}, _nothing),
    EndReason.INACTIVITY: (
        Policy(idle=Idle(ladder=(LadderStep(3_000, "Bye.", StepEnding.SOFT),))), {}, _nothing,
    ),
    EndReason.MAX_DURATION: (Policy(limits=Limits(longest=3_000)), {}, _nothing),
    EndReason.UNJOINED: (SILENT, {"caller": Caller(joins=None)}, _nothing),
    EndReason.CONNECTION_ERROR: (SILENT, {"caller": Caller().drops(at=1_000)}, _nothing),
    EndReason.PROVIDER_ERROR: (
        Policy(opening=GREETING, idle=NO_CLOCKS),
        {"voice": ScriptedVoice(faults=Refuses(retryable=False))},
        _nothing,
    ),
    EndReason.DRAINED: (SILENT, {}, lambda world: world.at(1_000, Drain(500))),
}  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_can_be_provoked_and_is_the_only_one(reason: EndReason) -> None:
    policy, parts, prepare = REASONS[reason]
    world = World(policy, **{"caller": Caller(), **parts})
    prepare(world)
    world.run()
    assert ending(world)[0] == reason.value
    assert [note.reason for note in world.notes(Closed)] == [reason]


def test_only_the_engine_s_own_fault_is_not_for_the_call_to_set() -> None:
    assert set(EndReason) - set(REASONS) == {EndReason.ENGINE_ERROR}


def failing_model(drafts: bool) -> World:
    """A caller who asks twice, and a model that refuses everything."""
    policy = Policy(
        idle=NO_CLOCKS, turns=Turns(drafts=drafts), ending=Ending(failure_message="Something is broken.")
    )
    caller = Caller().says("One question.", at=500).after_agent("Try once more.")
    return World(policy, caller=caller, model=ScriptedModel(faults=Refuses())).run()


@pytest.mark.parametrize(
    "drafts",
    [
        False,
        pytest.param(True),
    ],
)
def test_a_model_that_fails_is_apologised_for_once_a_turn_and_then_given_up(drafts: bool) -> None:
    world = failing_model(drafts)
    assert roles(world) == [
        ("user", "One question."), ("assistant", "Something is broken."),
        ("user", "Try once more."), ("assistant", "Something is broken."),
    ]  # fmt: skip
    assert ending(world) == ("provider_error", spoken(world)[-1][2])
