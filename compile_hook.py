"""The build hook that has mypyc compile the hot path: ``HATCH_BUILD_HOOKS_ENABLE=1 pip install .``

Without that variable a wheel is pure Python. What is compiled is made in a temporary folder and goes into the
wheel from there, so a checkout never holds a library that would be run in place of the source beside it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileHook(BuildHookInterface[Any]):
    """Compiles the files that its table in pyproject.toml names: ``include`` without ``exclude``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel take the libraries beside the sources, which tracebacks still quote."""
        if version == "editable":
            self.app.abort(
                "An editable install runs from its sources: to compile, install without --editable."
            )
        if missing := what_is_missing():
            self.app.abort(
                f"To compile the engine, {missing}; without HATCH_BUILD_HOOKS_ENABLE none is needed."
            )
        self._folder = TemporaryDirectory()
        with chdir(self.root):
            files = chosen(Path(), self.config["include"], self.config["exclude"])
            libraries = compile_files(files, Path(self._folder.name))
        build_data["force_include"] |= {str(file): name for name, file in libraries.items()}
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made on the way."""
        self._folder.cleanup()


def what_is_missing() -> str | None:
    """What a C extension cannot be built without and is not here, in words."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC")
    if compiler and not shutil.which(shlex.split(compiler)[0]):
        return f"a C compiler is needed ({compiler!r} is not there)"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "the headers of Python are needed (a package such as python3-dev has Python.h)"
    return None


def chosen(root: Path, include: list[str], exclude: list[str]) -> list[Path]:
    """The files of one list of patterns without those of the other; ``ValueError``: one fits no file."""
    found: dict[str, set[Path]] = {pattern: set(root.glob(pattern)) for pattern in (*include, *exclude)}
    if nothing := [pattern for pattern, files in found.items() if not files]:
        raise ValueError(f"no file is named {', '.join(nothing)}")
    taken = set().union(*(found[pattern] for pattern in include))
    return sorted(taken.difference(*(found[pattern] for pattern in exclude)))


def compile_files(files: list[Path], folder: Path) -> dict[str, Path]:
    """Compile files, named from the root of the tree, which is the working directory.

    ``folder`` takes all that is made. The libraries by their place in the wheel: one that holds all the code,
    and for each module one that finds it there.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution

    # Without the strict configuration of the tree: what the engine depends on need not be here to build it.
    options = ["--config-file=", f"--cache-dir={folder / 'cache'}", "--ignore-missing-imports"]
    extensions = mypycify(
        [*options, *map(str, files)],
        group_name="engine",
        opt_level="3",
        debug_level="0",
        target_dir=str(folder / "c"),
    )
    libraries = folder / "lib"
    build = Distribution({"name": "engine", "ext_modules": extensions}).get_command_obj("build_ext")
    build.build_lib, build.build_temp = str(libraries), str(folder / "objects")
    build.ensure_finalized()
    build.run()
    return {file.relative_to(libraries).as_posix(): file for file in libraries.rglob("*") if file.is_file()}
