"""The agent: everything that a call can be set to, frozen, and checked whole when it is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, field_validator, model_validator

from engine.agent.call import Ending, Handoff, Idle, Keypad, Limits, Opening, Record
from engine.agent.checks import problems_of
from engine.agent.fields import Group, dial, option, text, told
from engine.agent.languages import check_language
from engine.agent.phrases import always_interrupt, never_interrupt
from engine.agent.problems import InvalidAgent
from engine.agent.providers import Model, Realtime, Transcriber, VendorGroup, Voice
from engine.agent.templates import fill, missing_names
from engine.agent.tools import Tool
from engine.agent.turns import Turns


class ToolRequest(Group):
    """A tool call inside a message of the agent."""

    tool_call: str = Field(min_length=1, description="Its id, which the tool's message repeats.")
    name: str = Field(min_length=1, description="The tool.")
    arguments: str = option("{}", "Its arguments as JSON text.")


class InitialMessage(Group):
    """One message of a conversation that the call carries on."""

    role: Literal["user", "assistant", "tool"] = Field(
        description="Who said it: the caller ('user'), the agent ('assistant') or a tool ('tool')."
    )
    text: str = option("", "What was said; of a tool, its result as JSON text.", template="written")
    tool_requests: Annotated[tuple[ToolRequest, ...], Strict(False)] = option(
        (), "Tools the agent called; each is answered by a tool message."
    )
    tool_call: str = option("", "Of a tool's message: the id of the request that it answers.")


class Agent(Group):
    """Everything a call can be set to. Every field has a default: ``Agent()`` is a working set of dials.

    Durations are seconds. Texts may hold ``{{name}}``, filled from ``variables`` by `for_call`. Raises
    `InvalidAgent` with a sentence for every problem.
    """

    name: str = option("agent", "What people call this agent.")
    prompt: str = text("prompt", "The system message of every turn: who the agent is.", template="written")
    initial_messages: Annotated[tuple[InitialMessage, ...], Strict(False)] = option(
        (), "A conversation that this call carries on."
    )
    variables: dict[str, str] = option({}, "Values for {{name}} in texts; a call may bring its own.")
    language: str = dial("language", "BCP-47 tag of the language spoken, 16 characters at most; or 'multi'.")
    medium: Literal["voice", "text"] = dial(
        "medium", "'voice' speaks; 'text' only writes, until the medium is changed in the call."
    )
    metadata: dict[str, Any] = option({}, "Free data of yours, kept with the call and handed back unchanged.")

    mode: Literal["pipeline", "realtime"] = option(
        "pipeline",
        "'pipeline' (also called 'legacy') has a transcriber, a model and a voice; 'realtime' one model that"
        " hears and speaks itself.",
    )
    realtime: Realtime = option(Realtime(), "Who that is, where the mode is 'realtime'.")
    opening: Opening = option(Opening(), "The first words.")
    transcriber: Transcriber = option(Transcriber(), "Who turns speech into words.")
    model: Model = option(Model(), "Who decides what is said.")
    voice: Voice = option(Voice(), "Who speaks.")
    turns: Turns = option(Turns(), "When the caller has finished, and what interrupts.")
    idle: Idle = option(Idle(), "The clocks of a silent line.")
    limits: Limits = option(Limits(), "What a call may take at most.")
    ending: Ending = option(Ending(), "How the call is left.")
    tools: Annotated[tuple[Tool, ...], Strict(False)] = option((), "What the agent may do beside talking.")
    handoff: Handoff = option(Handoff(), "Whom it may transfer to.")
    keypad: Keypad = option(Keypad(), "How keypad digits are collected.")
    record: Record = option(Record(), "What is kept of the call.")

    @field_validator("mode", mode="before")
    @classmethod
    def _other_name(cls, mode: object) -> object:
        return "pipeline" if mode == "legacy" else mode

    @field_validator("language")
    @classmethod
    def _known_language(cls, language: str) -> str:
        return check_language(language)

    @field_validator("metadata")
    @classmethod
    def _is_json(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(metadata, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"must be data that JSON can hold: {error}") from None
        return metadata

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = tuple(problems_of(self))
        if problems:
            raise InvalidAgent(problems)
        return self

    def for_call(self, variables: Mapping[str, str] | None = None, **changes: Any) -> Agent:
        """The agent of one call: ``changes`` over its fields, and every template filled.

        ``variables`` go over the agent's own. A change of a group may name some of its fields as a mapping
        (``idle={"dead_air": 20}``): the others stay. Raises `InvalidAgent`, also for a missing variable.
        """
        changes = {**changes, "variables": {**self.variables, **(variables or {})}}
        changed = Agent.model_validate(_changed(self, changes))
        problems: list[str] = []
        filled = _filled(changed, changed.variables, "", problems)
        if problems:
            raise InvalidAgent(problems)
        return Agent.model_validate(filled)


def effective(agent: Agent) -> dict[str, Any]:
    """The agent with every default filled in, as JSON data (seconds, texts, lists). It holds no secret."""
    data = agent.model_dump(mode="json")
    turns = data["turns"]
    if turns["never_interrupt"] is None:
        turns["never_interrupt"] = list(never_interrupt(agent.language))
    if turns["always_interrupt"] is None:
        turns["always_interrupt"] = list(always_interrupt(agent.language))
    speaks = agent.mode == "realtime"
    for group in (agent.realtime,) if speaks else (agent.transcriber, agent.model, agent.voice):
        _name_usual(group, data[group.role])
    return data


def _name_usual(group: VendorGroup, data: dict[str, Any]) -> None:
    """Write the vendor's usual model and voice where none is named, in the alternatives too."""
    if not group.model:
        data["model"] = group.listed.models[0].name
    if group.listed.voices and not data["voice"]:
        data["voice"] = group.listed.voices[0]
    for other, its_data in zip(getattr(group, "alternatives", ()), data.get("alternatives", ()), strict=True):
        _name_usual(other, its_data)


def _changed(group: Group, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The group's fields with ``changes`` over them, group by group."""
    data = {name: getattr(group, name) for name in type(group).model_fields}
    for name, change in changes.items():
        current = data.get(name)
        if isinstance(current, Group) and isinstance(change, Mapping):
            change = _changed(current, change)
        data[name] = change
    return data


def _filled(group: Group, variables: Mapping[str, str], path: str, problems: list[str]) -> dict[str, Any]:
    """The group's fields with templates filled; what could not be filled is added to ``problems``."""
    data: dict[str, Any] = {}
    for name, info in type(group).model_fields.items():
        template = bool(told(info).get("template"))
        data[name] = _filled_value(getattr(group, name), template, variables, f"{path}{name}", problems)
    return data


def _filled_value(
    value: Any, template: bool, variables: Mapping[str, str], path: str, problems: list[str]
) -> Any:
    if isinstance(value, Group):
        return _filled(value, variables, f"{path}.", problems)
    if isinstance(value, tuple):
        return tuple(
            _filled_value(item, template, variables, f"{path}[{index}]", problems)
            for index, item in enumerate(value)
        )
    if not template or not isinstance(value, str):
        return value
    missing = missing_names(value, variables)
    problems += [f"{path} {problem}" for problem in missing]
    return value if missing else fill(value, variables)
