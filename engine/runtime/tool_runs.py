"""One call's tool runs: the user's own functions, called with the model's arguments."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from engine.core.effects import RunTool
from engine.core.events import Event, ToolFailed, ToolResult
from engine.providers.contracts import ToolSpec
from engine.providers.llm.tool_arguments import check_arguments
from engine.runtime.tasks import Tasks

_log = logging.getLogger(__name__)

ToolFunction = Callable[..., Any]
"""Takes the model's arguments by name, returns what JSON can hold; a coroutine function or a plain one."""


class ToolRuns:
    """Runs tools: coroutine functions as tasks, plain functions in a thread, so that neither holds the loop.

    Arguments that are not as the tool's schema wants them never reach it. That, a function that raises, and
    one that answers with what JSON cannot hold are failures; the model is told why.
    """

    def __init__(
        self,
        tools: Iterable[ToolSpec],
        functions: Mapping[str, ToolFunction],
        tell: Callable[[Event], None],
        tasks: Tasks,
    ) -> None:
        """``functions`` by tool name; ``tools`` say what arguments those take, or any if they do not."""
        self._specs = {spec.name: spec for spec in tools}
        self._functions = functions
        self._tell = tell
        self._tasks = tasks
        self._running: dict[str, asyncio.Task[None]] = {}

    def run(self, asked: RunTool) -> None:
        """Run a tool."""
        function = self._functions.get(asked.name)
        if function is None:
            self._tell(ToolFailed(asked.tool_call, f"there is no tool named {asked.name}"))
            return
        spec = self._specs.get(asked.name) or ToolSpec(asked.name, "")
        if (wrong := check_arguments(spec, asked.arguments)) is not None:
            self._tell(ToolFailed(asked.tool_call, wrong))
            return
        self.cancel(asked.tool_call)
        self._running[asked.tool_call] = self._tasks.start(self._run(function, asked), f"tool {asked.name}")

    def cancel(self, tool_call: str) -> None:
        """The answer is not wanted any more. A plain function runs on in its thread, unheard."""
        if (task := self._running.pop(tool_call, None)) is not None:
            task.cancel()

    def close(self) -> None:
        """Cancel all that runs."""
        for tool_call in list(self._running):
            self.cancel(tool_call)

    async def _run(self, function: ToolFunction, asked: RunTool) -> None:
        answer: ToolResult | ToolFailed
        try:
            answer = ToolResult(asked.tool_call, await _call(function, orjson.loads(asked.arguments or "{}")))
        except _Refused as refused:
            answer = ToolFailed(asked.tool_call, str(refused))
        except Exception as error:
            _log.warning("tool %s raised %s", asked.name, type(error).__name__)
            answer = ToolFailed(asked.tool_call, f"{type(error).__name__}: {error}")
        self._running.pop(asked.tool_call, None)
        self._tell(answer)


class _Refused(Exception):  # noqa: N818 - it says what happened, not that our code erred
    """The answer cannot be used."""


async def _call(function: ToolFunction, arguments: dict[str, Any]) -> str:
    if inspect.iscoroutinefunction(function):
        value = await function(**arguments)
    else:
        value = await asyncio.to_thread(function, **arguments)
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError as error:
        raise _Refused(f"the tool's answer cannot be written as JSON: {error}") from None
