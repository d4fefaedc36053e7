import pytest

from engine.audio import mulaw
from engine.audio.level import DIGITAL_SILENCE, CallerPeak, EchoFloor, NoiseFloor, level_dbfs
from tests.audio.sounds import sine


@pytest.mark.parametrize("dbfs", [-6.0, -20.0, -40.0])
def test_level_of_a_sine_is_its_rms(dbfs: float) -> None:
    assert level_dbfs(mulaw.encode(sine(400, ms=100, dbfs=dbfs))) == pytest.approx(dbfs, abs=0.3)


def test_no_signal_and_no_audio_are_digital_silence() -> None:
    assert level_dbfs(mulaw.silence(20)) == level_dbfs(b"") == level_dbfs(b"\x7f" * 160) == DIGITAL_SILENCE


def test_noise_floor_falls_fast_and_rises_slowly() -> None:
    floor = NoiseFloor(-40)
    for _ in range(20):
        floor.update(-60, speech=False)
    assert floor.level == pytest.approx(-60, abs=0.5)
    fallen = floor.level
    for _ in range(50):
        floor.update(-30, speech=False)
    assert floor.level == pytest.approx(fallen + 6, abs=0.01)


def test_noise_floor_rises_more_slowly_in_speech_and_never_over_the_level() -> None:
    floor = NoiseFloor(-50)
    for _ in range(50):
        floor.update(-20, speech=True)
    assert floor.level == pytest.approx(-47)
    for _ in range(500):
        floor.update(-45, speech=False)
    assert floor.level == -45


def test_noise_floor_does_not_follow_a_muted_line_down() -> None:
    floor = NoiseFloor()
    for _ in range(100):
        floor.update(DIGITAL_SILENCE, speech=False)
    assert floor.level == NoiseFloor.LOWEST


def test_noise_floor_counts_audio_not_calls() -> None:
    by_20, by_40 = NoiseFloor(-40), NoiseFloor(-40)
    for level in (-60, -60, -30, -30):
        by_20.update(level, speech=False)
    for level in (-60, -30):
        by_40.update(level, speech=False, ms=40)
    assert by_20.level == pytest.approx(by_40.level)


def test_before_any_sound_everyone_may_be_the_caller() -> None:
    assert CallerPeak().is_caller(-60, 12)


def test_caller_peak_tells_the_caller_from_a_fainter_voice() -> None:
    peak = CallerPeak()
    for _ in range(5):
        peak.update(-20)
    for _ in range(5):
        peak.update(-40)
    assert not peak.is_caller(-40, 15)
    assert peak.is_caller(-34, 15)


def test_a_sound_of_the_caller_is_held_for_96_ms() -> None:
    peak = CallerPeak()
    for _ in range(4):
        peak.update(-20)
    verdicts = []
    for _ in range(6):
        peak.update(-50)
        verdicts.append(peak.is_caller(-50, 15))
    assert verdicts == [True, True, True, True, False, False]


def test_caller_peak_falls_one_decibel_a_second() -> None:
    peak = CallerPeak()
    for _ in range(4):
        peak.update(-20)
    for _ in range(250):
        peak.update(-60)
    assert peak.peak == pytest.approx(-25, abs=0.1)


def test_a_click_does_not_raise_the_peak() -> None:
    peak = CallerPeak()
    for level in [-30.0] * 5 + [-3.0, -3.0] + [-30.0] * 5:
        peak.update(level)
    assert peak.peak == pytest.approx(-30, abs=0.2)


def test_echo_floor_lasts_as_long_as_the_echo_may_come_back() -> None:
    echo = EchoFloor(gain=-15)
    assert echo.floor(0) == DIGITAL_SILENCE
    echo.played(100, -20)
    echo.played(120, -30)
    assert echo.floor(99) == DIGITAL_SILENCE
    assert echo.floor(100) == -35
    assert echo.floor(499) == -35
    assert echo.floor(500) == -45
    assert echo.floor(520) == DIGITAL_SILENCE


def test_echo_floor_forgets_what_was_cleared() -> None:
    echo = EchoFloor(gain=-10)
    for at in range(0, 1000, 20):
        echo.played(at, -20)
    assert echo.floor(300) == -30
    echo.cleared(300)
    assert echo.floor(679) == -30
    assert echo.floor(680) == DIGITAL_SILENCE


def test_echo_floor_of_silence_is_silence() -> None:
    echo = EchoFloor(gain=-10)
    echo.played(0, DIGITAL_SILENCE)
    assert echo.floor(10) == DIGITAL_SILENCE
