"""Every value of the catalogue, from an agent to what the vendor's stand-in received over its socket.

And every value just outside: refused by its field's name when the agent is made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engine.agent import Agent, InvalidAgent
from engine.catalogue import CATALOGUE, Model, Range, Vendor
from engine.core.conversation import Message
from engine.core.events import VoiceDone, VoiceFailed
from engine.providers.tts import elevenlabs, playht
from engine.runtime.vendors import make_model, make_realtime, make_transcriber, make_voice
from engine.settings import VendorSettings
from fixtures.deepgram import Deepgram
from fixtures.elevenlabs import ElevenLabs
from fixtures.openai import OpenAI
from fixtures.openai_realtime import OpenAIRealtimeServer
from fixtures.playht import PlayHT
from tests.test_catalogue import CODES, TWENTY

pytest.importorskip("soxr")

Sent = dict[str, Any]
"""What a stand-in received: the names on the wire, and their values."""

WIRE = {
    ("transcriber", "deepgram"): {"keyterms": "keyterm"},
    ("transcriber", "deepgram-flux"): {"keyterms": "keyterm", "eot_timeout": "eot_timeout_ms"},
    ("model", "openai-responses"): {"max_tokens": "max_output_tokens"},
}
"""Options that go by another name on the wire than in the agent."""
MILLISECONDS = ("endpointing", "eot_timeout")
WORDS = ("keywords", "keyterms")
ELSEWHERE = ("base_url", "key_variable")
"""Options that are no value of a request."""


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VendorSettings.__annotations__, "ENGINE_SETTINGS"):
        monkeypatch.delenv(name.upper(), raising=False)


def made(role: str, vendor: str, spoken: str = "en", **fields: Any) -> Agent:
    """An agent with one vendor; the other roles take any language."""
    if role == "realtime":
        return Agent(mode="realtime", language=spoken, realtime={"vendor": vendor, **fields})
    others = {"transcriber": {"vendor": "none"}, "voice": {"vendor": "openai"}}
    return Agent.model_validate({**others, "language": spoken, role: {"vendor": vendor, **fields}})


@dataclass
class Bench:
    """The stand-in of one vendor in one role."""

    role: str
    vendor: str
    server: Any
    settings: VendorSettings

    @property
    def listed(self) -> Vendor:
        return CATALOGUE[self.role][self.vendor]

    async def sent(self, spoken: str = "en", **fields: Any) -> Sent:
        """What the stand-in receives of an agent with these fields."""
        agent = made(self.role, self.vendor, spoken, **fields)
        if self.role == "transcriber":
            return await self._heard(agent)
        if self.role == "realtime":
            return await self._conversed(agent)
        return await (self._thought(agent) if self.role == "model" else self._said(agent))

    async def _heard(self, agent: Agent) -> Sent:
        transcriber = make_transcriber(agent.transcriber, agent.language, self.settings, ())
        assert transcriber is not None
        stream = await transcriber.open()
        await stream.close()
        await transcriber.close()
        query: Sent = {}
        for name, value in self.server.connections[-1].query:
            query.setdefault(name, []).append(value)
        return query

    async def _conversed(self, agent: Agent) -> Sent:
        model = make_realtime(agent.realtime, agent.language, self.settings)
        line = model.line()
        stream = await line.transcriber.open()
        await stream.close()
        await line.close()
        await model.close()
        asked = self.server.connections[-1]
        (update,) = asked.of("session.update")
        session = update["session"]
        heard, said = session["audio"]["input"]["transcription"], session["audio"]["output"]
        (language,) = heard.get("languages", [heard.get("language")])
        return {
            "model": asked.model,
            "language": language,
            "voice": said["voice"],
            "speed": said.get("speed"),
            "max_tokens": session.get("max_output_tokens"),
            "transcription_model": heard["model"],
            "keywords": heard.get("keywords"),
        }

    async def _thought(self, agent: Agent) -> Sent:
        model = make_model(agent.model, self.settings)
        async with aclosing(model.generate([Message("user", "Hello.")], ())) as events:  # type: ignore[type-var]
            async for _ in events:
                pass
        await model.close()
        body: Sent = self.server.requests[-1].body
        return {**body, "reasoning_effort": body.get("reasoning", {}).get("effort")} | body

    async def _said(self, agent: Agent) -> Sent:
        voice = make_voice(agent.voice, agent.language, self.settings)
        stream = await voice.open()
        stream.say(1, 0, "Hi")
        async for event in stream:
            assert not isinstance(event, VoiceFailed), event
            if isinstance(event, VoiceDone):
                break
        await stream.close()
        await voice.close()
        if self.vendor == "elevenlabs":
            asked = self.server.connections[-1]
            return {**asked.query, **asked.messages[0]["voice_settings"], "voice": asked.voice_id}
        return dict(self.server.requests[-1].body)

    def refused(self, field: str, spoken: str = "en", **fields: Any) -> str:
        """The one problem of an agent with these fields, which begins with the field's path."""
        with pytest.raises(InvalidAgent) as refused:
            made(self.role, self.vendor, spoken, **fields)
        (problem,) = refused.value.problems
        assert problem.startswith(f"{field} "), problem
        return problem

    def model_with(self, option: str) -> dict[str, str]:
        """A model that has the option."""
        return {"model": next(model.name for model in self.listed.models if option not in model.lacks)}


HOSTED = [
    (role, name) for role, vendors in CATALOGUE.items() for name, vendor in vendors.items() if vendor.hosted
]


@pytest.fixture(params=HOSTED, ids=lambda pair: f"{pair[0]}-{pair[1]}")
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    role, vendor = request.param
    names = [model.name for model in CATALOGUE[role][vendor].models]
    kinds = {
        "deepgram": Deepgram,
        "deepgram-flux": Deepgram,
        "elevenlabs": ElevenLabs,
        "playht": PlayHT,
        "openai": lambda: OpenAI(models=names),
        "openai-responses": lambda: OpenAI(models=names),
        "realtime": lambda: OpenAIRealtimeServer(models=names),
    }
    name = vendor.partition("-")[0]
    async with kinds[role if role == "realtime" else vendor]() as server:
        fields = {f"{name}_api_key": server.api_key, f"{name}_base_url": server.url}
        user = {"playht_user_id": server.user_id} if name == "playht" else {}
        yield Bench(role, vendor, server, VendorSettings(**fields, **user))


async def test_every_model(bench: Bench) -> None:
    name = {"elevenlabs": "model_id", "playht": "voice_engine"}.get(bench.vendor, "model")
    for model in bench.listed.models:
        sent = await bench.sent(model=model.name)
        assert sent[name] in (model.name, [model.name])
    outside = bench.listed.models[-1].name + "-0"
    assert f"not '{outside}'" in bench.refused(f"{bench.role}.model", model=outside)


def languages(model: Model) -> Iterator[str]:
    """What it is said to take, and those that phone platforms offer and it takes under a shorter tag."""
    yield from sorted(model.languages or ("en", "vi", "multi"))
    if model.languages is not None:
        yield from (code for code in (*CODES, *TWENTY, "es-ES", "en-ZA") if model.tag(code) is not None)


async def test_every_language(bench: Bench) -> None:
    if bench.role == "model":
        pytest.skip("a model is told no language")
    name = {"deepgram-flux": "language_hint", "elevenlabs": "language_code"}.get(bench.vendor, "language")
    regions = bench.vendor == "deepgram"
    for model in bench.listed.models if bench.vendor != "deepgram" else bench.listed.models[:6]:
        for code in languages(model):
            sent = await bench.sent(code, model=model.name)
            tag = model.tag(code) if regions else code.partition("-")[0]
            told = model.told_language and (regions or code != "multi")
            assert sent.get(name) in (([tag], tag) if told else (None,)), (model.name, code)
    for code in (*CODES, *TWENTY):
        if not bench.listed.speaking(code):
            bench.refused(f"{bench.role}.vendor", code)
    bench.refused("language", "en-" + "x" * 14)
    bench.refused("language", "gd")


async def test_every_language_of_the_phone_platforms_is_heard_and_spoken(bench: Bench) -> None:
    """All of them reach Deepgram under their own names; a voice that speaks them all is always there."""
    if bench.vendor == "deepgram":
        for code in {*CODES, *TWENTY}:
            assert (await bench.sent(code))["language"] == [code]
    for code in {*CODES, *TWENTY}:
        made("voice", "espeak", code)
        made("voice", "openai", code)


async def test_every_voice(bench: Bench) -> None:
    if bench.role not in ("voice", "realtime"):
        pytest.skip("speaks not")
    ids = {"elevenlabs": elevenlabs.VOICES, "playht": playht.VOICES}.get(bench.vendor, {})
    for voice in bench.listed.voices or ():
        assert (await bench.sent(voice=voice))["voice"] == ids.get(voice, voice)
    some = (bench.listed.voices or ("",))[0]
    for outside in (some + "x", some[:-1], "nobody"):
        assert f"not '{outside}'" in bench.refused(f"{bench.role}.voice", voice=outside)


def values(name: str, limits: Any) -> tuple[list[Any], list[Any]]:
    """Values at an option's bounds and between them, and values just outside."""
    if isinstance(limits, tuple):
        return list(limits), ["most"]
    if not isinstance(limits, Range):
        return (["Slowly."], []) if name == "instructions" else ([True], [])
    if name in WORDS:
        return [["Voyager"], [f"word{n}" for n in range(100)]], [["word"] * 101]
    kind, step = (int, 1) if name == "max_tokens" else (float, 0.01)
    least, most = limits.least, 4096 if limits.most is None else limits.most
    inside = [kind(least + (step if limits.above else 0)), kind((least + most) / 2), kind(most)]
    outside = [kind(least if limits.above else least - step)]
    return inside, outside if limits.most is None else [*outside, kind(most + step)]


async def test_every_option(bench: Bench) -> None:
    names = WIRE.get((bench.role, bench.vendor), {})
    for option, limits in bench.listed.options.items():
        if option in ELSEWHERE:
            continue
        inside, outside = values(option, limits)
        fields = bench.model_with(option) | ({"eot_threshold": 1.0} if option.startswith("eager") else {})
        for value in inside:
            sent = (await bench.sent(**{**fields, option: value}))[names.get(option, option)]
            assert sent == on_the_wire(bench, option, value), (option, value)
        for value in outside:
            bench.refused(f"{bench.role}.{option}", **{**fields, option: value})
        for lacking in (model.name for model in bench.listed.models if option in model.lacks):
            bench.refused(f"{bench.role}.{option}", model=lacking, **{option: inside[0]})


def on_the_wire(bench: Bench, option: str, value: Any) -> Any:
    """How a value of an option stands in a request."""
    if option in MILLISECONDS:
        value = round(value * 1000)
    if bench.vendor == "playht" and option == "speed":
        value = max(value, playht.SLOWEST)
    if bench.role != "transcriber":
        return value
    if isinstance(value, list):
        return value
    return ["true" if value is True else str(value)]


async def test_what_is_not_set_is_not_sent(bench: Bench) -> None:
    """A null in a file is the same as nothing."""
    options = [option for option in bench.listed.options if option not in ELSEWHERE]
    usual = {"endpointing", "eager_eot_threshold", "eot_threshold", "eot_timeout", "speed"}
    usual.add("transcription_model")
    nulls: dict[str, Any] = {
        option: None
        for option in options
        if type(getattr(getattr(made(bench.role, bench.vendor), bench.role), option)) is type(None)
    }
    sent = await bench.sent(**nulls)
    names = WIRE.get((bench.role, bench.vendor), {})
    for option in set(options) - usual:
        assert sent.get(names.get(option, option)) is None, option
    if bench.vendor == "playht":
        assert {"style_guidance", "temperature", "text_guidance"} <= set(nulls)


async def test_reasoning_models_take_their_own_name_of_the_limit(bench: Bench) -> None:
    if bench.vendor != "openai" or bench.role != "model":
        pytest.skip("has one name for it")
    for model in bench.listed.models:
        limits = {
            name: value
            for name, value in (await bench.sent(model=model.name, max_tokens=300)).items()
            if "tokens" in name
        }
        reasons = "temperature" in model.lacks
        new = reasons or model.name.startswith("gpt-5")
        assert limits == {"max_completion_tokens" if new else "max_tokens": 300}, model.name


async def test_a_newer_model_is_one_line_of_the_catalogue(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the options and the language that the newest one of its kind has."""
    like = {"deepgram-flux": "flux-general-multi", "openai-responses": "gpt-5.1"}.get(bench.vendor, "")
    known = bench.listed.model("gpt-5.1" if (bench.role, bench.vendor) == ("model", "openai") else like)
    assert known is not None
    name = {"deepgram": "nova-4", "deepgram-flux": "flux-next-multi"}.get(bench.vendor, "gpt-9")
    bench.refused(f"{bench.role}.model", model=name)
    newer = replace(bench.listed, models=(*bench.listed.models, replace(known, name=name)))
    monkeypatch.setitem(CATALOGUE[bench.role], bench.vendor, newer)  # type: ignore[arg-type]
    if isinstance(bench.server, OpenAI | OpenAIRealtimeServer):
        bench.server.models = [name]
    fields = {"transcriber": {"keyterms": ["Zoe"]}, "model": {"max_tokens": 300}}.get(bench.role, {})
    sent = await bench.sent(model=name, **fields)
    assert name in sent.values() or [name] in sent.values()
    assert 300 in sent.values() if bench.role == "model" else True
    assert sent["keyterm"] == ["Zoe"] if bench.role == "transcriber" else True
