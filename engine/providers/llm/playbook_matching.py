"""Word matching for playbooks: text to plain words, misheard words to known ones, phrases found in speech.

A transcript is compared with what the playbook expects in three steps: `words` takes case, punctuation
and figures out of it; `nearest` replaces a word that the playbook does not know by one that it does know
and that is spelled almost the same; `align` finds a phrase in the words, letting small words be missing
or extra ones stand between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()

_SMALL_WORDS = frozenset(
    "a an the to of i i'd i'll i'm you me my it it's that that's this is for in on at and with please can "
    "could may would like we us do be um uh er oh so just have get what are".split()
)
_SMALL_WEIGHT = 0.3
_EXTRA_COST = 0.25
_TOLERANCE = 0.34
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\b")
_HALF_DAY = re.compile(r"\b([ap])\.?m\b\.?")
_WORD = re.compile(r"\d+|[^\W\d_]+(?:'[^\W\d_]+)*")


def spoken_number(number: int) -> str:
    """A whole number as it is said, up to 9999 (``"sixteen"``, ``"two hundred five"``); larger: by digits."""
    if number < 0 or number > 9999:
        return " ".join(UNITS[int(digit)] for digit in str(abs(number)))
    if number < 20:
        return UNITS[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {UNITS[number % 10]}" if number % 10 else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = f" {spoken_number(number % size)}" if number % size else ""
    return f"{spoken_number(number // size)} {name}{rest}"


def spoken_time(hour: int, minute: int) -> str:
    """A time of the clock without its half of the day: ``"ten"``, ``"ten thirty"``, ``"nine oh five"``."""
    hours = spoken_number((hour - 1) % 12 + 1)
    if minute == 0:
        return hours
    return f"{hours} {'oh ' if minute < 10 else ''}{spoken_number(minute)}"


def words(text: str) -> tuple[str, ...]:
    """The words of a text: lower case, no punctuation, figures as words (``"10:30"`` is ``ten thirty``)."""
    text = text.lower().replace("’", "'")
    text = _CLOCK.sub(lambda match: spoken_time(int(match[1]), int(match[2])), text)
    found: list[str] = []
    for word in _WORD.findall(_HALF_DAY.sub(r" \1 m", re.sub(r"(\d)([ap])\.?m\b", r"\1 \2m", text))):
        if not word.isdigit():
            found.append(word)
        elif len(word) > 4 or word.startswith("0"):
            found.extend(UNITS[int(digit)] for digit in word)
        else:
            found.extend(spoken_number(int(word)).split())
    return tuple(found)


def edit_distance(one: str, other: str, limit: int) -> int:
    """Levenshtein distance of two words, or ``limit + 1`` where it is larger than ``limit``."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, wanted in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != wanted))
        if min(row) > limit:
            return limit + 1
    return row[-1]


def nearest(word: str, vocabulary: Iterable[str]) -> str:
    """The known word that ``word`` was most likely meant to be, or ``word`` itself.

    A word of five letters may differ in one, a word of eight in two; shorter ones must agree.
    """
    limit = 2 if len(word) >= 8 else 1 if len(word) >= 5 else 0
    best, best_distance = word, limit + 1
    for known in vocabulary:
        if len(known) < 4:
            continue
        distance = edit_distance(word, known, limit)
        if distance < best_distance:
            best, best_distance = known, distance
    return best


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase found in words ``start`` to ``end`` (exclusive); ``score`` is the weight of what agreed."""

    start: int
    end: int
    score: float


def weight(word: str) -> float:
    """How much a word says: little for the small words that are often misheard or left out."""
    return _SMALL_WEIGHT if word in _SMALL_WORDS else 1.0


def align(phrase: Sequence[str], heard: Sequence[str]) -> Found | None:
    """Find ``phrase`` anywhere in ``heard``; None where more than a third of its weight is missing.

    Semi-global alignment: a word of the phrase may be missing at its weight, a word more may stand
    between at a quarter, what stands before and after costs nothing.
    """
    total = sum(map(weight, phrase))
    known = set(heard)
    if sum(weight(word) for word in phrase if word not in known) > total * _TOLERANCE:
        return None
    # A row per heard word: (cost, start) of the best alignment of the phrase's first j words up to here.
    empty = [0.0]
    for word in phrase:
        empty.append(empty[-1] + weight(word))
    row = [(cost, 0) for cost in empty]
    best = Found(0, 0, -1.0)
    for i, word in enumerate(heard, 1):
        fresh = [(0.0, i)]
        for j, wanted in enumerate(phrase, 1):
            missing = (fresh[j - 1][0] + weight(wanted), fresh[j - 1][1])
            extra = (row[j][0] + _EXTRA_COST, row[j][1])
            start = row[j - 1][1] if j > 1 else i - 1
            same = (row[j - 1][0] + (0.0 if word == wanted else weight(wanted) + 0.01), start)
            fresh.append(min(same, missing, extra))
        row = fresh
        cost, start = row[-1]
        if total - cost > best.score and word in phrase:
            best = Found(start, i, total - cost)
    return best if best.score >= total * (1 - _TOLERANCE) else None
