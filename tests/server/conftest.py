"""One worker behind each of the four servers, on a loopback port."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest

from engine.runtime.worker import Worker
from engine.server.metrics import Metrics
from engine.server.standalone import make_app
from tests.stand_ins import Twilio, listening

Serve = Callable[[Worker], AbstractAsyncContextManager[Twilio]]


def example(name: str) -> ModuleType:
    """An example program, as a module."""
    path = Path(__file__).parents[2] / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def uvicorn_port(app: object) -> AsyncIterator[int]:
    """Serve an ASGI application with uvicorn in this process."""
    uvicorn = pytest.importorskip("uvicorn")
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws_max_size=2**20))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = asyncio.Event()
        startup = server.startup

        async def told(*arguments: object, **more: object) -> None:
            await startup(*arguments, **more)
            started.set()

        server.startup = told
        serving = asyncio.create_task(server.serve([listener]))
        await started.wait()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def _standalone(worker: Worker) -> AsyncIterator[int]:
    async with worker, listening(make_app(worker, Metrics())) as port:
        yield port


@asynccontextmanager
async def _aiohttp(worker: Worker) -> AsyncIterator[int]:
    async with listening(example("aiohttp_app").make_app(worker)) as port:
        yield port


@asynccontextmanager
async def _fastapi(worker: Worker) -> AsyncIterator[int]:
    pytest.importorskip("fastapi")
    async with uvicorn_port(example("fastapi_app").make_app(worker)) as port:
        yield port


@asynccontextmanager
async def _websockets(worker: Worker) -> AsyncIterator[int]:
    pytest.importorskip("websockets")
    async with worker, await example("websockets_app").start(worker, 0) as server:
        yield server.sockets[0].getsockname()[1]


_SERVERS = {"standalone": _standalone, "aiohttp": _aiohttp, "fastapi": _fastapi, "websockets": _websockets}


@pytest.fixture(params=_SERVERS)
def serve(request: pytest.FixtureRequest) -> Serve:
    """Puts a worker behind one of the servers; gives Twilio's end of it."""

    @asynccontextmanager
    async def serving(worker: Worker) -> AsyncIterator[Twilio]:
        async with _SERVERS[request.param](worker) as port, aiohttp.ClientSession() as http:
            yield Twilio(http, port, get=request.param == "websockets")

    return serving
