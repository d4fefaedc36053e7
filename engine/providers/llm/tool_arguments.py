"""A tool's arguments, as a model wrote them, against the tool's JSON Schema (draft 2020-12)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from engine.providers.contracts import ToolSpec


def check_arguments(spec: ToolSpec, arguments: str) -> str | None:
    """What is wrong with ``arguments`` (JSON text), as a sentence that helps the model; None: nothing.

    Empty text stands for no arguments. The sentence names the place and what belongs there, never the value
    that was given, which may be a caller's.
    """
    try:
        given = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return f"the arguments of {spec.name} are not valid JSON"
    if not isinstance(given, dict):
        return f"the arguments of {spec.name} must be a JSON object"
    try:
        wrong = best_match(_validator(orjson.dumps(dict(spec.parameters))).iter_errors(given))
    except (SchemaError, Unresolvable) as error:
        return f"the parameters of {spec.name} are not a valid JSON Schema: {_first_line(error)}"
    return None if wrong is None else f"{_place(wrong) or 'the arguments of ' + spec.name} {_demand(wrong)}"


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Draft202012Validator:
    """What checks arguments by a schema (JSON text); made once. Raises `SchemaError`."""
    parsed = orjson.loads(schema)
    Draft202012Validator.check_schema(parsed)
    return Draft202012Validator(parsed, registry=Registry())


def _place(wrong: ValidationError) -> str:
    """Where in the arguments: ``items[0].size``; empty for the whole."""
    return wrong.json_path.removeprefix("$").removeprefix(".")


def _demand(wrong: ValidationError) -> str:
    """What belongs there."""
    keyword = str(wrong.validator)
    wanted: Any = wrong.validator_value
    given: Any = wrong.instance
    if keyword == "required":
        missing = [name for name in wanted if name not in given]
        return f"must have {', '.join(map(repr, missing))}"
    if keyword == "type":
        return f"must be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    if keyword == "enum":
        return f"must be one of {_json(wanted)}"
    if keyword == "additionalProperties" and wanted is False:
        known = list(wrong.schema.get("properties", {})) if isinstance(wrong.schema, dict) else []
        return f"must have no properties but {_json(known)}"
    return f"must satisfy {keyword} {_json(wanted)}"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
