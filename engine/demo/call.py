"""One call from ring to hang-up: a worker on a free loopback port, and a simulated phone that rings it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from engine.agent import Agent
from engine.agent.providers import AUTOMATIC, with_vendor, without_vendor
from engine.core.notes import EndReason
from engine.demo.caller import Step, play
from engine.demo.phone import Softphone
from engine.errors import EngineError
from engine.runtime.session import Listener, Session
from engine.runtime.worker import Settings, Watch, Worker
from engine.server.metrics import Metrics
from engine.server.standalone import make_app


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """A call that is over: where its files are, why it ended, and the phone that heard it."""

    folder: Path
    reason: EndReason
    phone: Softphone


def with_vendors(agent: Agent, transcriber: str = "", model: str = "", voice: str = "") -> Agent:
    """The agent with other vendors, each at its usual settings; empty: the agent's own.

    A recogniser that took its grammar from the agent's playbook keeps it. Raises `InvalidAgent`.
    """
    hears, thinks, speaks = agent.transcriber, agent.model, agent.voice
    if transcriber:
        hears = with_vendor(hears, transcriber)
    if model:
        playbook, thinks = thinks.playbook, with_vendor(thinks, model)
        if hears.vendor == "pocketsphinx" and hears.grammar == AUTOMATIC and not thinks.playbook:
            hears = hears.model_copy(update={"grammar": playbook or AUTOMATIC})
    if voice:
        speaks = with_vendor(speaks, voice)
    return agent.for_call(transcriber=hears, model=thinks, voice=speaks)


def with_realtime(agent: Agent, vendor: str) -> Agent:
    """The agent with a model of ``vendor`` that hears and speaks itself. Raises `InvalidAgent`."""
    return agent.for_call(
        mode="realtime",
        realtime={"vendor": vendor},
        transcriber=without_vendor(agent.transcriber),
        model=without_vendor(agent.model),
        voice=without_vendor(agent.voice),
    )


async def hold_call(
    agent: Agent, script: Sequence[Step], out: Path, *, watch: Sequence[Watch] = (), limit: float = 180.0
) -> FinishedCall:
    """Have ``agent`` answer a caller who follows ``script``; ``out`` gets a folder with the call's files.

    ``limit``: seconds after which the caller hangs up at the latest. Raises `EngineError` for what the user
    can put right, before anything is written.
    """
    sessions: list[Session] = []

    def remember(session: Session) -> Listener:
        sessions.append(session)
        return lambda now, event, effects: None

    settings = Settings(insecure=True, most_lag=None, calls=out)
    metrics = Metrics()
    agent = agent.for_call(record={"audio": True})
    async with Worker(agent, settings, watch=[remember, *watch], lag=metrics.lag) as worker:
        _make(out)
        runner = web.AppRunner(make_app(worker, metrics), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            phone = await _call(f"http://{host}:{port}/twilio/voice", script, limit)
            session = sessions[0]
            await session.wait_closed()
        finally:
            await runner.cleanup()
    return FinishedCall(out / session.call_id, session.reason or EndReason.ENGINE_ERROR, phone)


async def _call(voice_url: str, script: Sequence[Step], limit: float) -> Softphone:
    async with aiohttp.ClientSession() as http:
        phone = await Softphone.ring(http, voice_url)
        await play(script, phone, limit)
        return phone


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"the folder {out} cannot be made: {error.strerror}") from None
