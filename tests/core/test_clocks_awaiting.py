"""Awaiting response (F44 to F46): from the last sample heard, in order, until words, at most N a call."""

from __future__ import annotations

import pytest

from engine.core.effects import SendAudio
from engine.core.policy import Idle, Playout, Policy
from engine.testing import Caller, Phone, ScriptedVoice, World
from tests.core.clock_scenes import FIRST_AUDIO, GREETING, fired, model, spoken, when

AFTER = 4_000
THREE = ("Are you there?", "Hello?", "Can you hear me?")


def policy(most: int = 3, messages: tuple[str, ...] = THREE, **playout: int) -> Policy:
    idle = Idle(messages, AFTER, most, dead_air=None)
    return Policy(opening=GREETING, idle=idle, playout=Playout(**playout))


def test_each_message_comes_in_its_turn_after_the_one_before_was_heard() -> None:
    world = World(policy(), caller=Caller()).run(60_000)
    said = spoken(world)
    assert [text for text, _, _ in said] == ["Good evening.", *THREE]
    ends = [end for _, _, end in said]
    assert fired(world) == [("awaiting_response", end + AFTER) for end in ends[:3]]
    assert [start for _, start, _ in said[1:]] == [end + AFTER + FIRST_AUDIO for end in ends[:3]]


@pytest.mark.parametrize(("most", "heard"), [(0, 0), (1, 1), (2, 2), (5, 5)])
def test_never_more_than_the_most_and_the_list_starts_over(most: int, heard: int) -> None:
    world = World(policy(most, ("One?", "Two?")), caller=Caller()).run(90_000)
    assert [text for text, _, _ in spoken(world)[1:]] == ["One?", "Two?", "One?", "Two?", "One?"][:heard]


def test_the_most_counts_the_whole_call_though_the_caller_speaks_in_between() -> None:
    caller = Caller().says("I am here.", at=7_000).says("Yes, still here.", at=20_000)
    world = World(policy(2), caller=caller, model=model("Good.", "Fine.")).run(60_000)
    assert [text for text, _, _ in spoken(world)] == [
        "Good evening.", THREE[0], "Good.", THREE[1], "Fine.",
    ]  # fmt: skip


@pytest.mark.parametrize("delay", [0, 60, 250])
def test_it_starts_from_what_was_heard_not_from_what_was_sent(delay: int) -> None:
    long_words = "This greeting goes on for a rather long time, much longer than most people like."
    world = World(
        Policy(opening=type(GREETING)(message=long_words), idle=policy().idle, playout=Playout(lead=20_000)),
        caller=Caller(),
        phone=Phone(delay_ms=delay),
        voice=ScriptedVoice(realtime_factor=100),
    ).run(12_000)
    _, _, end = spoken(world)[0]
    greeting_sent = [at for at in when(world, SendAudio) if at < end]
    assert end - greeting_sent[-1] > 3_000
    assert fired(world)[0] == ("awaiting_response", end + delay + AFTER)


def test_words_stop_it_and_the_answer_starts_it_again() -> None:
    world = World(policy(), caller=Caller().says("Just a second.", at=4_000), model=model("Sure.")).run(
        12_000
    )
    (_, _, answered) = spoken(world)[1]
    assert fired(world) == [("awaiting_response", answered + AFTER)]


@pytest.mark.parametrize(("lasts", "suspended"), [(40, 140), (200, 780)])
def test_a_cough_only_suspends_it(lasts: int, suspended: int) -> None:
    """From the first frame of the sound to the one that says it was nothing; then it runs on."""
    world = World(policy(), caller=Caller().coughs(at=3_000, lasts=lasts)).run(12_000)
    (_, _, greeted) = spoken(world)[0]
    assert fired(world)[0] == ("awaiting_response", greeted + AFTER + suspended)


def test_an_interrupted_message_counts_and_is_not_repeated() -> None:
    caller = Caller().says("Yes I am", at=5_300)
    world = World(policy(1), caller=caller, model=model("Good.")).run(30_000)
    assert [text for text, _, _ in spoken(world)][-1] == "Good."
    assert [name for name, _ in fired(world)] == ["awaiting_response"]


def test_it_does_not_run_before_the_agent_has_spoken() -> None:
    world = World(Policy(idle=policy().idle), caller=Caller()).run(60_000)
    assert fired(world) == []


def test_it_waits_while_the_model_thinks() -> None:
    slow = model("It took a while.")
    slow._first_token_ms = 5_500
    world = World(policy(), caller=Caller().says("What is it?", at=2_000), model=slow).run(15_000)
    (_, _, answered) = spoken(world)[1]
    assert fired(world) == [("awaiting_response", answered + AFTER)]
