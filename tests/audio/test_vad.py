from collections.abc import Callable

import pytest

from engine.audio import mulaw
from engine.audio.gates import LevelGate, WebRtcGate
from engine.audio.level import UNSURE, level_dbfs
from engine.audio.silero import WINDOW, SileroModel, SileroState
from engine.audio.vad import VoiceActivity, open_vad
from engine.providers.silero_model import find_model
from tests.audio.sounds import Recording, frames, noisy, sine

Judge = Callable[[bytes], list[float]]
MARGIN = 50
"""Frames this near (ms) to a labelled boundary do not count."""


def miss_and_false_alarm(recordings: list[Recording], judge: Judge, frame_ms: int) -> tuple[float, float]:
    """Rates over the words of real calls, against the labels that people set."""
    speech: list[bool] = []
    silence: list[bool] = []
    for recording in recordings:
        if not recording.file.startswith("words/"):
            continue
        spans = [(1000 * start, 1000 * end) for start, end in recording.labels["speech"]]
        for i, probability in enumerate(judge(recording.audio)):
            begin, end = i * frame_ms, (i + 1) * frame_ms
            if any(begin >= a + MARGIN and end <= b - MARGIN for a, b in spans):
                speech.append(probability >= 0.5)
            elif all(end <= a - MARGIN or begin >= b + MARGIN for a, b in spans):
                silence.append(probability >= 0.5)
    assert len(speech) > 300 and len(silence) > 1000
    return 1 - sum(speech) / len(speech), sum(silence) / len(silence)


def verdicts(vad: VoiceActivity, audio: bytes) -> list[float]:
    return [vad.feed(frame)[1] for frame in frames(audio)]


def test_level_gate_on_real_calls(recordings: list[Recording]) -> None:
    miss, false_alarm = miss_and_false_alarm(recordings, lambda audio: verdicts(LevelGate(), audio), 20)
    assert miss < 0.07 and false_alarm < 0.12


def test_webrtc_gate_on_real_calls(recordings: list[Recording]) -> None:
    miss, false_alarm = miss_and_false_alarm(recordings, lambda audio: verdicts(WebRtcGate(), audio), 20)
    assert miss < 0.07 and false_alarm < 0.07


def test_silero_on_real_calls(recordings: list[Recording]) -> None:
    pytest.importorskip("onnxruntime")
    path = find_model()
    if path is None:
        pytest.skip("the silero model is not installed")
    model = SileroModel(path)

    def judge(audio: bytes) -> list[float]:
        state = SileroState()
        return [model.infer([state], [window])[0] for window in state.feed(audio)]

    miss, false_alarm = miss_and_false_alarm(recordings, judge, WINDOW // mulaw.BYTES_PER_MS)
    assert miss < 0.02 and false_alarm < 0.08


@pytest.mark.parametrize("gate", [LevelGate, WebRtcGate])
def test_steady_noise_is_soon_background(gate: Callable[[], VoiceActivity]) -> None:
    heard = verdicts(gate(), mulaw.encode(noisy(bytes(16000 * 10), dbfs=-35)))
    assert all(voice < 0.5 for voice in heard[400:])


@pytest.mark.parametrize(("dbfs", "voice"), [(-53.5, 0.0), (-50.5, UNSURE)])
def test_webrtc_is_unsure_of_a_tone_10_db_above_the_line(dbfs: float, voice: float) -> None:
    gate = WebRtcGate()
    verdicts(gate, mulaw.encode(noisy(bytes(16000 * 4), dbfs=-62)))
    assert gate.feed(mulaw.encode(sine(1000, ms=20, dbfs=dbfs)))[1] == voice


@pytest.mark.parametrize("name", ["level", "webrtc"])
@pytest.mark.parametrize("sizes", [(7,), (80,), (161, 3, 500), (480,)])
def test_any_length_is_taken(name: str, sizes: tuple[int, ...], recordings: list[Recording]) -> None:
    audio = next(r.audio for r in recordings if r.file.startswith("words/"))
    vad = open_vad(name)
    at, turn, voices = 0, 0, []
    while at < len(audio):
        payload = audio[at : at + sizes[turn % len(sizes)]]
        level, voice = vad.feed(payload)
        assert level == level_dbfs(payload)
        voices.append(voice)
        at, turn = at + len(payload), turn + 1
    assert min(voices) < 0.5 < max(voices) <= 1.0
    assert vad.feed(b"") == (-96.0, voices[-1])


def test_webrtc_verdicts_do_not_depend_on_how_the_audio_was_cut(recordings: list[Recording]) -> None:
    audio = next(r.audio for r in recordings if r.file.startswith("words/"))[: 160 * 90]
    in_tens = WebRtcGate()
    by_tens = [in_tens.feed(part)[1] for part in frames(audio, 80)][1::2]
    assert by_tens == verdicts(WebRtcGate(), audio)


def test_unknown_detector_and_mode_are_refused() -> None:
    with pytest.raises(ValueError, match="'silent'"):
        open_vad("silent")
    with pytest.raises(ValueError, match="0 to 3"):
        WebRtcGate(mode=4)
