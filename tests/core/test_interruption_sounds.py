"""Sounds under the agent's speech that are no interruption: brief ones, signs of listening, noise."""

from __future__ import annotations

import pytest

from engine.core.events import FinalWords, InterimWords, VoiceVote
from engine.core.notes import Interrupted, SpeechStarted
from engine.testing import Caller, ScriptedModel, ScriptedTranscriber, World, run_call
from tests.core.turn_scenes import LONG, actions, by_hand, heard_twice, policy, said_by, turns

MM_HM = ("mm-hm",)


def silences(world: World) -> list[int]:
    """How long the agent was held each time, ms."""
    times = world.times(Interrupted)
    return [there - here for here, there in zip(times[::2], times[1::2], strict=True)]


@pytest.mark.parametrize("lasts", range(60, 220, 20))
def test_a_brief_sound_costs_its_own_length_and_a_moment(lasts: int) -> None:
    world = run_call(policy(LONG), Caller().coughs(at=2_000, lasts=lasts).hangs_up(at=14_000))
    assert actions(world) == ["hold", "resume"]
    assert silences(world) == [lasts - 60 + 200] and world.heard_text == LONG


@pytest.mark.parametrize(("soft", "held"), [(0, 2_060), (20, 2_060), (40, 2_060), (60, 2_080), (100, 2_120)])
def test_the_soft_start_of_a_sound_counts_40_ms_at_most(soft: int, held: int) -> None:
    """It lies below the agent's echo and has no voice yet."""
    caller = Caller().noise(2_000, soft, level=-45.0, voice=0.45)
    caller.coughs(at=2_000 + soft, lasts=400).hangs_up(at=14_000)
    (hold, _) = run_call(policy(LONG), caller).notes(Interrupted)
    assert (hold.at, hold.action) == (held, "hold")


def test_a_soft_start_that_breaks_off_is_none() -> None:
    caller = Caller().noise(1_940, 40, level=-45.0, voice=0.45).coughs(at=2_000, lasts=400)
    assert run_call(policy(LONG), caller.hangs_up(at=14_000)).times(Interrupted)[0] == 2_060


def test_a_soft_sound_alone_changes_nothing() -> None:
    caller = Caller().noise(2_000, 2_000, level=-38.0, voice=0.45).hangs_up(at=14_000)
    assert actions(run_call(policy(LONG), caller)) == []


def test_what_a_detector_hears_after_a_sound_does_not_make_it_longer() -> None:
    """200 ms of fading, 16 dB below the sound: its echo in the room."""
    caller = Caller().coughs(at=2_000, lasts=160).noise(2_160, 200, level=-41.0).hangs_up(at=14_000)
    world = run_call(policy(LONG), caller)
    assert actions(world) == ["hold", "resume"] and silences(world) == [160 - 60 + 200]


@pytest.mark.parametrize(("gap", "actions_of_it"), [(180, ["hold", "resume"]), (220, ["hold", "resume"] * 2)])
def test_the_agent_does_not_speak_into_the_gap_of_a_word(gap: int, actions_of_it: list[str]) -> None:
    caller = Caller().coughs(at=2_000, lasts=140).coughs(at=2_140 + gap, lasts=140).hangs_up(at=14_000)
    world = run_call(policy(LONG), caller)
    assert actions(world) == actions_of_it
    assert world.times(Interrupted)[1] == (2_140 + gap + 140 + 160 + 100 if gap < 200 else 2_140 + 200)


def test_a_longer_one_waits_for_the_transcriber_to_say_that_it_had_no_words() -> None:
    world = run_call(policy(LONG), Caller().coughs(at=2_000, lasts=400).hangs_up(at=14_000))
    assert silences(world) == [400 - 60 + 160 + 100]


def test_a_sign_of_listening_costs_its_length_once_its_words_are_there() -> None:
    rules = policy(LONG, never_interrupt=MM_HM)
    world = by_hand(rules, Caller().says("mm-hm", at=2_000, lasts=400).hangs_up(at=14_000))
    world.at(2_350, InterimWords("mm-hm")).at(2_700, FinalWords("mm-hm")).run()
    assert silences(world) == [400 - 60 + 100]
    assert turns(world) == [] and said_by(world, "assistant") == [LONG]


@pytest.mark.parametrize("lasts", [140, 200])
def test_a_brief_word_stops_the_agent_when_it_is_understood(lasts: int) -> None:
    caller = Caller().says("stop", at=2_000, lasts=lasts).hangs_up(at=12_000)
    world = run_call(policy(LONG), caller, transcriber=ScriptedTranscriber(interim_every=None))
    assert actions(world) == ["hold", "resume", "stop"]
    assert world.times(Interrupted)[-1] == 2_000 + lasts + 160 + 100
    assert turns(world) == ["stop"] and len(heard_twice(world)) <= 1


def test_two_brief_sounds_in_a_row_are_the_place_and_the_third_changes_nothing() -> None:
    caller = Caller()
    for at in range(2_000, 6_000, 800):
        caller.coughs(at=at, lasts=120)
    world = run_call(policy(LONG), caller.hangs_up(at=14_000))
    assert actions(world) == ["hold", "resume"] * 2 and world.heard_text == LONG


def test_the_noise_of_a_place_is_known_as_long_as_it_lasts() -> None:
    """Sounds of half a second, one a second, for two minutes: what is learned does not fade under them."""
    caller = Caller()
    for at in range(2_000, 120_000, 1_000):
        caller.noise(at, 500)
    world = run_call(policy(f"{LONG} " * 20), caller.hangs_up(at=130_000))
    assert len(silences(world)) <= 3 and max(world.times(Interrupted)) < 10_000


def test_words_end_the_memory_of_noise() -> None:
    caller = Caller().coughs(at=2_000, lasts=120).coughs(at=2_800, lasts=120)
    caller.says("wait, stop please", at=4_000).coughs(at=9_000, lasts=120).hangs_up(at=16_000)
    world = run_call(policy(LONG), caller, model=ScriptedModel([LONG]))
    assert actions(world) == ["hold", "resume", "hold", "resume", "stop", "hold", "resume"]


# --- a second detector --------------------------------------------------------------------------------


def confirmed(*votes: tuple[int, float], lasts: int = 400, voice: float = 0.7) -> World:
    """A sound under the agent's speech, and what the second detector says when."""
    caller = Caller().coughs(at=2_000, lasts=lasts, voice=voice).hangs_up(at=14_000)
    world = by_hand(policy(LONG, confirmed=True), caller)
    for at, probability in votes:
        world.at(at, VoiceVote(at, probability))
    return world.run()


def test_what_the_second_detector_confirms_silences_the_agent_in_the_same_moment() -> None:
    world = confirmed((2_050, 0.2), (2_085, 0.9), (2_400, 0.1))
    (held, *_) = world.notes(Interrupted)
    assert (held.at, held.action, held.since) == (2_085, "hold", 2_000)
    assert world.phone.ear.silence_after(1_500) == 2_085
    assert [note.at for note in world.notes(SpeechStarted) if note.who == "caller"] == [2_000]


def test_a_yes_counts_for_what_was_heard_just_before_it() -> None:
    """The sound is over when the verdict on it comes."""
    assert confirmed((2_120, 0.9), lasts=60).notes(Interrupted)[0].at == 2_120


def test_a_yes_says_nothing_about_what_was_heard_long_before_it() -> None:
    assert actions(confirmed((2_240, 0.9), (2_300, 0.1), lasts=60)) == []


def test_without_a_yes_no_sound_changes_anything() -> None:
    assert actions(confirmed(*((at, 0.3) for at in range(2_020, 3_000, 30)), lasts=900)) == []


def test_it_takes_a_surer_yes_to_begin_speech_than_to_keep_it_going() -> None:
    doubtful = [(at, 0.6) for at in range(2_040, 2_400, 30)]
    assert actions(confirmed(*doubtful)) == []
    (held, gone_on) = confirmed((2_035, 0.8), *doubtful).notes(Interrupted)
    assert held.at == 2_060 and gone_on.at >= 2_400


def test_a_noise_that_was_there_before_is_no_part_of_the_speech_in_it() -> None:
    world = confirmed((4_000, 0.9), lasts=4_000)
    assert world.notes(Interrupted)[0].since == 4_000 - 200
