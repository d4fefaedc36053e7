"""Model requests: streamed, cancelled, replaced, failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from engine.core.conversation import Message
from engine.core.effects import StartModel
from engine.core.events import (
    Event,
    ModelDone,
    ModelFailed,
    ModelText,
    ModelToolCall,
    Survived,
    Usage,
    VendorUsed,
)
from engine.providers.contracts import Finished, ProviderError, TextDelta, ToolCallDelta, ToolSpec
from engine.runtime.generation import Generation
from engine.runtime.tasks import Tasks


class Model:
    """Gives what is put into its queue; one queue for all requests."""

    def __init__(self) -> None:
        self.deltas: asyncio.Queue[object] = asyncio.Queue()
        self.asked: list[tuple[Sequence[Message], Sequence[ToolSpec]]] = []
        self.cancelled = 0

    async def generate(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[object]:
        self.asked.append((messages, tools))
        try:
            while (delta := await self.deltas.get()) is not None:
                if isinstance(delta, Exception):
                    raise delta
                yield delta
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class Bench:
    def __init__(self) -> None:
        self.model = Model()
        self.told: asyncio.Queue[Event] = asyncio.Queue()
        self.used: list[VendorUsed] = []
        self.tasks = Tasks()
        self.tool = ToolSpec("look", "")
        self.generation = Generation(
            [self.model], [self.tool], self.told.put_nowait, self.used.append, self.tasks
        )

    async def give(self, *deltas: object) -> list[Event]:
        for delta in deltas:
            self.model.deltas.put_nowait(delta)
        return [await self.told.get() for _ in deltas]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.generation.close()
    await bench.tasks.wait()


async def test_what_the_model_streams_is_told_with_reply_and_attempt(bench: Bench) -> None:
    messages = (Message("user", "hi"),)
    bench.generation.start(StartModel(3, 1, messages))
    told = await bench.give(
        TextDelta("a"),
        Survived("model", "no JSON"),
        ToolCallDelta("t1", "look", "{}"),
        Finished("tools", Usage(5, 7)),
    )
    assert told == [
        ModelText(3, 1, "a"),
        Survived("model", "no JSON"),
        ModelToolCall(3, 1, "t1", "look", "{}"),
        ModelDone(3, 1, "tools", Usage(5, 7)),
    ]
    assert bench.model.asked == [(messages, [bench.tool])]


async def test_one_attempt_of_a_reply_can_be_ended_alone(bench: Bench) -> None:
    bench.generation.start(StartModel(3, 0, ()))
    await bench.give(TextDelta("a"))
    bench.generation.cancel(3, 7)
    assert await bench.give(TextDelta("b")) == [ModelText(3, 0, "b")]
    bench.generation.cancel(3, 0)
    bench.generation.start(StartModel(3, 1, ()))
    assert await bench.give(TextDelta("c")) == [ModelText(3, 1, "c")]
    assert bench.model.cancelled == 1


async def test_cancelling_a_reply_leaves_the_others_alone(bench: Bench) -> None:
    bench.generation.start(StartModel(3, 0, ()))
    bench.generation.start(StartModel(4, 0, ()))
    await asyncio.sleep(0)
    bench.generation.cancel(3)
    bench.generation.cancel(99)
    assert await bench.give(TextDelta("a")) == [ModelText(4, 0, "a")]
    assert bench.model.cancelled == 1


async def test_a_refusal_a_bug_and_a_stream_that_stops_are_failures(bench: Bench) -> None:
    bench.generation.start(StartModel(1, 0, ()))
    assert await bench.give(ProviderError("busy", retryable=True)) == [ModelFailed(1, 0, "busy", True)]
    bench.generation.start(StartModel(1, 1, ()))
    assert await bench.give(KeyError("x")) == [ModelFailed(1, 1, "model: KeyError: 'x'", True)]
    bench.generation.start(StartModel(1, 2, ()))
    failed = await bench.give(None)
    assert failed == [ModelFailed(1, 2, "the model stopped in the middle of its reply", True)]


async def test_every_request_is_on_the_books_when_it_is_over(bench: Bench) -> None:
    bench.generation.start(StartModel(1, 0, ()))
    await bench.give(TextDelta("a"))
    assert bench.used == []
    await bench.give(Finished("stop", Usage(50, 7, 40)))
    bench.model.deltas.put_nowait(None)
    bench.generation.start(StartModel(2, 0, (), vendor=0))
    await bench.give(ProviderError("busy"))
    bench.generation.start(StartModel(3, 0, ()))
    await bench.give(TextDelta("a"))
    bench.generation.cancel(3)
    await bench.tasks.wait()
    assert bench.used == [
        VendorUsed("model", requests=1, tokens=Usage(50, 7, 40)),
        VendorUsed("model", requests=1),
        VendorUsed("model", requests=1),
    ]


async def test_a_model_that_can_connects_before_it_is_asked(bench: Bench) -> None:
    class Warm(Model):
        warmed = False

        async def warm(self) -> None:
            self.warmed = True

    model = Warm()
    Generation([model], (), bench.told.put_nowait, bench.used.append, bench.tasks).warm()
    bench.generation.warm()  # its model cannot
    await bench.tasks.wait()
    assert model.warmed
    assert not model.asked
