"""``engine recover``: the documents of a call whose process died."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.records import folder as records


def recover(
    folder: Annotated[Path, typer.Argument(help="The folder of the call; its journal.jsonl is read.")],
) -> None:
    """Write record, transcript and report of a call from its journal, as far as it got."""
    record = records.recover(folder)
    typer.echo(f"{folder}: {record.duration:.1f} s of call {record.call_id}, {len(record.turns)} turns")
