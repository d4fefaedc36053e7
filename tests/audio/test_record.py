import io
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audio import mulaw
from engine.audio.record import TwoTrackRecorder

WINDOW_MS = 3000


def tracks(file: io.BytesIO) -> tuple[bytes, bytes]:
    """The two tracks of a recording, µ-law; also checks that the file is the WAV it says it is."""
    data = file.getvalue()
    with wave.open(io.BytesIO(data)) as recording:
        assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (2, 2, 8000)
        pcm = recording.readframes(recording.getnframes())
        assert len(pcm) == recording.getnframes() * 4
    left = b"".join(pcm[i : i + 2] for i in range(0, len(pcm), 4))
    right = b"".join(pcm[i + 2 : i + 4] for i in range(0, len(pcm), 4))
    return mulaw.encode(left), mulaw.encode(right)


placements = st.lists(
    st.tuples(
        st.sampled_from(["caller", "agent"]),
        st.integers(-WINDOW_MS, 2500),  # where it begins, ms after the latest end so far
        st.integers(0, 1500),  # its length in bytes: whole frames are the rule, not a promise
    ),
    max_size=25,
)


@given(placements, st.integers(0, 20_000))
def test_any_placement_within_the_window_is_as_in_a_plain_array(
    placed: list[tuple[str, int, int]], length_ms: int
) -> None:
    file = io.BytesIO()
    recorder = TwoTrackRecorder(file, window_ms=WINDOW_MS)
    model = {side: bytearray(mulaw.silence(120_000)) for side in ("caller", "agent")}
    latest = 0
    for i, (side, offset, size) in enumerate(placed):
        at_ms = max(0, latest // 8 + offset + 1)
        payload = bytes([i + 1]) * size
        getattr(recorder, side)(at_ms, payload)
        model[side][at_ms * 8 : at_ms * 8 + size] = payload
        latest = max(latest, at_ms * 8 + size) if size else latest
    recorder.close(length_ms)
    left, right = tracks(file)
    assert left == model["caller"][: length_ms * 8]
    assert right == model["agent"][: length_ms * 8]
    assert recorder.lost == 0


def test_what_comes_too_late_is_left_out_and_counted() -> None:
    file = io.BytesIO()
    recorder = TwoTrackRecorder(file, window_ms=1000)
    recorder.caller(0, b"\x10" * 8 * 5000)
    recorder.agent(0, b"\x20" * 160)
    recorder.agent(4500, b"\x30" * 160)
    recorder.close(5000)
    left, right = tracks(file)
    assert left == b"\x10" * 8 * 5000
    assert right == mulaw.silence(4500) + b"\x30" * 160 + mulaw.silence(480)
    assert recorder.lost == 160


def test_what_begins_before_the_call_or_ends_after_the_limit_is_cut() -> None:
    file = io.BytesIO()
    recorder = TwoTrackRecorder(file, limit_ms=100)
    recorder.caller(-10, b"\x10" * 160)
    recorder.agent(90, b"\x20" * 160)
    recorder.agent(10**12, b"\x30" * 160)
    recorder.close(10**12)
    left, right = tracks(file)
    assert left == b"\x10" * 80 + mulaw.silence(90)
    assert right == mulaw.silence(90) + b"\x20" * 80
    assert recorder.lost == 80 + 80 + 160


def test_a_jump_costs_no_memory_and_the_gap_is_silence() -> None:
    class Sparse(io.BytesIO):
        written = 0

        def write(self, data: object) -> int:
            count = super().write(data)  # type: ignore[arg-type]
            self.written += count
            return count

    file = Sparse()
    recorder = TwoTrackRecorder(file)
    recorder.caller(0, b"\x10" * 160)
    recorder.caller(60_000, b"\x11" * 160)
    recorder.close(60_020)
    assert file.written < 400_000
    left, _ = tracks(file)
    assert left == b"\x10" * 160 + mulaw.silence(59_980) + b"\x11" * 160


def test_memory_is_bounded() -> None:
    recorder = TwoTrackRecorder(io.BytesIO(), window_ms=2000)
    for at_ms in range(0, 120_000, 20):
        recorder.caller(at_ms, b"\x10" * 160)
        recorder.agent(max(0, at_ms - 1000), b"\x20" * 160)
        assert len(recorder._caller) + len(recorder._agent) <= 2 * 3 * 8000


def test_a_file_cut_off_in_mid_call_is_a_valid_recording_up_to_there() -> None:
    file = io.BytesIO()
    recorder = TwoTrackRecorder(file, window_ms=1000)
    assert tracks(file) == (b"", b"")
    for at_ms in range(0, 9990, 30):
        recorder.caller(at_ms, b"\x10" * 240)
        if at_ms % 300 == 0:
            left, _ = tracks(file)
            assert left == b"\x10" * len(left)
            assert len(left) // 8 >= at_ms - 2000


def test_close_pads_or_cuts_and_may_be_called_twice() -> None:
    for length_ms in (0, 10, 30):
        file = io.BytesIO()
        recorder = TwoTrackRecorder(file)
        recorder.caller(0, b"\x10" * 160)
        recorder.close(length_ms)
        recorder.close(9999)
        assert len(file.getvalue()) == 44 + length_ms * 8 * 4
        left, right = tracks(file)
        assert left == (b"\x10" * 160 + mulaw.silence(10))[: length_ms * 8]
        assert right == mulaw.silence(length_ms)
        with pytest.raises(ValueError, match="closed"):
            recorder.caller(0, b"\x10")


def test_a_real_file_is_the_same_as_one_in_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("record") / "call.wav"
    memory = io.BytesIO()
    with path.open("wb") as file:
        for target in (file, memory):
            recorder = TwoTrackRecorder(target, window_ms=1000)
            recorder.caller(0, b"\x10" * 8000)
            recorder.caller(30_000, b"\x11" * 8000)
            recorder.agent(29_000, b"\x12" * 8000)
            recorder.close(40_000)
    assert path.read_bytes() == memory.getvalue()
