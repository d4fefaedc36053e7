"""Reading playbooks: what is refused, and that the refusal names the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import EngineError
from engine.providers.llm import playbook_format
from engine.providers.llm.playbook import SHIPPED, PlaybookModel

GOOD: dict[str, Any] = {
    "name": "pizza",
    "slots": {"size": {"values": ["small", "large"]}},
    "goals": {
        "order": {
            "title": "order a pizza",
            "steps": [{"slot": "size", "ask": "What size?"}],
            "done": "One {size} pizza.",
        }
    },
}


def with_step(step: dict[str, Any]) -> dict[str, Any]:
    order = {**GOOD["goals"]["order"], "steps": [step]}
    return {**GOOD, "goals": {"order": order}}


@pytest.mark.parametrize("name", ["drink_orders", "appointment_desk"])
def test_the_shipped_playbooks_load(name: str) -> None:
    assert playbook_format.load(SHIPPED / f"{name}.toml").name == name.replace("_", " ")
    assert PlaybookModel(name).grammar().startswith("#JSGF")


def test_yaml_says_the_same_as_toml(tmp_path: Path) -> None:
    written = tmp_path / "pizza.yaml"
    written.write_text(
        "name: pizza\nslots: {size: {values: [small, large]}}\n"
        "goals: {order: {title: order a pizza, done: 'One {size} pizza.', "
        "steps: [{slot: size, ask: 'What size?'}]}}\n"
    )
    assert playbook_format.load(written) == playbook_format.validate(GOOD, "here")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({**GOOD, "colour": 1}, "colour: Extra inputs"),
        ({**GOOD, "goals": {}}, "goals: .*at least 1"),
        ({**GOOD, "slots": {}}, r"goals.order.steps.0.slot: no \[slots.size\]"),
        ({**GOOD, "slots": {"size": {"values": ["(small"]}}}, r"slots.size.values.*'\)' is missing"),
        ({**GOOD, "slots": {"size": {"values": ["[small]"]}}}, "no word at all"),
        ({**GOOD, "slots": {"size": {}}}, "slots.size: a slot of kind 'choice' needs values"),
        ({**GOOD, "slots": {"size": {"kind": "day", "values": ["x"]}}}, "kind 'day' has no values"),
        ({**GOOD, "slots": {"size": {"values": ["s"], "length": 2}}}, "length is only for"),
        ({**GOOD, "replies": {"goodbye": "Bye {who}"}}, "replies.goodbye: {who} is none of"),
        (with_step({"slot": "size"}), "ask is missing"),
        (with_step({"slot": "size", "ask": "?", "confirm": "?"}), "a step is one thing"),
        (with_step({"ask": "?"}), "a step needs one of"),
        (with_step({"say": "x", "expect": "y"}), "expect belongs to a step with tool"),
        (with_step({"tool": "go", "forget": ["size"]}), "no step asks for 'size'"),
    ],
)
def test_mistakes_are_told_with_their_place(data: dict[str, Any], told: str) -> None:
    with pytest.raises(EngineError, match=f"^playbook mine: .*{told}"):
        playbook_format.validate(data, "mine")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read: No such file"):
        PlaybookModel(tmp_path / "none.toml")
    for name, told in (("bad.toml", "line 1"), ("bad.yaml", "line 1"), ("bad.ini", "must end in .toml")):
        (tmp_path / name).write_text("a = = [\t{")
        with pytest.raises(EngineError, match=told):
            PlaybookModel(tmp_path / name)
