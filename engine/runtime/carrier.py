"""The carrier's side of a call that is not its stream: hanging up, transferring, pressing keys."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

from engine.core.events import CarrierDone
from engine.core.policy import Carrier
from engine.wire import twilio_rest
from engine.wire.twilio_rest import API_BASE, RestRequest

_log = logging.getLogger(__name__)

ATTEMPTS = 3
"""A refusal that may pass is asked again twice, within the time the call gives a carrier."""
RETRY_AFTER_S = 0.25
ANSWER_GRACE_S = 3
"""How long after its ringing time a transfer's failure may be told."""


class CarrierLeg(Protocol):
    """The caller's leg at the carrier. Its methods return the ``outcome`` of a `CarrierDone`; none raises."""

    traits: Carrier
    """What can be asked for."""

    async def hang_up(self) -> str:
        """Complete the leg. Doing it twice does no harm."""

    async def transfer(self, target: str, ring: float) -> str:
        """Connect the caller to ``target`` (E.164 or ``sip:``), which rings ``ring`` seconds at most.

        Returns when that has answered or failed.
        """

    async def press(self, digits: str) -> str:
        """Press keys towards the far end; the stream ends and another one comes."""


async def report(
    action: str,
    ask: Callable[..., Awaitable[str]],
    arguments: tuple[object, ...],
    tell: Callable[[CarrierDone], None],
) -> None:
    """Ask a leg for something, and tell how it went."""
    tell(CarrierDone(action, await ask(*arguments)))


class StreamOnlyLeg:
    """A carrier without an interface beside the stream: the call ends with the stream, and that is all."""

    traits = Carrier(hangs_up=False, transfers=False, digits_in_band=True)

    async def hang_up(self) -> str:
        """See `CarrierLeg`."""
        return "unavailable"

    async def transfer(self, target: str, ring: float) -> str:
        """See `CarrierLeg`."""
        return "unavailable"

    async def press(self, digits: str) -> str:
        """See `CarrierLeg`."""
        return "unavailable"


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """Whose calls they are. ``api_base`` is Twilio's own unless a stand-in is meant."""

    sid: str
    auth_token: str = field(repr=False)
    api_base: str = API_BASE


class TwilioRest:
    """Performs requests to Twilio's REST API. One for all calls; made and used on a running event loop."""

    def __init__(self, account: TwilioAccount) -> None:
        self.account = account
        credentials = b64encode(f"{account.sid}:{account.auth_token}".encode()).decode()
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Basic {credentials}"},
            timeout=aiohttp.ClientTimeout(total=10),
        )

    async def perform(self, request: RestRequest) -> twilio_rest.Outcome:
        """Send a request, again where that may help. Never raises."""
        outcome: twilio_rest.Outcome = "unavailable"
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(RETRY_AFTER_S * attempt)
            outcome = await self._send(request)
            if outcome != "unavailable":
                break
        if outcome != "ok":
            _log.warning("Twilio: %s %s: %s", request.method, request.path, outcome)
        return outcome

    async def _send(self, request: RestRequest) -> twilio_rest.Outcome:
        url = self.account.api_base + request.path
        try:
            async with self._http.request(request.method, url, data=list(request.form)) as answer:
                return twilio_rest.outcome(request, answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError):
            return "unavailable"

    async def close(self) -> None:
        """Free the connections."""
        await self._http.close()


class TwilioLeg:
    """A call's leg at Twilio.

    ``call_sid`` is Twilio's name of the call. ``press_twiml(digits)`` and ``dial_twiml(target, ring)`` write
    what the call follows next. Twilio tells of an answered transfer only when it is over, so one that has not
    failed when its ringing time has passed has been answered.
    """

    traits = Carrier(hangs_up=True, transfers=True, digits_in_band=False)

    def __init__(
        self,
        rest: TwilioRest,
        call_sid: str,
        *,
        press_twiml: Callable[[str], str],
        dial_twiml: Callable[[str, float], str],
    ) -> None:
        self._rest = rest
        self._call_sid = call_sid
        self._press_twiml = press_twiml
        self._dial_twiml = dial_twiml
        self._dial: asyncio.Future[str] | None = None

    async def hang_up(self) -> str:
        """See `CarrierLeg`."""
        return await self._perform(lambda sid: twilio_rest.hang_up(sid, self._call_sid))

    async def press(self, digits: str) -> str:
        """See `CarrierLeg`."""
        return await self._follow(lambda: self._press_twiml(digits))

    async def transfer(self, target: str, ring: float) -> str:
        """See `CarrierLeg`."""
        self._dial = asyncio.get_running_loop().create_future()
        try:
            outcome = await self._follow(lambda: self._dial_twiml(target, ring))
            if outcome == "ok":
                outcome = await asyncio.wait_for(self._dial, ring + ANSWER_GRACE_S)
        except TimeoutError:
            outcome = "ok"
        finally:
            self._dial = None
        return outcome

    def dial_ended(self, status: str) -> None:
        """A transfer ended with this ``DialCallStatus``, such as ``completed``, ``busy`` or ``no-answer``."""
        if self._dial is not None and not self._dial.done():
            self._dial.set_result("ok" if status in ("completed", "answered") else status)

    async def _follow(self, write: Callable[[], str]) -> str:
        return await self._perform(lambda sid: twilio_rest.update_twiml(sid, self._call_sid, write()))

    async def _perform(self, make: Callable[[str], RestRequest]) -> str:
        try:
            request = make(self._rest.account.sid)
        except ValueError as error:
            _log.warning("Twilio cannot be asked: %s", error)
            return "failed"
        return await self._rest.perform(request)
