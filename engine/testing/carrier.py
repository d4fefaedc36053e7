"""The scripted carrier, and scripted tools: whatever is asked of the world outside the conversation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.core.effects import CancelTool, CloseStream, Effect, HangUp, RunTool, SendDigits, Transfer
from engine.core.events import CarrierDone, StreamStopped, ToolFailed, ToolResult
from engine.testing.faults import Fails, Faults, Refuses, Repeats, Silent, nth_fault

if TYPE_CHECKING:
    from engine.testing.world import World


class ScriptedCarrier:
    """Completes legs, transfers callers, presses keys.

    A hang-up is confirmed ``hang_up_ms`` after it was asked for, with ``outcome``; a transfer ends after
    ``transfer_ms`` with ``transfer_outcome``. Pressing keys takes the media stream away for ``seam_ms``.
    An outcome of "" never comes.
    """

    def __init__(
        self,
        *,
        hang_up_ms: int = 50,
        outcome: str = "ok",
        transfer_ms: int = 2_000,
        transfer_outcome: str = "ok",
        seam_ms: int = 800,
    ) -> None:
        self._hang_up_ms = hang_up_ms
        self._outcome = outcome
        self._transfer_ms = transfer_ms
        self._transfer_outcome = transfer_outcome
        self._seam_ms = seam_ms

    def enter(self, world: World) -> None:
        """Start afresh in a world."""
        self._world = world
        self.asked: list[Effect] = []
        """What it was asked to do, in order."""
        self.performs: dict[type[Effect], Callable[..., None]] = {
            HangUp: self._on_hang_up,
            Transfer: self._on_transfer,
            SendDigits: self._on_digits,
            CloseStream: self._on_close,
        }

    def _on_hang_up(self, effect: HangUp) -> None:
        self.asked.append(effect)
        self._world.after(self._hang_up_ms, self._leave, CarrierDone("hang_up", self._outcome))

    def _on_transfer(self, effect: Transfer) -> None:
        self.asked.append(effect)
        self._world.after(self._transfer_ms, self._leave, CarrierDone("transfer", self._transfer_outcome))

    def _on_digits(self, effect: SendDigits) -> None:
        self.asked.append(effect)
        self._world.stop_stream(StreamStopped())
        self._world.later(self._seam_ms, CarrierDone("digits"))
        self._world.after(self._seam_ms, self._world.open_stream)

    def _on_close(self, effect: CloseStream) -> None:
        self.asked.append(effect)
        self._world.stop_stream(None)

    def _leave(self, done: CarrierDone) -> None:
        """The carrier is done; where it succeeded the caller has left the stream."""
        if not done.outcome:
            return
        self._world.tell(done)
        if done.outcome == "ok":
            self._world.stop_stream(StreamStopped())


class ScriptedTool:
    """A tool that answers ``delay_ms`` after it was run, with JSON text or a function of the arguments.

    ``faults`` go by run: `Silent`, `Refuses`, `Fails` (ms into the run), `Repeats`. A cancelled tool says
    nothing any more unless it is ``late``.
    """

    def __init__(
        self,
        result: str | Callable[[str], str] = "{}",
        *,
        delay_ms: int = 100,
        faults: Faults = None,
        late: bool = False,
    ) -> None:
        self._result = result
        self._delay_ms = delay_ms
        self._faults = faults
        self._late = late
        self.runs: list[RunTool] = []
        """What it was run with, in order."""

    def run(self, world: World, effect: RunTool) -> None:
        """Run once."""
        fault = nth_fault(self._faults, len(self.runs))
        self.runs.append(effect)
        if isinstance(fault, Silent):
            return
        if isinstance(fault, Refuses | Fails):
            world.after(fault.after, self._answer, (world, ToolFailed(effect.tool_call, fault.reason)))
            return
        value = self._result if isinstance(self._result, str) else self._result(effect.arguments)
        for _ in range(2 if isinstance(fault, Repeats) else 1):
            world.after(self._delay_ms, self._answer, (world, ToolResult(effect.tool_call, value)))

    def _answer(self, what: tuple[World, ToolResult | ToolFailed]) -> None:
        world, event = what
        if self._late or event.tool_call not in world.tools.cancelled:
            world.tell(event)


class Toolbox:
    """The tools of one world, by name."""

    def __init__(self, tools: dict[str, ScriptedTool]) -> None:
        self._tools = tools

    def enter(self, world: World) -> None:
        """Start afresh in a world."""
        self._world = world
        self.cancelled: set[str] = set()
        for tool in self._tools.values():
            tool.runs = []
        self.performs: dict[type[Effect], Callable[..., None]] = {
            RunTool: self._on_run,
            CancelTool: lambda effect: self.cancelled.add(effect.tool_call),
        }

    def _on_run(self, effect: RunTool) -> None:
        tool = self._tools.get(effect.name)
        if tool is None:
            self._world.later(0, ToolFailed(effect.tool_call, f"there is no tool {effect.name!r}"))
        else:
            tool.run(self._world, effect)
