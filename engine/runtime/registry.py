"""From an agent's settings to the objects that listen, think, speak and act for it.

Vendors' modules are imported only when an agent asks for them, so a missing library stops only the agents
that need it. A program that has providers or tools of its own passes them; nothing is loaded in their place.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.agent.model import Agent
from engine.agent.problems import closest
from engine.agent.providers import AUTOMATIC
from engine.audio.vad import VoiceActivity, open_vad
from engine.core.policy import Alternatives
from engine.core.tools import HANG_UP, SEND_DIGITS, TRANSFER
from engine.errors import EngineError
from engine.providers.contracts import LanguageModel, ToolSpec, Transcriber, Voice
from engine.providers.silero_model import find_model


@dataclass(frozen=True, slots=True)
class Providers:
    """Everything that a call with this agent talks to. One per agent, shared by its calls."""

    transcriber: Transcriber | None
    """None: the call hears keys and typed text only."""
    model: LanguageModel
    voice: Voice
    open_voice_activity: Callable[[], VoiceActivity]
    """Makes the frame-by-frame detector of one call."""
    confirms: bool
    """The Silero model is to confirm what the frame-by-frame detector notices."""
    other_transcribers: tuple[Transcriber, ...] = ()
    """Here and below: whom to ask when the one of choice fails, in order."""
    other_models: tuple[LanguageModel, ...] = ()
    other_voices: tuple[Voice, ...] = ()

    @property
    def transcribers(self) -> tuple[Transcriber, ...]:
        """The transcribers, that of choice first."""
        return () if self.transcriber is None else (self.transcriber, *self.other_transcribers)

    @property
    def models(self) -> tuple[LanguageModel, ...]:
        """The models, that of choice first."""
        return (self.model, *self.other_models)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices, that of choice first."""
        return (self.voice, *self.other_voices)

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
) -> Providers:
    """The providers that the agent names; a role that is passed takes the place of the agent's vendor.

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
    model = model or _model(agent)
    return Providers(
        transcriber=transcriber or _transcriber(agent, model),
        model=model,
        voice=voice or _voice(agent),
        open_voice_activity=detector,
        confirms=confirms,
    )


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


def _transcriber(agent: Agent, model: LanguageModel) -> Transcriber | None:
    if agent.transcriber.vendor == "none":
        return None
    grammar = _grammar(agent.transcriber.grammar, model)
    from engine.providers.stt.pocketsphinx import REJECT_BELOW, PocketsphinxTranscriber

    settings = agent.transcriber
    return PocketsphinxTranscriber(
        grammar=grammar,
        pronunciations=settings.pronunciations,
        reject_below=REJECT_BELOW if settings.reject_below is None else settings.reject_below,
    )


def _grammar(named: str, model: LanguageModel) -> str:
    """JSGF text: the model's own, or that of a file."""
    if named != AUTOMATIC:
        try:
            return Path(named).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EngineError(f"transcriber.grammar: {named} cannot be read: {error}") from None
    own: Callable[[], str] | None = getattr(model, "grammar", None)
    if own is None:
        raise EngineError(
            f"transcriber.grammar is '{AUTOMATIC}', which needs a playbook: name the path of a JSGF file"
        )
    return own()


def _model(agent: Agent) -> LanguageModel:
    if not agent.model.playbook:
        raise EngineError(
            "model.playbook is empty: name a playbook that comes with the engine, or the path of your own"
        )
    from engine.providers.llm.playbook import PlaybookModel

    try:
        playbook = PlaybookModel(agent.model.playbook)
    except EngineError as error:
        raise EngineError(f"model.playbook: {error}") from None
    missing = sorted(playbook.tools - {tool.name for tool in agent.tools})
    if missing:
        raise EngineError(f"model.playbook calls tools that the agent does not have: {', '.join(missing)}")
    return playbook


def _voice(agent: Agent) -> Voice:
    settings = agent.voice
    if settings.vendor == "flite":
        from engine.providers.tts.flite import FliteVoice

        chosen = {"voice": settings.voice} if settings.voice else {}
        return FliteVoice(**chosen, speed=settings.speed)
    from engine.providers.tts.espeak import EspeakVoice

    return EspeakVoice(agent.language, settings.speed, settings.voice or None, settings.pitch)


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
