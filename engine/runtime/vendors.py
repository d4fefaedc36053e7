"""Makes one transcriber, model or voice of one group of an agent's settings.

A vendor's module is imported only when an agent asks for it, so a missing library stops only the agents that
need it. What is made is not connected yet. All raise `EngineError` that names the setting or the variable at
fault, `MissingExtra` for a library that is not installed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.agent.providers import (
    AUTOMATIC,
    ModelVendor,
    Realtime,
    TranscriberVendor,
    VoiceVendor,
    options_of,
)
from engine.agent.vendor_checks import model_of
from engine.catalogue import MULTI, Model
from engine.errors import EngineError
from engine.providers.contracts import LanguageModel, RealtimeModel, Transcriber, Voice
from engine.settings import VendorSettings, key_problem

_PATIENCE_BESIDE_MS = 300
"""What Deepgram is given beyond its 700 ms where there is another vendor: with the time that the other one
and the reply take, the caller waits less than two seconds."""


def make_transcriber(
    group: TranscriberVendor,
    language: str,
    settings: VendorSettings,
    models: Sequence[LanguageModel],
    *,
    alone: bool = True,
) -> Transcriber | None:
    """The transcriber of ``group``; None for vendor 'none'.

    ``language`` is the agent's; ``models`` are those of the same agent, of which a playbook knows what
    callers may say. One that is not ``alone`` is given up sooner when it is slow: there is another to ask.
    """
    if group.vendor == "none":
        return None
    if group.vendor == "pocketsphinx":
        return _pocketsphinx(group, models)
    key = settings.needed("DEEPGRAM_API_KEY", f"transcriber.vendor '{group.vendor}'")
    options = _set(group) | settings.address("deepgram")
    if not alone:
        options["patience_ms"] = _PATIENCE_BESIDE_MS
    model, tag = _model_and_tag(group, group.language or language)
    if group.vendor == "deepgram-flux":
        from engine.providers.stt.deepgram_flux import DeepgramFluxTranscriber

        if (timeout := options.pop("eot_timeout", None)) is not None:
            options["eot_timeout_ms"] = round(timeout * 1000)
        if tag is not None and tag != MULTI:
            options["language_hints"] = (tag,)
        return DeepgramFluxTranscriber(key, model=model.name, **options)
    from engine.providers.stt.deepgram import DeepgramTranscriber

    if (endpointing := options.pop("endpointing", None)) is not None:
        options["endpointing_ms"] = round(endpointing * 1000)
    return DeepgramTranscriber(key, model=model.name, language=tag or language, **options)


def make_model(group: ModelVendor, settings: VendorSettings) -> LanguageModel:
    """The language model of ``group``."""
    if group.vendor == "playbook":
        return _playbook(group)
    options = _set(group)
    base_url, variable = options.pop("base_url", ""), options.pop("key_variable", "")
    if base_url:
        # OpenAI's key is not for whichever server an agent names.
        key = _environment(variable) if variable else ""
        options["base_url"] = base_url
    else:
        options |= settings.address("openai")
        key = _openai_key(settings, f"model.vendor '{group.vendor}'")
    name = group.model or group.listed.models[0].name
    if group.vendor == "openai-responses":
        from engine.providers.llm.openai_responses import OpenAIResponsesModel

        return OpenAIResponsesModel(key, model=name, **options)
    from engine.providers.llm.openai_chat import OpenAIChatModel

    return OpenAIChatModel(key, model=name, **options)


def make_voice(group: VoiceVendor, language: str, settings: VendorSettings) -> Voice:
    """The voice of ``group``; ``language`` is the agent's."""
    return _VOICES[group.vendor](group, group.language or language, settings)


def make_realtime(group: Realtime, language: str, settings: VendorSettings) -> RealtimeModel:
    """The model of ``group`` that hears and speaks itself; ``language`` is the agent's."""
    from engine.providers.realtime.openai import OpenAIRealtime

    key = _openai_key(settings, f"realtime.vendor '{group.vendor}'")
    model, tag = _model_and_tag(group, group.language or language)
    options = {"transcription_model": group.transcription_model} | _set(group) | settings.address("openai")
    told = None if tag is None or tag == MULTI else tag.split("-")[0]
    return OpenAIRealtime(key, model=model.name, voice=_name(group), language=told, **options)


# --- voices -------------------------------------------------------------------------------------------


def _espeak(group: VoiceVendor, language: str, settings: VendorSettings) -> Voice:
    from engine.providers.tts.espeak import EspeakVoice

    return EspeakVoice(language, group.speed, group.voice or None, group.pitch)


def _flite(group: VoiceVendor, language: str, settings: VendorSettings) -> Voice:
    from engine.providers.tts.flite import FliteVoice

    chosen = {"voice": group.voice} if group.voice else {}
    return FliteVoice(**chosen, speed=group.speed)


def _elevenlabs(group: VoiceVendor, language: str, settings: VendorSettings) -> Voice:
    from engine.providers.tts.elevenlabs import ElevenLabsVoice

    key = settings.needed("ELEVENLABS_API_KEY", "voice.vendor 'elevenlabs'")
    model, tag = _model_and_tag(group, language)
    options = _set(group) | settings.address("elevenlabs")
    return ElevenLabsVoice(key, voice_id=_name(group), model=model.name, language=tag, **options)


def _playht(group: VoiceVendor, language: str, settings: VendorSettings) -> Voice:
    from engine.providers.tts.playht import PlayHTVoice

    user = settings.needed("PLAYHT_USER_ID", "voice.vendor 'playht'")
    key = settings.needed("PLAYHT_API_KEY", "voice.vendor 'playht'")
    model, _ = _model_and_tag(group, language)
    options = _set(group) | settings.address("playht")
    return PlayHTVoice(user, key, voice=_name(group), model=model.name, **options)


def _openai(group: VoiceVendor, language: str, settings: VendorSettings) -> Voice:
    from engine.providers.tts.openai_speech import OpenAISpeechVoice

    key = _openai_key(settings, "voice.vendor 'openai'")
    model, _ = _model_and_tag(group, language)
    options = _set(group) | settings.address("openai")
    return OpenAISpeechVoice(key, voice=_name(group), model=model.name, **options)


_VOICES: dict[str, Callable[[VoiceVendor, str, VendorSettings], Voice]] = {
    "espeak": _espeak,
    "flite": _flite,
    "elevenlabs": _elevenlabs,
    "playht": _playht,
    "openai": _openai,
}


def _name(group: VoiceVendor | Realtime) -> str:
    return group.voice or (group.listed.voices or ("",))[0]


# --- on this machine ----------------------------------------------------------------------------------


def _pocketsphinx(group: TranscriberVendor, models: Sequence[LanguageModel]) -> Transcriber:
    grammar = _grammar(group.grammar, models)
    from engine.providers.stt.pocketsphinx import REJECT_BELOW, PocketsphinxTranscriber

    return PocketsphinxTranscriber(
        grammar=grammar,
        pronunciations=group.pronunciations,
        reject_below=REJECT_BELOW if group.reject_below is None else group.reject_below,
    )


def _grammar(named: str, models: Sequence[LanguageModel]) -> str:
    """JSGF text: that of a playbook, or of a file."""
    if named == AUTOMATIC:
        own: list[Callable[[], str]] = [model.grammar for model in models if hasattr(model, "grammar")]
        if not own:
            raise EngineError(
                f"transcriber.grammar is '{AUTOMATIC}', which needs a playbook: name one, or the path of a"
                " JSGF file"
            )
        return own[0]()
    if Path(named).suffix in ("", ".toml", ".yaml", ".yml"):
        from engine.providers.llm.playbook import PlaybookModel

        try:
            return PlaybookModel(named).grammar()
        except EngineError as error:
            raise EngineError(f"transcriber.grammar: {error}") from None
    try:
        return Path(named).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"transcriber.grammar: {named} cannot be read: {error}") from None


def _playbook(group: ModelVendor) -> LanguageModel:
    if not group.playbook:
        raise EngineError(
            "model.playbook is empty: name a playbook that comes with the engine, or the path of your own"
        )
    from engine.providers.llm.playbook import PlaybookModel

    try:
        return PlaybookModel(group.playbook)
    except EngineError as error:
        raise EngineError(f"model.playbook: {error}") from None


# --- what they share ----------------------------------------------------------------------------------


def _set(group: TranscriberVendor | ModelVendor | VoiceVendor | Realtime) -> dict[str, Any]:
    """The options of a hosted vendor that were set, by the names that its adapter shares with the agent."""
    fields = type(group).model_fields
    return {
        name: value
        for name, value in options_of(group).items()
        if name in group.listed.options and value != fields[name].default
    }


def _model_and_tag(
    group: TranscriberVendor | VoiceVendor | Realtime, language: str
) -> tuple[Model, str | None]:
    """The catalogue's model, and the tag that it is told of a language; None: it is told none."""
    model = model_of(group)
    if model is None:  # the agent was checked when it was made
        raise EngineError(f"{group.role}.model: there is no {group.model!r}")
    return model, model.tag(language) if model.told_language else None


def _openai_key(settings: VendorSettings, by: str) -> str:
    """OpenAI's key, without which only a server of the user's own may do."""
    if settings.openai_base_url:
        return settings.openai_api_key
    return settings.needed("OPENAI_API_KEY", by)


def _environment(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise EngineError(f"{variable} is not set, and model.key_variable names it")
    if problem := key_problem(value):
        raise EngineError(f"{variable} {problem}")
    return value
