"""A stall of the event loop, at every moment of a reply: what the ear hears of it, to the millisecond.

What a voice has not sent cannot be played. So a stall is heard at a reply's first moments, for as long as the
voice has given less than the stall lasts; and from then on never, whatever lies between two pieces.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.effects import Speak
from engine.core.policy import Policy
from engine.testing import Caller, Fails, ScriptedModel, ScriptedVoice, Silent, ToolUse, World
from engine.testing.faults import Fault

STALL = 300
AUDIBLE = 20
"""ms of silence inside speech that a caller could notice."""
TWO = "Sure, I can do that for you. It will be ready in about ten minutes, is that all right?"
SHORT = "Sure! I can do that for you and it will be ready in about ten minutes, is that all right?"
CHOSEN = 70
"""ms after its first piece was asked for at which the draft is the answer: of a draft nothing more is."""
OPENER = 360
"""ms that the scripted voice takes for "Sure!"."""


def answer(
    text: str, stall_at: int | None = None, *, tokens: float = 60, end: int = 8_500, **voice: Any
) -> World:
    """A call in which the agent answers a question with ``text``."""
    stalls = () if stall_at is None else ((stall_at, STALL),)
    caller = Caller().says("I want a coffee.", at=500).hangs_up(at=end)
    model = ScriptedModel([text], tokens_per_second=tokens)
    return World(Policy(), caller=caller, model=model, voice=ScriptedVoice(**voice), loop_stalls=stalls).run()


def holes(world: World) -> list[int]:
    """The silences inside a reply that nobody asked for, ms."""
    return [gap.length for gap in world.phone.ear.gaps() if gap.length > AUDIBLE]


def span(world: World) -> tuple[int, int]:
    """When the answer's first and last sample were heard (call ms)."""
    spans = world.phone.ear.spans
    return spans[0].start // 8, spans[-1].end // 8


@pytest.mark.parametrize(("factor", "last"), [(10, 30), (5, 60), (3, 132), (2, 250)])
def test_a_stall_is_heard_only_while_the_voice_has_given_less_than_it_lasts(factor: int, last: int) -> None:
    """``last``: the last ms of a reply at which a stall can be heard, by how much faster the voice is."""
    first, end = span(answer(TWO, realtime_factor=factor))
    moments = [*range(1, last - 5, 25), *range(last - 5, last + 6)]
    heard = [at for at in moments if holes(answer(TWO, first + at, realtime_factor=factor))]
    assert heard[0] == 1 and heard[-1] == last
    later = range(first + last + 6, end, 190)
    assert not any(holes(answer(TWO, at, realtime_factor=factor)) for at in later)


def test_a_stall_after_a_sound_that_held_the_agent_is_not_heard() -> None:
    def told(stall_at: int | None) -> World:
        stalls = () if stall_at is None else ((stall_at, STALL),)
        caller = Caller().says("Tell me.", at=500).coughs(at=4_000).hangs_up(at=8_500)
        return World(Policy(), caller=caller, model=ScriptedModel([TWO]), loop_stalls=stalls).run()

    again = next(one.start // 8 for one in told(None).phone.ear.spans if one.after_clear)
    assert again > 4_060
    assert not any(holes(told(at)) for at in range(again + 1, again + 1_000, 40))


@pytest.mark.parametrize(("first_audio", "factor"), [(400, 5), (600, 5), (300, 1.2)])
def test_a_short_first_piece_is_no_hole_for_a_voice_that_takes_its_time(
    first_audio: int, factor: float
) -> None:
    world = answer(SHORT, first_audio_ms=first_audio, realtime_factor=factor)
    first = world.effects(Speak)[0][0] + first_audio
    assert world.phone.ear.gaps() == []
    assert [word.start for word in world.heard if word.text in ("Sure!", "I")] == [first, first + OPENER]


def asked(world: World) -> list[tuple[int, str]]:
    """What the voice was asked for: ms after its first request, and the first word."""
    requests = world.effects(Speak)
    return [(at - requests[0][0], request.text.split()[0]) for at, request in requests]


def test_the_next_piece_is_asked_for_while_a_short_one_comes() -> None:
    assert asked(answer(SHORT, tokens=1_000, first_audio_ms=400)) == [(0, "Sure!"), (CHOSEN, "I")]


def test_after_a_piece_that_lasts_nothing_is_asked_for_before_it_is_there() -> None:
    world = answer(TWO, tokens=1_000, first_audio_ms=400)
    assert asked(world) == [(0, "Sure,"), (400 + 17 * 20, "It")]


def test_of_a_voice_as_slow_as_speech_the_next_piece_is_asked_for_in_time() -> None:
    world = answer(TWO, tokens=1_000, first_audio_ms=400, realtime_factor=1)
    (_, (at, _)) = asked(world)
    assert at < 400 + 1_680
    assert world.phone.ear.gaps() == []


def test_keys_wait_until_the_words_before_them_are_there() -> None:
    reply = ("Sure! ", ToolUse("send_digits", {"digits": "5"}))
    caller = Caller().says("Press five.", at=500).hangs_up(at=6_000)
    spans = World(Policy(), caller=caller, model=ScriptedModel([reply, "Done."])).run().phone.ear.spans
    tone = next(span for span in spans if span.place is None)
    assert (tone.start - spans[0].start) // 8 == OPENER


@pytest.mark.parametrize("fault", [Fails(after=200), Fails(after=0), Silent()])
def test_a_voice_that_breaks_off_is_asked_again_for_all_that_was_on_its_way(fault: Fault) -> None:
    world = answer(SHORT, tokens=1_000, end=14_000, first_audio_ms=400, faults=[fault])
    assert asked(world)[:2] == [(0, "Sure!"), (CHOSEN, "I")]
    assert [word for _, word in asked(world)[2:]] == ["Sure!", "I"]
    assert world.heard_text == SHORT
