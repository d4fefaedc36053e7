"""From agent to policy: the defaults are the policy's own, and every knob is set or is the engine's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from engine.agent import Agent, InvalidAgent, effective, to_policy
from engine.agent.fields import Group, told
from engine.agent.phrases import always_interrupt, never_interrupt
from engine.agent.to_policy import INTERNAL
from engine.core.conversation import Message, ToolRequest
from engine.core.policy import Carrier, LadderStep, Policy, StepEnding, Tool, ToolKind

CARRIER = Carrier(hangs_up=False, transfers=True, digits_in_band=False)

CALLER_OPENS = {"first": "caller", "fallback_after": 2.5, "delay": 1.5, "uninterruptible": True}
OPENINGS: list[dict[str, Any]] = [
    {"message": "Hi"},
    {"prompt": "Greet"},
    {**CALLER_OPENS, "fallback_message": "Hi"},
    {**CALLER_OPENS, "fallback_prompt": "Greet"},
]
"""An opening has one of these forms: together they set all its fields."""


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of every field of a policy, section by section."""
    for field in fields(value):
        inner = getattr(value, field.name)
        if is_dataclass(inner) and not isinstance(inner, Carrier):
            yield from leaves(inner, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}", inner


def other(value: Any) -> Any:
    """A legal value that is not this default."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1 if isinstance(value, int) else value * 0.75 or 0.25
    if value is None:
        return 2.5
    return {"en": "en-GB", "voice": "text", "#": "*", "hold": "duck"}.get(value, "some text")


def everything_changed(group: Group) -> dict[str, Any]:
    """The fields of the group that set a knob, each with another value than its default."""
    data: dict[str, Any] = {}
    for name, info in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, Group):
            data[name] = everything_changed(value)
        elif told(info).get("policy"):
            data[name] = ("some text",) if isinstance(value, tuple) else other(value)
    return data


def test_every_knob_is_set_by_the_agent_or_is_the_engines_own() -> None:
    data = everything_changed(Agent())
    data["handoff"] |= {"target": "+14155550123", "failover": "+14155550124"}
    data["turns"] |= {"never_interrupt": ["hush"], "always_interrupt": ["whoa"], "voice_activity": "silero"}
    data["turns"]["flush_after"] = 0.5
    data["idle"]["inactivity"] = [{"after": 3.5, "message": "Hello?"}]
    data["tools"] = [{"name": "find"}]
    data["initial_messages"] = [{"role": "user", "text": "Hello"}]
    defaults = dict(leaves(Policy()))
    moved: set[str] = set()
    for opening in OPENINGS:
        policy = to_policy(Agent.model_validate({**data, "opening": opening}), CARRIER)
        moved |= {path for path, value in leaves(policy) if value != defaults[path]}
    assert set(defaults) - moved == INTERNAL


def test_defaults_are_the_policys_own() -> None:
    policy = to_policy(Agent(), Carrier())
    turns = replace(policy.turns, never_interrupt=(), always_interrupt=(), flush_after=160)
    assert replace(policy, turns=turns) == Policy()


def test_seconds_become_whole_milliseconds() -> None:
    agent = Agent.model_validate(
        {
            "opening": {"delay": 0.0296},
            "idle": {
                "awaiting_response": {"timeout": 1.1, "messages": [" Still there? ", "", "Hello?"]},
                "inactivity": [{"after": 30, "message": "Hm?"}, {"after": 0.7, "ending": "strict"}],
                "dead_air": "never",
            },
            "limits": {"longest": None},
            "tools": [{"name": "book", "kind": "act", "timeout": 2}],
        }
    )
    policy = to_policy(agent, CARRIER)
    assert policy.opening.delay == 30
    assert policy.idle.awaiting_after == 1_100
    assert policy.idle.awaiting_messages == ("Still there?", "Hello?")
    assert policy.idle.ladder == (LadderStep(30_000, "Hm?"), LadderStep(700, "", StepEnding.STRICT))
    assert policy.idle.dead_air is None
    assert policy.limits.longest is None
    assert policy.tools == (Tool("book", ToolKind.ACT, 2_000),)
    assert policy.carrier is CARRIER
    assert all(type(after) is int for after in (policy.opening.delay, policy.idle.ladder[0].after))


def test_history_keeps_its_order_and_pairs() -> None:
    messages = [
        {"role": "user", "text": "Where is my parcel?"},
        {"role": "assistant", "tool_requests": [{"tool_call": "1", "name": "find", "arguments": '{"a":1}'}]},
        {"role": "tool", "text": '"Lyon"', "tool_call": "1"},
    ]
    policy = to_policy(Agent.model_validate({"initial_messages": messages}), CARRIER)
    assert policy.initial_messages == (
        Message("user", "Where is my parcel?"),
        Message("assistant", "", (ToolRequest("1", "find", '{"a":1}'),)),
        Message("tool", '"Lyon"', (), "1"),
    )


@pytest.mark.parametrize("language", ["en-GB", "fr", "th"])
def test_phrases_come_from_the_language_where_none_are_set(language: str) -> None:
    agent = Agent.model_validate({"language": language, "transcriber": {"vendor": "none"}})
    turns = to_policy(agent, CARRIER).turns
    assert turns.never_interrupt == never_interrupt(language)
    assert turns.always_interrupt == always_interrupt(language)
    shown = effective(agent)["turns"]
    assert tuple(shown["never_interrupt"]) == never_interrupt(language)
    assert tuple(shown["always_interrupt"]) == always_interrupt(language)


def test_a_recogniser_with_a_grammar_is_asked_to_finish_later_unless_somebody_says_when() -> None:
    hosted = {"transcriber": {"vendor": "deepgram"}}
    found = [
        to_policy(Agent.model_validate(fields), CARRIER).turns.flush_after
        for fields in ({}, hosted, {"turns": {"flush_after": 0.2}}, {"mode": "realtime"})
    ]
    assert found == [300, 160, 200, 160]


def test_an_empty_phrase_list_means_none() -> None:
    agent = Agent.model_validate({"turns": {"never_interrupt": [], "always_interrupt": []}})
    assert to_policy(agent, CARRIER).turns.never_interrupt == ()
    assert to_policy(agent, CARRIER).turns.always_interrupt == ()


def test_only_silero_confirms() -> None:
    for name, confirmed in {"level": False, "webrtc": False, "silero": True}.items():
        agent = Agent.model_validate({"turns": {"voice_activity": name}})
        assert to_policy(agent, CARRIER).turns.confirmed is confirmed


def test_a_policy_never_holds_a_template() -> None:
    template = {"opening": {"message": "Hello {{who}}"}}
    with pytest.raises(InvalidAgent, match=r"opening.message uses \{\{who\}\}"):
        to_policy(Agent.model_validate(template), CARRIER)
    agent = Agent.model_validate({**template, "variables": {"who": "Ann"}})
    assert to_policy(agent, CARRIER).opening.message == "Hello Ann"


def test_the_effective_agent_is_json_and_makes_the_same_policy() -> None:
    agent = Agent.model_validate(
        {
            "idle": {"inactivity": [{"after": 9, "message": "Hm?", "ending": "soft"}], "dead_air": "never"},
            "tools": [{"name": "find", "parameters": {"type": "object", "properties": {}}}],
            "metadata": {"team": ["a", 1, None]},
        }
    )
    shown = json.loads(json.dumps(effective(agent)))
    assert shown["turns"]["endpoint_delay"] == 0.6
    assert shown["idle"]["dead_air"] is None
    assert to_policy(Agent.model_validate(shown), CARRIER) == to_policy(agent, CARRIER)


def test_every_field_is_described() -> None:
    def undescribed(group: type[Group]) -> list[str]:
        return [name for name, info in group.model_fields.items() if not info.description]

    groups = [Agent, *(type(value) for _, value in Agent() if isinstance(value, Group))]
    assert [undescribed(group) for group in groups] == [[]] * len(groups)
    delay = type(Agent().turns).model_fields["endpoint_delay"].description
    assert delay and delay.endswith("Default 0.6 seconds.")
