"""What embedding adds: the host's own routes go on, and its shutdown drains the calls."""

from __future__ import annotations

import asyncio
import os
import signal

import aiohttp
import pytest
from aiohttp import web

from engine.core.notes import EndReason
from engine.runtime.worker import Worker
from engine.server.aiohttp_app import aiohttp_routes, run_worker
from tests.server.conftest import example, uvicorn_port
from tests.stand_ins import PIECE, Twilio, greeter, listening, settings, stand_ins, twilio_api


async def test_calls_go_on_while_an_aiohttp_application_is_drained() -> None:
    stopped = asyncio.Event()
    async with aiohttp.ClientSession() as http:
        worker = Worker(greeter(), settings(), providers=stand_ins("good morning"))
        app = web.Application()
        app.add_routes(aiohttp_routes(worker, "/phone"))
        run_worker(app, worker, drain=3600, stop=stopped.set)
        async with listening(app) as port:
            twilio = Twilio(http, port, prefix="/phone")
            phone = await twilio.call()
            await phone.listen(PIECE)
            (session,) = worker.sessions.values()
            os.kill(os.getpid(), signal.SIGTERM)
            while not worker.draining:
                await twilio.ask("/phone/status", {})
            await phone.say()
            await phone.listen(2 * PIECE)
            assert not stopped.is_set()
            await phone.hang_up()
            await stopped.wait()
            assert session.reason is EndReason.CALLER_HUNG_UP


async def test_an_aiohttp_application_that_just_stops_ends_its_calls_at_the_carrier() -> None:
    async with twilio_api() as api, aiohttp.ClientSession() as http:
        worker = Worker(greeter(), settings(api.base), providers=stand_ins())
        app = web.Application()
        app.add_routes(aiohttp_routes(worker))
        run_worker(app, worker, stop=None)
        async with listening(app) as port:
            phone = await Twilio(http, port).call()
            await phone.listen(PIECE)
            (session,) = worker.sessions.values()
            ending = asyncio.ensure_future(phone.listen_to_end())
        await ending
        assert session.reason is EndReason.DRAINED
        assert api.requests[0][1] == {"Status": "completed"}


async def test_a_signal_drains_an_asgi_application_before_its_server_closes_the_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("fastapi")
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)  # uvicorn raises it again when it ends
    fastapi_app = example("fastapi_app")
    lifespan = fastapi_app.worker_lifespan
    monkeypatch.setattr(fastapi_app, "worker_lifespan", lambda worker: lifespan(worker, drain=0))
    try:
        async with twilio_api() as api, aiohttp.ClientSession() as http:
            worker = Worker(greeter(), settings(api.base), providers=stand_ins())
            async with uvicorn_port(fastapi_app.make_app(worker)) as port:
                phone = await Twilio(http, port).call()
                await phone.listen(PIECE)
                (session,) = worker.sessions.values()
                async with http.get(f"http://127.0.0.1:{port}/calls") as answer:
                    assert await answer.json() == [session.call_id]
                os.kill(os.getpid(), signal.SIGTERM)
                assert await phone.listen_to_end() == 1000
            assert session.reason is EndReason.DRAINED
        assert api.requests[0][1] == {"Status": "completed"}
    finally:
        signal.signal(signal.SIGTERM, before)
