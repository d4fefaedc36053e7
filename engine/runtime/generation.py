"""One call's language model requests: each a task that streams a reply's text to the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from engine.core.effects import StartModel
from engine.core.events import (
    Event,
    ModelAudio,
    ModelDone,
    ModelFailed,
    ModelText,
    ModelToolCall,
    Survived,
    Usage,
    VendorUsed,
)
from engine.providers.contracts import (
    AudioDelta,
    Finished,
    LanguageModel,
    ModelEvent,
    ProviderError,
    RealtimeLine,
    TextDelta,
    ToolSpec,
    Warms,
)
from engine.runtime.failures import as_provider_error
from engine.runtime.tasks import Tasks


class Generation:
    """Runs the requests of replies: one each, or two where a second model is asked beside a silent one.

    ``models`` are the vendors in the agent's order of preference; ``line`` takes their place where the
    model hears and speaks itself. ``charge`` is told of each request when it is over, however it ended.
    """

    def __init__(
        self,
        models: Sequence[LanguageModel],
        tools: Sequence[ToolSpec],
        tell: Callable[[Event], None],
        charge: Callable[[VendorUsed], None],
        tasks: Tasks,
        line: RealtimeLine | None = None,
    ) -> None:
        self._models = models
        self._line = line
        self._tools = tools
        self._tell = tell
        self._charge = charge
        self._tasks = tasks
        self._running: dict[tuple[int, int], asyncio.Task[None]] = {}
        """By reply and attempt."""

    def warm(self) -> None:
        """Have the model of choice connect before the first reply is asked of it."""
        model = self._models[0] if self._models else None
        if isinstance(model, Warms):
            self._tasks.start(model.warm(), "warm the model")

    def start(self, asked: StartModel) -> None:
        """Ask a model for a reply."""
        name = f"reply {asked.reply}, attempt {asked.attempt}"
        self._running[asked.reply, asked.attempt] = self._tasks.start(self._generate(asked), name)

    def cancel(self, reply: int, attempt: int | None = None) -> None:
        """End the reply's requests, or that of one attempt, if they are running."""
        for key in [key for key in self._running if key[0] == reply and attempt in (None, key[1])]:
            self._running.pop(key).cancel()

    def truncate(self, attempt: int, heard: int) -> None:
        """Tell a model that speaks itself how much of a request's speech was heard, ms."""
        if self._line is not None:
            self._line.truncate(attempt, heard)

    def close(self) -> None:
        """End all requests."""
        for reply, _ in list(self._running):
            self.cancel(reply)

    def _deltas(self, asked: StartModel) -> AsyncIterator[ModelEvent | AudioDelta]:
        if self._line is not None:
            return self._line.respond(asked.attempt, asked.messages, self._tools)
        return self._models[asked.vendor].generate(asked.messages, self._tools)

    async def _generate(self, asked: StartModel) -> None:
        """Pass on what the model streams. Cancelled, it passes nothing on any more."""
        reply, attempt, finished, usage = asked.reply, asked.attempt, False, Usage()
        try:
            async for delta in self._deltas(asked):
                if isinstance(delta, TextDelta):
                    self._tell(ModelText(reply, attempt, delta.text))
                elif isinstance(delta, AudioDelta):
                    self._tell(ModelAudio(reply, attempt, delta.payload))
                elif isinstance(delta, Finished):
                    finished, usage = True, delta.usage
                    self._tell(ModelDone(reply, attempt, delta.reason, delta.usage))
                elif isinstance(delta, Survived):
                    self._tell(delta)
                else:
                    self._tell(ModelToolCall(reply, attempt, delta.tool_call, delta.name, delta.arguments))
            if not finished:
                raise ProviderError("the model stopped in the middle of its reply")
        except Exception as error:
            failure = as_provider_error(error, "model")
            self._tell(ModelFailed(reply, attempt, *failure.told))
        finally:
            tokens = None if usage == Usage() else usage
            self._charge(VendorUsed("model", asked.vendor, requests=1, tokens=tokens))
            if self._running.get((reply, attempt)) is asyncio.current_task():
                del self._running[reply, attempt]
