"""The commands of ``engine``, one module each. Needs typer (extra ``server``)."""

from __future__ import annotations

import typer

from engine.cli import serve

app = typer.Typer(
    help="A real-time telephony media engine: a phone call in, a conversation out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _engine() -> None:
    """Keep the commands' names even while there is only one."""


app.command("serve")(serve.serve)
