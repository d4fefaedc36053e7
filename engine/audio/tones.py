"""Signal tones: keypad tones (DTMF) made and heard, and the beep of an answering machine heard.

The power of a frequency in a window is the window's correlation with a cosine and a sine (one bin of a
Fourier transform, what the Goertzel recursion computes), which `audioop.findfactor` does in C.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from math import acos, atan2, cos, pi, remainder, sin

from engine.audio import mulaw
from engine.audio._pcm import FULL_SCALE, SAMPLE_RATE, WIDTH, audioop

_LOW = (697, 770, 852, 941)
_HIGH = (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")
_PAUSE_MS = 500

# --- made ---------------------------------------------------------------------------------------------


def dtmf(digits: str, tone_ms: int = 200, gap_ms: int = 100) -> bytes:
    """The tones of ``digits`` (ITU-T Q.23) as µ-law, each followed by a gap; ``w`` is a pause of 500 ms.

    The low group has -11 dBFS, the high group -9 (it suffers more on the way). Raises `ValueError` for
    anything but 0-9, ``*``, ``#``, A-D and w, in either case.
    """
    gap = mulaw.silence(gap_ms)
    pieces = []
    for digit in digits.upper():
        if digit == "W":
            pieces.append(mulaw.silence(_PAUSE_MS))
        else:
            pieces += (_key_tone(digit, tone_ms), gap)
    return b"".join(pieces)


@lru_cache(maxsize=64)
def _key_tone(digit: str, tone_ms: int) -> bytes:
    row = next((i for i, keys in enumerate(_KEYS) if digit in keys), None)
    if row is None:
        raise ValueError(f"{digit!r} is no key: use 0-9, *, #, A-D, and w for a pause")
    low, high = (2 * pi * f / SAMPLE_RATE for f in (_LOW[row], _HIGH[_KEYS[row].index(digit)]))
    low_peak, high_peak = (FULL_SCALE * 2**0.5 * 10 ** (db / 20) for db in (-11, -9))
    samples = (
        round(low_peak * sin(low * n) + high_peak * sin(high * n))
        for n in range(tone_ms * mulaw.BYTES_PER_MS)
    )
    return mulaw.encode(array("h", samples).tobytes())


# --- one frequency in a window ------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _reference(frequency: int, samples: int) -> tuple[bytes, bytes]:
    """A cosine and a sine of ``frequency`` Hz at full scale, as PCM."""
    step = 2 * pi * frequency / SAMPLE_RATE
    peak = FULL_SCALE - 1
    cosine = array("h", (round(peak * cos(step * n)) for n in range(samples)))
    sine = array("h", (round(peak * sin(step * n)) for n in range(samples)))
    return cosine.tobytes(), sine.tobytes()


def _component(pcm: bytes, frequency: int) -> tuple[float, float]:
    """The component at ``frequency`` Hz: cosine and sine amplitude, as parts of full scale."""
    cosine, sine = _reference(frequency, len(pcm) // WIDTH)
    return audioop.findfactor(pcm, cosine), audioop.findfactor(pcm, sine)


def _power(pcm: bytes, frequency: int) -> float:
    """Mean square of the component at ``frequency`` Hz, where a full-scale sine has 0.5."""
    c, s = _component(pcm, frequency)
    return (c * c + s * s) / 2


def _mean_square(pcm: bytes) -> float:
    """Mean square of all of it, on the scale of `_power`."""
    rms = audioop.rms(pcm, WIDTH)
    return rms * rms / (FULL_SCALE * FULL_SCALE)


# --- keypad tones heard -------------------------------------------------------------------------------


class DtmfListener:
    """Hears keypad tones in a caller's audio, after ITU-T Q.24.

    A key counts when two windows of 20 ms, 10 ms apart, agree on it: a tone of 40 ms always fills two, one of
    20 ms never does. It is over after four windows without it, so a break of 10 ms does not make it two keys
    and a pause of 40 ms does. In a window, the two strongest tones must hold nearly all of the power (a voice
    has harmonics), differ by no more than the twist that Q.24 allows, and lie within 1.5 % of their places.
    """

    _HOP = 10 * mulaw.BYTES_PER_MS
    _QUIETEST = 10 ** (-42 / 10)
    _SHARE = 0.85
    _HITS = 2
    _MISSES = 4
    _LOW_OVER_HIGH = 10 ** (9 / 10)  # Q.24 asks for 8 dB; a dB more for noise
    _HIGH_OVER_LOW = 10 ** (5 / 10)  # and 4 dB

    def __init__(self) -> None:
        self._rest = b""
        self._last = bytes(self._HOP * WIDTH)
        self._down = ""
        self._candidate = ""
        self._hits = 0
        self._misses = 0

    def feed(self, payload: bytes) -> list[str]:
        """Take µ-law audio of any length; returns the keys that were recognised in it, once each."""
        pending = self._rest + payload
        whole = len(pending) - len(pending) % self._HOP
        self._rest = pending[whole:]
        keys = []
        for i in range(0, whole, self._HOP):
            hop = mulaw.decode(pending[i : i + self._HOP])
            if self._step(_dtmf_key(self._last + hop)):
                keys.append(self._down)
            self._last = hop
        return keys

    def _step(self, key: str) -> bool:
        """Count one window's verdict (empty: no key); true if a key has just gone down."""
        if not key:
            self._candidate = ""
            self._misses += 1
            if self._misses >= self._MISSES:
                self._down = ""
            return False
        self._misses = 0
        self._hits = self._hits + 1 if key == self._candidate else 1
        self._candidate = key
        if self._hits < self._HITS or key == self._down:
            return False
        self._down = key
        return True


def _dtmf_key(window: bytes) -> str:
    """The key whose tones fill the window of 20 ms PCM, or nothing."""
    total = _mean_square(window)
    if total < DtmfListener._QUIETEST:
        return ""
    wanted = total * DtmfListener._SHARE
    low = max(_LOW, key=lambda f: _power(window, f))
    low_power = _power_near(window, low)
    if low_power * (1 + DtmfListener._HIGH_OVER_LOW) < wanted:
        return ""
    high = max(_HIGH, key=lambda f: _power(window, f))
    high_power = _power_near(window, high)
    if low_power + high_power < wanted:
        return ""
    if low_power > high_power * DtmfListener._LOW_OVER_HIGH:
        return ""
    if high_power > low_power * DtmfListener._HIGH_OVER_LOW:
        return ""
    return _KEYS[_LOW.index(low)][_HIGH.index(high)]


def _power_near(window: bytes, frequency: int) -> float:
    """The power at ``frequency`` or where a generator 1.5 % off would put it, whichever is more."""
    off = frequency * 0.015
    return max(_power(window, round(frequency + part * off)) for part in (-1, -0.5, 0, 0.5, 1))


# --- an answering machine's beep ----------------------------------------------------------------------


class BeepListener:
    """Hears the beep after an answering machine's greeting: one pure, steady tone that stops dead.

    A beep is 160 ms to 3 s of a single tone between 600 and 1600 Hz (ringing and busy tones lie below or
    have two frequencies, a fax answers at 2100 Hz) whose frequency stays within 1.5 % and whose level stays
    within 3 dB, then at least 15 dB less within 60 ms. Held vowels waver, notes of music ring out.
    """

    _BLOCK_MS = 20
    _BLOCK = _BLOCK_MS * mulaw.BYTES_PER_MS
    _QUIETEST = 10 ** (-42 / 10)
    _FEWEST_BLOCKS = 7  # which a tone of 160 ms always fills, wherever it begins, and one of 130 ms never
    _MOST_BLOCKS = 150
    _TAIL_BLOCKS = 3
    _STEADY_LEVEL = 10 ** (3 / 10)
    _STEADY_FREQUENCY = 0.015
    _DROP = 10 ** (-15 / 10)

    def __init__(self) -> None:
        self._rest = b""
        self._at = 0
        self._blocks = 0
        self._frequency = 0.0
        self._power = 0.0
        self._tail = 0
        self._ended = 0

    def feed(self, payload: bytes) -> list[tuple[str, int]]:
        """Take µ-law audio of any length; returns ``("beep", media ms at which it ended)`` for each beep.

        Media time counts from the first byte fed; the end is exact to about 10 ms.
        """
        pending = self._rest + payload
        whole = len(pending) - len(pending) % self._BLOCK
        self._rest = pending[whole:]
        beeps = []
        for i in range(0, whole, self._BLOCK):
            ended = self._step(mulaw.decode(pending[i : i + self._BLOCK]))
            if ended is not None:
                beeps.append(("beep", ended))
            self._at += self._BLOCK_MS
        return beeps

    def _step(self, block: bytes) -> int | None:
        """Follow a run of like blocks; its end, in media ms, once the run has proved to be a beep."""
        power = _mean_square(block)
        if not self._tail and self._goes_on(block, power):
            return None
        if self._blocks < self._FEWEST_BLOCKS or self._blocks > self._MOST_BLOCKS:
            self._start(block, power)
            return None
        if not self._tail:  # the tone filled as much of its last block as the block has of its power
            self._ended = self._at + round(self._BLOCK_MS * min(1.0, power / self._power))
        self._tail += 1
        if power < self._power * self._DROP:
            self._start(block, power)
            return self._ended
        if self._tail == self._TAIL_BLOCKS:
            self._start(block, power)
        return None

    def _goes_on(self, block: bytes, power: float) -> bool:
        """Whether the block belongs to the run; counts it if it does."""
        if (
            not self._blocks
            or not self._power / self._STEADY_LEVEL < power < self._power * self._STEADY_LEVEL
        ):
            return False
        frequency = _pure_tone(block, power)
        if abs(frequency - self._frequency) > self._frequency * self._STEADY_FREQUENCY:
            return False
        self._blocks += 1
        return True

    def _start(self, block: bytes, power: float) -> None:
        """Let a run begin with this block, or none if it is no tone."""
        self._frequency = _pure_tone(block, power) if power >= self._QUIETEST else 0.0
        self._power = power
        self._blocks = 1 if self._frequency else 0
        self._tail = 0


_TONE_RANGE = (600, 1600)
_ROUGH_SHARE = 0.5
_TONE_SHARE = 0.85
_TONE_STEP = 10


def _pure_tone(block: bytes, power: float) -> float:
    """The frequency in Hz of the one tone that makes up ``block`` (PCM, mean square ``power``), or 0.

    A sine obeys x[n-1] + x[n+1] = 2·cos(w)·x[n], which gives its frequency roughly (noise pulls it up); the
    advance of its phase from the first half of the block to the second gives it exactly.
    """
    before, here, after = block[: -2 * WIDTH], block[WIDTH:-WIDTH], block[2 * WIDTH :]
    cosine = (audioop.findfactor(before, here) + audioop.findfactor(after, here)) / 2
    if not -1 < cosine < 1:
        return 0.0
    rough = round(acos(cosine) * SAMPLE_RATE / (2 * pi * _TONE_STEP)) * _TONE_STEP
    if not _TONE_RANGE[0] - 50 <= rough <= _TONE_RANGE[1] + 50:
        return 0.0
    half = len(block) // 2
    c1, s1 = _component(block[:half], rough)
    c2, s2 = _component(block[half:], rough)
    if (c1 * c1 + s1 * s1 + c2 * c2 + s2 * s2) / 4 < power * _ROUGH_SHARE:
        return 0.0
    seconds = half / WIDTH / SAMPLE_RATE
    advance = atan2(-s2, c2) - atan2(-s1, c1) - 2 * pi * rough * seconds
    frequency = rough + remainder(advance, 2 * pi) / (2 * pi * seconds)
    if not _TONE_RANGE[0] <= frequency <= _TONE_RANGE[1]:
        return 0.0
    nearest = round(frequency / _TONE_STEP) * _TONE_STEP
    return frequency if _power(block, nearest) >= power * _TONE_SHARE else 0.0
