"""What must hold between the fields of an agent. Each check yields a sentence for each problem it finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.agent.fields import Group, told
from engine.agent.phrases import phrase_key
from engine.agent.templates import is_variable_name, syntax_problem
from engine.agent.vendor_checks import vendor_problems
from engine.core.policy import Speaker, StepEnding

if TYPE_CHECKING:
    from engine.agent.model import Agent


def problems_of(agent: Agent) -> Iterator[str]:
    """Everything that does not fit together, in the order of the fields."""
    yield from _variables(agent)
    yield from _templates(agent, "")
    yield from _history(agent)
    yield from _opening(agent)
    yield from vendor_problems(agent)
    yield from _fillers(agent)
    yield from _turns(agent)
    yield from _idle(agent)
    for name, count in Counter(tool.name for tool in agent.tools).items():
        if count > 1:
            yield f"tools must have different names, and {count} are called '{name}'"


def _variables(agent: Agent) -> Iterator[str]:
    for name, value in agent.variables.items():
        if not is_variable_name(name):
            yield f"variables.{name} must have a name of letters, digits and '_', not a digit first"
        if "{" in value or "}" in value:
            yield f"variables.{name} must hold no braces, which nobody should hear: {value!r}"


def _templates(group: Group, path: str) -> Iterator[str]:
    for name, info in type(group).model_fields.items():
        template = told(info).get("template")
        yield from _template_value(
            getattr(group, name), template == "spoken", bool(template), f"{path}{name}"
        )


def _template_value(value: Any, spoken: bool, template: bool, path: str) -> Iterator[str]:
    if isinstance(value, Group):
        yield from _templates(value, f"{path}.")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _template_value(item, spoken, template, f"{path}[{index}]")
    elif template and isinstance(value, str) and (problem := syntax_problem(value, spoken)):
        yield f"{path} {problem}"


def _history(agent: Agent) -> Iterator[str]:
    """Every tool message answers one request before it, every request is answered once."""
    open_requests: list[str] = []
    for index, message in enumerate(agent.initial_messages):
        path = f"initial_messages[{index}]"
        if message.tool_requests and message.role != "assistant":
            yield f"{path}.tool_requests must stand in a message of the assistant, not of '{message.role}'"
        if message.role == "tool" and message.tool_call not in open_requests:
            yield f"{path}.tool_call must name an unanswered request before it, not {message.tool_call!r}"
        elif message.role == "tool":
            open_requests.remove(message.tool_call)
        elif message.tool_call:
            yield f"{path}.tool_call must stand in a message of the tool, not of '{message.role}'"
        open_requests += [request.tool_call for request in message.tool_requests]
    for tool_call in open_requests:
        yield f"initial_messages must answer the tool request '{tool_call}' with a tool message"


def _opening(agent: Agent) -> Iterator[str]:
    opening = agent.opening
    fallback = opening.fallback_message or opening.fallback_prompt
    if opening.message and opening.prompt:
        yield "opening.message and opening.prompt are both set: keep one"
    if opening.fallback_message and opening.fallback_prompt:
        yield "opening.fallback_message and opening.fallback_prompt are both set: keep one"
    if opening.first is Speaker.CALLER and (opening.message or opening.prompt):
        yield (
            "opening.message and opening.prompt are never used when opening.first is 'caller':"
            " use opening.fallback_message for a caller who stays silent"
        )
    if opening.first is Speaker.AGENT and (fallback or opening.fallback_after is not None):
        yield "opening.fallback_after needs opening.first to be 'caller': the agent opens anyway"
    elif fallback and opening.fallback_after is None:
        yield "opening.fallback_after must say how many seconds of silence the fallback waits for"
    elif opening.fallback_after is not None and not fallback:
        yield "opening.fallback_after needs opening.fallback_message or opening.fallback_prompt"


def _fillers(agent: Agent) -> Iterator[str]:
    if agent.model.filler_after is not None and not agent.model.fillers:
        yield "model.fillers must hold at least one text when model.filler_after is set"
    if agent.model.fillers and agent.model.filler_after is None:
        yield "model.filler_after must say after how many seconds the fillers are said"


def _turns(agent: Agent) -> Iterator[str]:
    turns = agent.turns
    if not turns.endpoint_floor <= turns.endpoint_delay <= turns.endpoint_ceiling:
        yield (
            f"turns.endpoint_delay must lie between endpoint_floor ({turns.endpoint_floor} seconds) and"
            f" endpoint_ceiling ({turns.endpoint_ceiling} seconds), not {turns.endpoint_delay}"
        )
    always = {phrase_key(phrase) for phrase in turns.always_interrupt or ()}
    for phrase in turns.never_interrupt or ():
        if phrase_key(phrase) in always:
            yield f"turns.never_interrupt and turns.always_interrupt both hold {phrase!r}: keep one"


def _idle(agent: Agent) -> Iterator[str]:
    ladder = agent.idle.inactivity
    for index, step in enumerate(ladder):
        path = f"idle.inactivity[{index}]"
        if step.ending is StepEnding.NONE and not step.message:
            yield f"{path}.message must be set, or its ending: this step does nothing"
        if step.ending is not StepEnding.NONE and index < len(ladder) - 1:
            yield f"{path}.ending must be 'none' before the last step: nothing after it would be reached"
