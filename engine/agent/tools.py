"""What the agent may do beside talking: its tools, as the model and the call know them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field, Strict, field_validator

from engine.agent.fields import MS, Group, option
from engine.agent.problems import SHORTEST
from engine.core.policy import Tool as PolicyTool
from engine.core.policy import ToolKind
from engine.core.tools import BUILT_IN

_DEFAULT = PolicyTool("")

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,63}")
_HANDLER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


class Tool(Group):
    """One tool: a Python function, and what the model is told of it."""

    name: str = Field(description="What the model calls it: letters, digits, '_' and '-', at most 63.")
    description: str = option("", "What it does and when to use it, for the model.", template="written")
    parameters: dict[str, Any] = option(
        {}, "Its arguments as a JSON Schema object: type 'object', properties, required."
    )
    handler: str = option(
        "", "The function, as 'package.module:function'. Empty: the embedding program passes it."
    )
    kind: Annotated[ToolKind, Strict(False)] = option(
        _DEFAULT.kind,
        "'read' looks something up: it may run before the caller's turn is certain to be over, and an"
        " interruption does not cancel it. 'act' changes something: only for a reply that was chosen.",
    )
    timeout: float = option(
        _DEFAULT.timeout / MS,
        "How long it may take; then the model is told of the failure.",
        unit="s",
        ge=SHORTEST,
    )

    @field_validator("name")
    @classmethod
    def _callable_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"must be 1 to 63 letters, digits, '_' or '-', not {name!r}")
        if name in BUILT_IN:
            raise ValueError(f"must not be {name!r}: the call itself has a tool of this name")
        return name

    @field_validator("kind")
    @classmethod
    def _not_the_last(cls, kind: ToolKind) -> ToolKind:
        if kind is ToolKind.END:
            raise ValueError("must be 'read' or 'act': only the built-in tools end a call")
        return kind

    @field_validator("handler")
    @classmethod
    def _names_a_function(cls, handler: str) -> str:
        if handler and not _HANDLER.fullmatch(handler):
            raise ValueError(f"must be 'package.module:function', not {handler!r}")
        return handler

    @field_validator("parameters")
    @classmethod
    def _is_schema(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        problem = next(_schema_problems(parameters), "")
        if problem:
            raise ValueError(f"must be a JSON Schema object: {problem}")
        return parameters


def _schema_problems(schema: Mapping[str, Any]) -> Iterator[str]:
    """What keeps a table from being the schema of an object; an empty one means no arguments."""
    if not schema:
        return
    if schema.get("type") != "object":
        yield f"its type must be 'object', not {schema.get('type')!r}"
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        yield f"its properties must be a table, not {properties!r}"
        return
    for name, about in properties.items():
        if not isinstance(about, Mapping):
            yield f"property {name!r} must be a table, not {about!r}"
        elif not _known_type(about.get("type", "string")):
            yield f"property {name!r} must have a type of {', '.join(sorted(_TYPES))}, not {about['type']!r}"
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield f"its required must be a list of names, not {required!r}"
        return
    for name in required:
        if name not in properties:
            yield f"it requires {name!r}, which is not among its properties"
    try:
        written = json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"JSON cannot hold it: {error}"
    else:
        yield from _fault_of(written)


@lru_cache(maxsize=256)
def _fault_of(schema: str) -> tuple[str, ...]:
    """What makes a schema (JSON text) no JSON Schema (draft 2020-12); looked for once for all calls.

    References are followed inside the schema alone: nothing is ever fetched.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    parsed = json.loads(schema)
    try:
        Draft202012Validator.check_schema(parsed)
    except SchemaError as error:
        return (f"{error.json_path.removeprefix('$.')}: {error.message}",)
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(parsed))
    for reference in _references(parsed):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            return (f"it refers to {reference!r}, which is not in it",)
    return ()


def _references(schema: Any) -> Iterator[str]:
    """The references in a schema."""
    if isinstance(schema, Mapping):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _known_type(given: Any) -> bool:
    """One type name, or a list of them as JSON Schema allows."""
    names = given if isinstance(given, list) else [given]
    return bool(names) and all(isinstance(name, str) and name in _TYPES for name in names)
