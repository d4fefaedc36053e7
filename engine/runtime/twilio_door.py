"""The door for Twilio's calls: webhooks answered with TwiML, media sockets bound to their calls.

It knows nothing of any web server. Each path has the same siblings wherever it is mounted: ``voice`` (the
number's webhook), ``media`` (the websocket), ``dialled`` (how a transfer ended) and ``status`` (optional: the
number's status callback).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from engine.core.events import CallerHungUp
from engine.runtime.admission import Refusal
from engine.runtime.carrier import CarrierLeg, StreamOnlyLeg, TwilioLeg
from engine.runtime.media_stream import MediaStream
from engine.runtime.session import Session
from engine.runtime.socket import POLICY_VIOLATION, TRY_AGAIN_LATER, MediaSocket
from engine.runtime.worker import Caller, Worker
from engine.wire import twilio_voice
from engine.wire.stream_token import StreamTokens
from engine.wire.twilio_stream import StreamStart

_log = logging.getLogger(__name__)

TOKEN = "token"
"""Name of the stream parameter that holds the one-use token."""
_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""``CallStatus`` values of a leg that is no more."""
_HANG_UP = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>'


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook is answered with."""

    status: int
    body: str = ""
    content_type: str = "text/xml"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request as it came in. ``target`` is its path with the query string, under the public URL."""

    target: str
    host: str
    peer: str
    signature: str | None
    form: Mapping[str, str]

    @property
    def entry(self) -> str:
        """What is asked for: the last part of the path, such as ``voice``."""
        return urlsplit(self.target).path.rstrip("/").rpartition("/")[2]

    @property
    def values(self) -> dict[str, str]:
        """What Twilio says: in the form, or for a GET in the query."""
        return dict(parse_qsl(urlsplit(self.target).query)) | dict(self.form)

    def sibling(self, name: str) -> str:
        """The path of the door's entry ``name``, beside the one that was asked for."""
        return urlsplit(self.target).path.rstrip("/").rpartition("/")[0] + "/" + name


class TwilioDoor:
    """Twilio's webhooks and media sockets for one worker.

    ``media`` is the path of the media socket beside the webhooks; of several workers it names the one.
    """

    def __init__(self, worker: Worker, media: str = "media") -> None:
        self.media = media
        self._worker = worker
        self._tokens = StreamTokens(lambda: secrets.token_urlsafe(24))
        settings = worker.settings
        self._signatures = (
            twilio_voice.WebhookSignatures(settings.account.auth_token, settings.public_url)
            if settings.account is not None and settings.public_url
            else None
        )
        self._by_sid: dict[str, Session] = {}

    # --- webhooks -------------------------------------------------------------------------------------

    async def answer(self, asked: Webhook) -> Answer:
        """Answer a webhook: ``voice``, ``dialled`` or ``status``, by the last part of its path.

        Only the first call of a new agent is waited for.
        """
        if asked.entry not in ("voice", "dialled", "status"):
            return Answer(404, "there is nothing here\n", "text/plain")
        if not self.is_twilio(asked):
            _log.warning("a webhook that Twilio did not sign was refused")
            return Answer(403, "Twilio's signature is missing or wrong\n", "text/plain")
        if asked.entry == "voice":
            return await self._voice(asked)
        return self._dialled(asked) if asked.entry == "dialled" else self._status(asked)

    def is_twilio(self, asked: Webhook) -> bool:
        """Whether a webhook is Twilio's own, or may be taken for it in the insecure mode."""
        if self._signatures is None:
            return self._worker.settings.insecure and _is_loopback(asked.peer)
        return self._signatures.accepts_webhook(asked.target, asked.form, asked.signature)

    async def _voice(self, asked: Webhook) -> Answer:
        """A call rings: make it, and have Twilio open its stream."""
        said = asked.values
        sid = said.get("CallSid", "")
        caller = Caller(said.get("From", ""), said.get("To", ""), "twilio")
        agent = None
        if sid not in self._by_sid and self._worker.refusal is None:
            agent = await self._worker.agent_for(caller)
        session = self._by_sid.get(sid)
        if session is None:  # now: Twilio may have asked again, and others may have rung
            if (refusal := self._worker.refusal) is not None:
                return self._refuse(refusal)
            if agent is not None:
                session = self._worker.create(caller, lambda call_id: self._leg(call_id, sid, asked), agent)
            if session is None:
                self._worker.admission.refused[Refusal.NO_AGENT] += 1
                return Answer(200, twilio_voice.reject("rejected"))
            self._remember(sid, session)
        return Answer(200, self._stream_twiml(session.call_id, asked))

    def session_of(self, call_sid: str) -> Session | None:
        """The call of Twilio's name for it, as long as it is not freed."""
        return self._by_sid.get(call_sid)

    def _refuse(self, refusal: Refusal) -> Answer:
        """A call that there is no room for: it goes elsewhere, is told so, or finds the line busy."""
        settings = self._worker.settings
        self._worker.admission.refused[refusal] += 1
        _log.warning("a call was refused: %s", refusal)
        if settings.overflow.startswith("http"):
            twiml = twilio_voice.redirect(settings.overflow)
        elif settings.overflow:
            twiml = twilio_voice.redirect_dial(settings.overflow)
        elif settings.refusal:
            twiml = twilio_voice.say_then_hang_up(settings.refusal)
        else:
            twiml = twilio_voice.reject("busy")
        return Answer(200, twiml)

    def _dialled(self, asked: Webhook) -> Answer:
        """A transfer is over: it failed, and the caller comes back to the agent, or they have talked."""
        said = asked.values
        session = self._by_sid.get(said.get("CallSid", ""))
        if session is None or session.closed:
            return Answer(200, _HANG_UP)
        leg = session.leg
        if isinstance(leg, TwilioLeg):
            leg.dial_ended(said.get("DialCallStatus", "failed"))
        if said.get("DialCallStatus") in ("completed", "answered"):
            return Answer(200, _HANG_UP)
        return Answer(200, self._stream_twiml(session.call_id, asked))

    def _status(self, asked: Webhook) -> Answer:
        """The caller's leg changed its state."""
        said = asked.values
        session = self._by_sid.get(said.get("CallSid", ""))
        if session is not None and said.get("CallStatus") in _OVER:
            session.dispatch(CallerHungUp())
        return Answer(204, "", "text/plain")

    # --- streams --------------------------------------------------------------------------------------

    def accepts_stream(self, target: str, peer: str, signature: str | None) -> bool:
        """Whether a websocket may be opened at all; whose it is its first message says."""
        if self._signatures is None:
            return self._worker.settings.insecure and _is_loopback(peer)
        return self._signatures.accepts_stream(target, signature)

    def open_stream(self, socket: MediaSocket) -> MediaStream:
        """A websocket was opened."""
        return MediaStream(socket, self._admit)

    def _admit(self, start: StreamStart) -> Session | int:
        """The call of a stream: that of its token; without tokens, a new one. Else the close code."""
        token = start.custom_parameters.get(TOKEN)
        if token is not None:
            call_id = self._tokens.redeem(token, self._worker.now)
            session = self._worker.sessions.get(call_id or "")
            return POLICY_VIOLATION if session is None or session.closed else session
        if not self._worker.settings.insecure:
            return POLICY_VIOLATION
        if (refusal := self._worker.refusal) is not None:
            self._worker.admission.refused[refusal] += 1
            return TRY_AGAIN_LATER
        said = start.custom_parameters
        caller = Caller(said.get("from", ""), said.get("to", ""), "twilio")
        session = self._worker.create(caller, lambda call_id: StreamOnlyLeg())
        return POLICY_VIOLATION if session is None else session

    # --- TwiML ----------------------------------------------------------------------------------------

    def _stream_twiml(self, call_id: str, asked: Webhook, digits: str = "") -> str:
        url = twilio_voice.stream_url(self._base(asked), asked.sibling(self.media))
        parameters = {TOKEN: self._tokens.issue(call_id, self._worker.now)}
        if digits:
            return twilio_voice.play_digits_then_stream(digits, url, parameters)
        return twilio_voice.connect_stream(url, parameters)

    def _dial_twiml(self, target: str, ring: float, asked: Webhook) -> str:
        action = self._base(asked) + asked.sibling("dialled")
        return twilio_voice.redirect_dial(target, timeout=max(1, round(ring)), action=action)

    def _base(self, asked: Webhook) -> str:
        return self._worker.settings.public_url or f"http://{asked.host}"

    def _leg(self, call_id: str, sid: str, asked: Webhook) -> CarrierLeg:
        if self._worker.rest is None:
            return StreamOnlyLeg()
        return TwilioLeg(
            self._worker.rest,
            sid,
            press_twiml=lambda digits: self._stream_twiml(call_id, asked, digits),
            dial_twiml=lambda target, ring: self._dial_twiml(target, ring, asked),
        )

    def _remember(self, sid: str, session: Session) -> None:
        self._by_sid[sid] = session
        session.on_freed(lambda: self._by_sid.pop(sid, None))


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False
