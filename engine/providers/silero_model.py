"""Where the Silero model file lies, if it is on this machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def find_model() -> Path | None:
    """The ONNX file of an installed ``silero_vad`` package, which is not imported (it would load torch)."""
    package = find_spec("silero_vad")
    for folder in (package.submodule_search_locations or ()) if package else ():
        model = Path(folder) / "data" / "silero_vad.onnx"
        if model.is_file():
            return model
    return None
