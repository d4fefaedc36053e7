"""A real-time telephony media engine: a phone call in, a conversation out.

The names below are the public face; everything else is an inside that `ARCHITECTURE.md` explains.
`engine.testing` is public too: a virtual world for your own agent's tests.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.agent import Agent, load_agent
    from engine.core.call import Call
    from engine.core.notes import EndReason
    from engine.core.policy import Policy
    from engine.errors import EngineError, MissingExtra
    from engine.runtime.worker import Settings, Worker

_WHERE = {
    "Agent": "engine.agent",
    "load_agent": "engine.agent",
    "Call": "engine.core.call",
    "EndReason": "engine.core.notes",
    "Policy": "engine.core.policy",
    "EngineError": "engine.errors",
    "MissingExtra": "engine.errors",
    "Settings": "engine.runtime.worker",
    "Worker": "engine.runtime.worker",
}

__all__ = [
    "Agent",
    "Call",
    "EndReason",
    "EngineError",
    "MissingExtra",
    "Policy",
    "Settings",
    "Worker",
    "load_agent",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the pure core must not load the web servers."""
    if name not in _WHERE:
        raise AttributeError(f"engine has no {name!r}")
    return getattr(import_module(_WHERE[name]), name)
