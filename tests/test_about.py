"""What runs, in words."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import version
from pathlib import Path

import pytest

import engine
from engine.about import compiled, describe, how_it_runs


def test_compiled_is_what_has_a_library_beside_its_source() -> None:
    core = Path(engine.__file__).with_name("core")
    assert compiled() == any((core / f"call{suffix}").is_file() for suffix in EXTENSION_SUFFIXES)
    assert how_it_runs() == ("compiled" if "engine__mypyc" in sys.modules else "pure Python")


def test_the_command_says_what_it_is() -> None:
    pytest.importorskip("typer")
    told = subprocess.run(
        [sys.executable, "-m", "engine", "--version"], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == describe()
    assert version("engine") in told.stdout and how_it_runs() in told.stdout
