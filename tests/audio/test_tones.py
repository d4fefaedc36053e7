import random

import pytest

from engine.audio import mulaw
from engine.audio.tones import BeepListener, DtmfListener, dtmf
from tests.audio.sounds import Recording, frames, noisy, sine

KEYS = "0123456789*#ABCD"
KEY_5 = (770.0, 1336.0)


def keys_heard(audio: bytes, size: int = 160) -> str:
    listener = DtmfListener()
    return "".join(key for part in frames(audio, size) for key in listener.feed(part))


def beeps_heard(audio: bytes, size: int = 160) -> list[tuple[str, int]]:
    listener = BeepListener()
    return [beep for part in frames(audio, size) for beep in listener.feed(part)]


@pytest.mark.parametrize("offset", [0, 13, 80, 133])
@pytest.mark.parametrize("db", [0, 20])
def test_all_keys_are_heard_once_at_the_shortest_timing(offset: int, db: float) -> None:
    audio = b"\xff" * offset + mulaw.attenuate(dtmf(KEYS, tone_ms=40, gap_ms=40), db)
    assert keys_heard(audio) == KEYS


def test_keys_are_heard_in_noise_15_db_below() -> None:
    assert keys_heard(mulaw.encode(noisy(mulaw.decode(dtmf(KEYS, 60, 60)), dbfs=-22))) == KEYS


@pytest.mark.parametrize("size", [1, 33, 480, 100_000])
def test_keys_do_not_depend_on_how_the_audio_was_cut(size: int) -> None:
    assert keys_heard(dtmf("1w9#"), size) == "19#"


def test_a_long_key_is_one_key_and_a_repeated_key_two() -> None:
    assert keys_heard(dtmf("5", tone_ms=2000)) == "5"
    assert keys_heard(dtmf("55", tone_ms=50, gap_ms=40)) == "55"


def test_a_break_of_10_ms_does_not_make_it_two_keys() -> None:
    assert keys_heard(dtmf("5", 100, 10) + dtmf("5", 100, 100)) == "5"


@pytest.mark.parametrize("offset", range(0, 160, 20))
def test_a_burst_of_20_ms_is_no_key(offset: int) -> None:
    assert keys_heard(b"\xff" * offset + dtmf("159D", tone_ms=20)) == ""


@pytest.mark.parametrize(
    ("detune", "heard"), [(1.0, "5"), (1.015, "5"), (0.985, "5"), (1.035, ""), (0.965, "")]
)
def test_frequencies_must_be_near_their_places(detune: float, heard: str) -> None:
    pcm = sine(*(frequency * detune for frequency in KEY_5), ms=100)
    assert keys_heard(mulaw.encode(pcm)) == heard


@pytest.mark.parametrize(("twist", "heard"), [(-12, ""), (-8, "5"), (0, "5"), (4, "5"), (8, "")])
def test_twist_is_limited(twist: float, heard: str) -> None:
    low = memoryview(sine(KEY_5[0], ms=100, dbfs=-20)).cast("h")
    high = memoryview(sine(KEY_5[1], ms=100, dbfs=-20 + twist)).cast("h")
    pcm = b"".join((a + b).to_bytes(2, "little", signed=True) for a, b in zip(low, high, strict=True))
    assert keys_heard(mulaw.encode(pcm)) == heard


def test_one_tone_alone_is_no_key() -> None:
    assert keys_heard(mulaw.encode(sine(770, ms=300))) == ""


def test_timing_of_what_is_made() -> None:
    audio = dtmf("1w2", tone_ms=80, gap_ms=50)
    assert len(audio) == (80 + 50 + 500 + 80 + 50) * 8
    assert audio[130 * 8 : 630 * 8] == mulaw.silence(500)


def test_a_character_that_is_no_key_is_refused() -> None:
    with pytest.raises(ValueError, match="'E'"):
        dtmf("12E")
    assert dtmf("aW") == dtmf("Aw")


def test_no_key_and_no_beep_in_recorded_speech_but_the_machines_own(recordings: list[Recording]) -> None:
    beeps = 0
    for recording in recordings:
        assert keys_heard(recording.audio) == "", recording.file
        found = [at for _, at in beeps_heard(recording.audio)]
        labelled = [1000 * recording.labels["beep"][1]] if "beep" in recording.labels else []
        assert found == pytest.approx(labelled, abs=20), recording.file
        beeps += len(found)
    assert beeps == 4


@pytest.mark.parametrize("frequency", [620, 700, 850, 1000, 1400, 1580])
@pytest.mark.parametrize("size", [160, 7])
def test_a_beep_is_reported_where_it_ended(frequency: int, size: int) -> None:
    pcm = bytes(16 * 500) + sine(frequency, ms=210) + bytes(16 * 300)
    [(kind, at)] = beeps_heard(mulaw.encode(noisy(pcm, dbfs=-40)), size)
    assert kind == "beep"
    assert at == pytest.approx(710, abs=10)


@pytest.mark.parametrize(
    "tones",
    [
        (440,),  # ringing in France
        (425,),  # ringing in most of Europe
        (440, 480),  # ringing in North America
        (480, 620),  # busy in North America
        (697, 1209),  # a key
        (2100,),  # a fax answers
    ],
)
def test_call_progress_tones_are_no_beep(tones: tuple[float, ...]) -> None:
    pcm = bytes(1600) + sine(*tones, ms=500) + bytes(16000)
    assert beeps_heard(mulaw.encode(pcm)) == []


@pytest.mark.parametrize("offset_ms", range(0, 20, 3))
def test_a_beep_counts_from_160_ms_on_and_never_below_130(offset_ms: int) -> None:
    for length_ms, count in ((160, 1), (130, 0)):
        pcm = bytes(16 * (100 + offset_ms)) + sine(1000, ms=length_ms) + bytes(16 * 300)
        assert len(beeps_heard(mulaw.encode(pcm))) == count


def test_a_short_a_gliding_and_an_endless_tone_are_no_beep() -> None:
    short = sine(1000, ms=120)
    glide = b"".join(sine(700 + 30 * i, ms=20) for i in range(20))
    for pcm in (short, glide, sine(1000, ms=4000)):
        assert beeps_heard(mulaw.encode(bytes(1600) + pcm + bytes(16000))) == []


def test_a_tone_that_does_not_stop_dead_is_no_beep() -> None:
    ringing_out = b"".join(sine(1000, ms=20, dbfs=-20 - max(0, i - 10)) for i in range(40))
    assert beeps_heard(mulaw.encode(ringing_out)) == []


def test_noise_is_neither() -> None:
    rng = random.Random(3)
    audio = bytes(rng.randrange(256) for _ in range(8000 * 5))
    assert keys_heard(audio) == "" and beeps_heard(audio) == []
