"""The written form of a playbook: its tables as pydantic models, and reading it from a TOML or YAML file.

What each field means is told in `engine.providers.llm.playbook`. Everything is checked when the file is
read; the error names the file, the field and what would be right.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.errors import EngineError
from engine.providers.llm import playbook_patterns as patterns

_PLACE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _check_pattern(text: str) -> str:
    """A phrase in the notation of `playbook_patterns`."""
    patterns.parse(text)
    return text


def _check_name(name: str) -> str:
    """A name that may stand in a template."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} must be lower-case letters, digits and _, beginning with a letter")
    return name


Phrase = Annotated[str, AfterValidator(_check_pattern)]
Name = Annotated[str, AfterValidator(_check_name)]


class _Table(BaseModel):
    """A table that refuses a field it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Slot(_Table):
    """One thing the caller may say a value for."""

    kind: Literal["choice", "number", "digits", "day", "time", "yes_no", "name"] = "choice"
    values: list[Phrase] | dict[str, list[Phrase]] = Field(default_factory=list)
    before: Phrase | None = None
    length: int | None = Field(default=None, ge=1)
    help: str = ""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Slot:
        if self.kind == "choice" and not self.values:
            raise ValueError("a slot of kind 'choice' needs values, for example values = ['small', 'large']")
        if self.kind not in ("choice", "name") and self.values:
            raise ValueError(f"a slot of kind {self.kind!r} has no values; leave them out")
        if self.length is not None and self.kind != "digits":
            raise ValueError("length is only for a slot of kind 'digits'")
        return self


class Step(_Table):
    """One step of a goal: exactly one of ``slot``, ``confirm``, ``tool`` and ``say`` alone."""

    slot: str | None = None
    ask: str = ""
    confirm: str | None = None
    change: str = "What would you like to change?"
    tool: Name | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    expect: str = ""
    otherwise: str = "I'm sorry, that did not work."
    forget: list[str] = Field(default_factory=list)
    say: str = ""

    @model_validator(mode="after")
    def _is_one_step(self) -> Step:
        kinds = [name for name in ("slot", "confirm", "tool") if getattr(self, name) is not None]
        if len(kinds) > 1:
            raise ValueError(f"a step is one thing, this one has {' and '.join(kinds)}: make two steps of it")
        if not kinds and not self.say:
            raise ValueError("a step needs one of slot, confirm, tool or say")
        if self.slot is not None and not self.ask:
            raise ValueError(f"ask is missing: the question that gets {self.slot!r}")
        owners = {
            "ask": "slot",
            "change": "confirm",
            "arguments": "tool",
            "expect": "tool",
            "otherwise": "tool",
        }
        owners["forget"] = "tool"
        for field in self.model_fields_set & owners.keys():
            if owners[field] not in kinds:
                raise ValueError(f"{field} belongs to a step with {owners[field]}")
        return self


class Goal(_Table):
    """Something the caller may want done, and the steps to it."""

    title: str
    phrases: list[Phrase] = Field(default_factory=list)
    optional: list[str] = Field(default_factory=list)
    steps: list[Step] = Field(min_length=1)
    done: str

    def slots(self) -> list[str]:
        """The names of its slots: those it asks for, then the optional ones."""
        return [step.slot for step in self.steps if step.slot is not None] + self.optional


class Answer(_Table):
    """A question the caller may ask at any time, and the answer."""

    phrases: list[Phrase] = Field(min_length=1)
    say: str


class Intents(_Table):
    """More ways to say what every playbook understands; they add to the built-in ones."""

    yes: list[Phrase] = Field(default_factory=list)
    no: list[Phrase] = Field(default_factory=list)
    repeat: list[Phrase] = Field(default_factory=list)
    person: list[Phrase] = Field(default_factory=list)
    goodbye: list[Phrase] = Field(default_factory=list)
    nothing_else: list[Phrase] = Field(default_factory=list)
    wait: list[Phrase] = Field(default_factory=list)
    cancel: list[Phrase] = Field(default_factory=list)
    change: list[Phrase] = Field(default_factory=list)


class Replies(_Table):
    """What the agent says where no goal has its own words for it."""

    greeting: str = "Hello, how can I help you?"
    what: str = "What can I do for you?"
    choices: str = "You can {choices}."
    choice_person: str = "ask for a person"
    say_one_of: str = "You can say {choices}."
    yes_or_no: str = "Please say yes or no."
    not_understood: str = "Sorry, I did not catch that."
    offer_person: str = "I am having trouble understanding. Shall I put you through to a person?"
    transfer: str = "One moment, I will put you through."
    transfer_failed: str = "I'm sorry, nobody can take your call right now."
    still_working: str = "One moment, please."
    changed: str = "All right."
    cancelled: str = "All right, never mind."
    wait: str = "Of course, take your time."
    anything_else: str = "Is there anything else?"
    goodbye: str = "Thank you for calling. Goodbye."


class Script(_Table):
    """A whole playbook."""

    name: str
    variables: dict[Name, Any] = Field(default_factory=dict)
    transfer_target: str = ""
    slots: dict[Name, Slot] = Field(default_factory=dict)
    goals: dict[Name, Goal] = Field(min_length=1)
    answers: dict[Name, Answer] = Field(default_factory=dict)
    intents: Intents = Intents()
    lead_ins: list[Phrase] = Field(default_factory=list)
    replies: Replies = Replies()

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Script:
        for goal_name, goal in self.goals.items():
            tools = {step.tool for step in goal.steps if step.tool}
            for where, slot in _slot_references(goal):
                if slot not in self.slots:
                    raise ValueError(f"goals.{goal_name}.{where}: no [slots.{slot}] in this playbook")
            asked = {step.slot for step in goal.steps}
            for i, step in enumerate(goal.steps):
                if unasked := set(step.forget) - asked:
                    raise ValueError(f"goals.{goal_name}.steps.{i}.forget: no step asks for {min(unasked)!r}")
            if len(set(goal.slots())) < len(goal.slots()):
                raise ValueError(f"goals.{goal_name}: a slot is asked for twice")
            texts = {f"steps.{i}": _texts(step.model_dump()) for i, step in enumerate(goal.steps)}
            texts["done"] = [goal.done]
            known = self.variables.keys() | set(goal.slots()) | tools
            for where, lines in texts.items():
                _check_places(f"goals.{goal_name}.{where}", lines, known)
        for name, line in self.replies:
            known = self.variables.keys() | ({"choices"} if name in ("choices", "say_one_of") else set())
            _check_places(f"replies.{name}", [line], known)
        for name, answer in self.answers.items():
            _check_places(f"answers.{name}.say", [answer.say], self.variables.keys())
        _check_places("transfer_target", [self.transfer_target], self.variables.keys())
        return self


def _slot_references(goal: Goal) -> Iterator[tuple[str, str]]:
    """Every place in a goal that names a slot, with its path."""
    for i, step in enumerate(goal.steps):
        if step.slot is not None:
            yield f"steps.{i}.slot", step.slot
    yield from (("optional", slot) for slot in goal.optional)


def _texts(value: Any) -> list[str]:
    """Every text inside a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


def _check_places(where: str, lines: list[str], known: Any) -> None:
    """Every ``{name}`` in a text must be something that can be filled in."""
    for line in lines:
        if line.count("[") != line.count("]"):
            raise ValueError(f"{where}: a square bracket is not closed in {line!r}")
        for place in _PLACE.findall(line):
            if place.split(".")[0] not in known:
                raise ValueError(f"{where}: {{{place}}} is none of {', '.join(sorted(known)) or '(nothing)'}")


def load(path: Path | str) -> Script:
    """Read a playbook (``.toml``, ``.yaml`` or ``.yml``). Raises `EngineError`."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            data: Any = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            data = yaml.safe_load(text)
        else:
            raise EngineError(f"playbook {path}: the file must end in .toml, .yaml or .yml")
    except OSError as error:
        raise EngineError(f"playbook {path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise EngineError(f"playbook {path}: {' '.join(str(error).split())}") from error
    return validate(data, str(path))


def validate(data: Any, source: str) -> Script:
    """Check a playbook's data. Raises `EngineError` that names ``source``, the field and what is right."""
    if not isinstance(data, Mapping):
        raise EngineError(f"playbook {source}: it must be a table with name and goals")
    try:
        return Script.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: " * bool(item["loc"])
            + item["msg"].removeprefix("Value error, ")
            for item in error.errors()
        )
        raise EngineError(f"playbook {source}: {problems}") from error
