"""How the agent's fields are declared: one line each, with the unit, the default and what it sets in a call.

A field that sets one of the core's knobs names it by its path in `engine.core.policy.Policy`. From there
come its default and its unit, and `to_policy` finds it by the same path: no default is written twice.
Public durations are seconds, the core's are milliseconds.
"""

from __future__ import annotations

from contextvars import ContextVar
from operator import attrgetter
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from engine.agent.problems import LONGEST, InvalidAgent, sentences
from engine.core.policy import Policy

MS = 1_000
"""Milliseconds in a second."""

NEVER = "never"
"""How a file writes that a clock does not exist: TOML has no null."""

_DEFAULTS = Policy()
_outermost: ContextVar[bool] = ContextVar("outermost", default=True)


class Group(BaseModel):
    """A group of fields: strict, closed, frozen. Its errors are sentences (`InvalidAgent`), all at once."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _in_sentences(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Only the outermost group speaks: it knows the whole path of every field."""
        if not _outermost.get():
            return handler(data)
        token = _outermost.set(False)
        try:
            return handler(data)
        except ValidationError as error:
            raise InvalidAgent(sentences(error, cls)) from None
        finally:
            _outermost.reset(token)


def _number_or_never(value: Any) -> Any:
    return None if value == NEVER else value


def _without_blanks(value: Any) -> Any:
    """Texts trimmed, empty ones left out; anything else is for the field's own check."""
    if not isinstance(value, list | tuple):
        return value
    trimmed = [item.strip() if isinstance(item, str) else item for item in value]
    return tuple(item for item in trimmed if item != "")


SecondsOrNever = Annotated[float | None, BeforeValidator(_number_or_never)]
Texts = Annotated[tuple[str, ...], Strict(False), BeforeValidator(_without_blanks)]
TextsOrNone = Annotated[tuple[str, ...] | None, Strict(False), BeforeValidator(_without_blanks)]


def seconds(path: str, meaning: str, *, ge: float = 0, le: float = LONGEST) -> Any:
    """A duration in seconds that sets the policy field at ``path`` (whole milliseconds)."""
    return _declare(path, meaning, "s", MS, ge=ge, le=le)


def dial(path: str, meaning: str, unit: str = "", **bounds: Any) -> Any:
    """A number, switch or choice that sets the policy field at ``path`` as it stands."""
    return _declare(path, meaning, unit, 1, **bounds)


def text(path: str, meaning: str, *, template: str = "spoken") -> Any:
    """A text or list of texts that sets the policy field at ``path`` and may hold ``{{variables}}``.

    ``template``: ``spoken`` where the caller hears it, ``written`` where only the model reads it.
    """
    return _declare(path, meaning, "", 1, template=template)


def option(default: Any, meaning: str, *, unit: str = "", template: str = "", **more: Any) -> Any:
    """A field that sets no policy field by itself."""
    return _field(default, meaning, {"unit": unit, "template": template}, **more)


def _declare(path: str, meaning: str, unit: str, scale: int, *, template: str = "", **bounds: Any) -> Any:
    default = attrgetter(path)(_DEFAULTS)
    if scale != 1 and default is not None:
        default /= scale
    return _field(default, meaning, {"unit": unit, "policy": path, "template": template}, **bounds)


def _field(default: Any, meaning: str, extra: dict[str, Any], **bounds: Any) -> Any:
    noted = {key: value for key, value in extra.items() if value}
    description = f"{meaning}{_default_told(default, extra['unit'])}"
    return Field(default=default, description=description, json_schema_extra=noted, **bounds)


def _default_told(default: Any, unit: str) -> str:
    """The sentence that tells a default; nothing where it is empty or a group with defaults of its own."""
    if isinstance(default, Group) or default in (None, "", (), {}):
        return ""
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f" Default {shown} {'seconds' if unit == 's' else unit}".rstrip() + "."


def told(info: FieldInfo) -> dict[str, Any]:
    """What `seconds`, `dial`, `text` or `option` noted of a field: ``unit``, ``policy``, ``template``."""
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def policy_value(info: FieldInfo, value: Any) -> Any:
    """A field's value in the core's units: whole milliseconds for seconds, everything else as it is."""
    return round(value * MS) if told(info).get("unit") == "s" and value is not None else value
