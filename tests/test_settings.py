"""Keys and addresses: where they come from, what is refused, and that no key is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.settings import VendorSettings

SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_from_the_environment() -> None:
    settings = VendorSettings.load({"OPENAI_API_KEY": f" {SECRET} ", "OPENAI_BASE_URL": "http://[::1]:8/v1"})
    assert settings.openai_api_key == SECRET
    assert settings.address("openai") == {"base_url": "http://[::1]:8/v1"}
    assert settings.address("deepgram") == {}


def test_from_a_file_with_the_environment_over_it(tmp_path: Path) -> None:
    (tmp_path / "engine.toml").write_text('DEEPGRAM_API_KEY = "file"\nPLAYHT_USER_ID = "me"')
    settings = VendorSettings.load({"DEEPGRAM_API_KEY": "environment", "PLAYHT_USER_ID": ""})
    assert (settings.deepgram_api_key, settings.playht_user_id) == ("environment", "me")
    (tmp_path / "other.toml").write_text('PLAYHT_USER_ID = "you"')
    named = VendorSettings.load({"ENGINE_SETTINGS": str(tmp_path / "other.toml")})
    assert (named.deepgram_api_key, named.playht_user_id) == ("", "you")


def test_no_key_is_shown() -> None:
    names = "DEEPGRAM_API_KEY OPENAI_API_KEY ELEVENLABS_API_KEY PLAYHT_USER_ID PLAYHT_API_KEY"
    keys = dict.fromkeys(names.split(), SECRET)
    settings = VendorSettings.load(keys)
    assert settings.playht_api_key == SECRET
    assert SECRET not in f"{settings} {settings!r}"


@pytest.mark.parametrize("name", ["DEEPGRAM_API_KEY", "OPENAI_API_KEY", "PLAYHT_USER_ID"])
@pytest.mark.parametrize("key", ["very secret", "very\nsecret", "v\u00e9ry-secret", "secret\x00"])
def test_a_key_that_cannot_be_one_is_refused_by_name(name: str, key: str) -> None:
    with pytest.raises(EngineError, match=rf"^{name} holds characters that no key has") as refused:
        VendorSettings.load({name: key})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["localhost", "ws://host", "https://", "http://host:port", "http://user:pw@host", "http://host/v1?key=1"],
)
def test_an_address_that_will_not_do_is_refused_by_name(url: str) -> None:
    with pytest.raises(EngineError, match=r"^ELEVENLABS_BASE_URL must be") as refused:
        VendorSettings.load({"ELEVENLABS_BASE_URL": url})
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'OPENAI_KEY = "{SECRET}"', "OPENAI_KEY is no setting; there are DEEPGRAM_API_KEY, "),
        ("OPENAI_API_KEY = 7", "OPENAI_API_KEY must be text in quotes"),
        (f"OPENAI_API_KEY = {SECRET}", "cannot be read as TOML"),
    ],
)
def test_a_faulty_file_is_refused_without_its_keys(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "engine.toml").write_text(text)
    with pytest.raises(EngineError) as refused:
        VendorSettings.load({})
    assert sentence in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_file_that_is_named_must_be_there() -> None:
    with pytest.raises(EngineError, match=r"ENGINE_SETTINGS: there is no file no\.toml"):
        VendorSettings.load({"ENGINE_SETTINGS": "no.toml"})


def test_what_is_needed_is_asked_for_by_name() -> None:
    with pytest.raises(EngineError, match=r"^DEEPGRAM_API_KEY is not set, and transcriber needs it"):
        VendorSettings().needed("DEEPGRAM_API_KEY", "transcriber")
