"""Agent files: TOML or YAML in, a checked `Agent` out, or sentences that name what is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from engine.agent.model import Agent
from engine.agent.problems import InvalidAgent, closest, either
from engine.errors import EngineError

SHIPPED = Path(__file__).with_name("shipped")

_FORMATS = (".toml", ".yaml", ".yml")
_FILE_FIELDS = (("model", "playbook"), ("transcriber", "grammar"))
"""Fields that may name another file, which is looked for beside the agent's."""

_TOML_PLACE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column \d+|(?P<end>end of document))\)$")


def shipped_agents() -> tuple[str, ...]:
    """Names of the agents that come with the engine."""
    return tuple(sorted(file.stem for file in SHIPPED.glob("*.toml")))


def load_agent(source: str | Path | Mapping[str, Any]) -> Agent:
    """The agent of a file (``.toml``, ``.yaml``, ``.yml``), of a shipped name, or of a mapping of its fields.

    Files that the agent names by a relative path are looked for beside its own. Raises `EngineError`:
    `InvalidAgent` with a sentence for every problem of the fields, else one that says why there are none.
    """
    if isinstance(source, Mapping):
        return Agent.model_validate(dict(source))
    file = _find(source)
    data = _anchored(_parse(file), file.parent)
    try:
        return Agent.model_validate(data)
    except InvalidAgent as error:
        raise InvalidAgent(error.problems, str(source)) from None


def _find(source: str | Path) -> Path:
    file = Path(source)
    if isinstance(source, str) and file.suffix == "" and file.name == source:
        if source not in shipped_agents():
            hint = closest(source, shipped_agents())
            told = f": did you mean '{hint}'?" if hint else f": there is {either(shipped_agents())}"
            raise EngineError(
                f"no agent called '{source}' comes with the engine{told} (a file ends in .toml or .yaml)"
            )
        return SHIPPED / f"{source}.toml"
    if file.suffix not in _FORMATS:
        raise EngineError(f"{source}: an agent file must end in {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}")
    return file


def _parse(file: Path) -> dict[str, Any]:
    try:
        written = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise EngineError(f"{file}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise EngineError(f"{file}: must be UTF-8 text, and byte {error.start} is not") from None
    except OSError as error:
        raise EngineError(f"{file}: cannot be read: {error.strerror}") from None
    data = _toml(file, written) if file.suffix == ".toml" else _yaml(file, written)
    if not isinstance(data, dict):
        raise EngineError(f"{file}: must hold fields such as 'name: ...', not a {type(data).__name__}")
    return data


def _toml(file: Path, written: str) -> Any:
    try:
        return tomllib.loads(written)
    except tomllib.TOMLDecodeError as error:
        what = str(error)
        found = _TOML_PLACE.search(what)
        line = found["line"] if found and found["line"] else str(max(1, len(written.splitlines())))
        raise EngineError(f"{file}, line {line}: not valid TOML: {_TOML_PLACE.sub('', what)}") from None


class _UniqueKeys(yaml.SafeLoader):
    """YAML as `yaml.safe_load` reads it, but a key that stands twice is an error, as it is in TOML."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if (
                isinstance(key, yaml.ScalarNode)
                and key.value in seen
                and key.tag != "tag:yaml.org,2002:merge"
            ):
                raise yaml.MarkedYAMLError(problem=f"'{key.value}' is set twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def _yaml(file: Path, written: str) -> Any:
    try:
        data = yaml.load(written, Loader=_UniqueKeys)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise EngineError(f"{file}, line {line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise EngineError(f"{file}: not valid YAML: {str(error).splitlines()[0]}") from None
    return {} if data is None else data


def _anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The data with relative file names made absolute, from the agent file's folder."""
    for group, name in _FILE_FIELDS:
        if isinstance(fields := data.get(group), dict):
            fields = _with_file(fields, name, folder)
            if isinstance(others := fields.get("alternatives"), list):
                others = [
                    _with_file(each, name, folder) if isinstance(each, dict) else each for each in others
                ]
                fields = {**fields, "alternatives": others}
            data = {**data, group: fields}
    return data


def _with_file(fields: dict[str, Any], name: str, folder: Path) -> dict[str, Any]:
    value = fields.get(name)
    if isinstance(value, str) and Path(value).name and _is_path(value):
        return {**fields, name: str((folder / value).resolve())}
    return fields


def _is_path(value: str) -> bool:
    """Whether a value names a file rather than something that comes with the engine."""
    return Path(value).suffix != "" or Path(value).name != value
