"""Templates: ``{{name}}`` in a text stands for a variable. What is missing is said before any call."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.agent.problems import closest

_PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_variable_name(name: str) -> bool:
    """Whether a template can name it: letters, digits and underscores, not a digit first."""
    return bool(_NAME.fullmatch(name))


def syntax_problem(template: str, spoken: bool) -> str:
    """What is wrong with the braces of a template, as the end of a sentence; empty if nothing is.

    A spoken text holds no other brace at all; a prompt may (it may show the model JSON), but no ``{{``.
    """
    left = _PLACE.sub("", template)
    found = re.search(r"[{}]" if spoken else r"\{\{", left)
    if not found:
        return ""
    shown = left[found.start() : found.start() + 20]
    return f"has a brace that belongs to no variable at {shown!r}: a variable is written {{{{name}}}}"


def missing_names(template: str, variables: Mapping[str, str]) -> list[str]:
    """What is to be said of each variable that the template uses and nobody set, in the order of use."""
    problems = []
    for name in dict.fromkeys(_PLACE.findall(template)):
        if name not in variables:
            hint = closest(name, variables)
            told = f": did you mean {{{{{hint}}}}}?" if hint else ""
            problems.append(f"uses {{{{{name}}}}}, and no variable '{name}' is given{told}")
    return problems


def fill(template: str, variables: Mapping[str, str]) -> str:
    """The template with its variables in place. Raises `KeyError` for a missing one (see `missing_names`)."""
    return _PLACE.sub(lambda place: variables[place[1]], template)
