"""One call's language model requests: each a task that streams a reply's text to the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from engine.core.effects import StartModel
from engine.core.events import Event, ModelDone, ModelFailed, ModelText, ModelToolCall
from engine.providers.contracts import Finished, LanguageModel, ProviderError, TextDelta, ToolSpec
from engine.runtime.failures import as_provider_error
from engine.runtime.tasks import Tasks


class Generation:
    """Runs at most one request for each reply; a new attempt ends the one before it."""

    def __init__(
        self,
        model: LanguageModel,
        tools: Sequence[ToolSpec],
        tell: Callable[[Event], None],
        tasks: Tasks,
    ) -> None:
        self._model = model
        self._tools = tools
        self._tell = tell
        self._tasks = tasks
        self._running: dict[int, asyncio.Task[None]] = {}

    def start(self, asked: StartModel) -> None:
        """Ask the model for a reply."""
        self.cancel(asked.reply)
        self._running[asked.reply] = self._tasks.start(self._generate(asked), f"reply {asked.reply}")

    def cancel(self, reply: int) -> None:
        """End the reply's request, if it is running."""
        if (task := self._running.pop(reply, None)) is not None:
            task.cancel()

    def close(self) -> None:
        """End all requests."""
        for reply in list(self._running):
            self.cancel(reply)

    async def _generate(self, asked: StartModel) -> None:
        """Pass on what the model streams. Cancelled, it passes nothing on any more."""
        reply, attempt, finished = asked.reply, asked.attempt, False
        try:
            async for delta in self._model.generate(asked.messages, self._tools):
                if isinstance(delta, TextDelta):
                    self._tell(ModelText(reply, attempt, delta.text))
                elif isinstance(delta, Finished):
                    finished = True
                    self._tell(ModelDone(reply, attempt, delta.reason, delta.usage))
                else:
                    self._tell(ModelToolCall(reply, attempt, delta.tool_call, delta.name, delta.arguments))
            if not finished:
                raise ProviderError("the model stopped in the middle of its reply")
        except Exception as error:
            failure = as_provider_error(error, "model")
            self._tell(ModelFailed(reply, attempt, failure.reason, failure.retryable))
        finally:
            if self._running.get(reply) is asyncio.current_task():
                del self._running[reply]
