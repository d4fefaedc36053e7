"""A scripted language model: given replies, token by token."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.core.conversation import Message
from engine.core.effects import CancelModel, Effect, StartModel, TruncateModel
from engine.core.events import ModelAudio, ModelDone, ModelFailed, ModelText, ModelToolCall, Usage
from engine.testing.faults import Fails, Fault, Faults, Refuses, Repeats, Silent, Stalls, nth_fault

if TYPE_CHECKING:
    from engine.testing.world import World

_TOKEN = re.compile(r"\s*\S{1,6}|\s+$")


@dataclass(frozen=True, slots=True)
class ToolUse:
    """In a scripted reply: the model calls a tool."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


Reply = str | ToolUse | Sequence[str | ToolUse]
"""What the model answers: text, a tool call, or a mixture in order."""


@dataclass(slots=True)
class _Generation:
    request: StartModel
    items: list[str | ToolUse]
    given: int = 0
    tools: bool = False
    cancelled: bool = False
    speech: list[bytes] = field(default_factory=list)
    """What each item sounds like, where the model speaks itself."""


class ScriptedModel:
    """Answers the nth turn with the nth reply, where a turn is a run of user messages or of tool results.

    So a draft that is thrown away, or a second attempt, gets the same reply again; beyond the end the last
    one is repeated. ``opening`` is the reply while there is no turn yet. ``replies`` may also be a function
    of the messages. The first token comes ``first_token_ms`` after the request, then ``tokens_per_second``.
    ``faults`` go by request, ``down`` by vendor; ``late`` goes on after being cancelled.

    In a speech-to-speech call it speaks what it says, ``first_audio_ms`` behind its text, as long as the
    world's voice takes for it.
    """

    def __init__(
        self,
        replies: Sequence[Reply] | Callable[[tuple[Message, ...]], Reply] = ("Okay.",),
        *,
        opening: Reply = "Hello.",
        first_token_ms: int = 150,
        tokens_per_second: float = 60.0,
        first_audio_ms: int = 80,
        faults: Faults = None,
        down: Mapping[int, Fault] | None = None,
        late: bool = False,
    ) -> None:
        self._replies = replies
        self._opening = opening
        self._first_token_ms = first_token_ms
        self._token_ms = 1000 / tokens_per_second
        self._first_audio_ms = first_audio_ms
        self._faults = faults
        self._down = dict(down or {})
        self._late = late

    def enter(self, world: World) -> None:
        """Start afresh in a world."""
        self._world = world
        self._running: dict[tuple[int, int], _Generation] = {}
        self._tool_uses = 0
        self._turns_before = _turns(world.policy.initial_messages)
        self._speaks = world.policy.replies.speech_to_speech
        self.truncated: list[TruncateModel] = []
        """What it was told of its own speech that was not heard whole, in order."""
        self.requests: list[StartModel] = []
        """What it was asked, in order."""
        self.performs: dict[type[Effect], Callable[..., None]] = {
            StartModel: self._on_start,
            CancelModel: self._on_cancel,
            TruncateModel: self.truncated.append,
        }

    def _on_start(self, request: StartModel) -> None:
        fault = self._down.get(request.vendor) or nth_fault(self._faults, len(self.requests))
        self.requests.append(request)
        if isinstance(fault, Refuses):
            failed = ModelFailed(
                request.reply, request.attempt, fault.reason, fault.retryable, fault.retry_after
            )
            self._world.later(fault.after, failed)
        elif not isinstance(fault, Silent):
            items = _tokens(self._reply(request.messages))
            generation = _Generation(request, items)
            if self._speaks:
                generation.speech = self._speak(request, items)
            self._running[request.reply, request.attempt] = generation
            self._world.after(self._first_token_ms, lambda _: self._give(generation, fault))

    def _on_cancel(self, effect: CancelModel) -> None:
        for reply, attempt in list(self._running):
            if reply == effect.reply and effect.attempt in (None, attempt):
                self._running.pop((reply, attempt)).cancelled = not self._late

    def _reply(self, messages: tuple[Message, ...]) -> Reply:
        if callable(self._replies):
            return self._replies(messages)
        turn = _turns(messages) - self._turns_before
        if turn <= 0:
            return self._opening
        return self._replies[min(turn, len(self._replies)) - 1]

    def _speak(self, request: StartModel, items: list[str | ToolUse]) -> list[bytes]:
        """The items' sound: each token has its characters' share of the words that it belongs to."""
        texts = [item if isinstance(item, str) else "" for item in items]
        words = "".join(texts).split()
        audio, _ = self._world.voice.record(request.reply, request.attempt, words)
        total, at, given = len("".join(texts)), 0, 0
        speech = []
        for text in texts:
            at += len(text)
            end = len(audio) * at // total if total else 0
            speech.append(audio[given:end])
            given = end
        return speech

    def _sound(self, generation: _Generation, number: int) -> None:
        """Tell how the item sounds."""
        request = generation.request
        if not generation.cancelled and generation.speech[number]:
            self._world.tell(ModelAudio(request.reply, request.attempt, generation.speech[number]))

    def _give(self, generation: _Generation, fault: object) -> None:
        """Say the next token, or the end, and have the one after it said in its time."""
        if generation.cancelled:
            return
        reply, attempt = generation.request.reply, generation.request.attempt
        given = generation.given
        if isinstance(fault, Stalls) and given >= fault.after:
            return
        if isinstance(fault, Fails) and given >= fault.after:
            self._world.tell(ModelFailed(reply, attempt, fault.reason, fault.retryable))
            return
        if given == len(generation.items):
            usage = Usage(sum(len(m.text) for m in generation.request.messages) // 4, given)
            done = ModelDone(reply, attempt, "tools" if generation.tools else "stop", usage)
            if self._speaks:
                self._world.after(self._first_audio_ms, lambda _: self._finish(generation, done, fault))
            else:
                self._finish(generation, done, fault)
            return
        generation.given += 1
        started = self._world.clock.now
        wait = round(generation.given * self._token_ms) - round(given * self._token_ms)
        self._world.clock.at(started + wait, lambda _: self._give(generation, fault))
        item = generation.items[given]
        if self._speaks:
            self._world.after(self._first_audio_ms, lambda _: self._sound(generation, given))
        if isinstance(item, str):
            self._world.tell(ModelText(reply, attempt, item))
        else:
            generation.tools = True
            self._tool_uses += 1
            arguments = json.dumps(item.arguments)
            self._world.tell(ModelToolCall(reply, attempt, f"call{self._tool_uses}", item.name, arguments))

    def _finish(self, generation: _Generation, done: ModelDone, fault: object) -> None:
        if not generation.cancelled:
            self._world.tell(done)
            if isinstance(fault, Repeats):
                self._world.tell(done)


def _tokens(reply: Reply) -> list[str | ToolUse]:
    parts = [reply] if isinstance(reply, str | ToolUse) else reply
    found: list[str | ToolUse] = []
    for part in parts:
        found += _TOKEN.findall(part) if isinstance(part, str) else [part]
    return found


def _turns(messages: Sequence[Message]) -> int:
    """Runs of user messages and of tool results."""
    turns, before = 0, ""
    for message in messages:
        if message.role in ("user", "tool") and message.role != before:
            turns += 1
        if message.role != "system":
            before = message.role
    return turns
