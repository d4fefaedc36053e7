"""From the agent, as people write it, to the policy, as the call core runs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine.agent.fields import MS, Group, policy_value, told
from engine.agent.model import Agent, InitialMessage
from engine.agent.phrases import always_interrupt, never_interrupt
from engine.core.conversation import Message, ToolRequest
from engine.core.policy import Carrier, LadderStep, Policy, Tool, speech_to_speech

INTERNAL = frozenset(
    {
        # How audio and text are cut up on their way: the engine's craft, measured once for all agents.
        "playout.lead", "playout.first_chunk", "playout.chunk", "playout.mark_every", "playout.voice_ahead",
        "playout.piece_ahead", "playout.heard_grace", "playout.word_tolerance", "replies.first_piece",
        "replies.longest_piece",
        # The carrier's own failures: no agent is better off with another number.
        "limits.write_stall", "limits.carrier", "limits.wire_faults",
        # The worker counts the providers that it has.
        "alternatives.transcribers", "alternatives.models", "alternatives.voices",
        # The mode says both.
        "replies.speech_to_speech", "turns.interims",
        # A bound that only a broken model meets.
        "replies.tool_rounds",
        # How a transcriber that breaks is told from one that is slow.
        "hearing.backoff", "hearing.lasting", "hearing.deaf_turns", "hearing.mute_most",
        "hearing.try_again",
    }
)  # fmt: skip
"""Policy fields, by path, that no agent sets."""


def to_policy(agent: Agent, carrier: Carrier) -> Policy:
    """All knobs of a call with this agent on this carrier, in whole milliseconds.

    Templates are filled from the agent's own variables. Raises `InvalidAgent` if one is missing.
    """
    agent = agent.for_call()
    values = dict(_settings(agent))
    values["turns.confirmed"] = agent.turns.voice_activity == "silero"
    never, always = agent.turns.never_interrupt, agent.turns.always_interrupt
    values["turns.never_interrupt"] = never_interrupt(agent.language) if never is None else never
    values["turns.always_interrupt"] = always_interrupt(agent.language) if always is None else always
    if agent.turns.flush_after is not None:
        values["turns.flush_after"] = round(agent.turns.flush_after * MS)
    elif agent.mode == "pipeline" and agent.transcriber.listed.flush_after_ms is not None:
        values["turns.flush_after"] = agent.transcriber.listed.flush_after_ms
    values["idle.ladder"] = tuple(
        LadderStep(round(step.after * MS), step.message, step.ending) for step in agent.idle.inactivity
    )
    values["initial_messages"] = tuple(map(_message, agent.initial_messages))
    values["tools"] = tuple(Tool(tool.name, tool.kind, round(tool.timeout * MS)) for tool in agent.tools)
    values["carrier"] = carrier
    policy = _replaced(Policy(), values)
    return speech_to_speech(policy) if agent.mode == "realtime" else policy


def _settings(group: Group) -> Iterator[tuple[str, Any]]:
    """Path and value of every policy field that a field of the group, or of a group in it, names."""
    for name, info in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, Group):
            yield from _settings(value)
        elif path := told(info).get("policy"):
            yield path, policy_value(info, value)


def _replaced(policy: Policy, values: dict[str, Any]) -> Policy:
    """The policy with the values at their paths: ``language``, or ``turns.onset`` inside ``turns``."""
    sections: dict[str, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    for path, value in values.items():
        section, dot, name = path.partition(".")
        if dot:
            sections.setdefault(section, {})[name] = value
        else:
            whole[path] = value
    changed = {name: replace(getattr(policy, name), **fields) for name, fields in sections.items()}
    return replace(policy, **whole, **changed)


def _message(message: InitialMessage) -> Message:
    requests = tuple(
        ToolRequest(request.tool_call, request.name, request.arguments) for request in message.tool_requests
    )
    return Message(message.role, message.text, requests, message.tool_call)
