"""A language model that follows a written script: no key, no network, the same answer every time.

A *playbook* is a TOML or YAML file that a person can read and write:

- ``name`` and ``[variables]``: values for ``{places}`` in any text.
- ``[slots.NAME]``: what the caller may say a value for. ``kind`` is ``choice`` (with ``values``: a list of
  phrases whose words are the value, or a table ``"value" = ["ways", "to say it"]``), ``number``, ``digits``
  (with ``length``), ``day``, ``time``, ``yes_no`` or ``name`` (``values``: names a recogniser should know).
  ``before``: words that may announce the value. ``help``: what to say when the answer was not understood.
- ``[goals.NAME]``: what the caller may want done. ``title`` completes "You can …"; ``phrases`` ask for it;
  ``optional`` slots are taken when said but never asked for; ``done`` is said at the end.
  ``[[goals.NAME.steps]]`` are walked in order, and what is known already is passed over:

  - ``slot`` and ``ask``: the question that gets a value;
  - ``confirm``: a yes or no question; on "no" ``change`` is said; asked again when a value changes;
  - ``tool`` and ``arguments`` (``say`` while it runs): its result is ``{tool.field}`` from then on; if it
    failed or its field ``expect`` is empty, ``otherwise`` is said and the slots in ``forget`` are asked for
    again;
  - ``say`` alone: said once.

- ``[answers.NAME]``: ``phrases`` of a question that may come at any time and what to ``say``.
- ``[intents]``: more ways to say ``yes``, ``no``, ``repeat``, ``person``, ``goodbye``, ``nothing_else``,
  ``wait``, ``cancel``, ``change``; ``lead_ins``: more ways to begin a request ("I'd like").
- ``[replies]``: the agent's general lines (`playbook_format.Replies` has them all with their defaults).
- ``transfer_target``: whom a caller who asks for a person is connected to.

Phrases are in the notation of `playbook_patterns`: ``[may be left out]``, ``(one | the other)``. In texts,
``[ with {milk}]`` is left out when ``{milk}`` is empty. In texts a slot stands for how it is said ("ten
thirty"); in ``arguments`` for its value ("10:30").

Built in: corrections ("no, make it large"), "repeat that", "wait", "never mind", a person (calls
``transfer``), goodbye (says farewell and calls ``hang_up``). What is not understood is asked again, then with
the choices, then a person is offered.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.core.conversation import Message
from engine.core.events import Usage
from engine.core.tools import BUILT_IN, TRANSFER
from engine.errors import EngineError
from engine.providers.contracts import Finished, ProviderError, TextDelta, ToolCallDelta, ToolSpec
from engine.providers.llm import playbook_format, playbook_grammar
from engine.providers.llm.playbook_dialogue import Dialogue
from engine.providers.llm.playbook_understanding import Understanding

SHIPPED = Path(__file__).resolve().parents[2] / "playbooks"
"""Where the playbooks that come with the engine are."""

_TOKEN = re.compile(r"\s*\S+")


class PlaybookModel:
    """A `LanguageModel` that follows a playbook.

    It keeps no state: every reply is worked out from the messages alone, so a draft that is thrown away
    leaves no trace and a reply that was cut short confuses nothing.
    """

    def __init__(
        self,
        playbook: Path | str | Mapping[str, Any],
        *,
        variables: Mapping[str, Any] | None = None,
        first_token_ms: float = 0,
        tokens_per_second: float | None = None,
    ) -> None:
        """Read a playbook: a path, the bare name of a shipped one, or its data.

        ``variables`` go before the playbook's own. ``first_token_ms`` and ``tokens_per_second`` make it as
        slow as a hosted model; the default is no delay. Raises `EngineError`.
        """
        if tokens_per_second is not None and tokens_per_second <= 0:
            raise EngineError("tokens_per_second must be above 0, or left out for no delay")
        if isinstance(playbook, Mapping):
            self._script = playbook_format.validate(playbook, "(data)")
        else:
            path = Path(playbook)
            bare = path.suffix == "" and path.parent == Path()
            self._script = playbook_format.load(SHIPPED / f"{path}.toml" if bare else path)
        self._understanding = Understanding(self._script)
        self._variables = {**self._script.variables, **(variables or {})}
        self._first_token = first_token_ms / 1000
        self._gap = 1 / tokens_per_second if tokens_per_second else 0.0

    @property
    def tools(self) -> frozenset[str]:
        """The tools that the playbook calls, besides those every agent has."""
        steps = (step for goal in self._script.goals.values() for step in goal.steps)
        return frozenset(step.tool for step in steps if step.tool) - BUILT_IN.keys()

    def grammar(self) -> str:
        """A JSGF grammar of what the caller may say at any point."""
        return playbook_grammar.jsgf(self._script)

    def phrases(self, count: int = 2000) -> list[str]:
        """Example sentences of the same language, for a small language model."""
        return playbook_grammar.sentences(self._script, count)

    async def generate(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncIterator[TextDelta | ToolCallDelta | Finished]:
        """Stream the reply that the playbook gives to ``messages``, word by word, then its tool calls.

        Without ``transfer`` among the ``tools`` a caller who asks for a person is told that nobody is there.
        Raises `ProviderError` where the playbook calls a tool that the agent does not have.
        """
        names = {tool.name for tool in tools}
        told = Dialogue(self._script, self._understanding, self._variables, TRANSFER in names)
        reply = told.replay(messages)
        offered = BUILT_IN.keys() | names
        for name, _ in reply.calls:
            if name not in offered:
                raise ProviderError(
                    f"playbook {self._script.name!r} calls the tool {name!r}, which the agent does not have",
                    retryable=False,
                )
        tokens = _TOKEN.findall(reply.text)
        await asyncio.sleep(self._first_token)
        for number, token in enumerate(tokens):
            if number:
                await asyncio.sleep(self._gap)
            yield TextDelta(token)
        for name, arguments in reply.calls:
            yield ToolCallDelta(f"call_{uuid.uuid4().hex[:12]}", name, json.dumps(arguments))
        usage = Usage(sum(len(message.text.split()) for message in messages), len(tokens))
        yield Finished("tools" if reply.calls else "stop", usage)

    async def close(self) -> None:
        """Nothing is shared but the script; there is nothing to free."""
