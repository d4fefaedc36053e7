"""A caller as a readable script: a list of steps, each waiting for its moment by ear, then doing one thing.

    [AfterAgent(order), Interrupt(changed, after=2500), StaySilent(), AfterAgent(goodbye)]

Every step looks at what the agent has said since the step before: an agent that says nothing is waited for,
until the call is over or its time is up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from engine.demo.ear import Ear
from engine.demo.phone import Softphone


class Step(Protocol):
    """One step of a script."""

    async def play(self, phone: Softphone, heard: int) -> bool:
        """Wait for the moment and act; ``heard``: the agent's stretches of speech before this step.

        False: the call ended first.
        """


@dataclass(frozen=True, slots=True)
class AfterAgent:
    """Say something when the agent has spoken and then been silent for ``pause`` ms.

    ``patience``: silence, ms, after which it is said although the agent has not spoken; None: never.
    """

    speech: bytes = field(repr=False)
    pause: int = 800
    patience: int | None = None

    async def play(self, phone: Softphone, heard: int) -> bool:
        """See `Step`."""
        return await phone.until(lambda: self._due(phone.ear, heard)) and await phone.say(self.speech)

    def _due(self, ear: Ear, heard: int) -> bool:
        wait = self.pause if ear.stretches > heard else self.patience
        return wait is not None and ear.silent_ms >= wait


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Say something when the agent has been talking for ``after`` ms.

    An agent who said less than that and has been silent for ``pause`` ms is answered without interrupting.
    """

    speech: bytes = field(repr=False)
    after: int = 1_500
    pause: int = 1_500

    async def play(self, phone: Softphone, heard: int) -> bool:
        """See `Step`."""
        ear = phone.ear
        return await phone.until(
            lambda: ear.stretches > heard and (ear.talking_ms >= self.after or ear.silent_ms >= self.pause)
        ) and await phone.say(self.speech)


@dataclass(frozen=True, slots=True)
class StaySilent:
    """Hear the agent out, and say nothing until it has spoken again (its clock has run out)."""

    settled: int = 3_000
    """Silence, ms, after which the agent is not going on by itself."""

    async def play(self, phone: Softphone, heard: int) -> bool:
        """See `Step`."""
        ear = phone.ear
        if not await phone.until(lambda: ear.stretches > heard and ear.silent_ms >= self.settled):
            return False
        heard = ear.stretches
        return await phone.until(lambda: ear.stretches > heard)


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys, one every ``every`` ms, when the agent has spoken and then been silent for ``pause`` ms."""

    digits: str = field(repr=False)
    pause: int = 800
    every: int = 200

    async def play(self, phone: Softphone, heard: int) -> bool:
        """See `Step`."""
        ear = phone.ear
        if not await phone.until(lambda: ear.stretches > heard and ear.silent_ms >= self.pause):
            return False
        began = phone.now
        for number, digit in enumerate(self.digits):
            due = began + number * self.every
            if number and not await phone.until(lambda due=due: phone.now >= due):  # type: ignore[misc]
                return False
            phone.press(digit)
        return True


@dataclass(frozen=True, slots=True)
class HangUp:
    """Put the phone down when the agent has answered and then been silent for ``pause`` ms."""

    pause: int = 5_000

    async def play(self, phone: Softphone, heard: int) -> bool:
        """See `Step`."""
        ear = phone.ear
        if await phone.until(lambda: ear.stretches > heard and ear.silent_ms >= self.pause):
            await phone.hang_up()
        return True


async def play(script: Sequence[Step], phone: Softphone, limit: float) -> None:
    """Play a script until it is through, the call is over or ``limit`` s are; then put the phone down."""
    try:
        async with asyncio.timeout(limit):
            await _play(script, phone)
    except TimeoutError:
        pass
    await phone.hang_up()


async def _play(script: Sequence[Step], phone: Softphone) -> None:
    heard = 0
    for step in script:
        if not await step.play(phone, heard):
            return
        # The caller's own words are over, so what the agent says from here on is an answer to them. After
        # a silence the agent's reminder counts as what the next step waits for.
        if not isinstance(step, StaySilent):
            heard = phone.ear.stretches
