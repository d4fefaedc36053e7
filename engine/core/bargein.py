"""What a caller's sound does to a speaking agent: ignore it, duck, hold, stop; and when the agent goes on.

Holding is cheap because resuming is exact, so the agent falls silent on a sound and decides afterwards, on
words and length, what it was. A sound without words never cancels anything.
"""

from __future__ import annotations

from enum import StrEnum

from engine.core import words as lists
from engine.core.agent import Agent
from engine.core.caller import Caller
from engine.core.notes import Interrupted
from engine.core.policy import OnSound, Turns
from engine.core.step import Step
from engine.core.words import base_language, has_phrase, phrase_words, strip_phrases, words_of

HELD = "held"
NO_WORDS, NO_SPEECH, BRIEF = "no words", "no speech", "brief sound"
QUIET = 120
"""ms of quiet after which a sound is over: stop consonants inside a word are shorter."""
BRIEF_HUSH = 200
"""ms without loud voice after which a brief sound is over and was all: after 120, the agent speaks into the
gap of a word or between two short ones more than twice as often."""
LISTENING_HUSH = 100
"""The same where the transcriber understood a mere "mm-hm": its words are all there are."""
NOISE_STEP = 6.0
"""dB by which a sound must exceed one that was judged noise to count again."""
CONFIRMED_HOLDS = 3
"""Times the hold limit for which speech without words holds the agent, where another detector confirms it."""
SILENT = -96.0
"""dBFS below any sound."""
NOISE_MEMORY = 8_000
"""ms within which two sounds without words are the same noise."""
NOISE_FALL = 0.1
"""dB per second by which the memory of noise fades: a place is as loud a minute later. Words end it."""


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
    if unfinished and any(phrase_words(phrase)[: len(content)] == content for phrase in never):
        return Means.NOTHING
    return Means.INTERRUPTING if len(content) >= turns.words_to_interrupt else Means.NOTHING


class BargeIn:
    """The interruption that is going on, if any: what a sound did to the agent, and how it is taken back."""

    def __init__(self, caller: Caller, agent: Agent) -> None:
        self._caller = caller
        self._agent = agent
        self._how = OnSound.IGNORE
        self._since = 0
        self._held_at = 0
        self._noise = SILENT
        self._noise_at = 0
        self._loudest = SILENT
        """The noise as it was judged; the like of it refreshes the memory, and nothing makes it louder."""
        self._wordless_at: int | None = None
        self._undecided = False
        """A sound touched the agent, and whether it had words is not known yet."""

    @property
    def active(self) -> bool:
        """The agent is ducked or held because of a sound."""
        return self._how is not OnSound.IGNORE

    def touch(self, step: Step) -> None:
        """The caller sounds while the agent speaks: duck or hold it, if the sound is long and loud enough."""
        caller, turns = self._caller, step.policy.turns
        if self.active or turns.on_sound is OnSound.IGNORE:
            return
        if caller.burst + caller.attack < turns.shortest_interruption:
            return
        faded = self._noise - (step.now - self._noise_at) / 1000 * NOISE_FALL
        if caller.burst_level <= faded + NOISE_STEP:
            self._noise, self._noise_at = max(faded, min(self._loudest, caller.burst_level)), step.now
            return
        self._how = turns.on_sound
        self._undecided = True
        self._since = caller.burst_at
        self._held_at = step.now
        step.emit(Interrupted(step.now, turns.on_sound.value, caller.burst_at, "sound"))
        step.deadlines.set(HELD, step.now + turns.hold_limit)
        if turns.on_sound is OnSound.HOLD:
            self._agent.hold(step)
        else:
            self._agent.playout.duck(step)

    def stop(self, step: Step, why: str) -> None:
        """It was an interruption: the reply is about to be cut."""
        spoke = self._caller.turn.opened_at
        since = self._since if self.active else spoke if spoke is not None else step.now
        if self._agent.audible:
            step.emit(Interrupted(step.now, "stop", since, why))
        self._undecided = False
        self._noise = SILENT
        self.release(step)

    def resume(self, step: Step, why: str) -> None:
        """It was none: the agent goes on."""
        if not self.active:
            return
        since = self._since
        self.release(step)
        if self._agent.live is not None:
            step.emit(Interrupted(step.now, "resume", since, why))
            self._agent.resume(step)

    def brief(self, step: Step) -> bool:
        """Whether the sound that touched the agent was, up to now, shorter than an interruption is."""
        return self._caller.loud_at - self._since < step.policy.turns.brief_sound

    def let_go(self, step: Step) -> None:
        """Nothing was said; the agent goes on when a sound that was no speech has been over for a while."""
        caller = self._caller
        if not self.active or caller.burst or caller.sound_at is None:
            return
        at = caller.sound_at + step.policy.turns.resume_after
        if step.now >= at:
            self.nothing_said(step)
            self.resume(step, NO_SPEECH)
        else:
            step.deadlines.set(HELD, at)

    def expire(self, step: Step) -> bool:
        """The alarm of the hold. Returns whether the sound is taken for noise, and the agent goes on."""
        turns = step.policy.turns
        if not self.active or not self._caller.sounding:
            return False
        longest = self._held_at + CONFIRMED_HOLDS * turns.hold_limit
        if turns.confirmed and self._caller.speaking and step.now < longest:
            step.deadlines.set(HELD, step.now + turns.hold_limit)
            return False
        self._learn_noise(step)
        self.resume(step, "noise")
        return True

    def release(self, step: Step) -> None:
        """Forget the interruption, however it was decided."""
        self._how = OnSound.IGNORE
        step.deadlines.cancel(HELD)

    def nothing_said(self, step: Step) -> None:
        """The sound had no words. Two of the kind, one soon after the other, are the place itself."""
        if not self._undecided:
            return
        self._undecided = False
        if self._wordless_at is not None and step.now - self._wordless_at <= NOISE_MEMORY:
            self._learn_noise(step)
        self._wordless_at = step.now

    def _learn_noise(self, step: Step) -> None:
        """The like of this sound will not touch the agent again for some time."""
        self._noise = self._loudest = self._caller.burst_level
        self._noise_at = step.now
