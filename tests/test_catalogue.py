"""The catalogue: what must be in it, and that the adapters agree with it."""

from __future__ import annotations

import pytest

from engine.catalogue import CATALOGUE, LANGUAGES, Model, Range
from engine.providers.llm.openai_options import takes_temperature
from engine.providers.tts import elevenlabs, espeak, flite, playht
from engine.providers.tts.espeak_voices import LANGUAGES as ESPEAK

CODES = (
    "bg ca zh zh-TW cs da nl en et fi nl-BE fr de de-CH el hi hu id it ja ko lv lt ms multi no pl pt ro ru sk"
    " es sv th tr uk vi"
).split()
TWENTY = "en fr es de it nl pt ru ja cs da el hi id ko no pl sv tr uk".split()
NOVA_2 = (
    "nova-2 nova-2-general nova-2-meeting nova-2-phonecall nova-2-finance nova-2-voicemail nova-2-medical"
    " nova-2-drivethru nova-2-automotive nova-2-conversationalai"
).split()
CHAT = (
    "gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-3.5-turbo-1106 gpt-3.5-turbo-16k gpt-3.5-turbo-0613 gpt-4-turbo"
    " gpt-4-turbo-2024-04-09 gpt-4-turbo-preview gpt-4-0125-preview gpt-4-1106-preview gpt-4-0613 gpt-4"
    " gpt-4o"
).split()

IDS = """
    hP72SDESIJq2YuAblBqz a38v0NaUbsvackET0tSL UR972wNGq3zluze0LoIp IOyj8WtBHdke2FjQgGAr 6pVydnYcVtMsrrSeUKs6
    BafnizVJUkrZF7B8vAMB 7ml0LUl80q5HrlC5rH5n 2EUn20N7uqcXUxqGrJEF dRqoXefWJMo2lbk72Ucp 3R4yOxfnii0AEiNj88t7
    AcERRlWeeyUhaV8Z6nI7 CXlx1qNjAZaq99XYNLZl ktBW0zUVLSxdQiNCm7VY EOYxsIDQfFQEnzbIRe3T 4h05pJAlcSqTMs5KRd8X
    H61ermx0gHYPgQYw03E4 fc0bJMlcn2uSFDSWPMjI Yx8RZ6gdw0HEEzcwrVlS 4CrZuIW9am7gYAxgo2Af x8udhExu0uJxUn4Tf9Az
    sY2peC9GbHX8NCy5enOe TxErUhYT25MQSG3MlH4A PoPHDFYHijTq7YiSCwE3 tavIIPLplRB883FzWU0V RFMAYURhm3MdnPIzpcwm
    GiGOaehga8enaTnFQvb4 jQWvT5ZpmLknePt8F1jr JjHBC66wF58p4ogebCNA cfO5AAIh6JY3KjKu6QRz IJOA5d06iGvU3ehQdDjg
""".split()
NAMES = "rachel domi bella antoni elli josh arnold sam adam nicole matilda".split()
PLAYHT = "susan william phoebe arthur ayla dylan madelyn oliver sophia".split()
REALTIME = "alloy echo shimmer ash ballad coral sage verse".split()

DEEPGRAM = CATALOGUE["transcriber"]["deepgram"]
OPENAI = CATALOGUE["model"]["openai"]


def names(role: str, vendor: str) -> set[str]:
    return {model.name for model in CATALOGUE[role][vendor].models}


def test_what_phone_platforms_offer_is_in_it() -> None:
    assert (len(CODES), len(TWENTY), len(NOVA_2), len(CHAT)) == (37, 20, 10, 13)
    assert {*NOVA_2, "nova-3"} <= names("transcriber", "deepgram")
    assert "flux-general-en" in names("transcriber", "deepgram-flux")
    assert set(CHAT) <= names("model", "openai") <= names("model", "openai-responses")
    assert (len(IDS), len(set(IDS)), len(NAMES), len(PLAYHT)) == (30, 30, 11, 9)
    assert set(CATALOGUE["voice"]["elevenlabs"].voices or ()) == {*IDS, *NAMES}
    assert set(CATALOGUE["voice"]["playht"].voices or ()) == set(PLAYHT)
    assert set(REALTIME) <= set(CATALOGUE["voice"]["openai"].voices or ())


@pytest.mark.parametrize("code", {*CODES, *TWENTY})
@pytest.mark.parametrize("name", ["nova-2", "nova-2-general", "nova-3"])
def test_every_language_is_taken_under_its_own_tag(name: str, code: str) -> None:
    model = DEEPGRAM.model(name)
    assert model is not None
    assert model.tag(code) == code


def test_a_region_that_a_model_does_not_know_falls_back_to_the_language() -> None:
    model = DEEPGRAM.model("")
    assert model is not None
    tags = ("es-ES", "PT-br", "zh-Hant-MO", "zh-Latn", "gd")
    assert [model.tag(tag) for tag in tags] == ["es", "pt-BR", "zh-Hant", "zh", None]
    assert Model("any").tag("gd") == "gd"


def test_the_adapters_agree() -> None:
    assert set(CATALOGUE["voice"]["playht"].voices or ()) == set(playht.VOICES)
    assert set(elevenlabs.VOICES) == set(NAMES) <= set(CATALOGUE["voice"]["elevenlabs"].voices or ())
    for vendor, adapter in (("espeak", espeak), ("flite", flite), ("elevenlabs", elevenlabs)):
        assert CATALOGUE["voice"][vendor].options["speed"] == Range(adapter.SLOWEST, adapter.FASTEST)
    spoken = CATALOGUE["voice"]["espeak"].models[0].languages
    assert spoken == {tag for tag in ESPEAK if "-" not in tag}


@pytest.mark.parametrize("model", CATALOGUE["model"]["openai-responses"].models, ids=lambda model: model.name)
def test_a_temperature_is_refused_just_where_it_would_not_be_sent(model: Model) -> None:
    assert takes_temperature(model.name, None) == ("temperature" not in model.lacks)


def test_no_name_stands_twice() -> None:
    for vendors in CATALOGUE.values():
        for vendor in vendors.values():
            assert len({model.name for model in vendor.models}) == len(vendor.models)
            assert len(set(vendor.voices or ())) == len(vendor.voices or ())
    assert "multi" not in LANGUAGES


def test_ranges() -> None:
    assert [value in Range(0, 5, above=True) for value in (0, 0.1, 5, 5.1)] == [False, True, True, False]
    assert [value in Range(1) for value in (0, 1, 10**9)] == [False, True, True]
    assert str(Range(0, 5, above=True)) == "more than 0 and at most 5"
    assert [str(Range(1)), str(Range(0.7, 1.2))] == ["at least 1", "between 0.7 and 1.2"]


BOUNDS = [
    ("model", "openai", "temperature", Range(0, 2)),
    ("model", "openai-responses", "temperature", Range(0, 2)),
    ("voice", "playht", "speed", Range(0, 5, above=True)),
    ("voice", "playht", "style_guidance", Range(1, 30)),
    ("voice", "playht", "temperature", Range(0, 2)),
    ("voice", "playht", "text_guidance", Range(1, 2)),
    ("voice", "elevenlabs", "speed", Range(0.7, 1.2)),
    ("voice", "openai", "speed", Range(0.25, 4)),
]


@pytest.mark.parametrize(("role", "vendor", "option", "bounds"), BOUNDS)
def test_bounds_are_those_of_the_vendors(role: str, vendor: str, option: str, bounds: Range) -> None:
    assert CATALOGUE[role][vendor].options[option] == bounds
