"""What a model is told about arguments that do not fit the tool."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from engine.providers.contracts import ToolSpec
from engine.providers.llm.tool_arguments import check_arguments

BREW = ToolSpec(
    "brew",
    "Makes a drink.",
    {
        "type": "object",
        "properties": {
            "size": {"enum": ["small", "large"]},
            "shots": {"type": "integer", "minimum": 1},
            "name": {"type": ["string", "null"]},
            "extras": {"type": "array", "items": {"type": "object", "required": ["kind"]}},
        },
        "required": ["size"],
        "additionalProperties": False,
    },
)


@pytest.mark.parametrize("arguments", ['{"size": "small"}', '{"size": "large", "shots": 2, "name": null}'])
def test_what_fits(arguments: str) -> None:
    assert check_arguments(BREW, arguments) is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "the arguments of brew must have 'size'"),
        ('{"size"', "the arguments of brew are not valid JSON"),
        ("[1]", "the arguments of brew must be a JSON object"),
        ('{"size": "Anna"}', 'size must be one of ["small","large"]'),
        ('{"size": "small", "shots": "Anna"}', "shots must be of type integer"),
        ('{"size": "small", "shots": 0}', "shots must satisfy minimum 1"),
        ('{"size": "small", "name": 7}', "name must be of type string or null"),
        ('{"size": "small", "extras": [{"kind": 1}, {}]}', "extras[1] must have 'kind'"),
        (
            '{"size": "small", "Anna": 1}',
            'the arguments of brew must have no properties but ["size","shots","name","extras"]',
        ),
    ],
)
def test_what_does_not_fit_is_told_without_the_value(arguments: str, told: str) -> None:
    assert check_arguments(BREW, arguments) == told


def test_a_schema_is_looked_into_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[object] = []
    look = Draft202012Validator.check_schema
    monkeypatch.setattr(
        Draft202012Validator, "check_schema", lambda schema: (checked.append(schema), look(schema))
    )
    schema = {"type": "object", "properties": {"looked_into_once": {"type": "string"}}}
    for _ in range(3):
        assert check_arguments(ToolSpec("ring", "", dict(schema)), "{}") is None
    assert checked == [schema]


def test_no_schema_and_no_arguments() -> None:
    for arguments in ("", "{}", '{"anything": 1}'):
        assert check_arguments(ToolSpec("ring", ""), arguments) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
        {"type": "object", "properties": {"a": {"pattern": "("}}},
    ],
)
def test_a_schema_that_cannot_be_used_lets_nothing_run(schema: dict[str, Any]) -> None:
    told = check_arguments(ToolSpec("ring", "", schema), '{"a": "x"}')
    assert told is not None
    assert told.startswith("the parameters of ring are not a valid JSON Schema: ")


def test_a_schema_elsewhere_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", fetched.append)
    spec = ToolSpec(
        "ring", "", {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:1/a.json"}}}
    )
    told = check_arguments(spec, '{"a": "x"}')
    assert told is not None
    assert "not a valid JSON Schema" in told
    assert not fetched
