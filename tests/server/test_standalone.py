"""Whole calls on the stand-alone worker, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from stand_ins import GREETING, Twilio, greeter, listening, settings, stand_ins, twilio_api

from engine.core.notes import EndReason
from engine.runtime.worker import Worker
from engine.server.metrics import Metrics
from engine.server.standalone import make_app

QUARTER = 160 * 12


async def test_a_call_from_the_webhook_to_the_hang_up() -> None:
    providers = stand_ins("good morning")
    async with twilio_api() as api, Worker(greeter(), settings(api.base), providers=providers) as worker:
        async with listening(make_app(worker, Metrics())) as port, aiohttp.ClientSession() as http:
            phone = await Twilio(http, port).call()
            await phone.listen(QUARTER)
            await phone.say()
            await phone.listen(2 * QUARTER)
            (session,) = worker.sessions.values()
            await phone.hang_up()
            await session.wait_closed()
            assert session.reason is EndReason.CALLER_HUNG_UP
            said = [(message.role, message.text) for message in session.call.messages]
            assert said[:2] == [("assistant", GREETING), ("user", "good morning")]
