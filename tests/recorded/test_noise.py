"""Recorded noise: on a silent line it starts nothing, under the agent's speech it ends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.notes import Cut, EndReason, Interrupted, ReplyEnded, TurnEnded
from engine.core.policy import Idle, Opening, Policy
from engine.testing import World
from engine.testing.corpus import read_corpus
from engine.testing.recorded import RecordedCaller, Recording
from engine.testing.script import agent_speaking

KINDS = ("babble8", "kitchen", "line", "music")
DEAD_AIR, NOISE_CAP = 15_000, 5_000
TWENTY_SECONDS = "I can tell you all about our opening hours and our prices on every day of the week. " * 4


@pytest.fixture(params=KINDS)
def noise(request: pytest.FixtureRequest, speech_dir: Path) -> Recording:
    (clip,) = (clip for clip in read_corpus(speech_dir, "noise") if clip.path.stem == request.param)
    return clip.recording("").sound(0, 10_000)


@pytest.mark.parametrize("vad", ["level", "webrtc"])
def test_noise_alone_is_no_turn_and_holds_the_clocks_up_to_the_cap(noise: Recording, vad: str) -> None:
    idle = Idle(dead_air=DEAD_AIR, noise_cap=NOISE_CAP)
    policy = Policy(opening=Opening(message="Hello."), idle=idle)
    world = World(policy, caller=RecordedCaller(vad=vad, background=noise)).run()
    assert not world.notes(TurnEnded)
    (greeting,) = world.notes(ReplyEnded)
    assert greeting.how is Cut.DONE
    assert world.reason is EndReason.SILENCE
    assert world.ended_at is not None
    assert DEAD_AIR <= world.ended_at - greeting.at <= DEAD_AIR + NOISE_CAP + 500


@pytest.mark.parametrize("vad", ["level", "webrtc"])
def test_a_reply_is_heard_to_its_end_through_noise(noise: Recording, vad: str) -> None:
    caller = RecordedCaller(vad=vad).plays(noise, when=agent_speaking(2_000)).hangs_up(pause=15_000)
    policy = Policy(opening=Opening(message=TWENTY_SECONDS))
    world = World(policy, caller=caller).run()
    (reply,) = world.notes(ReplyEnded)
    assert reply.how is Cut.DONE
    assert world.heard_text.split() == TWENTY_SECONDS.split()
    assert "stop" not in {note.action for note in world.notes(Interrupted)}
