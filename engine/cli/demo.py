"""``engine demo``: a whole spoken call on this machine, with no key and no internet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from engine.agent import load_agent
from engine.core.notes import EndReason
from engine.demo.call import hold_call, with_realtime, with_vendors
from engine.demo.script import built_in, of_files
from engine.errors import EngineError
from engine.observe.live import LiveView

_FAILED = (EndReason.CONNECTION_ERROR, EndReason.PROVIDER_ERROR, EndReason.ENGINE_ERROR)


def demo(
    context: typer.Context,
    agent: Annotated[
        str, typer.Option(help="The agent's file (.toml, .yaml) or the name of a shipped one.")
    ] = "appointment_desk",
    caller: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FIRST.wav [SECOND.wav ...]",
            help="What the caller says, one WAV file a line (8 or 16 bit PCM or mu-law, any rate).",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder in which the call gets a folder with its files.")] = Path(
        "calls"
    ),
    stt: Annotated[str, typer.Option(help="Another transcriber than the agent's, such as deepgram.")] = "",
    llm: Annotated[str, typer.Option(help="Another language model, such as openai.")] = "",
    tts: Annotated[str, typer.Option(help="Another voice, such as elevenlabs.")] = "",
    realtime: Annotated[
        str, typer.Option(help="One model that hears and speaks itself instead of the three: openai.")
    ] = "",
    limit: Annotated[float, typer.Option(help="Seconds after which the caller hangs up.", min=1)] = 180.0,
) -> None:
    """Listen in on a call: a simulated phone rings an agent on this machine.

    The caller speaks, interrupts once, falls silent once and says goodbye. Hosted vendors need keys: see
    ``engine check``.

    The last line printed is the folder with the call's report, recording, transcript, record and journal.
    """
    view = LiveView()
    own = load_agent(agent)
    files = _files(caller or [], [Path(each) for each in context.args])
    script = of_files(files) if files else built_in(own)
    if realtime and (stt or llm or tts):
        raise EngineError("--realtime takes the place of --stt, --llm and --tts: name it alone")
    chosen = with_realtime(own, realtime) if realtime else with_vendors(own, stt, llm, tts)
    call = asyncio.run(
        hold_call(chosen, script, out, watch=[lambda session: view.on_step], limit=limit),
    )
    typer.echo("\nThe call's folder (look at report.html, listen to recording.wav):")
    typer.echo(call.folder)
    if call.reason in _FAILED:
        raise typer.Exit(1)


def _files(caller: list[Path], more: list[Path]) -> list[Path]:
    """The lines as they were typed in: each after its own ``--caller``, or ``more`` after the only one.

    A command line option takes one value; what follows it comes to us as loose arguments.
    """
    if more and len(caller) != 1:
        raise EngineError("name all WAV files after one --caller, or each after its own")
    return [*caller, *more]
