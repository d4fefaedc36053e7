"""The connections to OpenAI: when one is made before it is needed, and what of that is never told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine.providers.contracts import ProviderError
from engine.providers.openai_http import OpenAIClient

PATIENCE = 10
KEY = "sk-secret-0123456789"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"


class Peer:
    """A server that answers each request with the same bytes, and knows what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.body = answer, b"{}"
        self.heads: list[str] = []
        self.connections = 0
        self.url = ""
        self.served: list[asyncio.Task[Any] | None] = []

    def count(self, method: str) -> int:
        return sum(head.startswith(f"{method} ") for head in self.heads)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.served.append(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (
                        int(line[15:])
                        for line in head.lower().split("\r\n")
                        if line.startswith("content-length:")
                    ),
                    0,
                )
                await reader.readexactly(length)
                self.heads.append(head)
                writer.write(self.answer + (b"" if head.startswith("HEAD") else self.body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer_and_client(answer: bytes) -> AsyncIterator[tuple[Peer, OpenAIClient]]:
    peer = Peer(answer)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = "http://127.0.0.1:{1}/v1".format(*server.sockets[0].getsockname())
    client = OpenAIClient(KEY, peer.url)
    try:
        async with asyncio.timeout(PATIENCE):
            yield peer, client
    finally:
        await client.close()
        server.close()
        await asyncio.gather(*filter(None, peer.served))


async def ask(client: OpenAIClient, *, whole: bool = True) -> None:
    async with client.post("/chat/completions", {"stream": True}) as response:
        if whole:
            await client.read_to_end(response)


async def at_once(count: int, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(work())


async def test_many_calls_at_once_warm_nothing_where_a_connection_rests() -> None:
    async with peer_and_client(OK) as (peer, client):
        await ask(client)
        await at_once(50, client.warm)
        assert (peer.count("HEAD"), peer.connections) == (0, 1)


async def test_a_connection_that_was_warmed_is_not_warmed_again() -> None:
    async with peer_and_client(OK) as (peer, client):
        await client.warm()
        await at_once(50, client.warm)
        await ask(client)
        assert [head.split(" ")[0] for head in peer.heads] == ["HEAD", "POST"]
        assert peer.connections == 1


async def test_a_connection_that_is_in_use_or_was_given_up_counts_for_nothing() -> None:
    async with peer_and_client(OK) as (peer, client):
        async with client.post("/chat/completions", {}) as response:
            await client.warm()
            await client.read_to_end(response)
        assert peer.count("HEAD") == 1
        client._idle.clear()
        peer.answer = OK.replace(b"Length: 2", b"Length: 3")
        await ask(client, whole=False)
        peer.answer = OK
        await client.warm()
        assert peer.count("HEAD") == 2


async def test_a_connection_that_rested_for_long_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer_and_client(OK) as (peer, client):
        await ask(client)
        monkeypatch.setattr("engine.providers.openai_http.SURELY_WARM", 0.0)
        await client.warm()
        assert (peer.count("HEAD"), peer.connections) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 what\r\n\r\n",
    ],
)
async def test_whatever_goes_wrong_with_warming_is_not_told(
    answer: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.providers.openai_http._PATIENCE_TO_WARM", 0.05)
    caplog.set_level(logging.DEBUG)
    async with peer_and_client(answer) as (peer, client):
        await client.warm()
        assert peer.count("HEAD") == 1
    ours = [record for record in caplog.records if record.name.startswith("engine")]
    assert ours and {record.levelno for record in ours} == {logging.DEBUG}
    assert not any(record.exc_info for record in caplog.records)


async def test_no_key_is_shown_before_the_request() -> None:
    async with peer_and_client(OK) as (peer, client):
        await client.warm()
        await ask(client)
    assert KEY not in peer.heads[0]
    sent = dict(line.split(": ", 1) for line in peer.heads[1].split("\r\n")[1:] if line)
    assert sent["Authorization"] == f"Bearer {KEY}"
    assert sent["Content-Type"] == "application/json"
    assert sent["Accept"] == "text/event-stream"
    assert sent["Accept-Encoding"] == "identity"
    assert "aiohttp" not in sent["User-Agent"]


async def test_a_peer_that_speaks_no_http_is_told_without_the_key() -> None:
    async with peer_and_client(b"SSH-2.0-OpenSSH\r\n\r\n") as (_, client):
        with pytest.raises(ProviderError, match="does not answer as HTTP would have it") as failed:
            await ask(client)
    assert failed.value.retryable
    assert failed.value.__context__ is None, "aiohttp's error holds the request and its key"


@pytest.mark.parametrize("said", [b"{}", b"[]", b"no"])
async def test_a_list_of_models_that_is_none(said: bytes) -> None:
    async with peer_and_client(OK) as (peer, client):
        peer.body = said
        with pytest.raises(ProviderError, match="sent something else than a list of models"):
            await client.models()
