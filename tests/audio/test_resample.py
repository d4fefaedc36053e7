import sys

import pytest

from engine.audio.resample import Resampler
from engine.errors import MissingExtra
from tests.audio.sounds import frames, sine

np = pytest.importorskip("numpy")
pytest.importorskip("soxr")


def run(resampler: Resampler, pcm: bytes, chunk: int) -> bytes:
    return b"".join([resampler.feed(part) for part in frames(pcm, chunk)]) + resampler.flush()


def assert_same_but_for_dither(a: bytes, b: bytes) -> None:
    x, y = (np.frombuffer(pcm, "<i2").astype(int) for pcm in (a, b))
    assert len(x) == len(y)
    assert np.abs(x - y).max() <= 2


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(24000, 8000), (22050, 8000), (16000, 8000), (8000, 16000), (44100, 8000)]
)
def test_length_frequency_and_level_are_kept(rate_in: int, rate_out: int) -> None:
    out = np.frombuffer(run(Resampler(rate_in, rate_out), sine(1000, ms=1000, rate=rate_in), 640), "<i2")
    assert abs(len(out) - rate_out) <= 2
    spectrum = np.abs(np.fft.rfft(out[: rate_out // 2] * np.hanning(rate_out // 2)))
    assert spectrum.argmax() * 2 == pytest.approx(1000, abs=2)
    middle = out[rate_out // 4 : -rate_out // 4] / 32768
    assert 20 * np.log10(np.sqrt((middle**2).mean())) == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize("chunk", [1, 37, 639, 100_000])
def test_chunks_leave_no_trace(chunk: int) -> None:
    pcm = sine(300, 1200, ms=100, rate=24000)
    whole = run(Resampler(24000, 8000), pcm, len(pcm))
    assert_same_but_for_dither(run(Resampler(24000, 8000), pcm, chunk), whole)


def test_after_a_flush_a_new_stream_begins() -> None:
    resampler = Resampler(24000, 8000)
    pcm = sine(500, ms=100, rate=24000)
    first = run(resampler, pcm + b"\x01", 999)
    assert_same_but_for_dither(run(resampler, pcm, 999), first)


def test_what_the_new_rate_cannot_hold_is_filtered_out() -> None:
    out = np.frombuffer(run(Resampler(24000, 8000), sine(5500, ms=500, rate=24000), 960), "<i2")
    assert np.abs(out[400:-400]).max() < 10


def test_the_same_rate_passes_whole_samples_through() -> None:
    resampler = Resampler(8000, 8000)
    assert [resampler.feed(b"abc"), resampler.feed(b"de"), resampler.feed(b"f")] == [b"ab", b"cd", b"ef"]


def test_bad_rates_and_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="positive"):
        Resampler(0, 8000)
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(MissingExtra) as missing:
        Resampler(24000, 8000)
    assert (missing.value.library, missing.value.extra) == ("soxr", "local")
