"""The notation for what a caller may say: ``[I'd like | give me] a (small | large) coffee``.

Square brackets hold what may be left out, round ones group, a bar separates alternatives. It is the
heart of JSGF (W3C note "JSpeech Grammar Format", 2000), so a pattern turns into a grammar as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.providers.llm.playbook_matching import words

MOST_VARIANTS = 5000
"""More than that cannot be meant; a pattern with so many is refused."""

_TOKEN = re.compile(r"[\[\]()|]|[^\[\]()|\s]+")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Alternatives; each a sequence of words and of nested patterns; ``optional``: may be left out."""

    alternatives: tuple[tuple[str | Pattern, ...], ...]
    optional: bool = False

    def variants(self) -> list[tuple[str, ...]]:
        """Every way to say it, as words. Raises ValueError where there are more than `MOST_VARIANTS`."""
        found: list[tuple[str, ...]] = [()] if self.optional else []
        for sequence in self.alternatives:
            partial: list[tuple[str, ...]] = [()]
            for item in sequence:
                endings = [(item,)] if isinstance(item, str) else item.variants()
                partial = [start + end for start in partial for end in endings]
                if len(partial) > MOST_VARIANTS:
                    raise ValueError(f"it can be said in more than {MOST_VARIANTS} ways: split it")
            found.extend(partial)
        return found

    def jsgf(self) -> str:
        """The same in JSGF."""
        body = " | ".join(
            " ".join(item if isinstance(item, str) else item.jsgf() for item in sequence)
            for sequence in self.alternatives
        )
        return f"[{body}]" if self.optional else f"({body})"


def parse(text: str) -> Pattern:
    """Read the notation. Raises ValueError that says what is wrong."""
    tokens = _TOKEN.findall(text)
    pattern, used = _alternatives(tokens, 0, "", text)
    if used < len(tokens):
        raise ValueError(f"{tokens[used]!r} closes nothing in {text!r}")
    if () in pattern.variants():
        raise ValueError(f"{text!r} could be said with no word at all")
    return pattern


def _alternatives(tokens: Sequence[str], at: int, closing: str, text: str) -> tuple[Pattern, int]:
    """Read alternatives from ``tokens[at]`` up to ``closing``; the pattern and the index behind it."""
    alternatives: list[tuple[str | Pattern, ...]] = []
    sequence: list[str | Pattern] = []
    while at < len(tokens) and tokens[at] not in ("]", ")"):
        token = tokens[at]
        if token in ("[", "("):
            inner, at = _alternatives(tokens, at + 1, "]" if token == "[" else ")", text)
            sequence.append(inner)
        elif token == "|":
            alternatives.append(tuple(sequence))
            sequence = []
            at += 1
        else:
            sequence.extend(words(token))
            at += 1
    alternatives.append(tuple(sequence))
    if not all(alternatives):
        raise ValueError(f"an alternative is empty in {text!r}")
    if not closing:
        return Pattern(tuple(alternatives)), at
    if at >= len(tokens) or tokens[at] != closing:
        raise ValueError(f"{closing!r} is missing in {text!r}")
    return Pattern(tuple(alternatives), optional=closing == "]"), at + 1
