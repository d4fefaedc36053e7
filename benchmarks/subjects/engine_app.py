"""The engine as ``engine serve`` runs it, with the vendors of the environment; notes what its calls tell.

``python -m benchmarks.subjects.engine_app --notes FILE`` prints the address of its voice webhook. At its end
(SIGTERM) the file has a JSON line for each note that has to do with latency, with the machine's monotonic
time in seconds as ``t``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from engine.agent import Agent
from engine.core.effects import Effect
from engine.core.events import Event
from engine.core.notes import (
    Fault,
    Interrupted,
    Joined,
    ReplyChosen,
    ReplyStage,
    ReplyStarted,
    ReplyText,
    TurnEnded,
    WordsRecognised,
)
from engine.runtime.session import Listener, Session
from engine.runtime.worker import Settings, Worker
from engine.server import standalone
from engine.server.metrics import Metrics

AGENT: dict[str, Any] = {
    "name": "Benchmark",
    "prompt": "You answer in two short sentences.",
    "opening": {"message": "Hello, how can I help you?"},
    "transcriber": {"vendor": "deepgram"},
    "model": {"vendor": "openai", "model": "gpt-4o"},
    "voice": {"vendor": "elevenlabs"},
}
SETTINGS = Settings(insecure=True, most_lag=None)
"""Calls are taken however late the loop runs: those that are up show it."""
_NOTED = (
    Interrupted,
    Joined,
    TurnEnded,
    WordsRecognised,
    ReplyStarted,
    ReplyChosen,
    ReplyStage,
    ReplyText,
    Fault,
)


async def run(*, noting: bool) -> list[dict[str, Any]]:
    """Serve until SIGTERM; what was noted."""
    kept: list[tuple[float, str, str, dict[str, Any]]] = []

    def watch(session: Session) -> Listener:
        def listen(now: int, event: Event | None, effects: Sequence[Effect]) -> None:
            for effect in effects:
                if isinstance(effect, _NOTED):
                    noted = (time.monotonic(), session.call_id, type(effect).__name__, asdict(effect))
                    kept.append(noted)

        return listen

    metrics = Metrics()
    watches = [metrics.watch] if not noting else [metrics.watch, watch]
    agent = Agent.model_validate(AGENT)
    async with Worker(agent, SETTINGS, watch=watches, lag=metrics.lag) as worker:
        await standalone.serve(
            worker,
            metrics,
            host="127.0.0.1",
            port=0,
            drain=0,
            listening=lambda port: print(f"http://127.0.0.1:{port}/twilio/voice", flush=True),
        )
    return [{"t": t, "call": call, "note": kind, **about} for t, call, kind, about in kept]


def main() -> None:
    """Serve, and write the notes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--notes", type=Path, help="the file for what the calls told")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        noted = runner.run(run(noting=given.notes is not None))
    if given.notes is not None:
        given.notes.write_text("".join(json.dumps(line, default=str) + "\n" for line in noted))


if __name__ == "__main__":
    main()
