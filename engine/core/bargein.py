"""What a caller's sound does to a speaking agent: ignore it, duck, hold, stop; and when the agent goes on.

Holding is cheap because resuming is exact, so the agent falls silent on a sound and decides afterwards, on
words and length, what it was. A sound without words never cancels anything.
"""

from __future__ import annotations

from enum import StrEnum

from engine.core import words as lists
from engine.core.policy import OnSound, Turns
from engine.core.words import base_language, has_phrase, strip_phrases, words_of

NOISE_STEP = 6.0
"""dB by which a sound must exceed one that was judged noise to count again."""
NOISE_MEMORY = 8_000
"""ms within which two sounds without words are the same noise."""
NOISE_FALL = 0.5
"""dB per second by which the memory of noise fades."""


class Means(StrEnum):
    """What a caller's words mean for a speaking agent."""

    NOTHING = "nothing"
    LISTENING = "listening"
    """"Mm-hm": the caller listens and wants the agent to go on."""
    INTERRUPTING = "interrupting"


def meaning(
    text: str, turns: Turns, language: str, *, leaving: bool = False, unfinished: bool = False
) -> Means:
    """What words mean while the agent speaks. In a farewell, courtesies do not call it back.

    ``unfinished``: more words may follow; what may yet become a phrase that never interrupts says nothing.
    """
    spoken = words_of(text)
    if not spoken:
        return Means.NOTHING
    if has_phrase(spoken, turns.always_interrupt):
        return Means.INTERRUPTING
    never = turns.never_interrupt
    if leaving:
        never = (*never, *lists.COURTESIES.get(base_language(language), ()))
    content = strip_phrases(spoken, never)
    if not content:
        return Means.LISTENING
    if unfinished and any(words_of(phrase)[: len(content)] == content for phrase in never):
        return Means.NOTHING
    return Means.INTERRUPTING if len(content) >= turns.words_to_interrupt else Means.NOTHING


class BargeIn:
    """The state of the interruption that is going on, if any."""

    def __init__(self) -> None:
        self.active = OnSound.IGNORE
        """What was done to the agent: ducked or held; IGNORE when nothing was."""
        self.since = 0
        """Call time at which the sound began."""
        self._noise = -96.0
        self._noise_at = 0
        self._wordless_at: int | None = None

    def reacts(self, turns: Turns, burst: int, level: float, now: int) -> bool:
        """Whether a sound of ``burst`` ms and ``level`` dBFS should touch a speaking agent."""
        if turns.on_sound is OnSound.IGNORE or burst < turns.shortest_interruption:
            return False
        faded = self._noise - (now - self._noise_at) / 1000 * NOISE_FALL
        return level > faded + NOISE_STEP

    def learn_noise(self, level: float, now: int) -> None:
        """The sound held the agent for nothing: the like of it will not again."""
        self._noise = level
        self._noise_at = now

    def held_for_nothing(self, level: float, now: int) -> None:
        """A sound without words was taken back; the second one soon after it is the place, not the caller."""
        if self._wordless_at is not None and now - self._wordless_at <= NOISE_MEMORY:
            self.learn_noise(level, now)
        self._wordless_at = now

    def start(self, how: OnSound, since: int) -> None:
        """The agent was ducked or held because of a sound that began at ``since``."""
        self.active = how
        self.since = since

    def clear(self) -> None:
        """The interruption was decided, one way or the other."""
        self.active = OnSound.IGNORE
