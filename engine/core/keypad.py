"""The keypad: digits in (collected until a terminator, a gap or enough of them) and digits out (a plan)."""

from __future__ import annotations

import re

from engine.core.step import Step

ALARM = "keypad"
_ALLOWED = re.compile(r"[0-9*#A-Da-dw]{1,64}")


def plan(digits: str) -> str:
    """The keys to press; empty if ``digits`` holds anything but 0-9, ``*``, ``#``, A-D and ``w`` (500 ms)."""
    compact = re.sub(r"[\s().\-]", "", digits)
    return _upper(compact) if _ALLOWED.fullmatch(compact) else ""


def duration(digits: str) -> int:
    """How long a carrier takes to press the keys, ms: 500 for a wait, 300 for a tone with its gap."""
    return sum(500 if digit == "w" else 300 for digit in digits)


def _upper(digits: str) -> str:
    """Keys in capitals; the pause stays a small ``w``."""
    return digits.upper().replace("W", "w")


def as_words(digits: str) -> str:
    """Pressed keys as the model reads them."""
    return f"[keypad: {digits}]"


class Keypad:
    """The digits of the entry that is being keyed in."""

    def __init__(self) -> None:
        self._digits = ""

    @property
    def collecting(self) -> bool:
        """An entry has begun and is not complete."""
        return bool(self._digits)

    def press(self, step: Step, digit: str) -> str:
        """A key. Returns the entry if this completes it, else nothing (empty).

        The terminator is not part of the entry, unless it is all that was pressed.
        """
        rules = step.policy.keypad
        if digit == rules.terminator and self._digits:
            return self.take(step)
        self._digits += digit
        if digit == rules.terminator or len(self._digits) >= rules.most:
            return self.take(step)
        step.deadlines.set(ALARM, step.now + rules.gap)
        return ""

    def take(self, step: Step) -> str:
        """The entry as it stands; the next one starts empty."""
        step.deadlines.cancel(ALARM)
        digits, self._digits = self._digits, ""
        return digits
