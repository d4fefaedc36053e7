"""Every refusal names the field and says what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from engine.agent import Agent, InvalidAgent
from engine.agent.call import Idle
from engine.core.tools import BUILT_IN
from engine.errors import EngineError


def agent_with(path: str, value: Any) -> Agent:
    """An agent in which the field at the dotted path has this value."""
    *groups, name = path.split(".")
    fields: dict[str, Any] = {name: value}
    for group in reversed(groups):
        fields = {group: fields}
    return Agent.model_validate(fields)


NUMBERS = [
    ("idle.dead_air", -3, "must be more than 0 seconds, not -3"),
    ("idle.dead_air", 0, "must be more than 0 seconds, not 0"),
    ("idle.dead_air", "30s", "must be a number of seconds or 'never', not '30s'"),
    ("idle.dead_air", True, "must be a number of seconds or 'never', not true"),
    ("idle.dead_air", float("inf"), "must be a number of seconds or 'never', not inf"),
    ("idle.awaiting_response.max_per_call", -1, "must be at least 0, not -1"),
    ("idle.awaiting_response.max_per_call", 1.5, "must be a whole number, not 1.5"),
    ("idle.awaiting_response.timeout", 0, "must be more than 0 seconds, not 0"),
    ("limits.longest", -1, "must be more than 0 seconds, not -1"),
    ("limits.join", -1, "must be more than 0 seconds, not -1"),
    ("limits.overrun", -1, "must be at least 0 seconds, not -1"),
    ("opening.delay", -0.5, "must be at least 0 seconds, not -0.5"),
    ("opening.delay", "soon", "must be a number of seconds, not 'soon'"),
    ("turns.threshold", 1.2, "must be between 0 and 1, not 1.2"),
    ("turns.words_to_interrupt", 0, "must be at least 1, not 0"),
    ("turns.echo_return", 6.0, "must be at most 0, not 6.0"),
    ("turns.unfinished", 11.0, "must be between -10 and 10 seconds, not 11.0"),
    ("transcriber.reject_below", 1.0, "must be at most 0, not 1.0"),
    ("voice.speed", 5.5, "must be between 0.5 and 5 for 'espeak', not 5.5"),
    ("voice.pitch", 100, "must be between 0 and 99 for 'espeak', not 100"),
    ("keypad.most", 0, "must be at least 1, not 0"),
]

KINDS = [
    ("name", 7, "must be text, not 7 (put it in quotes)"),
    ("language", False, "must be text, not false (put it in quotes)"),
    ("ending.message", None, "must be text, not nothing"),
    ("ending.strict", "yes", "must be true or false, not 'yes'"),
    ("ending.phrases", "bye", "must be a list, not 'bye'"),
    ("idle", 30, "must be a table of fields, not 30"),
    ("metadata", [], "must be a table of names and values, not []"),
    ("metadata", {"since": {1}}, "must be data that JSON can hold: "),
    ("metadata", {"share": float("nan")}, "must be data that JSON can hold: "),
]

CHOICES = [
    ("opening.first", "bot", "must be 'agent' or 'caller', not 'bot'"),
    ("turns.on_sound", "holdd", "must be 'ignore', 'duck' or 'hold', not 'holdd': did you mean 'hold'?"),
    ("turns.voice_activity", "ten", "must be 'level', 'webrtc' or 'silero', not 'ten'"),
    ("medium", "video", "must be 'voice' or 'text', not 'video'"),
    ("transcriber.vendor", "deepgrm", "must be 'pocketsphinx', 'deepgram', 'deepgram-flux' or 'none', not"),
    ("model.vendor", "opneai", "or 'openai-responses', not 'opneai': did you mean 'openai'?"),
    ("voice.vendor", "azure", "must be 'espeak', 'flite', 'elevenlabs', 'playht' or 'openai', not 'azure'"),
    ("model.base_url", "http://me:secret@host/v1", "must be an address only: no user, password or"),
    ("model.key_variable", "HOME", "must be the name of a variable that ends in _API_KEY, not 'HOME'"),
    ("language", "xx", "must be one of ar, be, bg, "),
    ("language", "english please", "must be a language tag such as 'en' or 'de-CH', not 'english please'"),
    ("language", "en-US-x-northern-1", "must be at most 16 characters, not the 18 of"),
    ("transcriber.language", "xx", "must be one of ar, be, bg, "),
    ("keypad.terminator", "##", "must be one key of 0123456789*#ABCD, or empty for none, not '##'"),
    ("handoff.target", "415 555 0123", "must be a number in E.164 form such as +14155550123, or a SIP"),
    ("handoff.target", "+0123", "must be a number in E.164 form"),
    ("handoff.target", "sip:", "must be a number in E.164 form"),
    ("variables", {"first name": "Ann"}, ".first name must have a name of letters, digits and '_'"),
    ("variables", {"who": "{{x}}"}, ".who must hold no braces"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), NUMBERS + KINDS + CHOICES)
def test_refused_field(path: str, value: Any, sentence: str) -> None:
    with pytest.raises(EngineError) as refused:
        agent_with(path, value)
    first = str(refused.value).splitlines()[0]
    assert first.startswith(path)
    assert sentence in first
    assert "nput should" not in first
    assert "http" not in first


TOGETHER = [
    ({"opening": {"message": "Hi", "prompt": "Greet"}}, "opening.message and opening.prompt are both set"),
    ({"opening": {"first": "caller", "message": "Hi"}}, "opening.message and opening.prompt are never used"),
    ({"opening": {"fallback_after": 5.0}}, "opening.fallback_after needs opening.first to be 'caller'"),
    ({"opening": {"first": "caller", "fallback_message": "Hi"}}, "opening.fallback_after must say how many"),
    (
        {"opening": {"first": "caller", "fallback_after": 5.0}},
        "opening.fallback_after needs opening.fallback_me",
    ),
    (
        {
            "opening": {
                "first": "caller",
                "fallback_after": 1,
                "fallback_message": "a",
                "fallback_prompt": "b",
            }
        },
        "opening.fallback_message and opening.fallback_prompt are both set",
    ),
    ({"opening": {"message": "Hi {{ name"}}, "opening.message has a brace that belongs to no variable"),
    ({"opening": {"message": "Hi {name}"}}, "opening.message has a brace that belongs to no variable"),
    ({"prompt": "Be {{2nice}}"}, "prompt has a brace that belongs to no variable at '{{2nice}}'"),
    ({"idle": {"inactivity": [{"after": 0}]}}, "idle.inactivity[0].after must be more than 0 seconds, not 0"),
    ({"idle": {"inactivity": [{"message": "Hi"}]}}, "idle.inactivity[0].after is missing"),
    ({"idle": {"inactivity": [{"after": 3}]}}, "idle.inactivity[0].message must be set, or its ending"),
    (
        {"idle": {"inactivity": [{"after": 3, "ending": "soft"}, {"after": 3, "message": "Hi"}]}},
        "idle.inactivity[0].ending must be 'none' before the last step",
    ),
    (
        {"turns": {"endpoint_delay": 3.0}},
        "turns.endpoint_delay must lie between endpoint_floor (0.2 seconds)",
    ),
    (
        {"turns": {"never_interrupt": ["Okay!"], "always_interrupt": ["okay"]}},
        "turns.never_interrupt and turns.always_interrupt both hold 'Okay!'",
    ),
    (
        {"language": "es"},
        "transcriber.vendor must be 'deepgram', 'deepgram-flux' or 'none' for language 'es': 'pocketsphinx'",
    ),
    (
        {"language": "es", "transcriber": {"vendor": "none"}, "voice": {"vendor": "flite"}},
        "voice.vendor must be 'espeak', 'elevenlabs' or 'openai' for language 'es': 'flite' does not speak",
    ),
    ({"model": {"temperature": 0.7}}, "model.temperature is not an option of 'playbook'"),
    ({"voice": {"vendor": "flite", "pitch": 50}}, "voice.pitch is not an option of 'flite'"),
    (
        {"transcriber": {"vendor": "none", "grammar": "a.gram"}},
        "transcriber.grammar is not an option of 'none'",
    ),
    ({"model": {"fillers": ["One moment."]}}, "model.filler_after must say after how many seconds"),
    ({"model": {"filler_after": 2.0}}, "model.fillers must hold at least one text"),
]

TOOLS = [
    ({}, "tools[0].name is missing"),
    ({"name": ""}, "tools[0].name must be 1 to 63 letters"),
    ({"name": "a" * 64}, "tools[0].name must be 1 to 63 letters"),
    ({"name": "find slots"}, "tools[0].name must be 1 to 63 letters"),
    *[({"name": name}, f"tools[0].name must not be '{name}'") for name in BUILT_IN],
    ({"name": "t", "timeout": 0}, "tools[0].timeout must be more than 0 seconds, not 0"),
    ({"name": "t", "kind": "end"}, "tools[0].kind must be 'read' or 'act'"),
    ({"name": "t", "handler": "tools.py"}, "tools[0].handler must be 'package.module:function'"),
    (
        {"name": "t", "parameters": {"type": "array"}},
        "tools[0].parameters must be a JSON Schema object: its type",
    ),
    ({"name": "t", "parameters": {"type": "object", "properties": []}}, "its properties must be a table"),
    (
        {"name": "t", "parameters": {"type": "object", "properties": {"a": "text"}}},
        "property 'a' must be a table",
    ),
    (
        {"name": "t", "parameters": {"type": "object", "properties": {"a": {"type": "str"}}}},
        "property 'a' must",
    ),
    (
        {"name": "t", "parameters": {"type": "object", "properties": {"a": {"minimum": "one"}}}},
        "tools[0].parameters must be a JSON Schema object: properties.a.minimum: 'one' is not of type",
    ),
    (
        {"name": "t", "parameters": {"type": "object", "properties": {"a": {"pattern": "("}}}},
        "properties.a.pattern: '(' is not a 'regex'",
    ),
    (
        {"name": "t", "parameters": {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}},
        "it refers to '#/$defs/none', which is not in it",
    ),
    (
        {
            "name": "t",
            "parameters": {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:1/a"}}},
        },
        "it refers to 'http://127.0.0.1:1/a', which is not in it",
    ),
    ({"name": "t", "parameters": {"type": "object", "default": {1, 2}}}, "JSON cannot hold it"),
    (
        {"name": "t", "parameters": {"type": "object", "required": "a"}},
        "its required must be a list of names",
    ),
    (
        {"name": "t", "parameters": {"type": "object", "required": ["a"]}},
        "it requires 'a', which is not among",
    ),
]

HISTORY = [
    (
        [{"role": "system", "text": "x"}],
        "initial_messages[0].role must be 'user', 'assistant' or 'tool', not 'sy",
    ),
    ([{"role": "tool", "tool_call": "1"}], "initial_messages[0].tool_call must name an unanswered request"),
    (
        [{"role": "user", "tool_call": "1"}],
        "initial_messages[0].tool_call must stand in a message of the tool",
    ),
    (
        [{"role": "assistant", "tool_requests": [{"tool_call": "1", "name": "find"}]}],
        "initial_messages must answer the tool request '1'",
    ),
    (
        [{"role": "user", "tool_requests": [{"tool_call": "1", "name": "find"}]}],
        "initial_messages[0].tool_requests must stand in a message of the assistant",
    ),
]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    TOGETHER
    + [({"tools": [tool]}, sentence) for tool, sentence in TOOLS]
    + [({"tools": [{"name": "t"}, {"name": "t"}]}, "tools must have different names, and 2 are called 't'")]
    + [({"initial_messages": messages}, sentence) for messages, sentence in HISTORY],
)
def test_refused_together(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidAgent) as refused:
        Agent.model_validate(fields)
    assert sentence in refused.value.problems[0]


def test_unknown_field_gets_a_suggestion() -> None:
    with pytest.raises(InvalidAgent) as refused:
        Agent.model_validate({"idel": {}, "idle": {"ded_air": 3, "zzz": 1}})
    assert refused.value.problems == (
        "idle.ded_air is not a field: did you mean idle.dead_air?",
        "idle.zzz is not a field: idle has awaiting_response, inactivity, dead_air, noise_cap",
        "idel is not a field: did you mean idle?",
    )


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidAgent) as refused:
        Agent.model_validate({"language": "xx", "idle": {"dead_air": -1}, "tools": [{"nam": "t"}]})
    assert len(refused.value.problems) == 4
    assert str(refused.value).splitlines() == list(refused.value.problems)


def test_a_group_by_itself_is_refused_in_the_same_words() -> None:
    with pytest.raises(InvalidAgent, match=r"^dead_air must be more than 0 seconds, not -1$"):
        Idle(dead_air=-1)


def test_an_agent_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Agent().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("language", ["en", "en-GB", "no", "zh-TW", "de-CH", "nl-BE", "es-419"])
def test_accepted_languages(language: str) -> None:
    assert (
        Agent.model_validate({"language": language, "transcriber": {"vendor": "none"}}).language == language
    )


@pytest.mark.parametrize("target", ["", "+14155550123", "sip:desk@example.com", "sips:desk@example.com:5061"])
def test_accepted_targets(target: str) -> None:
    assert agent_with("handoff.target", target).handoff.target == target
