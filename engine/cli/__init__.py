"""The commands of ``engine``, one module each. Needs typer (extra ``server``)."""

from __future__ import annotations

import typer

from engine.cli import check, demo, recover, replay, serve

app = typer.Typer(
    help="A real-time telephony media engine: a phone call in, a conversation out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("demo", context_settings={"allow_extra_args": True})(demo.demo)
app.command("serve")(serve.serve)
app.command("check")(check.check)
app.command("replay")(replay.replay)
app.command("recover")(recover.recover)
