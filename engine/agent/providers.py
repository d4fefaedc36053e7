"""Who listens, thinks and speaks for the agent, with what options, and who else if they fail.

Which vendors, models, voices and options there are stands in `engine.catalogue`; an option that the chosen
vendor or model does not have is refused (`engine.agent.vendor_checks`), never ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import Strict, field_validator

from engine.agent.fields import Group, SecondsOrNever, Texts, dial, option, seconds, text
from engine.agent.languages import check_language
from engine.agent.problems import SHORTEST, InvalidAgent, closest, either
from engine.catalogue import CATALOGUE, MODEL, REALTIME, TRANSCRIBER, VOICE, Vendor
from engine.settings import address_problem

AUTOMATIC = "auto"
"""The grammar that the agent's playbook makes of itself."""


class VendorGroup(Group):
    """A vendor of one role and its options. Fields that are not its own stay at their defaults."""

    role: ClassVar[str]
    if TYPE_CHECKING:  # each role declares them with a default and a description of its own
        vendor: str
        model: str

    unlisted: bool = option(
        False, "Take names that the engine's catalogue does not list, such as a voice or model of your own."
    )

    @field_validator("vendor", check_fields=False)
    @classmethod
    def _known_vendor(cls, vendor: str) -> str:
        known = CATALOGUE[cls.role]
        if vendor not in known:
            hint = closest(vendor, known)
            raise ValueError(
                f"must be {either(known)}, not {vendor!r}" + (f": did you mean '{hint}'?" if hint else "")
            )
        return vendor

    @field_validator("language", check_fields=False)
    @classmethod
    def _known_language(cls, language: str) -> str:
        return check_language(language) if language else ""

    @property
    def listed(self) -> Vendor:
        """The vendor's entry in the catalogue."""
        return CATALOGUE[self.role][self.vendor]


class TranscriberVendor(VendorGroup):
    """A vendor that turns the caller's speech into words."""

    role: ClassVar[str] = TRANSCRIBER

    vendor: str = option(
        "pocketsphinx",
        "'pocketsphinx' understands English on this machine, as far as a grammar describes what callers say;"
        " 'deepgram' (nova) and 'deepgram-flux' (hears turns by itself) are hosted; 'none' hears keys and"
        " typed text only.",
    )
    model: str = option("", "Model of a hosted vendor. Empty: its usual one.")
    language: str = option("", "What it understands, if not the agent's language; 'multi' for several.")
    keywords: Texts = option(
        (), "Words to favour, such as names, with a weight where wanted ('Voyager:2'). Deepgram nova-2."
    )
    keyterms: Texts = option((), "Words and phrases to favour. Deepgram nova-3 and Flux.")
    endpointing: float | None = option(
        None, "Silence after which Deepgram makes words final. Not set: 0.3 seconds.", unit="s"
    )
    smart_format: bool = option(False, "Deepgram writes dates, amounts and the like in their usual form.")
    numerals: bool = option(False, "Deepgram writes numbers as digits.")
    profanity_filter: bool = option(False, "Deepgram leaves swear words out.")
    mip_opt_out: bool = option(False, "Deepgram must not keep the audio to improve its models.")
    eager_eot_threshold: float | None = option(
        None, "Confidence from which Flux says that a turn may be over. Not set: 0.5."
    )
    eot_threshold: float | None = option(
        None, "Confidence from which Flux says that a turn is over. Not set: 0.7."
    )
    eot_timeout: float | None = option(
        None, "Silence after which Flux says so anyway. Not set: 5 seconds.", unit="s"
    )
    grammar: str = option(
        AUTOMATIC,
        "What callers may say to pocketsphinx: 'auto' takes it from the model's playbook; else a playbook's"
        " name, or the path of a JSGF file.",
    )
    reject_below: float | None = option(
        None,
        "Mean log score per frame, in thousandths, under which words are taken for noise; nearer to 0 is"
        " stricter. Not set: the vendor's own.",
        le=0.0,
    )
    pronunciations: dict[str, str] = option(
        {}, "Words that its dictionary lacks, in ARPAbet: voyager = 'V OY AH JH ER'."
    )


class Transcriber(TranscriberVendor):
    """Who turns the caller's speech into words."""

    open_timeout: float = seconds(
        "hearing.open_within",
        "For a stream to take audio; then it is opened anew. As long a turn waits for words lost with one.",
        ge=SHORTEST,
    )
    failover_timeout: float = seconds(
        "hearing.open_within_beside", "The same where there is another vendor to ask.", ge=SHORTEST
    )
    attempts: int = dial(
        "hearing.attempts", "Streams in a row that failed, before the call is given up.", ge=1
    )
    optional: bool = dial(
        "hearing.optional",
        "A call goes on without a transcriber, hearing keys and typed text; it is tried now and then.",
    )
    alternatives: Annotated[tuple[TranscriberVendor, ...], Strict(False)] = option(
        (), "Who takes over when it fails, in order; each with a vendor and options of its own."
    )


class ModelVendor(VendorGroup):
    """A vendor that decides what the agent says."""

    role: ClassVar[str] = MODEL

    vendor: str = option(
        "playbook",
        "'playbook' follows a written file: rules, slots and lines, on this machine; 'openai' is the chat"
        " completions of OpenAI or of any server like it, 'openai-responses' the newer API.",
    )
    playbook: str = option(
        "", "Name of a playbook that comes with the engine, or the path of your own. Vendor 'playbook'."
    )
    model: str = option("", "Model of a hosted vendor. Empty: its usual one.")
    temperature: float | None = option(
        None, "How freely the model varies, 0 to 2. Not set: the model's own. Not for reasoning models."
    )
    max_tokens: int | None = option(None, "Most tokens of one reply. Not set: the model's own limit.")
    reasoning_effort: str | None = option(
        None, "How long a reasoning model thinks: 'none' to 'xhigh'; little is right for a telephone."
    )
    base_url: str = option(
        "",
        "A server of your own that speaks OpenAI's API (Ollama, vLLM, llama.cpp), up to '/v1'; it may have"
        " any model. Empty: OPENAI_BASE_URL, else OpenAI.",
    )
    key_variable: str = option(
        "", "Environment variable with the key of that server, ending in _API_KEY. Empty: it needs none."
    )

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        if problem := address_problem(url):
            raise ValueError(problem)
        return url.rstrip("/")

    @field_validator("key_variable")
    @classmethod
    def _names_a_key(cls, name: str) -> str:
        if name and not (name.endswith("_API_KEY") and name.isidentifier()):
            raise ValueError(f"must be the name of a variable that ends in _API_KEY, not {name!r}")
        return name


class Model(ModelVendor):
    """Who decides what the agent says."""

    first_text_timeout: float = seconds(
        "replies.first_text",
        "From asking the model to its first speakable text; then the next attempt starts.",
        ge=SHORTEST,
    )
    gap_timeout: float = seconds("replies.text_gap", "Longest gap inside the model's text.", ge=SHORTEST)
    attempts: int = dial("replies.attempts", "Times a reply is tried, model and voice together.", ge=1)
    failures: int = dial(
        "replies.failures", "Replies in a row that failed for good before the call is given up.", ge=1
    )
    filler_after: SecondsOrNever = seconds(
        "replies.filler_after",
        "Say a filler when model or tool has kept the caller waiting this long; or 'never'.",
        ge=SHORTEST,
    )
    hedge_after: SecondsOrNever = seconds(
        "replies.hedge_after",
        "Ask the next model, too, when the first has been silent this long; or 'never'.",
        ge=SHORTEST,
    )
    fillers: Texts = text("replies.fillers", "The fillers, such as 'One moment.'; one of them each time.")
    alternatives: Annotated[tuple[ModelVendor, ...], Strict(False)] = option(
        (), "Who takes over when it fails, in order; each with a vendor and options of its own."
    )


class VoiceVendor(VendorGroup):
    """A vendor that speaks the agent's words."""

    role: ClassVar[str] = VOICE

    vendor: str = option(
        "espeak",
        "'espeak' speaks every language of the agent at once and sounds like a machine; 'flite' is English"
        " only, easier on the ear, and a program that has to be installed; 'elevenlabs', 'playht' and"
        " 'openai' are hosted.",
    )
    voice: str = option(
        "",
        "A voice of the vendor: an espeak variant such as 'f3', a flite voice such as 'slt', an ElevenLabs"
        " voice id, a name. Empty: its usual one.",
    )
    model: str = option("", "Model of a hosted vendor. Empty: its usual one.")
    language: str = option("", "What it speaks, if not the agent's language; 'multi': as the text is.")
    speed: float = option(1.0, "Factor on the vendor's normal speed: 2 is twice as fast.")
    pitch: int | None = option(None, "Espeak's pitch, 0 to 99; higher is higher. Not set: the vendor's own.")
    stability: float | None = option(None, "ElevenLabs: 0 varies most, 1 is most even. Not set: its own.")
    similarity_boost: float | None = option(
        None, "ElevenLabs: how close to the original voice, 0 to 1. Not set: its own."
    )
    style: float | None = option(None, "ElevenLabs: exaggeration of the style, 0 to 1. Not set: its own.")
    use_speaker_boost: bool | None = option(None, "ElevenLabs: more like the speaker. Not set: its own.")
    style_guidance: float | None = option(None, "PlayHT: strength of the emotion, 1 to 30. Not set: its own.")
    temperature: float | None = option(None, "PlayHT: variation of the voice, 0 to 2. Not set: its own.")
    text_guidance: float | None = option(
        None, "PlayHT: how closely speech keeps to the text, 1 to 2. Not set: its own."
    )
    instructions: str | None = option(None, "OpenAI: in words, how to speak. Not for the tts-1 models.")


class Voice(VoiceVendor):
    """Who speaks the agent's words."""

    first_audio_timeout: float = seconds(
        "replies.first_audio",
        "From asking the voice to its first sound; then the next attempt starts.",
        ge=SHORTEST,
    )
    gap_timeout: float = seconds(
        "replies.audio_gap", "Longest gap in the voice's sound while more is due.", ge=SHORTEST
    )
    alternatives: Annotated[tuple[VoiceVendor, ...], Strict(False)] = option(
        (), "Who takes over when it fails, in order; each with a vendor and options of its own."
    )


class Realtime(VendorGroup):
    """A model that hears, thinks and speaks itself, where the agent's mode is 'realtime'."""

    role: ClassVar[str] = REALTIME

    vendor: str = option("openai", "'openai' is the Realtime API of OpenAI.")
    model: str = option("", "Empty: its usual one.")
    voice: str = option("", "A voice of the vendor. Empty: its usual one.")
    language: str = option("", "What the caller speaks, if not the agent's language; 'multi' for several.")
    speed: float = option(1.0, "Factor on the voice's normal speed.")
    max_tokens: int | None = option(None, "Most tokens of one reply, sound included. Not set: no limit.")
    transcription_model: str = option(
        "gpt-transcribe", "What writes down the caller's words; the model itself hears the sound."
    )
    keywords: Texts = option((), "Words to favour in what is written down, such as names.")


_NOT_OPTIONS = frozenset({"unlisted", "vendor", "model", "voice", "language", "alternatives"})
_OF_A_VENDOR = (TranscriberVendor, ModelVendor, VoiceVendor, Realtime)


def options_of(group: VendorGroup) -> dict[str, Any]:
    """The vendor's options in a group, by name, those at their defaults too."""
    own = next(kind for kind in _OF_A_VENDOR if isinstance(group, kind))
    return {name: getattr(group, name) for name in own.model_fields if name not in _NOT_OPTIONS}


_G = TypeVar("_G", Transcriber, Model, Voice)


def with_vendor(group: _G, vendor: str) -> _G:
    """The group with another vendor at its usual settings; what is not the vendor's (deadlines) stays."""
    if vendor == group.vendor:
        return group
    try:
        return type(group).model_validate({**_kept(group), "vendor": vendor})
    except InvalidAgent as error:
        raise InvalidAgent(f"{group.role}.{problem}" for problem in error.problems) from None


def without_vendor(group: _G) -> _G:
    """The group with no vendor chosen, for a call whose model hears and speaks itself; deadlines stay."""
    return type(group).model_validate(_kept(group))


def _kept(group: Transcriber | Model | Voice) -> dict[str, Any]:
    """What of a group is not its vendor's."""
    own = next(kind for kind in _OF_A_VENDOR if isinstance(group, kind))
    return {
        name: getattr(group, name)
        for name in type(group).model_fields
        if name not in own.model_fields and name != "alternatives"
    }
