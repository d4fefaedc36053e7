"""Tools: plain and coroutine functions, bad arguments, bad answers, cancelling."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from engine.core.effects import RunTool
from engine.core.events import Event, ToolFailed, ToolResult
from engine.providers.contracts import ToolSpec
from engine.runtime.tasks import Tasks
from engine.runtime.tool_runs import ToolRuns


def on_a_thread(city: str) -> dict[str, Any]:
    return {"city": city, "main": threading.current_thread() is threading.main_thread()}


async def on_the_loop(city: str) -> str:
    return f"rain in {city}"


def raises() -> None:
    raise LookupError("no such order")


def answers_with_a_set() -> set[int]:
    return {1}


def book(seats: int) -> int:
    """Must not be asked for seats that are no number."""
    assert isinstance(seats, int)
    return seats


BOOK = ToolSpec(
    "book", "", {"type": "object", "properties": {"seats": {"type": "integer"}}, "required": ["seats"]}
)


async def run(name: str, arguments: str) -> Event:
    """The answer of one run."""
    told: asyncio.Queue[Event] = asyncio.Queue()
    tasks = Tasks()
    functions = {f.__name__: f for f in (on_a_thread, on_the_loop, raises, answers_with_a_set, book)}
    ToolRuns((BOOK,), functions, told.put_nowait, tasks).run(RunTool("t1", name, arguments))
    await tasks.wait()
    return told.get_nowait()


async def test_a_plain_function_runs_in_a_thread() -> None:
    answer = await run("on_a_thread", '{"city": "Bath"}')
    assert isinstance(answer, ToolResult)
    assert json.loads(answer.value) == {"city": "Bath", "main": False}


async def test_a_coroutine_function_runs_on_the_loop() -> None:
    assert await run("on_the_loop", '{"city": "Bath"}') == ToolResult("t1", '"rain in Bath"')


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("on_the_loop", "{", "the arguments of on_the_loop are not valid JSON"),
        ("on_the_loop", "[1]", "the arguments of on_the_loop must be a JSON object"),
        ("book", '{"seats": "two"}', "seats must be of type integer"),
        ("book", "{}", "the arguments of book must have 'seats'"),
        ("on_the_loop", '{"town": "Bath"}', "TypeError"),
        ("on_the_loop", "", "TypeError"),
        ("raises", "{}", "LookupError: no such order"),
        ("answers_with_a_set", "{}", "the tool's answer cannot be written as JSON"),
        ("unknown", "{}", "there is no tool named unknown"),
    ],
)
async def test_what_goes_wrong_is_told_in_words(name: str, arguments: str, error: str) -> None:
    answer = await run(name, arguments)
    assert isinstance(answer, ToolFailed)
    assert answer.error.startswith(error)


async def test_good_arguments_reach_the_function() -> None:
    assert await run("book", '{"seats": 2}') == ToolResult("t1", "2")


async def test_a_cancelled_tool_is_not_heard_any_more() -> None:
    told: list[Event] = []
    ended = asyncio.Event()
    started = asyncio.Event()

    async def slow() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks = Tasks()
    tools = ToolRuns((), {"slow": slow}, told.append, tasks)
    tools.run(RunTool("t1", "slow", "{}"))
    await started.wait()
    tools.cancel("t1")
    tools.cancel("t2")
    await ended.wait()
    await tasks.wait()
    assert told == []
