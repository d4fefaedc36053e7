"""Which languages and speakers espeak-ng has, under the names that an agent's settings use."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType

from engine.errors import EngineError
from engine.providers.tts.espeak_library import data_path

_AMERICAN, _BRITISH = "gmw/en-US", "gmw/en"
_CASTILIAN, _LATIN_AMERICAN = "roa/es", "roa/es-419"

LANGUAGES = MappingProxyType(
    {
        "bg": "zls/bg", "ca": "roa/ca", "cs": "zlw/cs", "da": "gmq/da", "de": "gmw/de", "el": "grk/el",
        "en": _AMERICAN, "es": _CASTILIAN, "et": "urj/et", "fi": "urj/fi", "fr": "roa/fr", "hi": "inc/hi",
        "hu": "urj/hu", "id": "poz/id", "it": "roa/it", "ja": "jpx/ja", "ko": "ko", "lt": "bat/lt",
        "lv": "bat/lv", "ms": "poz/ms", "multi": _AMERICAN, "nb": "gmq/nb", "nl": "gmw/nl", "no": "gmq/nb",
        "pl": "zlw/pl", "pt": "roa/pt", "ro": "roa/ro", "ru": "zle/ru", "sk": "zlw/sk", "sv": "gmq/sv",
        "th": "tai/th", "tr": "trk/tr", "uk": "zle/uk", "vi": "aav/vi", "zh": "sit/cmn",
        "en-au": _BRITISH, "en-gb": _BRITISH, "en-ie": _BRITISH, "en-in": _BRITISH, "en-nz": _BRITISH,
        "en-za": _BRITISH,
        "es-419": _LATIN_AMERICAN, "es-ar": _LATIN_AMERICAN, "es-cl": _LATIN_AMERICAN,
        "es-co": _LATIN_AMERICAN, "es-mx": _LATIN_AMERICAN, "es-pe": _LATIN_AMERICAN,
        "es-us": _LATIN_AMERICAN,
        "fr-be": "roa/fr-BE", "fr-ch": "roa/fr-CH", "pt-br": "roa/pt-BR",
    }
)  # fmt: skip
"""Language code, lower case, to the voice file. Chinese is Mandarin; Japanese is read from kana only
(a kanji is spelled out); ``multi`` speaks English. A tag with more parts than are listed (``de-CH``,
``nl-BE``, ``zh-TW``) speaks as its longest listed beginning."""


def voice_file(language: str, voice: str | None) -> str:
    """The library's name for a speaker of a language: ``gmw/en-US+f3`` for ``en`` and ``f3``.

    ``voice`` is one of `voices()`, or with a language before it (``de+f3``), which then takes the place of
    ``language``. Raises `EngineError` for an unknown ``voice.language`` or ``voice.voice``.
    """
    before, plus, speaker = (voice or "").rpartition("+")
    if voice is not None and speaker not in _speakers():
        raise EngineError(
            f"voice.voice: espeak-ng has no speaker {voice!r}; it has {', '.join(voices())}, "
            "also with a language before it as in 'en+f3'"
        )
    base = _language_file(before) if plus and before else _language_file(language)
    return f"{base}+{speaker}" if voice is not None else base


def voices() -> tuple[str, ...]:
    """The speakers that any language can be given, in order. Raises `MissingExtra` without the library."""
    return tuple(sorted(_speakers()))


@lru_cache(maxsize=1)
def _speakers() -> frozenset[str]:
    return frozenset(file.name for file in (data_path() / "voices" / "!v").iterdir())


def _language_file(language: str) -> str:
    parts = language.lower().replace("_", "-").split("-")
    while parts:
        if file := LANGUAGES.get("-".join(parts)):
            return file
        parts.pop()
    known = ", ".join(code for code in sorted(LANGUAGES) if "-" not in code)
    raise EngineError(
        f"voice.language: espeak-ng does not speak {language!r}; it speaks {known}, "
        "also with a region as in 'en-GB'"
    )
