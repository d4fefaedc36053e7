"""One real demo call, made once and looked at by several tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.finished_call import Call


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Call:
    """A whole demo call by the command line, as a user would make it: about 45 seconds of real time."""
    for library in ("pocketsphinx", "espeakng_loader", "typer", "rich"):
        pytest.importorskip(library)
    out = tmp_path_factory.mktemp("calls")
    run = subprocess.run(
        [sys.executable, "-m", "engine", "demo", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    printed = run.stdout.splitlines()
    assert printed, run.stderr
    return Call(printed, run.returncode, Path(printed[-1]))
