"""Silero's voice detector (v5 and v6, ONNX) at 8 kHz: one model a process, the windows of many calls at once.

A batch costs a third of the same windows one by one, and one session for all calls saves 10 MB a call. The
inference lets other threads run; whoever has an event loop calls it from a thread.

The graph: ``input`` (B, 288) float32, which is the last 32 samples of the window before and the 256 of this
one, scaled to ±1; ``state`` (2, B, 128); ``sr`` int64. It returns the probabilities (B, 1) and the new state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.audio import mulaw
from engine.audio._pcm import FULL_SCALE, SAMPLE_RATE
from engine.errors import MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

WINDOW = 256
"""µ-law bytes of one window: 32 ms."""

_CONTEXT = 32
_STATE = 128


class SileroState:
    """What the detector remembers of one call, and the audio that waits for a whole window."""

    __slots__ = ("_context", "_memory", "_rest", "at")

    def __init__(self) -> None:
        self._context: NDArray[np.float32] | None = None
        self._memory: NDArray[np.float32] | None = None
        self._rest = b""
        self.at = 0
        """Media time in ms of the end of the last window judged."""

    def feed(self, payload: bytes) -> list[bytes]:
        """Take µ-law audio of any length; returns the windows it completes, oldest first."""
        pending = self._rest + payload
        whole = len(pending) - len(pending) % WINDOW
        self._rest = pending[whole:]
        return [pending[i : i + WINDOW] for i in range(0, whole, WINDOW)]


class SileroModel:
    """The loaded model. Safe to use from one thread at a time per set of states."""

    def __init__(self, path: Path) -> None:
        """Load an ONNX file. Raises `MissingExtra` without the libraries, `OSError` without the file."""
        try:
            import numpy
            import onnxruntime
        except ImportError as missing:
            raise MissingExtra(missing.name or "onnxruntime", "silero") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._np = numpy
        self._session: Any = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self._rate = numpy.array(SAMPLE_RATE, dtype=numpy.int64)
        samples = numpy.frombuffer(mulaw.decode(bytes(range(256))), dtype="<i2")
        self._scaled = (samples / FULL_SCALE).astype(numpy.float32)

    def infer(self, states: Sequence[SileroState], windows: Sequence[bytes]) -> list[float]:
        """The probability of speech, 0 to 1, of one window (`WINDOW` µ-law bytes) of each of several calls.

        ``windows[i]`` belongs to ``states[i]``, which it moves on; no state may stand in the list twice.
        Raises `ValueError` if the lists differ in length or a window has another size.
        """
        if len(states) != len(windows) or any(len(window) != WINDOW for window in windows):
            raise ValueError(f"each state needs one window of {WINDOW} bytes")
        if not states:
            return []
        np = self._np
        count = len(states)
        samples = np.zeros((count, _CONTEXT + WINDOW), dtype=np.float32)
        memory = np.zeros((2, count, _STATE), dtype=np.float32)
        for row, state in enumerate(states):
            if state._context is not None and state._memory is not None:
                samples[row, :_CONTEXT] = state._context
                memory[:, row] = state._memory
        codes = np.frombuffer(b"".join(windows), dtype=np.uint8).reshape(count, WINDOW)
        samples[:, _CONTEXT:] = self._scaled[codes]
        voice, memory = self._session.run(None, {"input": samples, "state": memory, "sr": self._rate})
        for row, state in enumerate(states):
            # Copies: a view would keep the whole batch alive for as long as its slowest call.
            state._context = samples[row, -_CONTEXT:].copy()
            state._memory = memory[:, row].copy()
            state.at += WINDOW // mulaw.BYTES_PER_MS
        return [float(probability) for probability in voice[:, 0]]
