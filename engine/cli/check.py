"""``engine check``: does everything that is configured work?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from engine.agent import load_agent
from engine.runtime.vendor_check import Finding, check_agent, check_configured
from engine.settings import VendorSettings

_HEAD = ("role", "vendor", "model, voice", "works", "first result", "why not")


def check(
    agent: Annotated[
        str,
        typer.Option(
            help="An agent's file (.toml, .yaml) or the name of a shipped one: check what it names."
        ),
    ] = "",
) -> None:
    """Connect to the vendors and ask each for one thing: a table of what works, what does not and why.

    Without an agent: every hosted vendor whose key is set (DEEPGRAM_API_KEY, OPENAI_API_KEY,
    ELEVENLABS_API_KEY, PLAYHT_USER_ID and PLAYHT_API_KEY, in the environment or in engine.toml). A few tokens
    and characters are paid for. Exit status 1 if something does not work.
    """
    settings = VendorSettings.load()
    findings = asyncio.run(check_agent(load_agent(agent), settings) if agent else check_configured(settings))
    typer.echo(table(findings))
    if any(finding.works is False for finding in findings):
        raise typer.Exit(1)


def table(findings: Sequence[Finding]) -> str:
    """The findings as aligned columns, with a head."""
    rows = [_HEAD, *map(_row, findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _row(finding: Finding) -> tuple[str, ...]:
    works = {True: "yes", False: "no", None: "-"}[finding.works]
    first = "" if finding.first_ms is None else f"{finding.first_ms} ms"
    why = " ".join(finding.why.split())
    return finding.role, finding.vendor, finding.name, works, first, why
