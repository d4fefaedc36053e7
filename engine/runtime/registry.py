"""From an agent's settings to the objects that listen, think, speak and act for it.

A program that has providers or tools of its own passes them; nothing is loaded in their place.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engine.agent.model import Agent
from engine.agent.problems import closest
from engine.agent.providers import ModelVendor, VendorGroup
from engine.audio.vad import VoiceActivity, open_vad
from engine.catalogue import MODEL, TRANSCRIBER, VOICE
from engine.core.policy import Alternatives
from engine.core.tools import HANG_UP, SEND_DIGITS, TRANSFER
from engine.errors import EngineError
from engine.providers.contracts import LanguageModel, RealtimeModel, ToolSpec, Transcriber, Voice
from engine.providers.silero_model import find_model
from engine.runtime.vendors import make_model, make_realtime, make_transcriber, make_voice
from engine.settings import VendorSettings


@dataclass(frozen=True, slots=True)
class Providers:
    """Everything that a call with this agent talks to. One per agent, shared by its calls."""

    transcriber: Transcriber | None
    """None: the call hears keys and typed text only."""
    model: LanguageModel | None
    voice: Voice | None
    open_voice_activity: Callable[[], VoiceActivity]
    """Makes the frame-by-frame detector of one call."""
    confirms: bool
    """The Silero model is to confirm what the frame-by-frame detector notices."""
    other_transcribers: tuple[Transcriber, ...] = ()
    """Here and below: whom to ask when the one of choice fails, in order."""
    other_models: tuple[LanguageModel, ...] = ()
    other_voices: tuple[Voice, ...] = ()
    realtime: RealtimeModel | None = None
    """One that hears, thinks and speaks itself, instead of all of those."""
    named: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Vendor and model of those that the agent named, by role."""

    @property
    def transcribers(self) -> tuple[Transcriber, ...]:
        """The transcribers, that of choice first."""
        return () if self.transcriber is None else (self.transcriber, *self.other_transcribers)

    @property
    def models(self) -> tuple[LanguageModel, ...]:
        """The models, that of choice first."""
        return () if self.model is None else (self.model, *self.other_models)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices, that of choice first."""
        return () if self.voice is None else (self.voice, *self.other_voices)

    @property
    def names(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Vendor and model of each, by role, in order; of one that a program passed, its class."""
        roles = {TRANSCRIBER: self.transcribers, MODEL: self.models, VOICE: self.voices}
        passed = {role: tuple((type(each).__name__, "") for each in made) for role, made in roles.items()}
        return {**passed, **self.named}

    @property
    def alternatives(self) -> Alternatives:
        """How many there are of each."""
        return Alternatives(len(self.transcribers), len(self.models), len(self.voices))


def build(
    agent: Agent,
    *,
    transcriber: Transcriber | None = None,
    model: LanguageModel | None = None,
    voice: Voice | None = None,
    settings: VendorSettings | None = None,
) -> Providers:
    """The providers that the agent names; a role that is passed takes the place of the agent's vendors.

    ``settings`` are the vendors' keys and addresses; None: those of this process.

    Loads libraries and reads files, so it is done before the first call. Raises `EngineError` that names
    the setting at fault, `MissingExtra` for a library that is not installed.
    """
    confirms = agent.turns.voice_activity == "silero"
    if confirms and find_model() is None:
        raise EngineError(
            "turns.voice_activity is 'silero', and its model is not here:"
            " pip install --no-deps silero-vad brings it"
        )
    detector = partial(open_vad, "webrtc" if confirms else agent.turns.voice_activity)
    detector()  # a missing library is told here, not on the first call
    settings = VendorSettings.load() if settings is None else settings
    if agent.mode == "realtime" and not (transcriber or model or voice):
        realtime = make_realtime(agent.realtime, agent.language, settings)
        speaks = _name(agent.realtime)
        writes = (agent.realtime.vendor, agent.realtime.transcription_model)
        named = {TRANSCRIBER: (writes,), MODEL: (speaks,), VOICE: (speaks,)}
        return Providers(None, None, None, detector, confirms, realtime=realtime, named=named)
    models = (
        [model]
        if model
        else [_model(agent, group, settings) for group in (agent.model, *agent.model.alternatives)]
    )
    voices = (
        [voice]
        if voice
        else [
            make_voice(group, agent.language, settings) for group in (agent.voice, *agent.voice.alternatives)
        ]
    )
    heard_by = (
        [transcriber]
        if transcriber
        else [
            make_transcriber(
                group, agent.language, settings, models, alone=not agent.transcriber.alternatives
            )
            for group in (agent.transcriber, *agent.transcriber.alternatives)
        ]
    )
    return Providers(
        transcriber=heard_by[0],
        model=models[0],
        voice=voices[0],
        open_voice_activity=detector,
        confirms=confirms,
        other_transcribers=tuple(filter(None, heard_by[1:])),
        other_models=tuple(models[1:]),
        other_voices=tuple(voices[1:]),
        named={
            group.role: tuple(_name(each) for each in (group, *group.alternatives))
            for group, given in ((agent.transcriber, transcriber), (agent.model, model), (agent.voice, voice))
            if given is None
        },
    )


def _name(group: VendorGroup) -> tuple[str, str]:
    return group.vendor, group.model or group.listed.models[0].name


def load_tools(
    agent: Agent, given: Mapping[str, Callable[..., Any]] | None = None
) -> dict[str, Callable[..., Any]]:
    """The functions of the agent's tools by tool name: those in ``given`` first, else their handlers.

    Raises `EngineError` with a line for each tool whose function cannot be had.
    """
    functions: dict[str, Callable[..., Any]] = {}
    problems: list[str] = []
    for tool in agent.tools:
        try:
            functions[tool.name] = (given or {}).get(tool.name) or _import(tool.handler)
        except EngineError as error:
            problems.append(f"the handler of tool '{tool.name}' {error}")
    if problems:
        raise EngineError("\n".join(problems))
    return functions


def tool_specs(agent: Agent) -> tuple[ToolSpec, ...]:
    """What the model is told of: the agent's own tools, then the built-in ones that this agent can use."""
    own = tuple(ToolSpec(tool.name, tool.description, tool.parameters) for tool in agent.tools)
    return own + tuple(spec for spec in _BUILT_IN if spec.name != TRANSFER or agent.handoff.target)


_BUILT_IN = (
    ToolSpec(HANG_UP, "End the call, after a goodbye, when the caller is done or asks to."),
    ToolSpec(TRANSFER, "Put the caller through to a person, when asked to or when you cannot help."),
    ToolSpec(
        SEND_DIGITS,
        "Press keys of the telephone, as in the menu of another company.",
        {
            "type": "object",
            "properties": {
                "digits": {"type": "string", "description": "0-9, * and #; w waits half a second"}
            },
            "required": ["digits"],
        },
    ),
)


def _model(agent: Agent, group: ModelVendor, settings: VendorSettings) -> LanguageModel:
    """The language model of a group; a playbook must find its tools."""
    model = make_model(group, settings)
    missing = sorted(getattr(model, "tools", frozenset()) - {tool.name for tool in agent.tools})
    if missing:
        raise EngineError(f"model.playbook calls tools that the agent does not have: {', '.join(missing)}")
    return model


def _import(handler: str) -> Callable[..., Any]:
    """The function at ``package.module:function``; `EngineError` ends a sentence about the handler."""
    if not handler:
        raise EngineError("is empty: name 'package.module:function', or pass the function by the tool's name")
    path, _, name = handler.partition(":")
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name and (path == error.name or path.startswith(f"{error.name}.")):
            raise EngineError(f"names the module '{path}', and there is no '{error.name}'") from None
        raise EngineError(f"names '{path}', which needs a module that is missing: {error.name}") from error
    except Exception as error:
        raise EngineError(
            f"names '{path}', which fails on import: {type(error).__name__}: {error}"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        hint = closest(name, [known for known in vars(module) if callable(getattr(module, known))])
        told = f": did you mean '{hint}'?" if hint else ""
        raise EngineError(f"names '{name}', which is no function of '{path}'{told}")
    result: Callable[..., Any] = function
    return result
