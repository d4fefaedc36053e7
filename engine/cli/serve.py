"""``engine serve``: the stand-alone media worker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from engine.agent import Agent, load_agent
from engine.errors import EngineError
from engine.runtime.worker import MOST_LAG_S, Settings, Worker
from engine.server import standalone
from engine.server.loop import loop_factory, spare_what_stays
from engine.server.metrics import Metrics
from engine.server.supervisor import Supervisor


def serve(
    agent: Annotated[str, typer.Option(help="The agent's file (.toml, .yaml) or the name of a shipped one.")],
    port: Annotated[int, typer.Option(help="The port to listen on; 0 picks a free one.", min=0, max=65535)],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    public_url: Annotated[
        str, typer.Option(help="Where Twilio reaches us, such as https://voice.example.com.")
    ] = "",
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let in whoever connects from this machine, without signature.")
    ] = False,
    calls: Annotated[
        Path | None, typer.Option(help="Folder in which each call gets a folder with its files.")
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes that share the port: one for each core to be used.", min=1, max=256)
    ] = 1,
    most_calls: Annotated[int | None, typer.Option(help="Calls at a time, in each worker.", min=1)] = None,
    most_lag_ms: Annotated[
        float,
        typer.Option(help="How late the event loop may run for a new call to be taken; 0: however.", min=0),
    ] = MOST_LAG_S * 1000,
    refusal: Annotated[
        str, typer.Option(help="What a caller hears for whom there is no room; without it the busy tone.")
    ] = "",
    overflow: Annotated[
        str, typer.Option(help="Where callers go for whom there is no room: a TwiML URL, a number or sip:.")
    ] = "",
    drain_seconds: Annotated[
        float, typer.Option(help="How long calls may go on after SIGTERM before they say goodbye.", min=0)
    ] = 60.0,
) -> None:
    """Answer Twilio's calls with an agent, until told to stop.

    Twilio's account is read from TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.
    """
    if insecure and not _is_loopback(host):
        raise EngineError(f"--insecure lets anybody in, so it listens on 127.0.0.1 only, not on {host}")
    settings = Settings.from_environment(
        public_url,
        insecure=insecure,
        calls=calls,
        most_calls=most_calls,
        most_lag=most_lag_ms / 1000 or None,
        refusal=refusal,
        overflow=overflow,
    )
    loaded = load_agent(agent)
    if workers > 1:
        if sys.platform == "win32":
            raise EngineError("several workers can share a port on Linux and macOS only")
        _run_several(loaded, settings, workers, host, port, drain_seconds)
        return
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_run(loaded, settings, host, port, drain_seconds))


def _make_worker(agent: Agent, settings: Settings, metrics: Metrics, lag: Callable[[float], None]) -> Worker:
    return Worker(agent, settings, watch=[metrics.watch], lag=lag)


async def _run(agent: Agent, settings: Settings, host: str, port: int, drain: float) -> None:
    metrics = Metrics()
    async with _make_worker(agent, settings, metrics, metrics.lag) as worker:
        spare_what_stays()
        await standalone.serve(
            worker,
            metrics,
            host=host,
            port=port,
            drain=drain,
            listening=lambda port: _tell(host, port),
        )


def _run_several(agent: Agent, settings: Settings, workers: int, host: str, port: int, drain: float) -> None:
    with standalone.listen(host, port) as listener:
        supervisor = Supervisor(
            listener, partial(_make_worker, agent, settings), workers=workers, drain=drain
        )
        supervisor.run(lambda: _tell(host, listener.getsockname()[1]))


def _tell(host: str, port: int) -> None:
    typer.echo(f"listening on http://{host}:{port}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
