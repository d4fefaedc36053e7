"""Child processes of a benchmark: each on its core, told what to do, and what the system says about them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Child:
    """``python -m <module>`` as a process of its own, on one core if there is more than one."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        core: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(self._process.pid, {cores[core % len(cores)]})

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, command: str) -> None:
        """Give it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def line(self) -> str:
        """Its next line. Raises `RuntimeError` where it has ended instead."""
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"{' '.join(map(str, self._process.args[1:]))} ended: {self._process.wait()}")  # type: ignore[index]
        return line.strip()

    def answer(self) -> Any:
        """Its next line, which is JSON."""
        return json.loads(self.line())

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def cpu_s(self) -> float:
        """CPU time, user and system, of it and of its children so far."""
        return sum(_cpu_s(pid) for pid in _tree(self.pid))

    def waited_s(self) -> float:
        """How long it stood ready while something else had its core; its children are left out."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9

    def memory_mb(self) -> float:
        """Resident memory of it and of its children."""
        return sum(_memory_mb(pid) for pid in _tree(self.pid))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have it end, whatever it is doing."""
        assert self._process.stdin is not None and self._process.stdout is not None
        for end in (self._process.stdin.close, self._process.terminate, self._process.kill):
            try:
                end()
                self._process.wait(1)
                break
            except (subprocess.TimeoutExpired, BrokenPipeError):
                continue
        self._process.stdout.close()


def stall(child: Child, ms: int) -> None:
    """Stop a process for so long, as a blocked event loop stops: what comes meanwhile waits."""
    child.signal(signal.SIGSTOP)
    time.sleep(ms / 1000)
    child.signal(signal.SIGCONT)


def _tree(pid: int) -> list[int]:
    found, wanted = [], [pid]
    while wanted:
        found.append(pid := wanted.pop())
        try:
            wanted += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
