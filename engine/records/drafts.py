"""What thinking in the caller's pauses cost a call: drafts made, drafts dropped, tokens that nobody heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from engine.core.effects import Effect, StartModel
from engine.core.events import Event, ModelDone, ModelText
from engine.core.notes import ReplyChosen, ReplyEnded, ReplyStarted

CHARACTERS_A_TOKEN = 4
"""Of English, about, where the model has not reported: a request that is cancelled reports nothing."""


class DraftsRecord(BaseModel):
    """Answers thought about before the caller's turn was over, and what those cost that nobody heard.

    Tokens are the model's own count, or an estimate where it gave none.
    """

    model_config = ConfigDict(frozen=True)

    made: int
    dropped: int
    wasted_input_tokens: int
    wasted_output_tokens: int


@dataclass(slots=True)
class _Draft:
    asked: int = 0
    """Characters that the model was sent."""
    said: int = 0
    """Characters that it has sent back."""
    input_tokens: int = 0
    output_tokens: int = 0
    reported: bool = False


class DraftFold:
    """Folds the steps of a call into what its drafts cost."""

    def __init__(self) -> None:
        self._made = self._dropped = 0
        self._input_tokens = self._output_tokens = 0
        """Of drafts that were dropped."""
        self._open: dict[int, _Draft] = {}

    def step(self, event: Event | None, effects: Sequence[Effect]) -> None:
        """Take one step of the call."""
        if type(event) is ModelText and event.reply in self._open:
            self._open[event.reply].said += len(event.text)
        elif type(event) is ModelDone and event.reply in self._open:
            draft = self._open[event.reply]
            draft.input_tokens += event.usage.input_tokens
            draft.output_tokens += event.usage.output_tokens
            draft.reported = True
        for effect in effects:
            self._take(effect)

    def record(self) -> DraftsRecord:
        """What they cost so far."""
        return DraftsRecord(
            made=self._made,
            dropped=self._dropped,
            wasted_input_tokens=self._input_tokens,
            wasted_output_tokens=self._output_tokens,
        )

    def _take(self, effect: Effect) -> None:
        if type(effect) is ReplyStarted and effect.draft:
            self._made += 1
            self._open[effect.reply] = _Draft()
        elif type(effect) is StartModel and effect.reply in self._open:
            self._open[effect.reply].asked += sum(len(message.text) for message in effect.messages)
        elif type(effect) is ReplyChosen:
            self._open.pop(effect.reply, None)
        elif type(effect) is ReplyEnded and effect.reply in self._open:
            self._drop(self._open.pop(effect.reply))

    def _drop(self, draft: _Draft) -> None:
        self._dropped += 1
        if draft.reported:
            self._input_tokens += draft.input_tokens
            self._output_tokens += draft.output_tokens
        else:
            self._input_tokens += -(-draft.asked // CHARACTERS_A_TOKEN)
            self._output_tokens += -(-draft.said // CHARACTERS_A_TOKEN)
