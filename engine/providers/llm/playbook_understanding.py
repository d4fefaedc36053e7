"""From the caller's words to slot values and intents, by what one playbook expects to hear.

Nothing here depends on the state of a dialogue but the two arguments of `Understanding.read`: the slots
in play and the slot that was just asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from engine.providers.llm import playbook_patterns as patterns
from engine.providers.llm.playbook_format import Script, Slot
from engine.providers.llm.playbook_matching import TENS, UNITS, Found, align, nearest, words
from engine.providers.llm.playbook_values import DAYS, READERS, Value

CONTROLS: dict[str, list[str]] = {
    "yes": [
        "yes [please]", "yeah", "yep", "sure", "okay", "correct", "right", "exactly", "perfect",
        "[yes] that's (right | correct | it | fine)", "that is (right | correct)", "please do", "that works",
    ],
    "no": ["no [thanks | thank you]", "nope", "not quite", "(that's | that is) (not right | wrong)", "wrong"],
    "repeat": [
        "[can you | could you | please] (repeat | repeat that | say that again)",
        "what did you say", "pardon", "come again", "what was that",
    ],
    "person": [
        "[can I | let me | I want to | I'd like to] (speak | talk) (to | with) "
        "(a person | someone | somebody | a human | an operator | an agent | a representative)",
        "[give me] (an operator | a representative | a human | a real person)",
    ],
    "goodbye": ["[okay | thank you | thanks] (goodbye | bye | bye bye | good bye)", "see you"],
    "nothing_else": [
        "[no] [thanks | thank you] (that's all | that is all | that's everything | nothing else)",
        "[no] (thank you | thanks)", "I'm done",
    ],
    "wait": [
        "wait [a moment | a minute | please]", "hold on", "one moment", "just a (moment | second)", "stop",
    ],
    "cancel": ["(never mind | forget it)", "cancel [that | it | everything]", "start (over | again)"],
    "change": [
        "[no | wait | sorry] "
        "(make (it | that) | change (it | that) [to] | I meant | actually | instead | change the)",
        "[I want to] change [something]",
    ],
}  # fmt: skip
"""What every playbook understands, in the notation of `playbook_patterns`."""

FILLERS = frozenset("um uh er erm hmm well so please".split())
_NAME_ENDS = frozenset("and on at for in to the please thanks thank is".split())
_CLOCK_MARKS = frozenset("half quarter noon midday o'clock m morning afternoon evening".split())
_LONGEST_NAME = 3
_ANSWER_DESPITE_VALUES = 2.0
"""A question with this much weight is one even where a value was said: "are you open on Monday"."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood: values by slot; per group the best intent and its weight; the bare rest."""

    values: dict[str, Value] = field(default_factory=dict)
    control: str = ""
    answer: str = ""
    goal: str = ""
    rest: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    """Slots whose name, but no value, was said ("change the size")."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A slot value found in words ``start`` to ``end``; ``anchored``: after words that announce it."""

    slot: str
    value: Value
    start: int
    end: int
    anchored: bool


class Understanding:
    """What a playbook can understand; made once, safe to share."""

    def __init__(self, script: Script) -> None:
        self._slots = script.slots
        self._choices: dict[tuple[str, ...], list[tuple[str, Value]]] = {}
        self._before: dict[str, list[tuple[str, ...]]] = {}
        for name, slot in script.slots.items():
            self._before[name] = patterns.parse(slot.before).variants() if slot.before else []
            for said, value in choice_values(slot):
                self._choices.setdefault(said, []).append((name, value))
        self._longest = max(map(len, self._choices), default=0)
        self._phrases = {
            "control": {
                name: _variants(CONTROLS[name] + extra) for name, extra in script.intents if name in CONTROLS
            },
            "answer": {name: _variants(answer.phrases) for name, answer in script.answers.items()},
            "goal": {name: _variants(goal.phrases) for name, goal in script.goals.items()},
        }
        known = {word for said in self._choices for word in said} | {*UNITS, *TENS, *DAYS, *FILLERS}
        known |= {word for group in self._before.values() for said in group for word in said}
        for group in self._phrases.values():
            known |= {word for variants in group.values() for said in variants for word in said}
        self._vocabulary = frozenset(known)
        self._snap = lru_cache(maxsize=2048)(self._nearest)
        # A reply is worked out from the whole conversation each time, and only the last turn of it is new.
        self._read = lru_cache(maxsize=1024)(self._read_anew)

    def read(self, text: str, in_play: Sequence[str], asked: str = "") -> Reading:
        """Understand what was said, with the slots ``in_play`` and ``asked`` the one just asked for."""
        return self._read(text, tuple(in_play), asked)

    def _read_anew(self, text: str, in_play: tuple[str, ...], asked: str) -> Reading:
        original = words(text)
        heard = tuple(self._snap(word) for word in original)
        values: dict[str, Value] = {}
        taken: set[int] = set()
        for found in self._choose(heard, in_play, asked):
            span = range(found.start, found.end)
            if taken.isdisjoint(span):
                taken.update(span)
                if not _denied(heard, found.start):
                    values[found.slot] = found.value
        self._free_names(original, heard, in_play, taken, values)
        rest = tuple(word for i, word in enumerate(heard) if i not in taken and word not in FILLERS)
        control, control_score = self._best("control", rest)
        answer, answer_score = self._best("answer", heard)
        if answer_score <= control_score or (values and answer_score < _ANSWER_DESPITE_VALUES):
            answer = ""
        goal, _ = self._best("goal", heard)
        spoken = tuple(original[i] for i in range(len(heard)) if i not in taken and heard[i] not in FILLERS)
        named = tuple(slot for slot in in_play if set(slot.split("_")) <= set(rest))
        return Reading(values, control, answer, goal, spoken, named)

    def _nearest(self, word: str) -> str:
        return word if word in self._vocabulary else nearest(word, self._vocabulary)

    def _best(self, group: str, heard: tuple[str, ...]) -> tuple[str, float]:
        """The intent of a group whose phrase agrees with most of what was said."""
        best, best_score = "", 0.0
        for name, variants in self._phrases[group].items():
            for phrase in variants:
                found: Found | None = align(phrase, heard)
                if found is not None and found.score > best_score + 1e-9:
                    best, best_score = name, found.score
        return best, best_score

    def _choose(self, heard: tuple[str, ...], in_play: Collection[str], asked: str) -> list[_Candidate]:
        """Every value that the words may hold, the likeliest first; later mentions win over earlier ones."""
        order = list(in_play)
        found = [
            candidate for start in range(len(heard)) for candidate in self._at(heard, start, in_play, asked)
        ]
        return sorted(
            found,
            key=lambda item: (
                item.start - item.end,
                not item.anchored,
                item.slot != asked,
                order.index(item.slot),
                item.start,
            ),
        )

    def _at(
        self, heard: tuple[str, ...], start: int, in_play: Collection[str], asked: str
    ) -> Iterable[_Candidate]:
        """The values that begin at a word."""
        for end in range(start + 1, min(len(heard), start + self._longest) + 1):
            for slot, value in self._choices.get(heard[start:end], ()):
                if slot in in_play:
                    yield _Candidate(slot, value, start, end, self._announced(slot, heard, start) > 0)
        for slot in in_play:
            read = READERS.get(self._slots[slot].kind)
            reading = read(heard[start:]) if read else None
            if reading is None or not self._right_length(self._slots[slot], reading[0]):
                continue
            end = start + reading[1]
            anchored = self._announced(slot, heard, start) > 0
            marked = self._slots[slot].kind == "day" or (
                self._slots[slot].kind == "time" and not _CLOCK_MARKS.isdisjoint(heard[start:end])
            )
            if anchored or marked or slot == asked:
                yield _Candidate(slot, reading[0], start, end, anchored)

    @staticmethod
    def _right_length(slot: Slot, value: Value) -> bool:
        return slot.length is None or len(value.value) == slot.length

    def _announced(self, slot: str, heard: tuple[str, ...], start: int) -> int:
        """How many words right before ``start`` announce a value of the slot."""
        return max(
            (len(said) for said in self._before[slot] if heard[max(0, start - len(said)) : start] == said),
            default=0,
        )

    def _free_names(
        self,
        original: tuple[str, ...],
        heard: tuple[str, ...],
        in_play: Collection[str],
        taken: set[int],
        values: dict[str, Value],
    ) -> None:
        """Names that stand in no list: the words behind "my name is", up to the next small word."""
        for slot in in_play:
            if self._slots[slot].kind != "name" or slot in values:
                continue
            for start in range(1, len(heard)):
                announced = self._announced(slot, heard, start)
                end = start
                while end < min(len(heard), start + _LONGEST_NAME) and end not in taken:
                    if heard[end] in _NAME_ENDS:
                        break
                    end += 1
                if announced and end > start:
                    values[slot] = name_value(original[start:end])
                    taken.update(range(start - announced, end))
                    break


def name_value(said: Iterable[str]) -> Value:
    """A person's name from its words."""
    name = " ".join(word.capitalize() for word in said)
    return Value(name, name)


def choice_values(slot: Slot) -> list[tuple[tuple[str, ...], Value]]:
    """Every way to say each listed value of a slot."""
    if isinstance(slot.values, dict):
        return [
            (said, Value(name, name))
            for name, phrases in slot.values.items()
            for phrase in [*phrases, name]
            for said in patterns.parse(phrase).variants()
        ]
    found = [said for phrase in slot.values for said in patterns.parse(phrase).variants()]
    if slot.kind == "name":
        return [(said, name_value(said)) for said in found]
    return [(said, Value(" ".join(said), " ".join(said))) for said in found]


def _variants(phrases: Iterable[str]) -> list[tuple[str, ...]]:
    """All ways to say any of some phrases."""
    return [said for phrase in phrases for said in patterns.parse(phrase).variants()]


def _denied(heard: tuple[str, ...], start: int) -> bool:
    """Whether "not (a)" stands before a value."""
    before = [word for word in heard[max(0, start - 2) : start] if word not in ("a", "an", "the")]
    return bool(before) and before[-1] == "not"
