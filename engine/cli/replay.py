"""``engine replay``: a recorded call, run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.observe import replay as observe


def replay(
    journal: Annotated[Path, typer.Argument(help="The journal.jsonl of a call.")],
) -> None:
    """Run a call's events through a fresh call; exit status 1 if any of them has other effects now."""
    result = observe.replay(journal)
    typer.echo(result)
    if not result.same:
        raise typer.Exit(1)
