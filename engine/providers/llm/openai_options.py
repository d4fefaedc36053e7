"""How much and how freely an OpenAI model writes, in the words that the model in question takes.

Follows https://developers.openai.com/api/docs/guides/reasoning: reasoning models take no ``max_tokens`` and,
unless they are told not to reason, no ``temperature``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.errors import EngineError

_NEW_LIMIT = re.compile(r"o\d|gpt-[5-9]|codex")
_REASONS = re.compile(rf"({_NEW_LIMIT.pattern})(?!.*-chat)")


def family(model: str) -> str:
    """A model's name without what a fine-tune or a reseller puts before it."""
    return model.removeprefix("ft:").rpartition("/")[2]


def token_limit(model: str) -> str:
    """The name under which a model takes its token limit in chat completions.

    Models that OpenAI does not know are served by compatible servers, all of which take ``max_tokens``.
    """
    return "max_completion_tokens" if _NEW_LIMIT.match(family(model)) else "max_tokens"


def takes_temperature(model: str, reasoning_effort: str | None) -> bool:
    """Whether a model may be sent a temperature; one that reasons refuses any but its own."""
    return reasoning_effort == "none" or not _REASONS.match(family(model))


class Options:
    """A model's temperature and token limit, as fields of a request.

    What a model turns out not to take is not sent to it again.
    """

    def __init__(
        self,
        model: str,
        temperature: float | None,
        max_tokens: int | None,
        reasoning_effort: str | None,
        *,
        limit: str,
        fewest_tokens: int = 1,
    ) -> None:
        """``limit`` is the field's name for ``max_tokens``. Raises `EngineError` that names the option."""
        if not model:
            raise EngineError("model.model: must name a model")
        if temperature is not None and not 0 <= temperature <= 2:
            raise EngineError(f"model.temperature: must be 0 to 2, not {temperature}")
        if max_tokens is not None and max_tokens < fewest_tokens:
            raise EngineError(f"model.max_tokens: must be {fewest_tokens} or more, not {max_tokens}")
        self._fields: dict[str, Any] = {}
        if temperature is not None and takes_temperature(model, reasoning_effort):
            self._fields["temperature"] = temperature
        if max_tokens is not None:
            self._fields[limit] = max_tokens

    @property
    def fields(self) -> Mapping[str, Any]:
        """What to put into a request."""
        return self._fields

    def refused(self, parameter: str) -> bool:
        """The model does not take a field of ours. Returns whether the next request will do without it."""
        if parameter not in self._fields:
            return False
        value = self._fields.pop(parameter)
        if parameter == "max_tokens":
            self._fields["max_completion_tokens"] = value
        return True
