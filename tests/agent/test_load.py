"""Agent files: TOML and YAML say the same; whatever is wrong with a file is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.agent import Agent, InvalidAgent, load_agent, shipped_agents, to_policy
from engine.core.policy import Carrier
from engine.errors import EngineError

TOML = """
name = "Desk"
prompt = "Be kind."
[opening]
message = "Hello."
[idle]
dead_air = "never"
inactivity = [{ after = 5, message = "Hm?" }, { after = 2.5, ending = "soft" }]
[[tools]]
name = "find"
parameters = { type = "object", properties = { day = { type = "string" } }, required = ["day"] }
"""

YAML = """
name: Desk
prompt: Be kind.
opening:
  message: Hello.
idle:
  dead_air: null
  inactivity:
    - {after: 5, message: "Hm?"}
    - {after: 2.5, ending: soft}
tools:
  - name: find
    parameters: {type: object, properties: {day: {type: string}}, required: [day]}
"""


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_toml_and_yaml_make_the_same_agent(tmp_path: Path) -> None:
    toml = load_agent(written(tmp_path, "a.toml", TOML))
    assert (
        toml == load_agent(written(tmp_path, "a.yaml", YAML)) == load_agent(written(tmp_path, "a.yml", YAML))
    )
    assert toml.idle.inactivity[1].after == 2.5


def test_a_mapping_is_an_agent_too() -> None:
    assert load_agent({"name": "Desk"}) == Agent(name="Desk")
    with pytest.raises(InvalidAgent, match=r"^idle\.dead_air must be"):
        load_agent({"idle": {"dead_air": -3}})


def test_an_empty_file_is_the_default_agent(tmp_path: Path) -> None:
    assert load_agent(written(tmp_path, "a.toml", "")) == Agent()
    assert load_agent(written(tmp_path, "a.yaml", "# nothing yet\n")) == Agent()


def test_each_problem_is_a_line_with_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "a.toml", 'langage = "en"\n[idle]\ndead_air = -3\n')
    with pytest.raises(InvalidAgent) as refused:
        load_agent(file)
    assert str(refused.value).splitlines() == [
        f"{file}: idle.dead_air must be more than 0 seconds, not -3",
        f"{file}: langage is not a field: did you mean language?",
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.toml", "name = 'a'\nprompt =\n", ", line 2: not valid TOML: Invalid value"),
        ("a.toml", "name = 'a'\nname = 'b'\n", ", line 2: not valid TOML: Cannot overwrite a value"),
        ("a.toml", "name = 'a'\ntools = [\n", ", line 2: not valid TOML: "),
        ("a.yaml", "name: a\nidle: {dead_air: 1\n", ", line 3: not valid YAML: "),
        (
            "a.yaml",
            "name: a\nidle:\n  dead_air: 1\n  dead_air: 2\n",
            ", line 4: not valid YAML: 'dead_air' is set",
        ),
        ("a.yaml", "- name\n", ": must hold fields such as 'name: ...', not a list"),
        ("a.yaml", "language: no\n", ": language must be text, not false (put it in quotes)"),
        ("a.yaml", "1: a\n", ": 1 must be a field's name, in quotes"),
        ("a.json", "{}", ": an agent file must end in .toml, .yaml or .yml"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    file = written(tmp_path, name, text)
    with pytest.raises(EngineError) as refused:
        load_agent(str(file))
    assert str(refused.value).startswith(f"{file}{sentence}")
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes('name = "Jos\xe9"'.encode("latin-1"))
    with pytest.raises(EngineError, match="must be UTF-8 text, and byte 11 is not"):
        load_agent(latin)
    with pytest.raises(EngineError, match=r"none\.toml: there is no such file$"):
        load_agent(tmp_path / "none.toml")
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    with pytest.raises(EngineError, match=r"folder\.toml: cannot be read: "):
        load_agent(folder)


def test_files_beside_the_agent_are_found_from_anywhere(tmp_path: Path) -> None:
    text = '[model]\nplaybook = "talks/mine.toml"\n[transcriber]\ngrammar = "mine.gram"\n'
    agent = load_agent(written(tmp_path, "a.toml", text))
    assert agent.model.playbook == str(tmp_path / "talks" / "mine.toml")
    assert agent.transcriber.grammar == str(tmp_path / "mine.gram")
    shipped = load_agent(written(tmp_path, "b.toml", '[model]\nplaybook = "drink_orders"\n'))
    assert (shipped.model.playbook, shipped.transcriber.grammar) == ("drink_orders", "auto")


def test_an_unknown_shipped_name_gets_a_suggestion() -> None:
    with pytest.raises(
        EngineError, match="no agent called 'drink_order' comes with the engine: did you mean 'drink_o"
    ):
        load_agent("drink_order")
    with pytest.raises(EngineError, match="there is 'appointment_desk' or 'drink_orders'"):
        load_agent("zzz")


@pytest.mark.parametrize("name", ["appointment_desk", "drink_orders"])
def test_shipped_agents_are_whole(name: str) -> None:
    assert name in shipped_agents()
    agent = load_agent(name)
    policy = to_policy(agent, Carrier())
    assert policy.opening.message
    assert policy.ending.message
    assert policy.limits.longest_message
    assert agent.model.playbook == name
    assert bool(policy.idle.ladder) != bool(policy.idle.awaiting_messages)
