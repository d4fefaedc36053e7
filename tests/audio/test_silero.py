import sys
from pathlib import Path

import pytest

from engine.audio import mulaw
from engine.audio.silero import WINDOW, SileroModel, SileroState
from engine.errors import MissingExtra
from engine.providers.silero_model import find_model
from tests.audio.sounds import Recording


@pytest.fixture(scope="module")
def model() -> SileroModel:
    pytest.importorskip("onnxruntime")
    path = find_model()
    if path is None:
        pytest.skip("the silero model is not installed")
    return SileroModel(path)


def test_a_batch_gives_each_call_what_it_would_get_alone(
    model: SileroModel, recordings: list[Recording]
) -> None:
    calls = [r.audio for r in recordings if r.file.startswith("words/")][:5]
    alone = []
    for audio in calls:
        state = SileroState()
        alone.append([model.infer([state], [window])[0] for window in state.feed(audio)[:40]])
    states = [SileroState() for _ in calls]
    windows = [state.feed(audio) for state, audio in zip(states, calls, strict=True)]
    for step in range(40):
        together = model.infer(states, [w[step] for w in windows])
        assert together == pytest.approx([a[step] for a in alone], abs=1e-4)
    assert {state.at for state in states} == {40 * 32}


def test_the_model_is_fed_as_its_makers_feed_it(model: SileroModel, recordings: list[Recording]) -> None:
    np = pytest.importorskip("numpy")
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(find_model()), providers=["CPUExecutionProvider"])
    audio = next(r.audio for r in recordings if r.file.startswith("words/"))
    samples = np.frombuffer(bytes(64) + mulaw.decode(audio), "<i2").astype(np.float32) / 32768
    memory, state = np.zeros((2, 1, 128), np.float32), SileroState()
    for step, window in enumerate(state.feed(audio)[:40]):
        begin = step * WINDOW  # the 32 samples before the window stand in front of it
        feed = {"input": samples[None, begin : begin + 288], "state": memory, "sr": np.array(8000)}
        voice, memory = session.run(None, feed)
        assert model.infer([state], [window]) == pytest.approx([float(voice[0, 0])], abs=1e-5)


def test_windows_are_the_audio_in_order_however_it_was_cut() -> None:
    audio = bytes(i % 256 for i in range(WINDOW * 5 + 17))
    state = SileroState()
    windows = [w for i in range(0, len(audio), 160) for w in state.feed(audio[i : i + 160])]
    assert b"".join(windows) == audio[: WINDOW * 5]
    assert state.feed(bytes(WINDOW - 17)) == [audio[WINDOW * 5 :] + bytes(WINDOW - 17)]


def test_mismatched_windows_are_refused(model: SileroModel) -> None:
    with pytest.raises(ValueError, match="256"):
        model.infer([SileroState()], [bytes(255)])
    with pytest.raises(ValueError, match="each state"):
        model.infer([SileroState()], [])
    assert model.infer([], []) == []


def test_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra) as missing:
        SileroModel(Path("silero.onnx"))
    assert (missing.value.library, missing.value.extra) == ("onnxruntime", "silero")
