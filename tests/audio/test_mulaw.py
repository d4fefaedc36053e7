import subprocess
import sys

import pytest

from engine.audio import mulaw
from engine.audio.level import level_dbfs
from tests.audio.sounds import sine

CODES = bytes(range(256))


def test_every_code_but_the_negative_zero_survives_decode_and_encode() -> None:
    again = mulaw.encode(mulaw.decode(CODES))
    assert [(a, b) for a, b in zip(CODES, again, strict=True) if a != b] == [(0x7F, mulaw.SILENCE)]


def test_values_are_those_of_g711() -> None:
    samples = memoryview(mulaw.decode(bytes((0x00, 0x80, 0xFE, 0xFF, 0x7F, 0x7E)))).cast("h")
    assert list(samples) == [-32124, 32124, 8, 0, 0, -8]


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="middle"):
        mulaw.encode(b"\x00\x01\x02")


def test_silence_has_eight_zero_samples_a_millisecond() -> None:
    assert mulaw.decode(mulaw.silence(3)) == bytes(3 * 8 * 2)


@pytest.mark.parametrize("db", [1, 6, 12, 20.5])
def test_attenuation_lowers_the_level_by_so_many_decibels(db: float) -> None:
    tone = mulaw.encode(sine(440, ms=200, dbfs=-10))
    assert level_dbfs(tone) - level_dbfs(mulaw.attenuate(tone, db)) == pytest.approx(db, abs=0.15)


def test_attenuation_by_nothing_changes_nothing_and_louder_is_refused() -> None:
    assert mulaw.attenuate(CODES, 0) == CODES
    with pytest.raises(ValueError, match="0 dB"):
        mulaw.attenuate(CODES, -1)


def test_import_does_not_warn() -> None:
    code = "import warnings; warnings.simplefilter('error'); import engine.audio.mulaw"
    subprocess.run([sys.executable, "-c", code], check=True)
