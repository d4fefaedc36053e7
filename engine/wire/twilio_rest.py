"""Twilio's REST API as values: what to ask for a call, and what an answer means. The shell sends them.

Follows https://www.twilio.com/docs/voice/api/call-resource. Requests go to `API_BASE` with HTTP basic
authentication (account SID or API key, and its secret), the form URL-encoded. Error answers hold JSON with
``code`` and ``message`` (https://www.twilio.com/docs/usage/twilios-response).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson

API_BASE = "https://api.twilio.com"

NOT_FOUND = 20404
NOT_IN_PROGRESS = 21220
"""A realtime operation on a call that is not (or no longer) in progress."""

STATUS_EVENTS = ("initiated", "ringing", "answered", "completed")

_SID = re.compile(r"[A-Za-z0-9]+")

Outcome = Literal["ok", "failed", "rejected", "unavailable"]


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One request. ``form`` may hold a name more than once."""

    method: str
    path: str
    form: tuple[tuple[str, str], ...] = field(repr=False)
    call_over_is_ok: bool = False
    """What is asked for is also reached where the call is over already."""


def hang_up(account_sid: str, call_sid: str) -> RestRequest:
    """Complete a call, whether it is in progress, ringing or queued. Asking twice does no harm."""
    return RestRequest("POST", _call_path(account_sid, call_sid), (("Status", "completed"),), True)


def update_twiml(account_sid: str, call_sid: str, twiml: str) -> RestRequest:
    """Have a call in progress follow new TwiML at once (a transfer, keys); its open stream ends."""
    return RestRequest("POST", _call_path(account_sid, call_sid), (("Twiml", twiml),))


def dial(
    account_sid: str,
    from_: str,
    to: str,
    *,
    twiml: str | None = None,
    url: str | None = None,
    status_callback: str | None = None,
    status_events: Sequence[str] = STATUS_EVENTS,
    machine_detection: Literal["Enable", "DetectMessageEnd"] | None = None,
    machine_detection_callback: str | None = None,
    timeout: int = 60,
) -> RestRequest:
    """Place a call from a number of the account. What it does once answered: ``twiml``, or that of ``url``.

    ``timeout``: seconds of ringing, 1 to 600. ``machine_detection`` works while the call goes on and tells
    ``machine_detection_callback``; without a callback the call waits for its verdict. ValueError for what
    Twilio would refuse.
    """
    if (twiml is None) == (url is None):
        raise ValueError("a dial needs twiml or url, and not both")
    if not 1 <= timeout <= 600:
        raise ValueError("timeout must be 1 to 600 seconds")
    if machine_detection_callback is not None and machine_detection is None:
        raise ValueError("machine_detection_callback needs machine_detection")
    form = [("From", from_), ("To", to), ("Timeout", str(timeout))]
    form.append(("Twiml", twiml) if twiml is not None else ("Url", url or ""))
    if status_callback is not None:
        form.append(("StatusCallback", status_callback))
        form += [("StatusCallbackEvent", event) for event in status_events]
    if machine_detection is not None:
        form.append(("MachineDetection", machine_detection))
    if machine_detection_callback is not None:
        form += [("AsyncAmd", "true"), ("AsyncAmdStatusCallback", machine_detection_callback)]
    return RestRequest("POST", f"/2010-04-01/Accounts/{_sid(account_sid)}/Calls.json", tuple(form))


def outcome(request: RestRequest, status: int, body: bytes | str) -> Outcome:
    """What an answer means for the request. Never raises.

    ``ok`` done; ``unavailable`` Twilio is overloaded or down (429 and 5xx: asking again may help);
    ``rejected`` our credentials or their rights are refused (401, 403); ``failed`` any other refusal,
    among them that the call is over, except where that is what was asked for.
    """
    if 200 <= status < 300:
        return "ok"
    if status == 429 or status >= 500:
        return "unavailable"
    if status in (401, 403):
        return "rejected"
    over = status == 404 or error_code(body) in (NOT_FOUND, NOT_IN_PROGRESS)
    return "ok" if over and request.call_over_is_ok else "failed"


def error_code(body: bytes | str) -> int | None:
    """Twilio's own code of an error answer, such as 20404; None where there is none. Never raises."""
    code = _field(body, "code")
    return code if type(code) is int else None


def call_sid(body: bytes | str) -> str | None:
    """The SID of the call that an answer is about; None where there is none. Never raises."""
    sid = _field(body, "sid")
    return sid if type(sid) is str else None


def _field(body: bytes | str, name: str) -> object:
    try:
        answer = orjson.loads(body)
    except ValueError:
        return None
    return answer.get(name) if type(answer) is dict else None


def _call_path(account_sid: str, call_sid: str) -> str:
    return f"/2010-04-01/Accounts/{_sid(account_sid)}/Calls/{_sid(call_sid)}.json"


def _sid(sid: str) -> str:
    if not _SID.fullmatch(sid):
        raise ValueError(f"not a Twilio SID: {sid!r}")
    return sid
