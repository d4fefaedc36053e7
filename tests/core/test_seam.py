"""A call outlives its stream: a seam has a deadline, and the agent goes on where it was cut off."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.effects import HangUp, SendAudio, Transfer
from engine.core.events import CallerHungUp, CarrierDone, StreamOpened, StreamStopped, UserText
from engine.core.notes import SeamClosed, SeamOpened
from engine.core.policy import Carrier, Ending, Idle, LadderStep, Limits, Opening, Policy
from engine.testing import Caller, ScriptedCarrier, ToolUse, World, agent_speaking
from tests.core.clock_scenes import GREETING, LONG, NO_CLOCKS, ending, fired, model, roles, spoken, when

SPEECH = Opening(message=LONG)


def test_a_stream_that_does_not_come_back_ends_the_call() -> None:
    policy = Policy(idle=NO_CLOCKS, limits=Limits(seam=7_000))
    world = World(policy, caller=Caller().drops(at=3_000)).run()
    assert ending(world) == ("connection_error", 10_000)
    assert fired(world) == [("seam", 10_000)]


def test_one_that_comes_back_in_time_carries_the_call_on() -> None:
    policy = Policy(idle=NO_CLOCKS, limits=Limits(seam=7_000))
    caller = Caller().drops(at=3_000, back_after=6_999).says("Are you there?", at=11_000)
    world = World(policy, caller=caller, model=model("Yes.")).run(20_000)
    assert (world.times(SeamOpened), world.times(SeamClosed)) == ([3_000], [9_999])
    assert spoken(world)[-1][0] == "Yes."


def test_every_seam_has_its_own_deadline() -> None:
    policy = Policy(idle=NO_CLOCKS, limits=Limits(seam=7_000))
    caller = Caller().drops(at=3_000, back_after=6_000).drops(at=12_000, back_after=6_000).drops(at=20_000)
    assert ending(World(policy, caller=caller).run()) == ("connection_error", 27_000)


def test_the_agent_says_what_was_not_heard_and_nothing_into_the_seam() -> None:
    policy = Policy(opening=SPEECH, idle=NO_CLOCKS)
    world = World(policy, caller=Caller().drops(at=2_000, back_after=1_500)).run(20_000)
    assert not [at for at in when(world, SendAudio) if 2_000 <= at < 3_500]
    assert world.heard_text == LONG
    assert roles(world) == [("assistant", LONG)]


def test_an_answer_that_is_ready_in_the_seam_waits_for_the_stream() -> None:
    caller = Caller().says("What is it?", at=500).drops(at=1_400, back_after=4_000)
    world = World(Policy(idle=NO_CLOCKS), caller=caller, model=model("It is blue.")).run(12_000)
    ((text, start, _),) = spoken(world)
    assert text == "It is blue." and start >= 5_400


def test_the_idle_clocks_stand_still_in_the_seam() -> None:
    idle = Idle(("Hello?",), 6_000, 1, (LadderStep(9_000, "Still there?"),), dead_air=20_000)
    caller = Caller().drops(at=3_000, back_after=5_000)
    world = World(Policy(opening=GREETING, idle=idle), caller=caller).run(60_000)
    (_, _, greeted), (_, start, heard) = spoken(world)[:2]
    assert fired(world)[0] == ("awaiting_response", greeted + 6_000 + 5_000)
    assert fired(world)[1] == ("inactivity", greeted + 9_000 + 5_000 + heard - (greeted + 11_000))
    assert start > greeted


def test_the_longest_call_counts_on_in_the_seam() -> None:
    policy = Policy(idle=NO_CLOCKS, limits=Limits(longest=5_000))
    world = World(policy, caller=Caller().drops(at=3_000, back_after=4_000)).run()
    assert ending(world) == ("max_duration", 5_000)
    assert when(world, HangUp) == [5_000]


def test_the_caller_can_hang_up_in_the_seam() -> None:
    world = World(Policy(idle=NO_CLOCKS), caller=Caller().drops(at=3_000)).at(4_000, CallerHungUp()).run()
    assert ending(world) == ("caller_hung_up", 4_000)


def test_typed_text_in_the_seam_is_answered_after_it() -> None:
    caller = Caller().drops(at=3_000, back_after=2_000)
    world = World(Policy(idle=NO_CLOCKS), caller=caller, model=model("Yes."))
    world.at(4_000, UserText("Hello?")).run(12_000)
    ((text, start, _),) = spoken(world)
    assert text == "Yes." and start >= 5_000


def test_a_caller_cut_off_in_mid_sentence_loses_no_word() -> None:
    caller = Caller().says("I would like to book", at=1_000).drops(at=2_400, back_after=1_500)
    caller.says("a table for two", at=4_200)
    world = World(Policy(idle=NO_CLOCKS), caller=caller, model=model("For two.")).run(15_000)
    said = " ".join(text for role, text in roles(world) if role == "user")
    assert said == "I would like to book a table for two"
    assert spoken(world)[-1][0] == "For two."


def test_a_held_agent_goes_on_after_the_seam() -> None:
    caller = Caller().coughs(when=agent_speaking(1_000), lasts=600).drops(at=1_400, back_after=1_000)
    world = World(Policy(opening=SPEECH, idle=NO_CLOCKS), caller=caller).run(20_000)
    assert world.heard_text == LONG


def test_a_farewell_that_meets_a_seam_is_heard_all_the_same() -> None:
    policy = Policy(opening=Opening(), idle=Idle(dead_air=3_000), ending=Ending(message=LONG))
    world = World(policy, caller=Caller().drops(at=5_000, back_after=1_000)).run()
    assert world.heard_text == LONG
    assert ending(world) == ("silence", spoken(world)[0][2])


# --- transfers ------------------------------------------------------------------------------------------

ASKED = {
    "caller": Caller().says("A human please.", at=200),
    "model": model(["One moment.", ToolUse("transfer")], "Nobody is there."),
}


def transfers(ring: int = 45_000, seam: int = 10_000) -> Policy:
    limits = Limits(transfer=ring, seam=seam)
    return Policy(idle=NO_CLOCKS, limits=limits, carrier=Carrier(transfers=True), transfer_target="+15550100")


class Redirects(ScriptedCarrier):
    """A carrier that takes the stream away while the other phone rings, and gives it back if it fails."""

    def __init__(self, rings: int, outcome: str) -> None:
        super().__init__(transfer_ms=rings, transfer_outcome=outcome)
        self._rings, self._said = rings, outcome

    def _on_transfer(self, effect: Transfer) -> None:
        world = self._world
        self.asked.append(effect)
        world.after(100, lambda _: world.stop_stream(StreamStopped()))
        if self._said:
            world.later(self._rings, CarrierDone("transfer", self._said))
            if self._said != "ok":
                world.after(self._rings + 100, world.open_stream)


def run_transfer(policy: Policy, carrier: ScriptedCarrier, until: int | None = None, **more: Any) -> World:
    return World(policy, **{**ASKED, **more}, carrier=carrier).run(until)


def test_the_words_are_heard_before_the_caller_is_connected() -> None:
    world = run_transfer(transfers(), ScriptedCarrier(transfer_ms=2_000))
    (_, _, heard) = spoken(world)[0]
    assert when(world, Transfer) == [heard]
    assert ending(world) == ("transferred", heard + 2_000)
    assert when(world, HangUp) == []


def test_a_transfer_that_nobody_confirms_has_failed_at_its_limit() -> None:
    world = run_transfer(transfers(ring=6_000), ScriptedCarrier(transfer_outcome=""), 30_000)
    (_, _, heard) = spoken(world)[0]
    assert fired(world) == [("transfer", heard + 6_000 + 10_000)]
    assert spoken(world)[1][0] == "Nobody is there."


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "rejected", "failed"])
def test_a_failed_transfer_gives_the_caller_back_to_the_agent(outcome: str) -> None:
    world = run_transfer(transfers(), Redirects(4_000, outcome), 20_000)
    (told,) = [text for role, text in roles(world) if role == "system"]
    assert outcome in told
    assert spoken(world)[1][0] == "Nobody is there." and world.reason is None


def test_a_transfer_that_takes_the_stream_away_and_succeeds() -> None:
    world = run_transfer(transfers(), Redirects(4_000, "ok"))
    assert ending(world) == ("transferred", spoken(world)[0][2] + 4_000)


def test_a_transfer_may_ring_longer_than_a_lost_stream_may_be_away() -> None:
    world = run_transfer(transfers(ring=45_000, seam=10_000), Redirects(25_000, "no-answer"), 60_000)
    assert spoken(world)[1][0] == "Nobody is there." and world.reason is None


def test_a_second_stream_for_an_open_call_changes_nothing() -> None:
    world = (
        World(Policy(opening=GREETING, idle=NO_CLOCKS), caller=Caller())
        .at(500, StreamOpened("s2"))
        .run(3_000)
    )
    assert spoken(world)[0][0] == "Good evening."
