import sys

import pytest

from engine.providers import silero_model


def test_finds_the_file_without_importing_the_package() -> None:
    path = silero_model.find_model()
    if path is None:
        pytest.skip("the silero-vad package is not installed")
    assert path.name == "silero_vad.onnx" and path.is_file()
    assert "silero_vad" not in sys.modules


def test_no_package_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero_model, "find_spec", lambda name: None)
    assert silero_model.find_model() is None
