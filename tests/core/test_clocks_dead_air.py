"""Dead air (F47): neither side has spoken for so long; and noise, which suspends it up to a cap."""

from __future__ import annotations

import pytest

from engine.core.effects import HangUp
from engine.core.events import SayNow, UserText
from engine.core.policy import Ending, Idle, Opening, Policy
from engine.testing import Caller, Phone, ScriptedModel, World
from tests.core.clock_scenes import FIRST_AUDIO, GREETING, ending, fired, model, spoken, when

T = 20_000


def policy(message: str = "", opening: Opening = GREETING, noise_cap: int = 10_000) -> Policy:
    return Policy(opening=opening, idle=Idle(dead_air=T, noise_cap=noise_cap), ending=Ending(message=message))


def test_the_call_ends_so_long_after_the_last_word_was_heard() -> None:
    world = World(policy(), caller=Caller()).run()
    (_, _, greeted) = spoken(world)[0]
    assert fired(world) == [("dead_air", greeted + T)]
    assert ending(world) == ("silence", greeted + T)


@pytest.mark.parametrize("joins", [0, 4_000])
def test_a_line_on_which_nobody_ever_spoke_ends_too(joins: int) -> None:
    world = World(policy(opening=Opening()), caller=Caller(joins=joins)).run()
    assert ending(world) == ("silence", joins + T)


def test_the_end_message_is_heard_whole_first() -> None:
    world = World(policy("Nobody seems to be there. Goodbye."), caller=Caller()).run()
    (_, _, greeted), (text, start, heard) = spoken(world)
    assert text == "Nobody seems to be there. Goodbye."
    assert start == greeted + T + FIRST_AUDIO
    assert ending(world) == ("silence", heard)
    assert when(world, HangUp) == [heard]


def test_the_far_ear_is_what_counts() -> None:
    world = World(policy(), caller=Caller(), phone=Phone(delay_ms=150)).run()
    (_, _, greeted) = spoken(world)[0]
    assert ending(world) == ("silence", greeted + 150 + T)


def test_speech_of_either_side_starts_it_anew() -> None:
    caller = Caller().says("Wait a moment.", at=15_000)
    world = World(policy(), caller=caller, model=model("I am waiting.")).run()
    (_, _, answered) = spoken(world)[-1]
    assert ending(world) == ("silence", answered + T)


@pytest.mark.parametrize("event", [SayNow("Still looking."), UserText("Typed.")])
def test_so_does_what_comes_from_outside(event: SayNow | UserText) -> None:
    world = World(policy(), caller=Caller(), model=model("Fine.")).at(15_000, event).run()
    (_, _, heard) = spoken(world)[-1]
    assert heard > 15_000
    assert ending(world) == ("silence", heard + T)


def test_it_stands_still_while_the_model_thinks() -> None:
    slow = ScriptedModel(["That took long."], first_token_ms=5_900)
    world = World(policy(), caller=Caller().says("A hard one.", at=2_000), model=slow).run()
    (_, _, answered) = spoken(world)[-1]
    assert ending(world) == ("silence", answered + T)


def test_wordless_noise_only_suspends_it() -> None:
    """From the frame in which the sound is heard to the end of the empty turn, 600 ms after it."""
    world = World(policy(opening=Opening()), caller=Caller().coughs(at=5_000, lasts=4_000)).run()
    assert ending(world) == ("silence", T + 4_000 + 600 - 20)


def test_noise_suspends_it_no_longer_than_its_cap_in_one_silence() -> None:
    caller = Caller().noise(3_000, 4_000).noise(10_000, 4_000).noise(16_000, 3_000)
    world = World(policy(opening=Opening(), noise_cap=6_000), caller=caller).run(60_000)
    assert fired(world) == [("dead_air", T + 6_000)]


@pytest.mark.parametrize("message", ["", "Goodbye."])
def test_a_line_with_nothing_but_noise_ends_at_the_cap(message: str) -> None:
    world = World(policy(message, Opening()), caller=Caller().noise(5_000, 90_000)).run()
    assert fired(world) == [("dead_air", T + 10_000)]
    heard = spoken(world)[-1][2] if message else T + 10_000
    assert ending(world) == ("silence", heard)


def test_words_in_the_noise_start_everything_anew() -> None:
    caller = Caller().noise(3_000, 30_000, level=-40.0).says("Are you open today?", at=20_000)
    world = World(policy(opening=Opening()), caller=caller, model=model("Yes.")).run()
    (_, _, answered) = spoken(world)[0]
    assert answered > 20_000
    assert ending(world)[1] >= answered + T


def test_no_dead_air_clock_no_end() -> None:
    world = World(Policy(idle=Idle(dead_air=None)), caller=Caller()).run(600_000)
    assert world.reason is None
