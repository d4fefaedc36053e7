"""What the stand-alone worker adds: health, metrics, signals, and a clear word on a busy port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import aiohttp
import pytest

from engine.core.notes import EndReason
from engine.errors import EngineError
from engine.runtime.worker import Settings, Worker
from engine.server.metrics import Metrics
from engine.server.standalone import make_app, serve
from tests.stand_ins import PIECE, Twilio, greeter, listening, settings, stand_ins, twilio_api


async def fetch(http: aiohttp.ClientSession, port: int, path: str) -> tuple[int, str]:
    async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_health_and_readiness() -> None:
    worker = Worker(greeter(), Settings(insecure=True, most_lag=None), providers=stand_ins())
    async with (
        worker,
        listening(make_app(worker, Metrics())) as port,
        aiohttp.ClientSession() as http,
    ):
        assert await fetch(http, port, "/healthz") == (200, "ok\n")
        assert await fetch(http, port, "/readyz") == (200, "ready\n")
        await worker.drain(0)
        assert await fetch(http, port, "/healthz") == (200, "ok\n")
        assert await fetch(http, port, "/readyz") == (503, "draining\n")


async def test_metrics_count_calls_frames_faults_and_answers() -> None:
    metrics = Metrics()
    async with (
        Worker(
            greeter(),
            Settings(insecure=True, most_lag=None),
            providers=stand_ins("good morning"),
            watch=[metrics.watch],
            lag=metrics.lag,
        ) as worker,
        listening(make_app(worker, metrics)) as port,
        aiohttp.ClientSession() as http,
    ):
        phone = await Twilio(http, port).open("/twilio/media", None)
        await phone.listen(PIECE)
        assert "engine_calls_live 1.0" in (await fetch(http, port, "/metrics"))[1]
        await phone.websocket.send_str("{")
        await phone.say()
        await phone.listen(2 * PIECE)
        (session,) = worker.sessions.values()
        await phone.hang_up()
        await session.wait_closed()
        status, text = await fetch(http, port, "/metrics")
    assert status == 200
    for line in (
        "engine_calls_live 0.0",
        'engine_calls_total{reason="caller_hung_up"} 1.0',
        'engine_faults_total{role="wire"} 1.0',
        "engine_frames_total 185.0",
        "engine_answer_seconds_count 1.0",
        "engine_slots_taken 0.0",
        "engine_admitting 1.0",
        'engine_refusals_total{reason="late"} 0.0',
    ):
        assert line in text.splitlines()


async def test_a_signal_drains_the_worker_and_ends_the_server() -> None:
    async with twilio_api() as api, aiohttp.ClientSession() as http:
        async with Worker(greeter(), settings(api.base), providers=stand_ins()) as worker:
            port = asyncio.get_running_loop().create_future()
            serving = asyncio.ensure_future(
                serve(worker, Metrics(), host="127.0.0.1", port=0, drain=0, listening=port.set_result)
            )
            phone = await Twilio(http, await port).call()
            await phone.listen(PIECE)
            (session,) = worker.sessions.values()
            os.kill(os.getpid(), signal.SIGTERM)
            await phone.listen_to_end()
            await serving
            assert session.reason is EndReason.DRAINED
        assert api.requests[0][1] == {"Status": "completed"}


async def test_a_second_signal_does_not_wait() -> None:
    worker = Worker(greeter(), Settings(insecure=True, most_lag=None), providers=stand_ins())
    async with aiohttp.ClientSession() as http, worker:
        port = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(
            serve(worker, Metrics(), host="127.0.0.1", port=0, drain=3600, listening=port.set_result)
        )
        phone = await Twilio(http, await port).open("/twilio/media", None)
        await phone.listen(PIECE)
        os.kill(os.getpid(), signal.SIGTERM)
        while (await fetch(http, port.result(), "/readyz"))[0] != 503:
            pass
        assert not serving.done()
        os.kill(os.getpid(), signal.SIGINT)
        await phone.listen_to_end()
        await serving


async def test_a_busy_port_is_said_in_one_sentence() -> None:
    async with Worker(greeter(), Settings(insecure=True, most_lag=None), providers=stand_ins()) as worker:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(EngineError, match=f"port {port} on 127.0.0.1 is already in use"):
                await serve(worker, Metrics(), host="127.0.0.1", port=port, drain=0)
