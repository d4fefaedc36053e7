"""Templates: filled before speech, or refused by field and variable."""

from __future__ import annotations

from typing import Any

import pytest

from engine.agent import Agent, InvalidAgent
from engine.agent.templates import fill, missing_names, syntax_problem

TALK: dict[str, Any] = {
    "prompt": 'You are {{who}}. Answer like {"say": "{{word}}"}',
    "variables": {"who": "Ann", "word": "hello"},
    "opening": {"message": "Hello, this is {{ who }}."},
    "idle": {
        "awaiting_response": {"messages": ["Still there, {{caller}}?"]},
        "inactivity": [{"after": 5.0, "message": "Bye, {{caller}}.", "ending": "soft"}],
    },
    "ending": {"message": "Goodbye {{caller}}"},
    "limits": {"longest_message": "{{who}} must go."},
    "tools": [{"name": "find", "description": "Finds {{caller}}."}],
    "initial_messages": [{"role": "user", "text": "I am {{caller}}"}],
}


def test_every_template_is_filled() -> None:
    agent = Agent.model_validate(TALK).for_call({"caller": "Bo", "word": "hi"})
    assert agent.prompt == 'You are Ann. Answer like {"say": "hi"}'
    assert agent.opening.message == "Hello, this is Ann."
    assert agent.idle.awaiting_response.messages == ("Still there, Bo?",)
    assert agent.idle.inactivity[0].message == "Bye, Bo."
    assert agent.ending.message == "Goodbye Bo"
    assert agent.limits.longest_message == "Ann must go."
    assert agent.tools[0].description == "Finds Bo."
    assert agent.initial_messages[0].text == "I am Bo"
    assert agent.variables == {"who": "Ann", "word": "hi", "caller": "Bo"}


def test_each_missing_variable_is_named_with_its_field() -> None:
    with pytest.raises(InvalidAgent) as refused:
        Agent.model_validate(TALK).for_call({"callr": "Bo"})
    assert refused.value.problems[0] == (
        "initial_messages[0].text uses {{caller}}, and no variable 'caller' is given: did you mean {{callr}}?"
    )
    assert [problem.split()[0] for problem in refused.value.problems] == [
        "initial_messages[0].text",
        "idle.awaiting_response.messages[0]",
        "idle.inactivity[0].message",
        "ending.message",
        "tools[0].description",
    ]


def test_a_value_may_not_bring_braces() -> None:
    with pytest.raises(InvalidAgent, match=r"variables\.caller must hold no braces"):
        Agent.model_validate(TALK).for_call({"caller": "{{who}}"})


def test_a_call_changes_some_fields_and_keeps_the_others() -> None:
    stored = Agent.model_validate({"idle": {"dead_air": 20, "noise_cap": 5}, "metadata": {"a": 1, "b": 2}})
    agent = stored.for_call(idle={"dead_air": 10}, metadata={"a": 3}, language="en-GB")
    assert (agent.idle.dead_air, agent.idle.noise_cap) == (10, 5)
    assert agent.metadata == {"a": 3}
    assert agent.language == "en-GB"
    assert stored.idle.dead_air == 20


def test_a_wrong_change_is_refused_like_a_wrong_file() -> None:
    with pytest.raises(InvalidAgent, match=r"idle\.dead_air must be more than 0 seconds, not -1"):
        Agent().for_call(idle={"dead_air": -1})
    with pytest.raises(InvalidAgent, match=r"idel is not a field: did you mean idle\?"):
        Agent().for_call(idel={})


@pytest.mark.parametrize("text", ["{{}}", "{{a b}}", "{{a}", "{{ 1 }}", "{{a.b}}"])
def test_broken_templates(text: str) -> None:
    assert "brace that belongs to no variable" in syntax_problem(text, spoken=False)


@pytest.mark.parametrize("text", ["{a}", "a}", "}}"])
def test_single_braces_are_for_prompts_only(text: str) -> None:
    assert syntax_problem(text, spoken=False) == ""
    assert "brace" in syntax_problem(text, spoken=True)


def test_fill_and_missing() -> None:
    assert fill("{{a}}-{{ b }}-{{a}}", {"a": "1", "b": "2"}) == "1-2-1"
    assert missing_names("{{a}} {{b}} {{a}}", {"b": "2"}) == ["uses {{a}}, and no variable 'a' is given"]
