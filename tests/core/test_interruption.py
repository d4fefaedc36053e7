"""The caller sounds while the agent speaks: stop, hold and resume, duck; noise, stalls and odd timing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.effects import CancelModel, CancelVoice, SendAudio, SendClear
from engine.core.events import FinalWords, InterimWords, VoiceVote
from engine.core.notes import Cut, Interrupted, ReplyEnded
from engine.core.policy import OnSound
from engine.testing import (
    Caller,
    Phone,
    ScriptedModel,
    ScriptedTranscriber,
    ScriptedVoice,
    World,
    agent_speaking,
    run_call,
)
from tests.core.turn_scenes import LONG, actions, asked, by_hand, heard_twice, policy, said_by, turns


def over_greeting(text: str, *, at: int = 2_000, end: int = 16_000, **how: Any) -> Caller:
    return Caller().says(text, at=at, **how).hangs_up(at=end)


def ended(world: World, reply: int = 1) -> Cut:
    return next(note.how for note in world.notes(ReplyEnded) if note.reply == reply)


def moments(world: World) -> list[tuple[int, str, str]]:
    return [(note.at, note.action, note.why) for note in world.notes(Interrupted)]


# --- stop ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(1_000, 6_000, 370))
def test_the_agent_is_silent_within_200_ms_and_the_history_holds_what_was_heard(at: int) -> None:
    world = run_call(policy(LONG), over_greeting("wait, stop please", at=at))
    assert world.stop_delays[0] <= 200
    said = said_by(world, "assistant")[0]
    heard = [word.text for word in world.phone.ear.words(world.clock.now, missing=40) if word.reply == 1]
    assert said.split() == heard and LONG.startswith(said)
    assert ended(world) is Cut.CUT and turns(world) == ["wait, stop please"]


@pytest.mark.parametrize("at", range(1_000, 6_000, 770))
def test_without_word_times_the_history_is_near_what_was_heard_and_holds_no_more(at: int) -> None:
    world = run_call(
        policy(LONG), over_greeting("wait, stop please", at=at), voice=ScriptedVoice(word_times=False)
    )
    said = said_by(world, "assistant")[0]
    heard = [word for word in world.phone.ear.words(world.clock.now, missing=40) if word.reply == 1]
    assert LONG.startswith(said) and abs(len(said.split()) - len(heard)) <= 2


@pytest.mark.parametrize("ms_per_character", [40, 60, 110])
def test_a_voice_without_word_times_that_is_still_at_work_claims_no_unheard_word(
    ms_per_character: int,
) -> None:
    voice = ScriptedVoice(word_times=False, ms_per_character=ms_per_character, realtime_factor=1.3)
    world = run_call(policy(LONG), over_greeting("wait, stop please", at=3_000), voice=voice)
    assert LONG.startswith(said_by(world, "assistant")[0])


@pytest.mark.parametrize("delay", [20, 100, 250])
def test_on_a_slow_network_no_word_is_claimed_that_was_not_heard(delay: int) -> None:
    world = run_call(policy(LONG), over_greeting("wait, stop please"), phone=Phone(delay_ms=delay))
    heard = [word.text for word in world.phone.ear.words(world.clock.now, missing=40) if word.reply == 1]
    said = said_by(world, "assistant")[0].split()
    assert said == heard[: len(said)] and world.stop_delays[0] <= 200 + 2 * delay


@pytest.mark.pipeline
def test_stop_cancels_everything_and_late_bytes_are_dropped() -> None:
    caller = (
        Caller().says("Tell me.", at=500).says("wait, stop", when=agent_speaking(600)).hangs_up(at=14_000)
    )
    model, voice = ScriptedModel([LONG, "Yes?"], tokens_per_second=12, late=True), ScriptedVoice(late=True)
    world = run_call(policy(), caller, model=model, voice=voice)
    (stopped, _), *_ = world.effects(CancelModel)
    assert world.effects(CancelVoice)[0][0] == stopped
    assert world.effects(SendClear)[0][0] <= stopped
    assert world.heard_text.endswith("Yes?") and said_by(world, "assistant")[1] == "Yes?"


def test_words_stop_the_agent_at_once_where_sounds_do_not() -> None:
    world = by_hand(policy(LONG, on_sound=OnSound.IGNORE), over_greeting("stop now", lasts=600))
    world.at(2_300, InterimWords("stop")).at(2_700, FinalWords("stop now")).run()
    assert moments(world) == [(2_300, "stop", "words")]
    assert world.phone.ear.silence_after(2_000) == 2_300


def test_the_answer_to_an_interruption_knows_what_was_heard() -> None:
    world = run_call(policy(LONG), over_greeting("wait, stop please"))
    assert asked(world)[-1] == world.transcript[:2]
    assert [role for role, _ in world.transcript] == ["assistant", "user", "assistant"]


# --- hold and resume ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(1_000, 5_000, 410))
def test_after_a_cough_the_cut_word_is_said_again_and_nothing_else(at: int) -> None:
    world = run_call(policy(LONG), Caller().coughs(at=at).hangs_up(at=16_000))
    assert actions(world) == ["hold", "resume"]
    held, resumed = world.times(Interrupted)
    assert held <= at + 120 and resumed <= at + 200 + 700
    assert world.heard_text == LONG and said_by(world, "assistant") == [LONG]
    assert len(heard_twice(world)) <= 1 and ended(world) is Cut.DONE
    for word in heard_twice(world):
        assert heard_twice(world)[word] <= 60 * (len(word) + 1)


def test_two_coughs_one_after_the_other_lose_and_repeat_no_more() -> None:
    world = run_call(policy(LONG), Caller().coughs(at=2_000).coughs(at=4_000).hangs_up(at=18_000))
    assert actions(world) == ["hold", "resume"] * 2
    assert world.heard_text == LONG and len(heard_twice(world)) <= 2


@pytest.mark.parametrize("second", range(2_650, 3_000, 35))
def test_a_cough_right_after_the_agent_went_on(second: int) -> None:
    caller = Caller().coughs(at=2_000).coughs(at=second).hangs_up(at=18_000)
    assert run_call(policy(LONG), caller).heard_text == LONG


@pytest.mark.parametrize("delay", [40, 150])
def test_on_a_slow_network_the_agent_goes_on_without_losing_a_word(delay: int) -> None:
    world = run_call(policy(LONG), Caller().coughs(at=2_000).hangs_up(at=18_000), phone=Phone(delay_ms=delay))
    assert world.heard_text == LONG and sum(heard_twice(world).values()) <= 60 * 7 + 2 * delay


def test_a_sound_shorter_than_the_shortest_interruption_changes_nothing() -> None:
    rules = policy(LONG, shortest_interruption=300)
    assert actions(run_call(rules, Caller().coughs(at=2_000, lasts=280).hangs_up(at=14_000))) == []
    assert actions(run_call(rules, Caller().coughs(at=2_000, lasts=320).hangs_up(at=14_000))) != []


def test_a_sound_that_is_no_speech_holds_the_agent_no_longer_than_one_that_is() -> None:
    world = run_call(policy(LONG, onset=200), Caller().coughs(at=2_000, lasts=120).hangs_up(at=16_000))
    assert world.times(Interrupted)[1] <= 2_120 + 400 + 100


def test_ten_seconds_of_noise_dip_the_agent_once_at_most() -> None:
    caller = Caller().says("Tell me.", at=500).noise(3_000, 10_000).hangs_up(at=22_000)
    world = run_call(policy(), caller, model=ScriptedModel([f"{LONG} {LONG}"]))
    assert actions(world).count("hold") <= 1 and turns(world) == ["Tell me."]
    assert said_by(world, "assistant") == [f"{LONG} {LONG}"]


def test_noise_that_comes_and_goes_does_not_dip_the_agent_for_ever() -> None:
    caller = Caller()
    for at in range(2_000, 12_000, 1_600):
        caller.noise(at, 1_000)
    world = run_call(policy(f"{LONG} {LONG}"), caller.hangs_up(at=30_000))
    assert turns(world) == [] and said_by(world, "assistant") == [f"{LONG} {LONG}"]
    assert actions(world).count("hold") <= 2


def test_speech_after_noise_still_interrupts() -> None:
    caller = Caller().noise(1_500, 3_000).says("wait, stop please", at=6_000).hangs_up(at=16_000)
    world = run_call(policy(LONG), caller)
    assert turns(world) == ["wait, stop please"] and actions(world)[-1] == "stop"


# --- duck ---------------------------------------------------------------------------------------------


def test_duck_is_heard_to_the_end_without_a_gap_and_without_a_word_twice() -> None:
    world = run_call(policy(LONG, on_sound=OnSound.DUCK), Caller().coughs(at=2_000).hangs_up(at=14_000))
    assert actions(world) == ["duck", "resume"]
    assert world.heard_text == LONG and heard_twice(world) == {}
    assert world.phone.ear.silence_after(1_000) == 80 + 7_860


@pytest.mark.parametrize("sounds_for", [200, 1_500, 6_000])
def test_a_duck_at_the_end_of_a_reply_leaves_the_next_one_alone(sounds_for: int) -> None:
    rules = policy("Good evening, you are welcome.", on_sound=OnSound.DUCK)
    caller = Caller().coughs(at=1_500, lasts=sounds_for).says("Tell me.", at=9_000).hangs_up(at=20_000)
    world = run_call(rules, caller, model=ScriptedModel([LONG]))
    assert world.heard_text.endswith(LONG) and heard_twice(world) == {}


@pytest.mark.parametrize("how", [OnSound.HOLD, OnSound.DUCK])
def test_speech_that_a_second_detector_confirms_holds_the_agent_as_long_as_it_lasts(how: OnSound) -> None:
    rules = policy(LONG, on_sound=how, confirmed=True, hold_limit=1_000)
    world = by_hand(rules, Caller().coughs(at=2_000, lasts=3_000).hangs_up(at=18_000))
    for at in range(2_020, 5_200, 100):
        world.at(at, VoiceVote(at, 0.9 if at < 5_000 else 0.1))
    world.run()
    assert actions(world) == [how.value, "resume"]
    assert moments(world)[1][0] >= 5_000 and world.heard_text == LONG


# --- stalls and odd timing ----------------------------------------------------------------------------


@pytest.mark.parametrize("begins", range(300, 3_300, 290))
def test_a_stall_of_the_process_leaves_no_gap_at_the_ear(begins: int) -> None:
    world = run_call(policy(LONG), Caller().hangs_up(at=12_000), loop_stalls=[(begins, 300)])
    assert world.phone.ear.gaps() == [] and heard_twice(world) == {} and world.heard_text == LONG


@pytest.mark.parametrize("begins", range(1_900, 2_700, 130))
def test_a_stall_in_an_interruption_breaks_nothing(begins: int) -> None:
    for caller in (Caller().coughs(at=2_000), Caller().says("wait, stop please", at=2_000)):
        run_call(policy(LONG), caller.hangs_up(at=16_000), loop_stalls=[(begins, 300)])


def test_speech_just_before_the_first_sound_of_a_reply_keeps_its_mouth_shut() -> None:
    caller = (
        Caller().says("Tell me.", at=500, lasts=600).says("well", at=1_550, lasts=400).hangs_up(at=14_000)
    )
    world = run_call(policy(drafts=False), caller, model=ScriptedModel([LONG], first_token_ms=300))
    assert said_by(world, "user") == ["Tell me. well"]
    assert min(at for at, _ in world.effects(SendAudio)) > 1_950


def test_a_cough_before_the_first_sound_only_delays_the_reply() -> None:
    caller = Caller().says("Tell me.", at=500, lasts=600).coughs(at=1_550).hangs_up(at=16_000)
    world = run_call(policy(drafts=False), caller, model=ScriptedModel([LONG], first_token_ms=300))
    assert world.heard_text == LONG and len(asked(world)) == 1


@pytest.mark.parametrize("text", ["", "stop"])
def test_an_interruption_just_after_the_buffer_ran_dry(text: str) -> None:
    """Between two pieces nothing was left to play: the time without audio is no time that was heard."""
    greeting = f"Yes indeed. {LONG}"
    for at in range(3_000, 3_400, 30):
        caller = Caller().says(text, at=at, lasts=120) if text else Caller().coughs(at=at)
        voice = ScriptedVoice(first_audio_ms=1_500)
        world = run_call(policy(greeting), caller.hangs_up(at=18_000), voice=voice)
        assert text or world.heard_text == greeting


def test_transcripts_that_never_come_do_not_hold_the_agent() -> None:
    world = by_hand(policy(LONG), Caller().says("mumble", at=2_000, lasts=600).hangs_up(at=20_000)).run()
    assert actions(world) == ["hold", "resume"] and world.heard_text == LONG
    assert world.times(Interrupted)[1] <= 2_100 + 2_000


def test_slow_words_stop_the_agent_when_they_come() -> None:
    transcriber = ScriptedTranscriber(interim_every=None, final_delay=900)
    world = run_call(policy(LONG), over_greeting("wait, stop please", lasts=700), transcriber=transcriber)
    assert turns(world) == ["wait, stop please"] and actions(world)[-1] == "stop"


def test_words_that_stop_the_agent_and_end_the_turn_at_once_are_written_behind_it() -> None:
    """The final is the first that is heard of the caller's words, long after the silence that ends a turn."""
    rules = policy(on_sound=OnSound.IGNORE, drafts=False)
    caller = Caller().says("Tell me.", at=500, lasts=600).says("And the other?", at=4_000, lasts=600)
    world = by_hand(rules, caller.hangs_up(at=12_000), model=ScriptedModel([LONG, "Yes."]))
    world.at(1_150, FinalWords("Tell me.")).at(5_600, FinalWords("And the other?")).run()
    assert [role for role, _ in world.transcript] == ["user", "assistant", "user", "assistant"]
