"""A group's vendor, model, voice, language and options against the catalogue: a sentence for each problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.agent.problems import closest, either
from engine.agent.providers import (
    ModelVendor,
    Realtime,
    TranscriberVendor,
    VendorGroup,
    VoiceVendor,
    options_of,
)
from engine.catalogue import CATALOGUE, MODEL, Range
from engine.catalogue import Model as ListedModel
from engine.settings import VendorSettings

if TYPE_CHECKING:
    from engine.agent.model import Agent


EOT_THRESHOLD = 0.7
"""Flux's own, where an agent sets none."""


def vendor_problems(agent: Agent) -> Iterator[str]:
    """What does not fit in the three roles and their alternatives, or in the one that does for all three."""
    if agent.mode == "realtime":
        yield from _unused(agent)
        yield from group_problems(agent.realtime, agent.language, "realtime")
        return
    if agent.realtime != Realtime():
        yield "realtime is for mode 'realtime', and mode is 'pipeline': leave it out, or set mode"
    roles: tuple[tuple[str, VendorGroup, tuple[VendorGroup, ...]], ...] = (
        ("transcriber", agent.transcriber, agent.transcriber.alternatives),
        ("model", agent.model, agent.model.alternatives),
        ("voice", agent.voice, agent.voice.alternatives),
    )
    for role, group, alternatives in roles:
        yield from group_problems(group, agent.language, role)
        for index, other in enumerate(alternatives):
            yield from group_problems(other, agent.language, f"{role}.alternatives[{index}]")
    if agent.transcriber.vendor == "none" and agent.transcriber.alternatives:
        yield "transcriber.alternatives are never asked when transcriber.vendor is 'none': leave them out"
    for index, other in enumerate(agent.transcriber.alternatives):
        if other.vendor == "none":
            yield f"transcriber.alternatives[{index}].vendor must be one that hears, not 'none'"


def _unused(agent: Agent) -> Iterator[str]:
    """Vendors and options that a call whose model hears and speaks itself would never ask."""
    for group in (agent.transcriber, agent.model, agent.voice):
        own = ("vendor", "model", "language", "voice", "alternatives", *options_of(group))
        for name in (name for name in own if name in type(group).model_fields):
            if getattr(group, name) != type(group).model_fields[name].default:
                yield f"{group.role}.{name} is for mode 'pipeline', and mode is 'realtime': leave it out"


def group_problems(group: VendorGroup, language: str, path: str) -> Iterator[str]:
    """What does not fit in one group; ``language`` is the agent's."""
    model = model_of(group)
    if model is None:
        names = [listed.name for listed in group.listed.models]
        yield f"{path}.model {_unknown(group, group.model, names)}"
        return
    if isinstance(group, VoiceVendor | Realtime):
        yield from _voice(group, model, path)
    if isinstance(group, TranscriberVendor | VoiceVendor | Realtime):
        yield from _language(group, model, language, path)
    yield from _options(group, model, path)
    if isinstance(group, TranscriberVendor) and group.vendor == "deepgram-flux":
        yield from _flux(group, path)


def model_of(group: VendorGroup) -> ListedModel | None:
    """The catalogue's model of a group; one of any name where the group may have names of its own."""
    name = group.model
    found = group.listed.model(name)
    nameless = group.listed.models[0].name == ""
    if found is not None or nameless:
        return found
    if group.role == MODEL and (tuned := _fine_tuned(group, name)) is not None:
        return tuned
    return ListedModel(name) if group.unlisted or _own_server(group) else None


def _fine_tuned(group: VendorGroup, name: str) -> ListedModel | None:
    """The model under a fine-tuned one, which is called ``ft:gpt-4o-mini:owner::id``."""
    if not name.startswith("ft:") or name.count(":") < 2:
        return None
    return group.listed.model(name.split(":")[1])


def _own_server(group: VendorGroup) -> bool:
    """Whether a language model is on a server of the user's own, which has models that nobody knows here."""
    return isinstance(group, ModelVendor) and bool(group.base_url or VendorSettings.load().openai_base_url)


def _unknown(group: VendorGroup, name: str, known: list[str]) -> str:
    if known == [""]:
        return f"is not an option of '{group.vendor}': leave it out"
    hint = closest(name, known)
    told = f": did you mean '{hint}'?" if hint else " (with unlisted = true, any name is taken)"
    return f"must be {either(known)}, not {name!r}{told}"


def _voice(group: VoiceVendor | Realtime, model: ListedModel, path: str) -> Iterator[str]:
    voices = group.listed.voices
    if voices is None or not group.voice or group.unlisted:
        return
    had = [voice for voice in voices if model.voices is None or voice in model.voices]
    if group.voice not in had:
        yield f"{path}.voice {_unknown(group, group.voice, had)}"


def _language(
    group: TranscriberVendor | VoiceVendor | Realtime, model: ListedModel, language: str, path: str
) -> Iterator[str]:
    own = group.language
    wanted = own or language
    if model.tag(wanted) is not None:
        return
    field = f"{path}.language" if own else "language"
    does = "understand" if isinstance(group, TranscriberVendor) else "speak"
    vendor = group.vendor
    others = group.listed.speaking(wanted)
    if others:
        yield f"{field} '{wanted}' needs a {path}.model that {does}s it: {either(others)}, not '{model.name}'"
        return
    able = [
        name for name, other in CATALOGUE[group.role].items() if name != "none" and other.speaking(wanted)
    ]
    who = f"{path}.vendor must be {either([*able, *(['none'] if does == 'understand' else [])])}"
    yield f"{who} for {field} '{wanted}': '{vendor}' does not {does} it"


def _options(group: VendorGroup, model: ListedModel, path: str) -> Iterator[str]:
    vendor = group.vendor
    for name, value in options_of(group).items():
        if value == type(group).model_fields[name].default:
            continue
        if name not in group.listed.options:
            yield f"{path}.{name} is not an option of '{vendor}': leave it out"
        elif name in model.lacks:
            yield f"{path}.{name} is not an option of '{model.name}': leave it out"
        elif problem := _outside(group, name, value):
            yield f"{path}.{name} {problem}"


def _flux(group: TranscriberVendor, path: str) -> Iterator[str]:
    eager, over = group.eager_eot_threshold, group.eot_threshold or EOT_THRESHOLD
    if eager is not None and eager > over:
        yield f"{path}.eager_eot_threshold must be at most eot_threshold ({over:g}), not {eager:g}"


def _outside(group: VendorGroup, name: str, value: Any) -> str:
    """What an option must be, where it is not that."""
    limits = group.listed.options[name]
    if isinstance(limits, Range):
        if isinstance(value, tuple):
            told = f"must hold at most {limits.most:g} for '{group.vendor}', not {len(value)}"
            return "" if len(value) in limits else told
        seconds = " seconds" if name in ("endpointing", "eot_timeout") else ""
        return "" if value in limits else f"must be {limits}{seconds} for '{group.vendor}', not {value}"
    if isinstance(limits, tuple) and value not in limits:
        return f"must be {either(limits)}, not {value!r}"
    return ""
