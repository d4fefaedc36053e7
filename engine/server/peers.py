"""A worker among others behind one port: a call's webhooks are answered by the worker that has the call.

Twilio's requests land on any worker. One for a call that is known goes to the call's worker, a call that is
new to the one with the fewest calls, and it is refused only where every worker refuses it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from types import TracebackType
from typing import Self

import aiohttp
import orjson
from aiohttp import web

from engine.runtime.admission import Refusal
from engine.runtime.twilio_door import Answer, TwilioDoor, Webhook
from engine.runtime.worker import Worker
from engine.server.commons import Board, CallOwners, Load, Place
from engine.server.metrics import Metrics, merged

_log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 3.0
"""How long another worker may take: Twilio itself waits 15 s, and there may be several to ask."""


class Peers:
    """One worker's door, and the way to the others'. Entered while the worker runs."""

    def __init__(self, place: Place, worker: Worker, metrics: Metrics) -> None:
        self.door = TwilioDoor(worker, media=f"media/{place.number}")
        self._place = place
        self._worker = worker
        self._metrics = metrics
        self._board = Board(place.folder, place.workers)
        self._owners = CallOwners(place.folder)
        self._others = [number for number in range(place.workers) if number != place.number]
        self._clients: dict[int, aiohttp.ClientSession] = {}
        self._runner = web.AppRunner(self._private_app(), access_log=None)

    async def __aenter__(self) -> Self:
        for number in self._others:
            connector = aiohttp.UnixConnector(self._place.socket(number, "http"), force_close=True)
            timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
            self._clients[number] = aiohttp.ClientSession(connector=connector, timeout=timeout)
        await self._runner.setup()
        await web.UnixSite(self._runner, self._place.socket(self._place.number, "http")).start()
        self.publish()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        for client in self._clients.values():
            await client.close()

    # --- what the port is asked -------------------------------------------------------------------------

    @property
    def refusal(self) -> Refusal | None:
        """Why the port takes no new call; None: it does, here or in another worker."""
        elsewhere = any(self._board.read(number).admits for number in self._others)
        return None if elsewhere else self._worker.refusal

    async def answer(self, asked: Webhook) -> Answer:
        """Answer a webhook, here or by another worker."""
        if self.door.is_twilio(asked):
            for number in self._better_placed(asked):
                answer = await self._ask(number, asked)
                if answer is not None:
                    return answer
        return await self._answer_here(asked)

    async def figures(self) -> bytes:
        """The figures of all workers in Prometheus' text format, each with the label ``worker``."""
        texts = await asyncio.gather(*(self._figures_of(number) for number in self._others))
        known = {number: text for number, text in zip(self._others, texts, strict=True) if text is not None}
        return merged(known | {self._place.number: self._metrics.text()})

    def publish(self) -> None:
        """Let the others know how loaded this worker is."""
        self._board.write(self._place.number, self._load)

    # --- who answers ------------------------------------------------------------------------------------

    @property
    def _load(self) -> Load:
        return Load(len(self._worker.sessions), self._worker.refusal is None)

    def _better_placed(self, asked: Webhook) -> list[int]:
        """The other workers to ask first, in this order."""
        owner = self._owners.owner(asked.values.get("CallSid", ""))
        if owner is not None:
            return [owner] if owner in self._others else []
        if asked.entry != "voice":
            return []
        own = self._load
        loads = {number: self._board.read(number) for number in self._others}
        better = [
            n for n, load in loads.items() if load.admits and not (own.admits and load.calls >= own.calls)
        ]
        return sorted(better, key=lambda number: loads[number].calls)

    async def _answer_here(self, asked: Webhook) -> Answer:
        answer = await self.door.answer(asked)
        call_sid = asked.values.get("CallSid", "")
        session = self.door.session_of(call_sid)
        if session is not None and self._owners.claim(call_sid, self._place.number):
            session.on_freed(lambda: self._owners.release(call_sid))
            session.on_freed(self.publish)
        self.publish()
        return answer

    async def _ask(self, number: int, asked: Webhook) -> Answer | None:
        """The answer of another worker; None: it is gone, or refuses a call that somebody else may take."""
        try:
            async with self._clients[number].post(
                "http://peer/webhook", data=orjson.dumps(asdict(asked))
            ) as got:
                return Answer(**orjson.loads(await got.read())) if got.status == 200 else None
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.warning("worker %d does not answer: %r", number, error)
            return None

    async def _figures_of(self, number: int) -> bytes | None:
        try:
            async with self._clients[number].get("http://peer/metrics") as got:
                return await got.read()
        except (aiohttp.ClientError, TimeoutError):
            return None

    # --- what the others ask ----------------------------------------------------------------------------

    def _private_app(self) -> web.Application:
        async def webhook(request: web.Request) -> web.Response:
            asked = Webhook(**orjson.loads(await request.read()))
            known = self.door.session_of(asked.values.get("CallSid", "")) is not None
            if asked.entry == "voice" and not known and self._worker.refusal is not None:
                return web.Response(status=503)
            return web.Response(body=orjson.dumps(asdict(await self._answer_here(asked))))

        async def figures(request: web.Request) -> web.Response:
            return web.Response(body=self._metrics.text())

        app = web.Application()
        app.add_routes([web.post("/webhook", webhook), web.get("/metrics", figures)])
        return app
