"""espeak-ng keeps the contract, in all its languages, speakers and speeds."""

from __future__ import annotations

import asyncio
import statistics
import sys

import pytest

from engine.audio import mulaw
from engine.audio.level import level_dbfs
from engine.core.events import VoiceDone
from engine.errors import EngineError, MissingExtra
from tests.providers.voice_conformance import (
    SENTENCE,
    VoiceConformance,
    by_piece,
    collect,
    speak,
    speech_level,
)

pytest.importorskip("espeakng_loader", reason="the extra 'local' is not installed")
pytest.importorskip("numpy", reason="the extra 'local' is not installed")

import numpy

from engine.providers.tts.espeak import EspeakVoice, voices

GREETINGS = {
    "bg": "Здравейте", "ca": "Bon dia", "zh": "你好", "zh-TW": "您好", "cs": "Dobrý den", "da": "Goddag",
    "nl": "Goedemorgen", "en": "Good morning", "et": "Tere hommikust", "fi": "Hyvää päivää",
    "nl-BE": "Goedendag",
    "fr": "Bonjour", "de": "Guten Tag", "de-CH": "Grüezi", "el": "Καλημέρα", "hi": "नमस्ते", "hu": "Jó napot",
    "id": "Selamat pagi", "it": "Buongiorno", "ja": "こんにちは", "ko": "안녕하세요", "lv": "Labdien",
    "lt": "Laba diena", "ms": "Selamat pagi", "no": "God morgen", "pl": "Dzień dobry", "pt": "Bom dia",
    "ro": "Bună ziua", "ru": "Здравствуйте", "sk": "Dobrý deň", "es": "Buenos días", "sv": "God morgon",
    "th": "สวัสดี", "tr": "Günaydın", "uk": "Добрий день", "vi": "Xin chào", "multi": "Good morning",
    "es-ES": "Buenos días", "es-MX": "Buenos días", "en-GB": "Good morning", "en_us": "Good morning",
    "pt-BR": "Bom dia", "zh-Hant-TW": "您好",
}  # fmt: skip


class TestEspeak(VoiceConformance):
    @pytest.fixture
    def voice(self) -> EspeakVoice:
        return EspeakVoice()


async def test_every_language_speaks_with_the_common_level() -> None:
    levels = {}
    for language, text in GREETINGS.items():
        (spoken,) = await speak(EspeakVoice(language), text)
        assert isinstance(spoken.events[-1], VoiceDone), language
        assert spoken.ms > 250, language
        assert spoken.text == text
        levels[language] = speech_level(spoken.audio)
    assert {code: level for code, level in levels.items() if not -25 < level < -16} == {}


async def test_languages_differ_even_when_they_take_turns() -> None:
    english, german = await EspeakVoice("en").open(), await EspeakVoice("de").open()
    for piece in range(3):
        english.say(1, piece, "Ja, 25 Euro")
        german.say(1, piece, "Ja, 25 Euro")
    events = await asyncio.gather(collect(english, 3), collect(german, 3))
    mine, theirs = ([spoken.ms for spoken in by_piece(one).values()] for one in events)
    assert max(mine) - min(mine) < 0.03 * min(mine)
    assert min(abs(a - b) for a in mine for b in theirs) > 0.03 * min(mine)
    await english.close()
    await german.close()


@pytest.mark.parametrize("speed", [0.5, 1.5, 2.0, 2.5, 5.0])
async def test_speed_is_a_factor(speed: float) -> None:
    (normal,), (changed,) = [await speak(EspeakVoice(speed=factor), SENTENCE) for factor in (1.0, speed)]
    assert changed.ms * speed == pytest.approx(normal.ms, rel=0.15)
    assert changed.text == normal.text


async def test_a_word_begins_where_its_sound_begins() -> None:
    (spoken,) = await speak(EspeakVoice(), "Yes. No.")
    start = spoken.words[1].start
    assert start > 1600
    assert level_dbfs(spoken.audio[start - 800 : start - 80]) < -50
    assert level_dbfs(spoken.audio[start : start + 1600]) > -35


def pitch_hz(audio: bytes) -> float:
    """The median pitch of the voiced frames, by autocorrelation between 70 and 400 Hz."""
    samples = numpy.frombuffer(mulaw.decode(audio), "<i2").astype(float)
    pitches = []
    for frame in samples[: len(samples) // 400 * 400].reshape(-1, 400):
        match = numpy.correlate(frame, frame, "full")[399:]
        lag = 20 + int(match[20:115].argmax())
        if match[lag] > 0.5 * match[0] > 0:
            pitches.append(8000 / lag)
    return statistics.median(pitches)


async def test_speakers_and_pitch_sound_different() -> None:
    low, normal, high, woman = [
        (await speak(voice, SENTENCE))[0]
        for voice in (EspeakVoice(pitch=10), EspeakVoice(), EspeakVoice(pitch=90), EspeakVoice(voice="f3"))
    ]
    assert pitch_hz(low.audio) * 1.15 < pitch_hz(normal.audio) < pitch_hz(high.audio) / 1.15
    assert pitch_hz(woman.audio) > 1.15 * pitch_hz(normal.audio)


async def test_a_language_before_the_speaker_takes_the_languages_place() -> None:
    voices_of = (
        EspeakVoice("en", voice="de+f3"),
        EspeakVoice("de", voice="f3"),
        EspeakVoice("en", voice="f3"),
    )
    mixed, german, english = [(await speak(voice, "Ja, 25 Euro"))[0] for voice in voices_of]
    assert mixed.ms == pytest.approx(german.ms, rel=0.03)
    assert mixed.ms != pytest.approx(english.ms, rel=0.03)


def test_every_listed_speaker_is_accepted() -> None:
    assert "f3" in voices()
    for name in voices():
        EspeakVoice(voice=name)
        EspeakVoice("de", voice=f"en-GB+{name}")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"language": "xx"}, "voice.language"),
        ({"language": ""}, "voice.language"),
        ({"voice": "nobody"}, "voice.voice"),
        ({"voice": ""}, "voice.voice"),
        ({"voice": "../f3"}, "voice.voice"),
        ({"voice": "xx+f3"}, "voice.language"),
        ({"speed": 0.4}, "voice.speed"),
        ({"speed": float("nan")}, "voice.speed"),
        ({"pitch": 101}, "voice.pitch"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(settings: dict[str, object], field: str) -> None:
    with pytest.raises(EngineError, match=f"^{field}: "):
        EspeakVoice(**settings)  # type: ignore[arg-type]


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingExtra, match=r"espeakng-loader .*engine\[local\]"):
        EspeakVoice()
