"""Which tool may run when; each call's one result; deadlines.

Three kinds (`policy.ToolKind`): *read* may run for a draft and survives an interruption, *act* only for a
chosen reply, *end* only through the line. The three built-in tools of the engine are here too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from engine.core.conversation import ToolRequest
from engine.core.effects import CancelTool, RunTool
from engine.core.notes import ClockFired, ToolEnded, ToolStarted
from engine.core.policy import Policy, ToolKind
from engine.core.step import Step

HANG_UP = "hang_up"
TRANSFER = "transfer"
SEND_DIGITS = "send_digits"
BUILT_IN: dict[str, ToolKind] = {
    HANG_UP: ToolKind.END,
    TRANSFER: ToolKind.END,
    SEND_DIGITS: ToolKind.ACT,
}
"""The tools that every agent has; what they do is the line's and the keypad's."""

_ALARM = "tool:"


@dataclass(slots=True)
class Running:
    """A tool call that was started and has no result yet."""

    request: ToolRequest
    reply: int
    speculative: bool
    """Started for a draft: its call is not part of the conversation yet."""
    result: str = field(default="", repr=False)


class Tools:
    """The tool calls of a call that are on their way."""

    def __init__(self, policy: Policy) -> None:
        self._known = {tool.name: tool for tool in policy.tools}
        self._running: dict[str, Running] = {}
        self._used: set[str] = set()

    def kind(self, name: str) -> ToolKind | None:
        """What the tool may do; None if there is no such tool."""
        if name in BUILT_IN:
            return BUILT_IN[name]
        return self._known[name].kind if name in self._known else None

    @property
    def busy(self) -> bool:
        """A tool is running for the conversation."""
        return any(not running.speculative for running in self._running.values())

    def is_new(self, tool_call: str) -> bool:
        """Whether this id was never used in the call; a model that repeats one is not obeyed twice."""
        return tool_call not in self._used

    def start(self, step: Step, reply: int, request: ToolRequest, *, speculative: bool = False) -> None:
        """Run one of the agent's own tools."""
        self._used.add(request.tool_call)
        self._running[request.tool_call] = Running(request, reply, speculative)
        step.emit(ToolStarted(step.now, request.tool_call, request.name, request.arguments))
        step.emit(RunTool(request.tool_call, request.name, request.arguments))
        step.deadlines.set(_ALARM + request.tool_call, step.now + self._known[request.name].timeout)

    def answer(self, step: Step, request: ToolRequest, *, value: str = "", error: str = "") -> str:
        """The result of a tool that needs no running: a built-in one, or one that cannot be run."""
        self._used.add(request.tool_call)
        text = as_error(error) if error else value
        step.emit(ToolStarted(step.now, request.tool_call, request.name, request.arguments))
        step.emit(ToolEnded(step.now, request.tool_call, request.name, error, text))
        return text

    def finish(self, step: Step, tool_call: str, *, value: str = "", error: str = "") -> Running | None:
        """A result came in; None if nothing waits for it any more."""
        running = self._running.pop(tool_call, None)
        if running is None:
            return None
        step.deadlines.cancel(_ALARM + tool_call)
        running.result = as_error(error) if error else value
        step.emit(ToolEnded(step.now, tool_call, running.request.name, error, running.result))
        return running

    def expire(self, step: Step, alarm: str) -> Running | None:
        """The tool's time is up."""
        tool_call = alarm.removeprefix(_ALARM)
        if tool_call not in self._running:
            return None
        step.emit(ClockFired(step.now, "tool"))
        step.emit(CancelTool(tool_call))
        return self.finish(step, tool_call, error="the tool did not answer in time")

    def forget(self, step: Step, reply: int) -> None:
        """A draft was dropped: what ran for it is not waited for, and nobody will hear of it."""
        for tool_call, running in list(self._running.items()):
            if running.reply == reply and running.speculative:
                step.emit(CancelTool(tool_call))
                self.finish(step, tool_call, error="the draft was dropped")

    def adopt(self, reply: int) -> None:
        """The draft was chosen: what runs for it is part of the conversation."""
        for running in self._running.values():
            if running.reply == reply:
                running.speculative = False

    def close(self, step: Step) -> None:
        """The call ends: every call still open gets its result."""
        for tool_call in list(self._running):
            step.emit(CancelTool(tool_call))
            self.finish(step, tool_call, error="the call ended")

    def waits(self, reply: int) -> bool:
        """Whether a tool is running for this reply."""
        return any(running.reply == reply for running in self._running.values())

    @staticmethod
    def is_alarm(name: str) -> bool:
        """Whether the alarm is one of ours."""
        return name.startswith(_ALARM)


def as_error(error: str) -> str:
    """A failure as the model is told of it."""
    return json.dumps({"error": error})


def arguments_of(request: ToolRequest) -> dict[str, Any]:
    """The arguments of a built-in tool; empty where the model's text is not a JSON object."""
    try:
        value = json.loads(request.arguments or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
