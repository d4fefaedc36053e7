"""What a program brings along is made of the engine's classes by inheritance, too; compiled or not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engine.audio.gates import LevelGate
from engine.audio.vad import VoiceActivity
from engine.core.call import Call
from engine.core.conversation import Message
from engine.core.effects import OpenTranscriber
from engine.core.events import Created, StreamOpened
from engine.core.notes import EndReason
from engine.core.policy import Opening, Policy
from engine.observe.codec import EFFECT_TYPES, EVENT_TYPES
from engine.providers.contracts import (
    LanguageModel,
    ToolSpec,
    Transcriber,
    TranscriberStream,
    Voice,
    VoiceStream,
)
from engine.runtime.socket import MediaSocket
from engine.runtime.twilio_door import TwilioDoor
from engine.runtime.worker import Settings, Worker
from tests.runtime.phones import InstantPhone
from tests.stand_ins import (
    PIECE,
    EchoModel,
    ScriptedStream,
    ScriptedTranscriber,
    ToneStream,
    ToneVoice,
    greeter,
    stand_ins,
)


class MyTranscriberStream(ScriptedStream, TranscriberStream):
    pass


class MyTranscriber(ScriptedTranscriber, Transcriber):
    def make(self) -> MyTranscriberStream:
        return MyTranscriberStream(["a table for two"])


class MyModel(LanguageModel):
    def __init__(self) -> None:
        self.told: list[str] = []
        self._echo = EchoModel()

    def generate(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[Any]:
        self.told.append(messages[-1].text)
        return self._echo.generate(messages, tools)


class MyVoiceStream(ToneStream, VoiceStream):
    pass


class MyVoice(ToneVoice, Voice):
    def make(self) -> MyVoiceStream:
        return MyVoiceStream()


class MyVoiceActivity(VoiceActivity):
    def __init__(self) -> None:
        self._gate = LevelGate()

    def feed(self, payload: bytes) -> tuple[float, float]:
        return self._gate.feed(payload)


class MySocket(InstantPhone, MediaSocket):
    pass


async def test_a_call_is_held_by_classes_derived_from_the_contracts() -> None:
    model = MyModel()
    providers = replace(
        stand_ins(),
        transcriber=MyTranscriber(),
        model=model,
        voice=MyVoice(),
        open_voice_activity=MyVoiceActivity,
    )
    async with Worker(greeter(), Settings(insecure=True), providers=providers) as worker:
        phone = MySocket(TwilioDoor(worker), token=None)
        await phone.played(PIECE)
        (session,) = worker.sessions.values()
        phone.say()
        await phone.played(2 * PIECE)
        phone.send("stop")
        assert session.reason is EndReason.CALLER_HUNG_UP
    assert model.told == ["a table for two"]


@dataclass(frozen=True, slots=True)
class ShopPolicy(Policy):
    """A policy that says whose it is."""

    shop: str = ""


def test_a_call_takes_a_policy_of_a_derived_class() -> None:
    call = Call(ShopPolicy(opening=Opening(message="Good evening."), shop="Corner Café"))
    effects = [*call.handle(Created(), 0), *call.handle(StreamOpened("s1", "c1"), 10)]
    assert any(isinstance(effect, OpenTranscriber) for effect in effects)
    assert call.wake_at is not None


@pytest.mark.parametrize(
    "kind", [*EVENT_TYPES.values(), *EFFECT_TYPES.values()], ids=lambda kind: kind.__name__
)
def test_events_and_effects_may_be_derived_from(kind: type) -> None:
    assert issubclass(type("Mine", (kind,), {"__slots__": ()}), kind)
