"""The commands of ``engine``, one module each. Needs typer (extra ``server``)."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.about import describe
from engine.cli import check, demo, recover, replay, serve

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(describe())
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Show what runs, and exit."),
    ] = False,
) -> None:
    """A real-time telephony media engine: a phone call in, a conversation out."""


app.command("demo", context_settings={"allow_extra_args": True})(demo.demo)
app.command("serve")(serve.serve)
app.command("check")(check.check)
app.command("replay")(replay.replay)
app.command("recover")(recover.recover)
