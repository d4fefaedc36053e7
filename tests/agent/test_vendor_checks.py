"""Every value of the catalogue is taken, everything outside it is refused by the field's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.agent import Agent, InvalidAgent, effective
from engine.catalogue import CATALOGUE, Range

ROLES = ("transcriber", "model", "voice")
VENDORS = [(role, vendor) for role in ROLES for vendor in CATALOGUE[role]]
KINDS = {
    "grammar": "a.gram",
    "reject_below": -2.0,
    "pronunciations": {"zoe": "Z OW IY"},
    "playbook": "desk",
    "base_url": "http://127.0.0.1:8000/v1",
    "key_variable": "OWN_API_KEY",
    "instructions": "Whisper.",
}
"""A value of each option that may be anything of its kind; the others are switches."""


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_BASE_URL", "ENGINE_SETTINGS"):
        monkeypatch.delenv(name, raising=False)


def made(role: str, vendor: str, spoken: str = "en", **fields: Any) -> Agent:
    """An agent with one vendor; the other roles take any language."""
    others = {"transcriber": {"vendor": "none"}, "voice": {"vendor": "openai"}}
    return Agent.model_validate({**others, "language": spoken, role: {"vendor": vendor, **fields}})


def refusal(role: str, vendor: str, spoken: str = "en", **fields: Any) -> str:
    with pytest.raises(InvalidAgent) as refused:
        made(role, vendor, spoken, **fields)
    (problem,) = refused.value.problems
    return problem


def combinations() -> Iterator[tuple[str, str, str, str]]:
    for role, vendor in VENDORS:
        for model in CATALOGUE[role][vendor].models:
            for language in model.languages or ("en",):
                yield role, vendor, model.name, language


@pytest.mark.parametrize(("role", "vendor", "model", "language"), list(combinations()))
def test_every_model_is_taken_in_every_language_of_its(
    role: str, vendor: str, model: str, language: str
) -> None:
    fields = {"model": model} if model else {}
    agent = made(role, vendor, language, **fields)
    assert effective(agent)[role]["model"] == model


@pytest.mark.parametrize(("role", "vendor"), VENDORS)
def test_a_model_outside_is_refused(role: str, vendor: str) -> None:
    problem = refusal(role, vendor, model="nova-9")
    assert problem.startswith(f"{role}.model ")
    listed = CATALOGUE[role][vendor].models
    assert (f"'{listed[-1].name}', not 'nova-9'" if listed[0].name else "is not an option") in problem


@pytest.mark.parametrize(
    ("vendor", "voice"),
    [(name, voice) for name, vendor in CATALOGUE["voice"].items() for voice in vendor.voices or ()],
)
def test_every_voice_is_taken(vendor: str, voice: str) -> None:
    assert effective(made("voice", vendor, voice=voice))["voice"]["voice"] == voice


@pytest.mark.parametrize("vendor", ["elevenlabs", "playht", "openai"])
def test_a_voice_outside_is_refused(vendor: str) -> None:
    voices = CATALOGUE["voice"][vendor].voices or ()
    problem = refusal("voice", vendor, voice=voices[0][:-1])
    assert problem.startswith("voice.voice must be ")
    assert problem.endswith(f"did you mean '{voices[0]}'?")
    assert refusal("voice", vendor, voice="-").startswith("voice.voice must be ")


def test_names_of_ones_own_are_taken_when_they_are_said_to_be() -> None:
    assert made("voice", "elevenlabs", voice="mine", model="newest", unlisted=True).voice.voice == "mine"
    assert made("transcriber", "deepgram", model="mine", unlisted=True).transcriber.model == "mine"
    assert made("model", "openai", model="ft:gpt-4o-mini:me::1").model.model == "ft:gpt-4o-mini:me::1"
    assert "model.model" in refusal("model", "openai", model="ft:gpt-9:me::1")


def test_a_server_of_ones_own_has_any_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal("model", "openai", model="llama3.2").startswith("model.model must be ")
    assert made("model", "openai", model="llama3.2", base_url="http://localhost:11434/v1").model.base_url
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:11434/v1")
    assert made("model", "openai", model="llama3.2").model.model == "llama3.2"
    assert refusal("voice", "openai", model="llama3.2").startswith("voice.model must be ")


def test_an_address_must_be_one() -> None:
    problem = refusal("model", "openai", base_url="localhost:8000/v1")
    assert problem == "model.base_url must begin with http:// or https:// and name a host"


LANGUAGES = [
    ("transcriber", "deepgram", "nova-2-phonecall", "fr", "language 'fr' needs a transcriber.model that"),
    (
        "transcriber",
        "deepgram-flux",
        "",
        "fr",
        "that understands it: 'flux-general-multi', not 'flux-general",
    ),
    ("transcriber", "pocketsphinx", "", "multi", "transcriber.vendor must be 'deepgram', 'deepgram-flux' or"),
    ("voice", "elevenlabs", "eleven_flash_v2", "fr", "language 'fr' needs a voice.model that speaks it: "),
    ("voice", "elevenlabs", "", "th", "voice.vendor must be 'espeak' or 'openai' for language 'th'"),
    ("voice", "playht", "", "de", "for language 'de': 'playht' does not speak it"),
    ("voice", "flite", "", "multi", "for language 'multi': 'flite' does not speak it"),
]


@pytest.mark.parametrize(("role", "vendor", "model", "language", "sentence"), LANGUAGES)
def test_a_language_outside_is_refused(
    role: str, vendor: str, model: str, language: str, sentence: str
) -> None:
    fields = {"model": model} if model else {}
    assert sentence in refusal(role, vendor, language, **fields)
    assert f"{role}.language '{language}'" in refusal(role, vendor, language=language, **fields)


def test_a_role_may_have_a_language_of_its_own() -> None:
    fields = {"transcriber": {"vendor": "deepgram", "language": "multi"}, "voice": {"vendor": "playht"}}
    assert Agent.model_validate(fields).transcriber.language == "multi"
    fields["transcriber"]["language"] = "gd"
    with pytest.raises(InvalidAgent, match=r"^transcriber\.language must be one of "):
        Agent.model_validate(fields)


# --- options ------------------------------------------------------------------------------------------


def bounds() -> Iterator[tuple[str, str, str, float, bool]]:
    """Role, vendor, option, a value at or beyond a bound, whether it is to be taken."""
    for role, vendor in VENDORS:
        for name, limits in CATALOGUE[role][vendor].options.items():
            if not isinstance(limits, Range) or name in ("keywords", "keyterms"):
                continue
            step = 1 if name in ("pitch", "max_tokens") else 0.01
            whole = step == 1
            low, high = limits.least, limits.most
            values = [
                (low + (step if limits.above else 0), True),
                (low - (0 if limits.above else step), False),
            ]
            values += [] if high is None else [(high, True), (high + step, False)]
            for value, good in values:
                yield role, vendor, name, (int(value) if whole else float(value)), good


@pytest.mark.parametrize(("role", "vendor", "name", "value", "good"), list(bounds()))
def test_a_number_is_taken_up_to_its_bounds(
    role: str, vendor: str, name: str, value: float, good: bool
) -> None:
    fields = {"eot_threshold": 1.0} if name == "eager_eot_threshold" else {}
    if good:
        made(role, vendor, **{**fields, name: value})
    else:
        problem = refusal(role, vendor, **{**fields, name: value})
        assert problem.startswith(f"{role}.{name} must be ")
        assert problem.endswith(f"for '{vendor}', not {value}")


def options() -> Iterator[tuple[str, str, str]]:
    for role, vendor in VENDORS:
        names = {name for other in CATALOGUE[role].values() for name in other.options}
        yield from ((role, vendor, name) for name in sorted(names))


@pytest.mark.parametrize(("role", "vendor", "name"), list(options()))
def test_an_option_that_the_vendor_does_not_have_is_refused(role: str, vendor: str, name: str) -> None:
    listed = CATALOGUE[role][vendor]
    limits = next(other.options[name] for other in CATALOGUE[role].values() if name in other.options)
    value: Any = KINDS.get(name, True)
    if isinstance(limits, Range):
        value = ("word",) if name.startswith("key") else 50 if name in ("pitch", "max_tokens") else 0.8
        value = 1.1 if name in ("speed", "text_guidance") else 7.0 if name == "style_guidance" else value
    elif isinstance(limits, tuple):
        value = limits[0]
    fits = [model for model in listed.models if name not in model.lacks]
    if name in listed.options:
        model = {"model": fits[0].name} if fits[0].name else {}
        more = {"eot_threshold": 1.0} if name == "eager_eot_threshold" else {}
        made(role, vendor, **{**model, **more, name: value})
        assert len(fits) == len(listed.models) or "is not an option of" in refusal(
            role,
            vendor,
            model=next(other.name for other in listed.models if other not in fits),
            **{name: value},
        )
    else:
        assert refusal(role, vendor, **{name: value}) == (
            f"{role}.{name} is not an option of '{vendor}': leave it out"
        )


def test_other_options_out_of_range() -> None:
    assert refusal("model", "openai", model="o3", reasoning_effort="lots") == (
        "model.reasoning_effort must be 'none', 'minimal', 'low', 'medium', 'high' or 'xhigh', not 'lots'"
    )
    many = ["word"] * 101
    assert refusal("transcriber", "deepgram", keyterms=many) == (
        "transcriber.keyterms must hold at most 100 for 'deepgram', not 101"
    )
    assert refusal("transcriber", "deepgram-flux", eager_eot_threshold=0.8) == (
        "transcriber.eager_eot_threshold must be at most eot_threshold (0.7), not 0.8"
    )


# --- alternatives -------------------------------------------------------------------------------------


def test_alternatives_are_checked_like_the_first_choice() -> None:
    agent = Agent.model_validate({"model": {"alternatives": [{"vendor": "openai"}]}})
    assert [other.vendor for other in agent.model.alternatives] == ["openai"]
    with pytest.raises(InvalidAgent) as refused:
        Agent.model_validate(
            {
                "transcriber": {
                    "alternatives": [{"vendor": "deepgram", "model": "nova-8"}, {"vendor": "none"}]
                },
                "model": {"alternatives": [{"vendor": "openai", "temperature": 3.0}]},
                "voice": {"alternatives": [{"vendor": "playht", "stability": 0.5}, {"voice": "f2"}]},
            }
        )
    starts = [problem.partition(" ")[0] for problem in refused.value.problems]
    assert starts == [
        "transcriber.alternatives[0].model",
        "model.alternatives[0].temperature",
        "voice.alternatives[0].stability",
        "transcriber.alternatives[1].vendor",
    ]
    with pytest.raises(InvalidAgent, match=r"^voice\.alternatives\[0\]\.vendor must be 'espeak', "):
        Agent.model_validate({"voice": {"alternatives": [{"vendor": "azure"}]}})
    with pytest.raises(InvalidAgent, match=r"^model\.alternatives\[0\]\.attempts is not a field"):
        Agent.model_validate({"model": {"alternatives": [{"vendor": "openai", "attempts": 2}]}})


def test_the_usual_names_are_told() -> None:
    voice = {"vendor": "elevenlabs", "alternatives": [{"vendor": "playht"}, {"vendor": "espeak"}]}
    told = effective(Agent.model_validate({"voice": voice}))["voice"]
    assert (told["model"], told["voice"]) == ("eleven_flash_v2_5", "hP72SDESIJq2YuAblBqz")
    others = [(other["model"], other["voice"]) for other in told["alternatives"]]
    assert others == [("PlayHT2.0-turbo", "susan"), ("", "")]
    Agent.model_validate({"voice": told})
