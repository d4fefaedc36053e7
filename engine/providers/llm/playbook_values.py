"""The kinds of slot value that need no list: numbers, digits, days, times, yes or no, and names.

Each kind reads a value out of words and gives the grammar of how it is said. A value has two faces: the
one for tools (``"10:30"``, ``4``) and the one for speech (``"ten thirty"``, ``"four"``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.providers.llm.playbook_matching import TENS, UNITS, spoken_number, spoken_time

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "today", "tomorrow")
_OH = ("oh", "o")
_HOURS = {word: hour for hour, word in enumerate(UNITS[:13]) if hour}
_FIXED_TIMES = {"noon": 12, "midday": 12}
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Value:
    """What a slot holds: ``value`` for tools (JSON-able), ``spoken`` for the ear."""

    value: Any
    spoken: str


Reading = tuple[Value, int] | None
"""A value and the number of words it took; None where the words begin with no value."""


def speak(value: Any) -> str:
    """Anything JSON as speech: times as times, numbers as figures, lists as ``a, b and c``."""
    if isinstance(value, str) and (clock := _CLOCK.fullmatch(value)):
        return spoken_time(int(clock[1]), int(clock[2]))
    if isinstance(value, list):
        said = [speak(item) for item in value]
        return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
    return str(value)


def read_number(heard: Sequence[str]) -> Reading:
    """A whole number from 0 to 9999, as people say it."""
    total = group = used = 0
    last = 10_000
    for word in heard:
        if word in UNITS and last >= (20 if UNITS.index(word) < 10 else 100):
            group, last = group + UNITS.index(word), 0
        elif word in TENS and last >= 100:
            group, last = group + 10 * (TENS.index(word) + 2), 20
        elif word == "hundred" and used and 0 < group < 10:
            group, last = group * 100, 100
        elif word == "thousand" and used and 0 < group < 10:
            total, group, last = group * 1000, 0, 1000
        else:
            break
        used += 1
    number = total + group
    return (Value(number, spoken_number(number)), used) if used else None


def read_digits(heard: Sequence[str]) -> Reading:
    """A string of digits; "oh" is a zero, "double four" two fours."""
    digits, used, times = "", 0, 1
    for word in heard:
        if word == "double" and times == 1:
            times = 2
        elif word in _OH or word in UNITS[:10]:
            digits += times * ("0" if word in _OH else str(UNITS.index(word)))
            times = 1
        else:
            break
        used += 1
    if not digits or times == 2:
        return None
    return Value(digits, " ".join(UNITS[int(digit)] for digit in digits)), used


def read_day(heard: Sequence[str]) -> Reading:
    """A day of the week, today or tomorrow; "next" or "this" before it is taken along and left out."""
    used = 1 if heard and heard[0] in ("next", "this") and len(heard) > 1 else 0
    if not heard or heard[used] not in DAYS:
        return None
    day = heard[used]
    return Value(day, day if day in DAYS[-2:] else day.capitalize()), used + 1


def _read_minute(heard: Sequence[str]) -> tuple[int, int]:
    """Minutes behind an hour and the number of words they took."""
    if len(heard) >= 2 and heard[0] in _OH and heard[1] in UNITS[1:10]:
        return UNITS.index(heard[1]), 2
    reading = read_number(heard[:2])
    if reading and 10 <= reading[0].value <= 59:
        return int(reading[0].value), reading[1]
    if heard[:1] == ("o'clock",) or heard[:2] == ("o", "clock"):
        return 0, 1 if heard[0] == "o'clock" else 2
    return 0, 0


def _read_half_of_day(heard: Sequence[str]) -> tuple[bool | None, int]:
    """Whether words behind a time say afternoon or morning, and how many they are."""
    if heard[:2] in (("p", "m"), ("a", "m")):
        return heard[0] == "p", 2
    if heard[:2] in (("in", "the"), ("at", "night")) and (heard[1] == "night" or len(heard) > 2):
        last = heard[1] if heard[1] == "night" else heard[2]
        if last in ("morning", "afternoon", "evening", "night"):
            return last != "morning", 2 if heard[1] == "night" else 3
    return None, 0


def read_time(heard: Sequence[str]) -> Reading:
    """A time of day as ``HH:MM``. Without a half of the day, one to six o'clock are in the afternoon."""
    heard = tuple(heard)
    if heard and heard[0] in _FIXED_TIMES:
        return Value(f"{_FIXED_TIMES[heard[0]]}:00", heard[0]), 1
    shift, used, minute = 0, 0, 0
    for start, past in ((("half", "past"), 30), (("quarter", "past"), 15), (("quarter", "to"), -15)):
        if heard[:2] == start:
            shift, used = past, 2
    if used >= len(heard) or heard[used] not in _HOURS:
        return None
    hour = _HOURS[heard[used]]
    used += 1
    if not shift:
        minute, more = _read_minute(heard[used:])
        used += more
    afternoon, more = _read_half_of_day(heard[used:])
    used += more
    if afternoon is None:
        afternoon = hour <= 6 or hour == 12
    minutes = ((hour % 12 + 12 * afternoon) * 60 + minute + shift) % 1440
    clock = f"{minutes // 60:02}:{minutes % 60:02}"
    return Value(clock, speak(clock)), used


READERS = {"number": read_number, "digits": read_digits, "day": read_day, "time": read_time}

GRAMMARS = {
    "number": f"(({' | '.join(UNITS[1:10])}) hundred [<_below_hundred>] | <_below_hundred>)",
    "digits": f"([double] ({' | '.join(UNITS[:10])} | oh))+",
    "day": f"[next | this] ({' | '.join(DAYS)})",
    "time": (
        "(noon | midday | ((half past | quarter past | quarter to) <_hour> | <_hour> "
        "[o'clock | oh five | ten | fifteen | twenty | thirty | forty | forty five | fifty]) "
        "[a m | p m | in the (morning | afternoon | evening)])"
    ),
}
SHARED_RULES = {
    "_below_hundred": f"({' | '.join(UNITS)} | ({' | '.join(TENS)}) [{' | '.join(UNITS[1:10])}])",
    "_hour": f"({' | '.join(_HOURS)})",
}
"""Rules that the grammars above refer to."""
