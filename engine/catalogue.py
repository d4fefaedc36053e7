"""Who can listen, think and speak for an agent: vendors, their models, voices, languages and options.

Plain data and look-ups. An agent is checked against it when it is made, so a newer model or voice is one
line here and nothing else. Sources: https://developers.deepgram.com/docs/models-languages-overview,
https://developers.openai.com/api/docs/models, https://elevenlabs.io/docs/overview/models,
https://docs.play.ht/reference/models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MULTI = "multi"
"""The language of a transcriber that follows its caller from one language to another, and of a voice that
is told no language and takes it from the text."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a number may have; of a list, how many it may hold."""

    least: float
    most: float | None = None
    """None: no limit."""
    above: bool = False
    """``least`` itself is too little."""

    def __contains__(self, value: float) -> bool:
        low = value > self.least if self.above else value >= self.least
        return low and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        if self.above:
            return f"more than {self.least:g}" + ("" if self.most is None else f" and at most {self.most:g}")
        return (
            f"at least {self.least:g}" if self.most is None else f"between {self.least:g} and {self.most:g}"
        )


Limits = Range | tuple[str, ...] | None
"""What an option may be: in a range, one of some words, or anything of its kind."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a vendor. A vendor whose models have no names has a single one, named ''."""

    name: str = ""
    languages: frozenset[str] | None = None
    """Tags that it takes, primary subtags as a rule; None: any."""
    lacks: frozenset[str] = frozenset()
    """Options that its vendor has and it does not."""
    voices: frozenset[str] | None = None
    """Those of its vendor's voices that it has; None: all."""
    told_language: bool = True
    """It takes the language as a parameter; else it knows by itself, or has only one."""

    def tag(self, language: str) -> str | None:
        """The tag under which it takes a language: the longest beginning that it knows; None: not at all."""
        if self.languages is None:
            return language
        known = {tag.lower(): tag for tag in self.languages}
        parts = language.lower().split("-")
        beginnings = ("-".join(parts[:count]) for count in range(len(parts), 0, -1))
        return next((known[tag] for tag in beginnings if tag in known), None)


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor in one role. The first model and the first voice are those of an agent that names none."""

    models: tuple[Model, ...]
    voices: tuple[str, ...] | None = ()
    """Empty: they have no names. None: which there are shows when the vendor is loaded."""
    options: Mapping[str, Limits] = field(default_factory=dict)
    flush_after_ms: int | None = None
    """Silence after which a transcriber is best asked to finish; None: as soon as anybody is."""
    hosted: bool = True
    """Somebody else's machine, with a key; else a library on this one."""

    def model(self, name: str) -> Model | None:
        """The model of a name, or the usual one where it is empty; None: there is none."""
        found = [model for model in self.models if name in ("", model.name)]
        return found[0] if found else None

    def speaking(self, language: str) -> tuple[str, ...]:
        """The names of the models that take a language."""
        return tuple(model.name for model in self.models if model.tag(language))


def _each(
    names: str, languages: Iterable[str] | None = None, **more: frozenset[str] | bool
) -> tuple[Model, ...]:
    """A model for each name in a text."""
    spoken = None if languages is None else frozenset(languages)
    return tuple(Model(name, spoken, **more) for name in names.split())  # type: ignore[arg-type]


# --- transcribers -------------------------------------------------------------------------------------

_ENGLISH = "en en-US".split()

_NOVA = """
    bg ca zh zh-CN zh-Hans zh-TW zh-Hant zh-HK cs da da-DK nl en en-US en-AU en-GB en-NZ en-IN et fi nl-BE
    fr fr-CA de de-CH el hi hu id it ja ko ko-KR lv lt ms multi no pl pt pt-BR pt-PT ro ru sk es es-419 sv
    sv-SE th th-TH tr uk vi
""".split()

_NOVA_3 = [*_NOVA, *"ar be bn bs hr kn mk mr sl sr ta te tl".split()]

_FLUX_MULTI = "multi en es fr de hi ru pt ja it nl".split()

_KEYTERMS, _KEYWORDS = frozenset({"keyterms"}), frozenset({"keywords"})

_DEEPGRAM = (
    *_each("nova-3 nova-3-general", _NOVA_3, lacks=_KEYWORDS),
    *_each("nova-3-medical", [*_ENGLISH, "en-AU", "en-GB", "en-IN", "en-NZ"], lacks=_KEYWORDS),
    *_each("nova-2 nova-2-general", _NOVA, lacks=_KEYTERMS),
    *_each(
        "nova-2-meeting nova-2-phonecall nova-2-finance nova-2-voicemail nova-2-medical nova-2-drivethru"
        " nova-2-automotive nova-2-conversationalai nova-2-video nova-2-atc",
        _ENGLISH,
        lacks=_KEYTERMS,
    ),
)

_MOST_WORDS = Range(0, 100)
_NOVA_OPTIONS: Mapping[str, Limits] = {
    "keywords": _MOST_WORDS,
    "keyterms": _MOST_WORDS,
    "endpointing": Range(0.01, 10),
    "smart_format": None,
    "numerals": None,
    "profanity_filter": None,
    "mip_opt_out": None,
}
_FLUX_OPTIONS: Mapping[str, Limits] = {
    "keyterms": _MOST_WORDS,
    "eager_eot_threshold": Range(0.3, 0.9),
    "eot_threshold": Range(0.5, 1.0),
    "eot_timeout": Range(0.5, 60),
    "mip_opt_out": None,
}

# --- language models ----------------------------------------------------------------------------------

_CHAT = """
    gpt-4.1-mini gpt-4.1 gpt-4.1-nano
    gpt-4.1-2025-04-14 gpt-4.1-mini-2025-04-14 gpt-4.1-nano-2025-04-14
    gpt-4o gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-mini gpt-4o-mini-2024-07-18
    gpt-5-chat-latest gpt-5.1-chat-latest gpt-5.2-chat-latest gpt-5.3-chat-latest
    gpt-4-turbo gpt-4-turbo-2024-04-09 gpt-4-turbo-preview gpt-4-0125-preview gpt-4-1106-preview
    gpt-4 gpt-4-0613
    gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-3.5-turbo-1106 gpt-3.5-turbo-16k gpt-3.5-turbo-0613
"""
_REASONING = """
    gpt-5 gpt-5-2025-08-07 gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano gpt-5-nano-2025-08-07
    gpt-5.1 gpt-5.1-2025-11-13 gpt-5.2 gpt-5.2-2025-12-11
    gpt-5.4 gpt-5.4-mini gpt-5.4-mini-2026-03-17 gpt-5.4-nano gpt-5.4-nano-2026-03-17
    gpt-5.5 gpt-5.5-2026-04-23 gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna
    o1 o1-2024-12-17 o3 o3-2025-04-16 o3-mini o3-mini-2025-01-31 o4-mini o4-mini-2025-04-16
"""
_OPENAI = (
    *_each(_CHAT, lacks=frozenset({"reasoning_effort"})),
    *_each(_REASONING, lacks=frozenset({"temperature"})),
)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")

# --- voices -------------------------------------------------------------------------------------------

_ESPEAK = """
    bg ca cs da de el en es et fi fr hi hu id it ja ko lt lv ms multi nb nl no pl pt ro ru sk sv th tr uk vi
    zh
""".split()

_ELEVEN_V2 = """
    en ja zh de hi fr ko pt it es id nl tr fil pl sv bg ro ar cs el fi hr ms sk da ta uk ru multi
""".split()

_ELEVENLABS = (
    *_each("eleven_flash_v2_5 eleven_turbo_v2_5", [*_ELEVEN_V2, "hu", "no", "vi"]),
    *_each("eleven_multilingual_v2", _ELEVEN_V2, told_language=False),
    *_each("eleven_flash_v2 eleven_turbo_v2", ["en"], told_language=False),
)

_ELEVENLABS_VOICES = tuple(
    """
    hP72SDESIJq2YuAblBqz a38v0NaUbsvackET0tSL UR972wNGq3zluze0LoIp IOyj8WtBHdke2FjQgGAr 6pVydnYcVtMsrrSeUKs6
    BafnizVJUkrZF7B8vAMB 7ml0LUl80q5HrlC5rH5n 2EUn20N7uqcXUxqGrJEF dRqoXefWJMo2lbk72Ucp 3R4yOxfnii0AEiNj88t7
    AcERRlWeeyUhaV8Z6nI7 CXlx1qNjAZaq99XYNLZl ktBW0zUVLSxdQiNCm7VY EOYxsIDQfFQEnzbIRe3T 4h05pJAlcSqTMs5KRd8X
    H61ermx0gHYPgQYw03E4 fc0bJMlcn2uSFDSWPMjI Yx8RZ6gdw0HEEzcwrVlS 4CrZuIW9am7gYAxgo2Af x8udhExu0uJxUn4Tf9Az
    sY2peC9GbHX8NCy5enOe TxErUhYT25MQSG3MlH4A PoPHDFYHijTq7YiSCwE3 tavIIPLplRB883FzWU0V RFMAYURhm3MdnPIzpcwm
    GiGOaehga8enaTnFQvb4 jQWvT5ZpmLknePt8F1jr JjHBC66wF58p4ogebCNA cfO5AAIh6JY3KjKu6QRz IJOA5d06iGvU3ehQdDjg
    rachel domi bella antoni elli josh arnold sam adam nicole matilda
    """.split()
)

_PLAYHT_VOICES = tuple("susan william phoebe arthur ayla dylan madelyn oliver sophia".split())

_OPENAI_VOICES = tuple("alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar".split())
_TTS_1_VOICES = frozenset(_OPENAI_VOICES) - {"ballad", "verse", "marin", "cedar"}

_ZERO_TO_ONE = Range(0, 1)

# --- speech to speech ---------------------------------------------------------------------------------

_REALTIME = """
    gpt-realtime-2.1 gpt-realtime-2.1-mini gpt-realtime-2 gpt-realtime-1.5
    gpt-realtime gpt-realtime-2025-08-28
    gpt-realtime-mini gpt-realtime-mini-2025-10-06 gpt-realtime-mini-2025-12-15
"""
_REALTIME_VOICES = tuple("marin cedar alloy ash ballad coral echo sage shimmer verse".split())
_TRANSCRIPTION = tuple(
    """
    gpt-transcribe gpt-live-transcribe gpt-4o-mini-transcribe gpt-4o-transcribe gpt-realtime-whisper whisper-1
    """.split()
)

# --- all of them --------------------------------------------------------------------------------------

TRANSCRIBER, MODEL, VOICE, REALTIME = "transcriber", "model", "voice", "realtime"

CATALOGUE: Mapping[str, Mapping[str, Vendor]] = MappingProxyType(
    {
        TRANSCRIBER: {
            "pocketsphinx": Vendor(
                (Model(languages=frozenset({"en"})),),
                options=dict.fromkeys(("grammar", "reject_below", "pronunciations")),
                flush_after_ms=300,
                hosted=False,
            ),
            "deepgram": Vendor(_DEEPGRAM, options=_NOVA_OPTIONS),
            "deepgram-flux": Vendor(
                (
                    *_each("flux-general-en", ["en"], told_language=False),
                    *_each("flux-general-multi", _FLUX_MULTI),
                ),
                options=_FLUX_OPTIONS,
            ),
            "none": Vendor((Model(),), hosted=False),
        },
        MODEL: {
            "playbook": Vendor((Model(),), options={"playbook": None}, hosted=False),
            "openai": Vendor(
                _OPENAI,
                options={
                    "temperature": Range(0, 2),
                    "max_tokens": Range(1),
                    "reasoning_effort": _EFFORTS,
                    "base_url": None,
                    "key_variable": None,
                },
            ),
            "openai-responses": Vendor(
                (*_OPENAI, *_each("gpt-5-pro gpt-5.2-pro", lacks=frozenset({"temperature"}))),
                options={
                    "temperature": Range(0, 2),
                    "max_tokens": Range(16),
                    "reasoning_effort": _EFFORTS,
                    "base_url": None,
                    "key_variable": None,
                },
            ),
        },
        VOICE: {
            "espeak": Vendor(
                (Model(languages=frozenset(_ESPEAK)),),
                voices=None,
                options={"speed": Range(0.5, 5), "pitch": Range(0, 99)},
                hosted=False,
            ),
            "flite": Vendor(
                (Model(languages=frozenset({"en"})),),
                voices=None,
                options={"speed": Range(0.5, 2)},
                hosted=False,
            ),
            "elevenlabs": Vendor(
                _ELEVENLABS,
                voices=_ELEVENLABS_VOICES,
                options={
                    "speed": Range(0.7, 1.2),
                    "stability": _ZERO_TO_ONE,
                    "similarity_boost": _ZERO_TO_ONE,
                    "style": _ZERO_TO_ONE,
                    "use_speaker_boost": None,
                },
            ),
            "playht": Vendor(
                _each("PlayHT2.0-turbo PlayHT2.0", ["en"], told_language=False),
                voices=_PLAYHT_VOICES,
                options={
                    "speed": Range(0, 5, above=True),
                    "style_guidance": Range(1, 30),
                    "temperature": Range(0, 2),
                    "text_guidance": Range(1, 2),
                },
            ),
            "openai": Vendor(
                (
                    *_each("gpt-4o-mini-tts gpt-4o-mini-tts-2025-12-15", told_language=False),
                    *_each(
                        "tts-1 tts-1-hd",
                        lacks=frozenset({"instructions"}),
                        voices=_TTS_1_VOICES,
                        told_language=False,
                    ),
                ),
                voices=_OPENAI_VOICES,
                options={"speed": Range(0.25, 4), "instructions": None},
            ),
        },
        REALTIME: {
            "openai": Vendor(
                _each(_REALTIME),
                voices=_REALTIME_VOICES,
                options={
                    "speed": Range(0.25, 1.5),
                    "max_tokens": Range(1, 4096),
                    "transcription_model": _TRANSCRIPTION,
                    "keywords": Range(0, 100),
                },
            ),
        },
    }
)
"""Vendors by role and name."""

LANGUAGES: tuple[str, ...] = tuple(
    sorted(
        {
            tag.split("-")[0]
            for vendors in CATALOGUE.values()
            for vendor in vendors.values()
            for model in vendor.models
            for tag in model.languages or ()
        }
        - {MULTI}
    )
)
"""The primary subtags of all languages that somebody here understands or speaks."""
