"""Which engine runs: its version, and whether its hot path is compiled."""

from __future__ import annotations

from importlib.metadata import version
from platform import python_version

from engine.core import call


def compiled() -> bool:
    """Whether the call core runs as mypyc compiled it, and not from its Python sources."""
    return not str(call.__file__).endswith(".py")


def how_it_runs() -> str:
    """``compiled`` or ``pure Python``."""
    return "compiled" if compiled() else "pure Python"


def describe() -> str:
    """One line for people: the engine's version, how it runs, and on which Python."""
    return f"engine {version('engine')}, {how_it_runs()}, on Python {python_version()}"
