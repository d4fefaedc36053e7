"""What each signal function costs per 20 ms frame: ``python -m benchmarks.audio``.

Each figure is the median of several repeats. An empty call and a fixed piece of plain Python are timed in
the same run: figures of two machines or two days compare only as multiples of those. Steps whose library is
not installed are left out, by name.
"""

from __future__ import annotations

import io
import random
import statistics
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from math import pi, sin
from time import perf_counter

from benchmarks.report import Cell, Result, show
from engine.audio import mulaw
from engine.audio._pcm import SAMPLE_RATE
from engine.audio.gates import LevelGate, WebRtcGate
from engine.audio.level import CallerPeak, EchoFloor, NoiseFloor, level_dbfs
from engine.audio.record import TwoTrackRecorder
from engine.audio.resample import Resampler
from engine.audio.silero import WINDOW, SileroModel, SileroState
from engine.audio.tones import BeepListener, DtmfListener, dtmf
from engine.errors import MissingExtra
from engine.providers.silero_model import find_model

REPEATS = 7
CALLS = 2000
FRAME = 160

Step = Callable[[], object]


def micros(step: Step, calls: int = CALLS) -> float:
    """Median over the repeats of the microseconds that one call of ``step`` takes."""
    rounds = []
    for _ in range(REPEATS):
        begin = perf_counter()
        for _ in range(calls):
            step()
        rounds.append((perf_counter() - begin) / calls * 1e6)
    return statistics.median(rounds)


def plain_python() -> int:
    """The yardstick: a hundred turns of a loop."""
    total = 0
    for i in range(100):
        total += i & 7
    return total


def speechlike(seconds: int = 2) -> list[bytes]:
    """Frames with the levels of speech (bursts of 200 ms) but no tone in them: the detectors' usual work."""
    rng = random.Random(7)
    frames = []
    for i in range(seconds * 50):
        spread = 3000 if i // 10 % 2 else 60
        pcm = b"".join(int(rng.gauss(0, spread)).to_bytes(2, "little", signed=True) for _ in range(FRAME))
        frames.append(mulaw.encode(pcm))
    return frames


def listeners() -> Iterator[tuple[str, Step]]:
    """The steps that look at the caller's frames."""
    frames = cycle(speechlike())
    tone = cycle([dtmf("5", 20, 0)])
    quiet = mulaw.silence(20)
    floor, peak = NoiseFloor(), CallerPeak()
    level_gate, dtmf_listener, beep_listener = LevelGate(), DtmfListener(), BeepListener()
    yield "level_dbfs", lambda: level_dbfs(next(frames))
    yield "NoiseFloor.update", lambda: floor.update(-40, False)
    yield "CallerPeak.update + is_caller", lambda: (peak.update(-40), peak.is_caller(-40, 15))
    yield "LevelGate.feed", lambda: level_gate.feed(next(frames))
    yield "DtmfListener.feed, quiet", lambda: dtmf_listener.feed(quiet)
    yield "DtmfListener.feed, sound", lambda: dtmf_listener.feed(next(frames))
    yield "DtmfListener.feed, a key", lambda: dtmf_listener.feed(next(tone))
    yield "BeepListener.feed, quiet", lambda: beep_listener.feed(quiet)
    yield "BeepListener.feed, sound", lambda: beep_listener.feed(next(frames))
    yield "BeepListener.feed, a tone", _beep_in_progress()


def _beep_in_progress() -> Step:
    listener = BeepListener()
    sine = array("h", (round(4000 * sin(pi / 4 * n)) for n in range(FRAME)))  # 1 kHz
    frame = mulaw.encode(sine.tobytes())
    return lambda: listener.feed(frame)


def transforms() -> Iterator[tuple[str, Step]]:
    """The steps that change or keep audio."""
    frame = speechlike(1)[15]
    pcm = mulaw.decode(frame)
    echo, recorder = EchoFloor(-15), TwoTrackRecorder(io.BytesIO())
    clock = iter(range(0, 10**9, 20))

    def play() -> None:
        now = next(clock)
        echo.played(now, -20)
        echo.floor(now)

    ticks = iter(range(0, 10**9, 20))

    def record() -> None:
        at = next(ticks)
        recorder.caller(at, frame)
        recorder.agent(at, frame)

    yield "mulaw.decode", lambda: mulaw.decode(frame)
    yield "mulaw.encode", lambda: mulaw.encode(pcm)
    yield "mulaw.attenuate", lambda: mulaw.attenuate(frame, 12)
    yield "EchoFloor.played + floor", play
    yield "TwoTrackRecorder, both tracks", record


def with_libraries() -> Iterator[tuple[str, Step]]:
    """The steps that need an optional library."""
    frames = cycle(speechlike())
    try:
        gate = WebRtcGate()
        yield "WebRtcGate.feed", lambda: gate.feed(next(frames))
        wide, down = bytes(FRAME * 2 * 3), Resampler(3 * SAMPLE_RATE, SAMPLE_RATE)
        yield "Resampler 24 to 8 kHz", lambda: down.feed(wide)
    except MissingExtra as missing:
        print(f"left out: {missing}", file=sys.stderr)


def silero() -> Iterator[tuple[str, float]]:
    """Silero's share of a 20 ms frame of one call, by how many calls are judged together."""
    path = find_model()
    if path is None:
        print("left out: the silero model is not installed", file=sys.stderr)
        return
    try:
        model = SileroModel(path)
    except MissingExtra as missing:
        print(f"left out: {missing}", file=sys.stderr)
        return
    window = b"".join(speechlike(1))[:WINDOW]
    for calls in (1, 8, 25, 50):
        states = [SileroState() for _ in range(calls)]
        batch = micros(lambda s=states, n=calls: model.infer(s, [window] * n), 100)  # type: ignore[misc]
        yield f"SileroModel.infer, batch of {calls}", batch / calls * FRAME / WINDOW


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    show(run())


def run() -> Result:
    """Measure."""
    yardstick = micros(plain_python)
    rows = [("an empty call", micros(lambda: None)), ("plain loop of 100 turns", yardstick)]
    for steps in (listeners(), transforms(), with_libraries()):
        rows += [(name, micros(step)) for name, step in steps]
    rows += silero()
    table: list[list[Cell]] = [[name, cost, cost / yardstick] for name, cost in rows]
    return {
        "title": "What each signal function costs per 20 ms frame",
        "columns": ["step", "µs", "x a plain loop of 100 turns"],
        "rows": table,
        "notes": [
            f"Median of {REPEATS} repeats of {CALLS} calls. Steps whose library is missing are left out."
        ],
    }


if __name__ == "__main__":
    main()
