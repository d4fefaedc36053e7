"""The errors a user of the engine may meet: each one clear sentence, none ever shown with a traceback."""

from __future__ import annotations


class EngineError(Exception):
    """Something the user can put right; the message names the field and what would be right."""


class MissingExtra(EngineError):  # noqa: N818 - it names a thing, not an error kind
    """A library is missing that one of the package's extras would bring."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed: pip install 'engine[{extra}]' brings it")
        self.library = library
        self.extra = extra
