"""What an agent needs for its calls, made once and shared: providers, tools, what its voice said before."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic.main import IncEx

from engine.agent import Agent
from engine.agent.fields import told
from engine.providers.contracts import LanguageModel, RealtimeModel, ToolSpec, Transcriber, Voice
from engine.runtime.registry import Providers, build, load_tools, tool_specs
from engine.runtime.tool_runs import ToolFunction
from engine.runtime.voice_cache import VoiceCache

_log = logging.getLogger(__name__)


def _made_of(role: str) -> set[str]:
    """The fields of a role's group that make the provider; those that set the call's policy do not."""
    group = type(getattr(Agent(), role))
    return {name for name, info in group.model_fields.items() if not told(info).get("policy")}


_SHARED: Mapping[str, IncEx | bool] = {
    "language": True,
    "mode": True,
    **{role: _made_of(role) for role in ("transcriber", "model", "voice", "realtime")},
    "turns": {"voice_activity"},
}
"""The fields of an agent that its providers are made of. What differs from call to call is not among them."""


@dataclass(frozen=True, slots=True)
class Outfit:
    """One agent's equipment, the same for all its calls."""

    providers: Providers
    voice_cache: VoiceCache
    tools: tuple[ToolSpec, ...]
    functions: Mapping[str, ToolFunction]


class Outfits:
    """Outfits by agent. Agents that listen, think and speak alike share their providers.

    ``tools`` are functions by name, over those the agents name. ``given`` takes the place of all providers.
    """

    def __init__(self, tools: Mapping[str, ToolFunction], given: Providers | None = None) -> None:
        self._tools = tools
        self._given = given
        self._made: dict[str, tuple[Providers, VoiceCache]] = {}

    def of(self, agent: Agent) -> Outfit:
        """The outfit of ``agent``. The first one of a kind loads libraries and models, which takes a while.

        Raises `EngineError` that names the setting at fault.
        """
        key = self._key(agent)
        if key not in self._made:
            self._made[key] = (self._given or build(agent), VoiceCache())
        return Outfit(*self._made[key], tool_specs(agent), load_tools(agent, self._tools))

    def has(self, agent: Agent) -> bool:
        """Whether there is one of the kind of ``agent``, which takes no time then."""
        return self._key(agent) in self._made

    def _key(self, agent: Agent) -> str:
        return "" if self._given is not None else agent.model_dump_json(include=_SHARED)

    async def close(self) -> None:
        """Free what all calls shared."""
        for providers, _ in self._made.values():
            shared: list[Transcriber | LanguageModel | Voice | RealtimeModel] = [*providers.transcribers]
            shared += [*providers.models, *providers.voices]
            if providers.realtime is not None:
                shared.append(providers.realtime)
            for provider in shared:
                try:
                    await provider.close()
                except Exception:
                    _log.exception("a provider could not be closed")
        self._made.clear()
