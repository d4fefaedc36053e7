"""Does a vendor work? Each is connected to and asked for one thing, as a call would ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from engine.agent import Agent
from engine.agent.providers import ModelVendor, Realtime, TranscriberVendor, VendorGroup, VoiceVendor
from engine.audio.mulaw import silence
from engine.catalogue import CATALOGUE, MODEL, REALTIME, TRANSCRIBER, VOICE
from engine.core.conversation import Message
from engine.core.events import FinalWords, VoiceAudio, VoiceFailed
from engine.errors import EngineError
from engine.providers.contracts import (
    AudioDelta,
    LanguageModel,
    ProviderError,
    RealtimeLine,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
    Transcriber,
    TranscriberStream,
    Voice,
)
from engine.runtime.registry import tool_specs
from engine.runtime.vendors import make_model, make_realtime, make_transcriber, make_voice
from engine.settings import VendorSettings

WITHIN_S = 10.0
"""Seconds that a vendor has for its first result."""

_FRAME_MS = 20
_HEARD_MS = 600
"""Silence that a transcriber is given before it is asked for final words."""

_GREETING = (Message("system", "Answer with one word."), Message("user", "Hello."))

_KEYS = {
    "deepgram": ("DEEPGRAM_API_KEY",),
    "deepgram-flux": ("DEEPGRAM_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openai-responses": ("OPENAI_API_KEY",),
    "elevenlabs": ("ELEVENLABS_API_KEY",),
    "playht": ("PLAYHT_USER_ID", "PLAYHT_API_KEY"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of the check of one vendor in one role."""

    role: str
    vendor: str
    name: str
    """Its model, and voice."""
    works: bool | None
    """None: it is not configured, so it was not asked."""
    why: str = ""
    """Why it does not work, or is not configured."""
    first_ms: int | None = None
    """From connecting to the first result, ms."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A vendor to be checked."""

    group: VendorGroup
    check: Callable[[], Awaitable[None]]


async def check_agent(agent: Agent, settings: VendorSettings) -> list[Finding]:
    """Check all vendors that an agent names, its alternatives too; all at once, in the agent's order."""
    if agent.mode == "realtime":
        return [await _find(_realtime(agent.realtime, agent.language, settings, tool_specs(agent)))]
    models = (agent.model, *agent.model.alternatives)
    voices = (agent.voice, *agent.voice.alternatives)
    hearing = [
        group for group in (agent.transcriber, *agent.transcriber.alternatives) if group.vendor != "none"
    ]
    tools = tool_specs(agent)
    candidates = [
        *(_transcriber(group, agent.language, settings, models) for group in hearing),
        *(_model(group, settings, tools) for group in models),
        *(_voice(group, agent.language, settings) for group in voices),
    ]
    return list(await asyncio.gather(*map(_find, candidates)))


async def check_configured(settings: VendorSettings) -> list[Finding]:
    """Check the usual model and voice of every hosted vendor that has its keys."""
    return list(await asyncio.gather(*_hosted(settings)))


def _hosted(settings: VendorSettings) -> Iterator[Awaitable[Finding]]:
    for role, vendors in CATALOGUE.items():
        for vendor in (name for name, listed in vendors.items() if listed.hosted):
            candidate = _usual(role, vendor, settings)
            missing = [key for key in _KEYS[vendor] if not getattr(settings, key.lower())]
            if missing and not (vendor.startswith("openai") and settings.openai_base_url):
                yield _not_configured(candidate.group, missing)
            else:
                yield _find(candidate)


def _usual(role: str, vendor: str, settings: VendorSettings) -> _Candidate:
    if role == TRANSCRIBER:
        return _transcriber(TranscriberVendor(vendor=vendor), "en", settings, ())
    if role == MODEL:
        return _model(ModelVendor(vendor=vendor), settings, ())
    if role == VOICE:
        return _voice(VoiceVendor(vendor=vendor), "en", settings)
    assert role == REALTIME
    return _realtime(Realtime(vendor=vendor), "en", settings, ())


async def _not_configured(group: VendorGroup, missing: Sequence[str]) -> Finding:
    why = f"not configured: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
    return replace(_finding(group), works=None, why=why)


async def _find(candidate: _Candidate) -> Finding:
    """Run a check; whatever goes wrong is a finding."""
    finding = _finding(candidate.group)
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(WITHIN_S):
            await candidate.check()
    except TimeoutError:
        return replace(finding, why=f"gave nothing within {WITHIN_S:g} s")
    except ProviderError as error:
        return replace(finding, why=error.reason)
    except EngineError as error:
        return replace(finding, why=str(error))
    except Exception as error:  # a bug of an adapter; its text may hold what nobody should see
        return replace(finding, why=f"failed in an unforeseen way ({type(error).__name__})")
    return replace(finding, works=True, first_ms=round((loop.time() - began) * 1000))


def _finding(group: VendorGroup) -> Finding:
    names = [group.model or group.listed.models[0].name]
    if isinstance(group, VoiceVendor | Realtime):
        names.append(group.voice or (group.listed.voices or ("",))[0])
    elif isinstance(group, ModelVendor):
        names.append(group.playbook)
    return Finding(group.role, group.vendor, " ".join(filter(None, names)), False)


# --- what each role is asked for ------------------------------------------------------------------------


def _transcriber(
    group: TranscriberVendor, language: str, settings: VendorSettings, models: Sequence[ModelVendor]
) -> _Candidate:
    async def check() -> None:
        playbooks = [make_model(each, settings) for each in models if each.vendor == "playbook"]
        transcriber = make_transcriber(group, language, settings, playbooks)
        assert transcriber is not None, "'none' is not checked"
        try:
            await _hear(transcriber)
        finally:
            await transcriber.close()

    return _Candidate(group, check)


async def _hear(transcriber: Transcriber) -> None:
    """Give a transcriber silence until it answers a flush with final words, which are none."""
    stream = await transcriber.open()
    feeding = asyncio.create_task(_feed(stream))
    try:
        async for event in stream:
            if isinstance(event, FinalWords):
                return
        raise ProviderError("ended without an answer")
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await stream.close()


async def _feed(stream: TranscriberStream) -> None:
    """Silence in real time, as a telephone sends it."""
    for _ in range(_HEARD_MS // _FRAME_MS):
        stream.feed(silence(_FRAME_MS))
    stream.flush()
    while True:
        await asyncio.sleep(_FRAME_MS / 1000)
        stream.feed(silence(_FRAME_MS))


def _model(group: ModelVendor, settings: VendorSettings, tools: Sequence[ToolSpec]) -> _Candidate:
    async def check() -> None:
        model = make_model(group, settings)
        try:
            await _think(model, tools)
        finally:
            await model.close()

    return _Candidate(group, check)


async def _think(model: LanguageModel, tools: Sequence[ToolSpec]) -> None:
    """Have a model begin a reply, with the agent's tools, so that a tool it refuses is seen too."""
    generation = model.generate(_GREETING, tools)
    async with aclosing(generation) as events:  # type: ignore[type-var]  # adapters are generators
        async for event in events:
            if isinstance(event, TextDelta | ToolCallDelta):
                return
    raise ProviderError("ended without a word")


def _realtime(
    group: Realtime, language: str, settings: VendorSettings, tools: Sequence[ToolSpec]
) -> _Candidate:
    async def check() -> None:
        model = make_realtime(group, language, settings)
        line = model.line()
        try:
            stream = await line.transcriber.open()
            await _converse(line, tools)
            await stream.close()
        finally:
            await line.close()
            await model.close()

    return _Candidate(group, check)


async def _converse(line: RealtimeLine, tools: Sequence[ToolSpec]) -> None:
    """Have a model that speaks itself begin a reply."""
    generation = line.respond(1, _GREETING, tools)
    async with aclosing(generation) as deltas:  # type: ignore[type-var]  # adapters are generators
        async for delta in deltas:
            if isinstance(delta, AudioDelta):
                return
    raise ProviderError("ended without a sound")


def _voice(group: VoiceVendor, language: str, settings: VendorSettings) -> _Candidate:
    async def check() -> None:
        voice = make_voice(group, language, settings)
        try:
            await _speak(voice)
        finally:
            await voice.close()

    return _Candidate(group, check)


async def _speak(voice: Voice) -> None:
    """Have a voice begin a word."""
    stream = await voice.open()
    try:
        stream.say(1, 0, "Hello.")
        async for event in stream:
            if isinstance(event, VoiceAudio):
                return
            if isinstance(event, VoiceFailed):
                raise ProviderError(event.reason)
        raise ProviderError("ended without a sound")
    finally:
        await stream.close()
