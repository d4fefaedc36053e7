"""Each step of a script waits for its own moment, told by ear alone; here the phone's time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from engine.audio.mulaw import silence
from engine.demo.caller import AfterAgent, HangUp, Interrupt, Press, StaySilent, Step, play
from engine.demo.ear import Ear

LOUD = bytes((0x10, 0x90)) * 80


class VirtualPhone:
    """A phone on which the agent speaks at set times: ``(start, length)``, ms. The call ends at ``ends``."""

    def __init__(self, *agent: tuple[int, int], ends: int = 60_000) -> None:
        self.ear = Ear(lambda _: None)
        self.now = 0
        self.did: list[tuple[str, int]] = []
        self._agent = dict(agent)
        self._ends = ends

    async def until(self, condition: Callable[[], bool]) -> bool:
        while self.now < self._ends:
            self._tick()
            if condition():
                return True
        return False

    async def say(self, speech: bytes) -> bool:
        self.did.append(("say", self.now))
        until = self.now + len(speech) // 8
        return await self.until(lambda: self.now >= until)

    def press(self, digit: str) -> None:
        self.did.append((digit, self.now))

    async def hang_up(self) -> None:
        if self.now < self._ends:
            self.did.append(("hang up", self.now))
            self._ends = self.now

    def _tick(self) -> None:
        if (length := self._agent.get(self.now)) is not None:
            self.ear.play(LOUD * (length // 20), self.now * 8)
        self.now += 20
        self.ear.advance(self.now * 8)


LINE = silence(1_000)


def played(phone: VirtualPhone, *script: Step) -> list[tuple[str, int]]:
    asyncio.run(play(script, phone, limit=60))  # type: ignore[arg-type]
    return phone.did


def test_a_line_comes_after_the_agent_and_a_pause() -> None:
    phone = VirtualPhone((1_000, 2_000))
    assert played(phone, AfterAgent(LINE, pause=700)) == [("say", 3_700), ("hang up", 4_700)]


def test_the_next_line_waits_for_an_answer_to_the_one_before() -> None:
    phone = VirtualPhone((0, 1_000), (9_000, 1_000))
    said = played(phone, AfterAgent(LINE, pause=500), AfterAgent(LINE, pause=500))
    assert said[:2] == [("say", 1_500), ("say", 10_500)]


def test_a_patient_caller_opens_a_silent_line() -> None:
    phone = VirtualPhone()
    assert played(phone, AfterAgent(LINE, patience=3_000), AfterAgent(LINE)) == [("say", 3_000)]


@pytest.mark.parametrize(("length", "at"), [(4_000, 2_500), (600, 3_100)])
def test_an_interruption_comes_while_the_agent_talks_or_else_after_it(length: int, at: int) -> None:
    phone = VirtualPhone((1_000, length))
    assert played(phone, Interrupt(LINE, after=1_500, pause=1_500))[0] == ("say", at)


def test_the_silent_caller_goes_on_when_the_agent_has_spoken_again() -> None:
    phone = VirtualPhone((0, 1_000), (8_500, 900))
    said = played(phone, StaySilent(), AfterAgent(LINE, pause=600))
    assert said[0] == ("say", 10_000)


def test_keys_are_pressed_one_after_the_other() -> None:
    phone = VirtualPhone((0, 1_000))
    assert played(phone, Press("42", pause=500, every=200))[:2] == [("4", 1_500), ("2", 1_700)]


def test_the_caller_hangs_up_on_an_agent_who_has_answered() -> None:
    assert played(VirtualPhone((0, 1_000)), HangUp(pause=5_000)) == [("hang up", 6_000)]


def test_nothing_is_said_when_the_agent_has_hung_up() -> None:
    phone = VirtualPhone((0, 1_000), ends=1_200)
    assert played(phone, AfterAgent(LINE), AfterAgent(LINE)) == []


async def test_a_call_that_goes_on_for_ever_is_hung_up_on() -> None:
    phone = VirtualPhone()

    async def never(condition: Callable[[], bool]) -> bool:
        await asyncio.Event().wait()
        return True

    phone.until = never  # type: ignore[method-assign]
    await play([AfterAgent(LINE)], phone, limit=0.0)  # type: ignore[arg-type]
    assert phone.did == [("hang up", 0)]
