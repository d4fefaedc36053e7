"""The import direction of ARCHITECTURE.md, read off the source: an arrow that is not there fails."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parent.parent / "engine"

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "audio": {"errors"},
    "core": {"audio"},
    "wire": {"core", "audio", "errors"},
    "providers": {"core", "audio", "errors", "playbooks"},
    "observe": {"core", "audio", "errors"},
    "records": {"core", "audio", "errors", "observe"},
    "playbooks": set(),
    "agent": {"core", "errors", "catalogue", "settings"},
    "runtime": {
        "core",
        "audio",
        "errors",
        "wire",
        "providers",
        "observe",
        "records",
        "agent",
        "catalogue",
        "settings",
    },
    "server": {"core", "audio", "errors", "wire", "providers", "observe", "records", "agent", "runtime"},
    "demo": {
        "core",
        "audio",
        "errors",
        "wire",
        "providers",
        "observe",
        "records",
        "agent",
        "runtime",
        "server",
    },
    "testing": {"core", "audio", "errors"},
}
"""Package -> the packages of the engine that it may import. The command line (`cli`) may import all."""

PURE = ("core", "audio")
FORBIDDEN_IN_PURE = {
    "asyncio", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "socket",
    "subprocess", "sys", "threading", "time", "uuid",
}  # fmt: skip
ALLOWED_IN_PURE = {("audio/_pcm.py", "warnings"), ("audio/silero.py", "pathlib")}
FILES = sorted(path.relative_to(ENGINE) for path in ENGINE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse((ENGINE / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it goes"
            found.add(node.module or "")
            if node.module == "engine":
                found |= {f"engine.{alias.name}" for alias in node.names}
    return found


def package_of(module: str) -> str | None:
    """The package of the engine that a module belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "engine" and len(parts) > 1 else None


@pytest.mark.parametrize("path", [path for path in FILES if len(path.parts) > 1], ids=str)
def test_imports_go_one_way(path: Path) -> None:
    own = path.parts[0]
    if own == "cli":
        return
    wanted = {package_of(module) for module in imports_of(path)} - {None, own}
    assert wanted <= MAY_IMPORT[own], f"{path} imports {sorted(wanted - MAY_IMPORT[own])}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] in PURE], ids=str)
def test_the_pure_packages_reach_nothing_outside(path: Path) -> None:
    roots = {module.split(".")[0] for module in imports_of(path)}
    allowed = {module for file, module in ALLOWED_IN_PURE if file == str(path)}
    assert not (roots & FORBIDDEN_IN_PURE) - allowed


def test_every_package_has_its_place() -> None:
    packages = {path.parts[0] for path in FILES if len(path.parts) > 1}
    assert packages - {"cli"} <= set(MAY_IMPORT)
