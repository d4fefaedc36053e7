"""What is wrong with an agent, a plain sentence a problem: the field, what would be right, what was found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from engine.errors import EngineError

LONGEST = 7 * 24 * 3600.0
"""Seconds; no clock of a call is set to more than a week."""
SHORTEST = 0.001
"""Seconds: the core counts whole milliseconds, so this is the least that is more than nothing."""

_SHOWN = 60


class InvalidAgent(EngineError):  # noqa: N818 - it names a thing, not an error kind
    """An agent that cannot be used. ``problems`` has a sentence for each fault, the message a line."""

    def __init__(self, problems: Iterable[str], source: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {line}" if source else line for line in self.problems))


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that ``name`` was most likely meant to be, or nothing."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), "")


def either(names: Iterable[str]) -> str:
    """``'a'``, ``'a' or 'b'``, ``'a', 'b' or 'c'``."""
    quoted = [f"'{name}'" for name in names]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


def sentences(error: ValidationError, model: type[BaseModel]) -> tuple[str, ...]:
    """A sentence for each problem that the validation of ``model`` found."""
    return tuple(_sentence(detail, model) for detail in error.errors(include_url=False))


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    location = detail["loc"]
    path = _path(location)
    if detail["type"] == "extra_forbidden":
        return _unknown(path, str(location[-1]), _model_at(model, location[:-1]), _path(location[:-1]))
    if detail["type"] == "invalid_key":
        return f"{location[-1]!r} must be a field's name, in quotes"
    if detail["type"] == "missing":
        return f"{path} is missing"
    return f"{path or 'an agent'} {_rule(detail, _field_at(model, location))}"


def _rule(detail: ErrorDetails, info: FieldInfo | None) -> str:
    """What would be right, and what was found."""
    found = detail["input"]
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] in ("enum", "literal_error"):
        known = _choices(info)
        hint = closest(str(found), known)
        return f"must be {either(known)}, not {_shown(found)}" + (f": did you mean '{hint}'?" if hint else "")
    unquoted = detail["type"] == "string_type" and isinstance(found, int | float)
    hint = " (put it in quotes)" if unquoted else ""
    return f"must be {_wanted(detail, info)}, not {_shown(found)}{hint}"


def _wanted(detail: ErrorDetails, info: FieldInfo | None) -> str:
    kind = detail["type"]
    seconds = _unit(info) == "s"
    if kind in ("float_type", "float_parsing", "finite_number"):
        never = " or 'never'" if seconds and info and type(None) in get_args(info.annotation) else ""
        return f"a number{' of seconds' if seconds else ''}{never}"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return _range(info, detail) + (" seconds" if seconds else "")
    plain = {
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "string_type": "text",
        "bool_type": "true or false",
        "tuple_type": "a list",
        "dict_type": "a table of names and values",
        "model_type": "a table of fields",
    }
    return plain.get(kind) or detail["msg"].removeprefix("Input should be ").removeprefix("Input should ")


def _range(info: FieldInfo | None, detail: ErrorDetails) -> str:
    low = high = None
    for bound in info.metadata if info else ():
        low = bound.ge if isinstance(bound, annotated_types.Ge) else low
        high = bound.le if isinstance(bound, annotated_types.Le) else high
    if high == LONGEST and "greater" in detail["type"]:
        high = None  # a week bounds every duration; nobody who is too low wants to know
    if low is not None and high is not None:
        return f"between {low:g} and {high:g}"
    if low is None and high is None:
        return detail["msg"].removeprefix("Input should be ")
    if high is None:
        return "more than 0" if low == SHORTEST else f"at least {low:g}"
    return f"at most {high:g}"


def _unknown(path: str, name: str, model: type[BaseModel] | None, group: str) -> str:
    known = list(model.model_fields) if model else []
    hint = closest(name, known)
    if hint:
        return f"{path} is not a field: did you mean {f'{group}.{hint}' if group else hint}?"
    return f"{path} is not a field: {group or 'an agent'} has {', '.join(known)}"


def _path(location: Iterable[str | int]) -> str:
    """``("tools", 0, "name")`` as ``tools[0].name``."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if path else part
    return path


def _unit(info: FieldInfo | None) -> str:
    extra = info.json_schema_extra if info else None
    return str(extra.get("unit", "")) if isinstance(extra, Mapping) else ""


def _choices(info: FieldInfo | None) -> list[str]:
    """The values that an enumeration or a literal allows."""
    choices: list[str] = []
    for part in (info.annotation, *get_args(info.annotation)) if info else ():
        members = getattr(part, "__members__", None)
        choices += [str(member.value) for member in members.values()] if members else []
        choices += [part] if isinstance(part, str) else []
    return choices


def _model_at(model: type[BaseModel] | None, location: Iterable[str | int]) -> type[BaseModel] | None:
    """The group that the fields at ``location`` belong to."""
    for part in location:
        if isinstance(part, str):
            info = model.model_fields.get(part) if model else None
            model = _model_in(info.annotation) if info else None
    return model


def _field_at(model: type[BaseModel], location: tuple[str | int, ...]) -> FieldInfo | None:
    names = [part for part in location if isinstance(part, str)]
    for depth in range(len(names), 0, -1):
        group = _model_at(model, names[: depth - 1])
        if group and names[depth - 1] in group.model_fields:
            return group.model_fields[names[depth - 1]]
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The group inside an annotation such as ``tuple[Step, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _shown(value: Any) -> str:
    """A value as its file would write it, cut to a readable length."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    written = repr(value)
    return written if len(written) <= _SHOWN else f"{written[: _SHOWN - 3]}..."
