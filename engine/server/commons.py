"""What the workers of one port know of one another: how loaded each is, and whose call is whose.

All of it lies in one folder that their supervisor makes and nobody else may enter. Every worker writes about
itself only, so nothing is ever locked; what others read may be a moment old, and whoever is asked on the
strength of it decides for itself.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NamedTuple

STALE_S = 2.0
"""Workers tell of themselves twenty times a second; one that has not for so long hangs, and gets no calls."""

_ROW = struct.Struct("=IId")
_SID = re.compile(r"[A-Za-z0-9]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's place among the ``workers`` of one port: its number, counted from 0, and their folder."""

    number: int
    workers: int
    folder: Path

    def socket(self, number: int, kind: str) -> str:
        """The path of a worker's Unix socket of that kind."""
        return str(self.folder / f"{number}.{kind}")


class Load(NamedTuple):
    """How many calls a worker has, and whether it takes another one."""

    calls: int
    admits: bool


class Board:
    """Each worker's `Load`, in memory that all of them share. ``clock`` must be the machine's, in s."""

    def __init__(self, folder: Path, workers: int, clock: Callable[[], float] = monotonic) -> None:
        """Open the board in ``folder``, made if it is not there. A worker that never wrote admits nothing."""
        self._clock = clock
        path = folder / "board"
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(workers * _ROW.size)
            self._rows = mmap.mmap(file.fileno(), workers * _ROW.size)

    def write(self, number: int, load: Load) -> None:
        """Tell of worker ``number``."""
        _ROW.pack_into(self._rows, number * _ROW.size, load.calls, load.admits, self._clock())

    def read(self, number: int) -> Load:
        """What worker ``number`` told last; after `STALE_S` it admits nothing."""
        calls, admits, at = _ROW.unpack_from(self._rows, number * _ROW.size)
        return Load(calls, bool(admits) and self._clock() - at < STALE_S)

    def close(self) -> None:
        """Unmap the memory."""
        self._rows.close()


class CallOwners:
    """Which worker has which call: in the folder ``calls`` a symbolic link a call, to the worker's number.

    A link is made by one system call, which fails where there is one, and what it says is read by another.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "calls"
        self._folder.mkdir(exist_ok=True)

    def claim(self, call_sid: str, number: int) -> bool:
        """Note that worker ``number`` has the call. False: that is noted already, or it is no call's name."""
        link = self._link(call_sid)
        if link is None:
            return False
        try:
            link.symlink_to(str(number))
        except FileExistsError:
            return False
        return True

    def owner(self, call_sid: str) -> int | None:
        """The worker that has the call; None: nobody has."""
        link = self._link(call_sid)
        try:
            return None if link is None else int(str(link.readlink()))
        except FileNotFoundError:
            return None

    def release(self, call_sid: str) -> None:
        """The call is over."""
        if (link := self._link(call_sid)) is not None:
            link.unlink(missing_ok=True)

    def forget(self, number: int) -> None:
        """Worker ``number`` is gone, and its calls with it."""
        for link in self._folder.iterdir():  # while others come and go
            if self.owner(link.name) == number:
                link.unlink(missing_ok=True)

    def _link(self, call_sid: str) -> Path | None:
        return self._folder / call_sid if _SID.fullmatch(call_sid) else None
