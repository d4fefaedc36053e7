"""From an agent's settings to the vendors, by what their stand-ins receive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from engine.agent import Agent, effective
from engine.core.conversation import Message
from engine.core.events import VoiceDone, VoiceFailed
from engine.errors import EngineError
from engine.providers.contracts import LanguageModel
from engine.providers.stt.deepgram_account import DeepgramAccount
from engine.runtime.registry import build
from engine.settings import VendorSettings
from fixtures.deepgram import Deepgram
from fixtures.elevenlabs import ElevenLabs
from fixtures.openai import OpenAI
from fixtures.playht import PlayHT

pytest.importorskip("soxr")


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VendorSettings.__annotations__, "ENGINE_SETTINGS"):
        monkeypatch.delenv(name.upper(), raising=False)


def agent(**fields: Any) -> Agent:
    own = {"turns": {"voice_activity": "level"}, "model": {"vendor": "openai"}, "voice": {"vendor": "openai"}}
    return Agent.model_validate({"transcriber": {"vendor": "none"}, **own, **fields})


def settings(**fields: str) -> VendorSettings:
    return VendorSettings(**{"openai_api_key": "sk-x", **fields})


@pytest.fixture
async def deepgram() -> AsyncIterator[Deepgram]:
    async with Deepgram() as vendor:
        yield vendor


async def asked_of_deepgram(server: Deepgram, language: str = "en", **fields: Any) -> dict[str, list[str]]:
    """The query of the stream that a transcriber with these settings opens."""
    known = settings(deepgram_api_key=server.api_key, deepgram_base_url=server.url)
    spoken = agent(language=language, transcriber={"vendor": "deepgram", **fields})
    transcriber = build(spoken, settings=known).transcriber
    assert transcriber is not None
    stream = await transcriber.open()
    await stream.close()
    await transcriber.close()
    query: dict[str, list[str]] = {}
    for name, value in server.connections[-1].query:
        query.setdefault(name, []).append(value)
    return query


async def test_deepgrams_options(deepgram: Deepgram) -> None:
    query = await asked_of_deepgram(deepgram, "es-ES", model="nova-2", keywords=["Voyager:2", "Zoe"])
    assert (query["language"], query["keywords"]) == (["es"], ["Voyager:2", "Zoe"])
    query = await asked_of_deepgram(
        deepgram, keyterms=["Green Street"], endpointing=0.25, smart_format=True, mip_opt_out=True
    )
    assert (query["keyterm"], query["endpointing"]) == (["Green Street"], ["250"])
    assert (query["smart_format"], query["mip_opt_out"]) == (["true"], ["true"])
    assert "numerals" not in query


async def test_flux(deepgram: Deepgram) -> None:
    flux = {"vendor": "deepgram-flux", "eot_threshold": 0.8, "eot_timeout": 2.5, "keyterms": ["Zoe"]}
    query = await asked_of_deepgram(deepgram, **flux)
    assert (query["model"], query["keyterm"]) == (["flux-general-en"], ["Zoe"])
    assert (query["eot_threshold"], query["eot_timeout_ms"]) == (["0.8"], ["2500"])
    assert "language_hint" not in query
    query = await asked_of_deepgram(deepgram, "fr-CA", **flux, model="flux-general-multi")
    assert query["language_hint"] == ["fr"]
    query = await asked_of_deepgram(deepgram, "multi", **flux, model="flux-general-multi")
    assert "language_hint" not in query


async def reply_of(model: LanguageModel) -> None:
    """Have a model reply once."""
    generation = model.generate([Message("user", "Hello.")], ())
    async with aclosing(generation) as events:  # type: ignore[type-var]
        async for _ in events:
            pass
    await model.close()


async def test_openais_options() -> None:
    async with OpenAI() as vendor:
        known = settings(openai_api_key=vendor.api_key, openai_base_url=vendor.url)
        group = {"vendor": "openai", "model": "gpt-4o", "temperature": 0.0, "max_tokens": 300}
        await reply_of(build(agent(model=group), settings=known).model)
        group |= {"vendor": "openai-responses", "temperature": 1.5}
        await reply_of(build(agent(model=group), settings=known).model)
        thinking = {"vendor": "openai", "model": "gpt-5-mini", "reasoning_effort": "low", "max_tokens": 99}
        await reply_of(build(agent(model=thinking), settings=known).model)
        chat, response, reasoned = (request.body for request in vendor.requests)
        assert (chat["temperature"], chat["max_tokens"]) == (0.0, 300)
        assert (response["temperature"], response["max_output_tokens"]) == (1.5, 300)
        assert (reasoned["reasoning_effort"], reasoned["max_completion_tokens"]) == ("low", 99)
        assert "temperature" not in reasoned


async def test_openais_key_is_not_for_a_server_that_the_agent_names(monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAI(api_key="", models=["llama3.2"]) as server:
        known = settings(openai_api_key="sk-secret")
        group = {"vendor": "openai", "model": "llama3.2", "base_url": server.url}
        await reply_of(build(agent(model=group), settings=known).model)
        group["key_variable"] = "OWN_API_KEY"
        with pytest.raises(EngineError, match="OWN_API_KEY is not set, and model"):
            build(agent(model=group), settings=known)
        monkeypatch.setenv("OWN_API_KEY", "own-key")
        await reply_of(build(agent(model=group), settings=known).model)
        sent = [request.headers.get("authorization") for request in server.requests]
        assert sent == [None, "Bearer own-key"]


async def spoken(known: VendorSettings, language: str = "en", **fields: Any) -> None:
    """Have a voice say a word."""
    voice = build(agent(language=language, voice=fields), settings=known).voice
    stream = await voice.open()
    stream.say(1, 0, "Hi")
    async for event in stream:
        assert not isinstance(event, VoiceFailed), event
        if isinstance(event, VoiceDone):
            break
    await stream.close()
    await voice.close()


async def test_elevenlabs() -> None:
    async with ElevenLabs() as vendor:
        known = settings(elevenlabs_api_key=vendor.api_key, elevenlabs_base_url=vendor.url)
        await spoken(known, "de-CH", vendor="elevenlabs", voice="sam", speed=1.2, stability=0.0)
        asked = vendor.connections[-1]
        assert (asked.voice_id, asked.query["language_code"]) == ("yoZ06aMxZJJ28mfd3POQ", "de")
        assert asked.messages[0]["voice_settings"] == {"speed": 1.2, "stability": 0.0}


async def test_playht() -> None:
    async with PlayHT() as vendor:
        known = settings(
            playht_user_id=vendor.user_id, playht_api_key=vendor.api_key, playht_base_url=vendor.url
        )
        options = {"speed": 4.5, "style_guidance": 30.0, "temperature": 0.0, "text_guidance": 1.5}
        await spoken(known, vendor="playht", model="PlayHT2.0", **options)
        assert vendor.requests[-1].body.items() >= {**options, "voice_engine": "PlayHT2.0"}.items()


async def test_openais_voices() -> None:
    async with OpenAI() as vendor:
        known = settings(openai_api_key=vendor.api_key, openai_base_url=vendor.url)
        await spoken(known, vendor="openai", model="tts-1", speed=0.25)
        assert vendor.requests[-1].body.items() >= {"model": "tts-1", "speed": 0.25}.items()


KEYS = [
    (
        {"transcriber": {"vendor": "deepgram"}},
        "DEEPGRAM_API_KEY is not set, and transcriber.vendor 'deepgram'",
    ),
    ({"model": {"vendor": "openai-responses"}}, "OPENAI_API_KEY is not set, and model.vendor 'openai-respo"),
    ({"voice": {"vendor": "elevenlabs"}}, "ELEVENLABS_API_KEY is not set, and voice.vendor 'elevenlabs'"),
    ({"voice": {"vendor": "playht"}}, "PLAYHT_USER_ID is not set, and voice.vendor 'playht'"),
]


@pytest.mark.parametrize(("fields", "sentence"), KEYS)
def test_a_missing_key_is_told_at_the_start(fields: dict[str, Any], sentence: str) -> None:
    known = settings() if "model" not in fields else VendorSettings(openai_api_key="")
    with pytest.raises(EngineError) as refused:
        build(agent(**fields), settings=known)
    assert str(refused.value).startswith(sentence)


async def test_alternatives_are_made_in_their_order() -> None:
    wanted = agent(
        transcriber={"vendor": "deepgram", "alternatives": [{"vendor": "deepgram-flux"}]},
        model={"vendor": "openai", "alternatives": [{"vendor": "openai-responses"}, {"vendor": "openai"}]},
        voice={"vendor": "elevenlabs", "alternatives": [{"vendor": "playht"}]},
    )
    keys = {"deepgram_api_key": "d-key", "elevenlabs_api_key": "e-key", "playht_user_id": "p-id"}
    built = build(wanted, settings=settings(**keys, playht_api_key="p-key"))
    kinds = [
        [type(each).__name__ for each in role] for role in (built.transcribers, built.models, built.voices)
    ]
    assert kinds == [
        ["DeepgramTranscriber", "DeepgramFluxTranscriber"],
        ["OpenAIChatModel", "OpenAIResponsesModel", "OpenAIChatModel"],
        ["ElevenLabsVoice", "PlayHTVoice"],
    ]
    assert (built.alternatives.transcribers, built.alternatives.models, built.alternatives.voices) == (
        2,
        3,
        2,
    )
    shown = f"{built!r} {wanted!r} {effective(wanted)}"
    assert not any(key in shown for key in (*keys.values(), "p-key", "sk-x"))
    await asyncio.gather(*(each.close() for each in (*built.transcribers, *built.models, *built.voices)))


def test_a_grammar_may_come_from_a_playbook_by_name() -> None:
    pytest.importorskip("pocketsphinx")
    hears = {"vendor": "pocketsphinx", "grammar": "appointment_desk"}
    assert build(agent(transcriber=hears), settings=settings()).transcriber is not None
    with pytest.raises(EngineError, match=r"^transcriber\.grammar: .*nowhere"):
        build(agent(transcriber={**hears, "grammar": "nowhere"}), settings=settings())


@pytest.mark.parametrize("vendor", ["deepgram", "deepgram-flux"])
def test_a_transcriber_with_another_beside_it_is_given_up_sooner(vendor: str) -> None:
    known = settings(deepgram_api_key="key")
    alone = build(agent(transcriber={"vendor": vendor}), settings=known).transcriber
    group = {"vendor": vendor, "alternatives": [{"vendor": vendor}]}
    beside = build(agent(transcriber=group), settings=known).transcribers
    assert isinstance(alone, DeepgramAccount)
    for each in beside:
        assert isinstance(each, DeepgramAccount)
        assert each._patience_ms < alone._patience_ms
