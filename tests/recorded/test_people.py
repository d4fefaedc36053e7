"""Calls with recorded people run to their proper end; the laws are checked at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.notes import EndReason, TurnEnded
from engine.core.policy import Idle, Limits, Opening, Policy, Turns
from engine.testing import ScriptedModel, World
from engine.testing.caller import Caller
from engine.testing.corpus import Clip, read_corpus
from engine.testing.recorded import RecordedCaller, Recording
from engine.testing.script import agent_silent, agent_speaking
from engine.testing.transcriber import ScriptedTranscriber

GREETING = Opening(message="Welcome. What can I get you?")
POLICY = Policy(opening=GREETING, turns=Turns(never_interrupt=("mm-hm",)))
Clips = Callable[..., list[Clip]]


@pytest.fixture(scope="module")
def clips(speech_dir: Path) -> Clips:
    """A few clips of a folder."""
    return lambda folder, few=6: read_corpus(speech_dir, folder)[:few]


def run(caller: Caller, policy: Policy = POLICY) -> World:
    model = ScriptedModel(["Of course. One moment please."])
    return World(policy, caller=caller, model=model, transcriber=ScriptedTranscriber()).run()


def letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def words_of_caller(world: World) -> str:
    return letters(" ".join(text for role, text in world.transcript if role == "user"))


@pytest.mark.parametrize("vad", ["level", "webrtc"])
@pytest.mark.parametrize("folder", ["orders", "digits", "words", "endpoint"])
def test_what_people_say_is_taken_whole_and_answered(clips: Clips, folder: str, vad: str) -> None:
    for clip in clips(folder):
        slots = " ".join(clip.labels.get("slots", {}).values())
        recording = clip.recording(clip.text or slots)
        caller = RecordedCaller(vad=vad).plays(recording, when=agent_silent(300))
        caller.hangs_up(pause=6_000)
        world = run(caller)
        assert world.reason is EndReason.CALLER_HUNG_UP, clip.path.name
        assert words_of_caller(world) == letters(recording.text), clip.path.name
        assert "One moment please." in world.heard_text, clip.path.name
        begins = caller.played[0][1]
        assert world.times(TurnEnded)[-1] > begins + recording.start, clip.path.name


def test_two_people_in_one_call_are_two_turns(clips: Clips) -> None:
    first, second = (clip.recording("a coffee") for clip in clips("orders", 2))
    caller = RecordedCaller().plays(first, when=agent_silent(300)).plays(second, when=agent_silent(300))
    world = run(caller.hangs_up(pause=6_000))
    assert [role for role, _ in world.transcript] == ["assistant", "user", "assistant", "user", "assistant"]


@pytest.mark.parametrize("place", [0, 2])
def test_a_voicemail_that_nobody_leaves_ends_by_dead_air(clips: Clips, place: int) -> None:
    recording = clips("voicemail")[place].recording()
    policy = replace(POLICY, idle=Idle(dead_air=10_000))
    world = run(RecordedCaller().plays(recording, at=500), policy)
    assert world.reason is EndReason.SILENCE
    assert words_of_caller(world) == letters(recording.text)


def test_a_voicemail_over_and_over_ends_by_the_longest_call(clips: Clips) -> None:
    recording = clips("voicemail")[0].recording()
    caller = RecordedCaller()
    for _ in range(8):
        caller.plays(recording)
    policy = replace(POLICY, limits=Limits(longest=60_000))
    world = run(caller, policy)
    assert world.reason is EndReason.MAX_DURATION
    assert world.ended_at is not None
    assert 60_000 <= world.ended_at <= 60_000 + policy.limits.overrun


def test_listening_sounds_never_end_a_reply(clips: Clips) -> None:
    long = "I can tell you all about our opening hours and our prices on every day of the week. " * 2
    for clip in clips("backchannel", 7):
        sound = replace(clip.recording(), text="mm-hm")
        caller = RecordedCaller().plays(sound, when=agent_speaking(2_000)).hangs_up(pause=15_000)
        world = run(caller, replace(POLICY, opening=Opening(message=long)))
        assert world.heard_text == long.strip(), clip.path.name


def test_whoever_talks_over_the_agent_silences_it(clips: Clips) -> None:
    long = "I can tell you all about our opening hours and our prices on every day of the week. " * 2
    for clip in clips("orders"):
        recording: Recording = clip.recording("I would like a coffee instead")
        caller = RecordedCaller().plays(recording, when=agent_speaking(2_000))
        caller.hangs_up(pause=6_000)
        world = run(caller, replace(POLICY, opening=Opening(message=long)))
        begins = caller.played[0][1] + recording.start
        assert world.phone.ear.silence_after(begins) - begins <= 600, clip.path.name
        assert long.strip() not in world.heard_text, clip.path.name
        assert "One moment please." in world.heard_text, clip.path.name
