"""What a process that only works is set to: its event loop, and what its garbage collector looks at."""

from __future__ import annotations

import asyncio
import contextlib
import gc


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it is installed, which halves the cost of a frame; else Python's own."""
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.Loop
    return None


def spare_what_stays() -> None:
    """Have the garbage collector pass over all there is so far: modules and models, which stay for good.

    A full collection else goes through all of it, and no call is served meanwhile.
    """
    gc.collect()
    gc.freeze()
