"""Twilio's webhooks: the TwiML we answer with, and the proof that it is Twilio who asks.

TwiML is written by the ``twilio`` SDK's own classes and signatures are checked by its own validator.
Follows https://www.twilio.com/docs/voice/twiml/stream, ``/reject``, ``/say``, ``/dial`` and ``/play``, and
https://www.twilio.com/docs/usage/security#validating-requests. Every function raises ValueError for what
Twilio would refuse when the call is already up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from twilio.twiml.voice_response import VoiceResponse  # type: ignore[import-untyped]

PARAMETER_LIMIT = 500
"""A ``<Parameter>``'s name and value together must be shorter than this."""

_DIGITS = re.compile(r"[0-9A-D*#wW]+")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def connect_stream(
    url: str,
    parameters: Mapping[str, str],
    *,
    status_callback: str | None = None,
    then: str | None = None,
) -> str:
    """Open a bidirectional media stream to ``url`` (``wss://``; ``ws://`` only for stand-in carriers).

    ``parameters`` come back in `StreamStart.custom_parameters`: Twilio drops a query string, so this is the
    only way for values. ``then``: URL asked for new TwiML when the websocket has closed; without it the
    call ends there.
    """
    response = VoiceResponse()
    _append_stream(response, url, parameters, status_callback, then)
    return _text(response)


def play_digits_then_stream(
    digits: str,
    url: str,
    parameters: Mapping[str, str],
    *,
    status_callback: str | None = None,
    then: str | None = None,
) -> str:
    """Press keys towards the far end, then stream again.

    ``digits``: 0-9, ``*``, ``#``, A-D; ``w`` waits 500 ms, ``W`` a second.
    Tones sent as audio into a stream do not reach the far end, and new TwiML ends the stream that is open;
    the call goes on in the stream that this one opens.
    """
    if not _DIGITS.fullmatch(digits):
        raise ValueError("digits may be 0-9, *, #, A-D, w and W, and at least one of them")
    response = VoiceResponse()
    response.play(digits=digits)
    _append_stream(response, url, parameters, status_callback, then)
    return _text(response)


def reject(reason: Literal["busy", "rejected"] = "rejected") -> str:
    """Refuse an inbound call without answering it (and without its cost)."""
    if reason not in ("busy", "rejected"):
        raise ValueError("reason must be busy or rejected")
    response = VoiceResponse()
    response.reject(reason=reason)
    return _text(response)


def say_then_hang_up(text: str) -> str:
    """Answer a call, say ``text`` with Twilio's own voice, and end it."""
    if not text.strip():
        raise ValueError("there must be something to say")
    response = VoiceResponse()
    response.say(_legal(text))
    response.hangup()
    return _text(response)


def redirect(url: str) -> str:
    """Have the call follow what another URL answers."""
    response = VoiceResponse()
    response.redirect(_legal(url), method="POST")
    return _text(response)


def redirect_dial(
    target: str, *, caller_id: str | None = None, timeout: int = 30, action: str | None = None
) -> str:
    """Connect the caller to ``target``, an E.164 number or a ``sip:`` address (a cold transfer).

    ``timeout``: seconds of ringing. ``action``: URL told how the dial ended (``DialCallStatus``) and asked
    what to do next; without it the call ends with the dial.
    """
    if not target or timeout <= 0:
        raise ValueError("a dial needs a target and a timeout of at least a second")
    response = VoiceResponse()
    dial = response.dial(caller_id=caller_id, timeout=timeout, action=action)
    noun = dial.sip if target.startswith(("sip:", "sips:")) else dial.number
    noun(_legal(target))
    return _text(response)


def stream_url(public_url: str, path: str) -> str:
    """The websocket URL of ``path`` under a public ``https://`` (or ``http://``) base."""
    return re.sub(r"\Ahttp", "ws", _base(public_url)) + path


class WebhookSignatures:
    """Checks ``X-Twilio-Signature``: base64 of HMAC-SHA1, under the account's auth token, of URL and form.

    Twilio signs the URL that it asks for. Behind a proxy that is not the URL that arrives here, so the
    check is made on ``public_url``, the base under which Twilio reaches us (``https://voice.example.com``).
    """

    def __init__(self, auth_token: str, public_url: str) -> None:
        self._validator = RequestValidator(auth_token)
        self._public_url = _base(public_url)

    def accepts_webhook(self, path: str, form: Mapping[str, str], signature: str | None) -> bool:
        """Whether Twilio sent this request: its path with the query string, its form (none for a GET)."""
        return bool(signature) and self._valid(self._public_url + path, form, signature)

    def accepts_stream(self, path: str, signature: str | None) -> bool:
        """Whether Twilio opened this websocket. It signs the ``wss://`` URL of the TwiML, and no parameters.

        Some servers are asked with a slash at the end that the TwiML had not, or the other way round, so
        both forms are tried; neither can be signed without the token.
        """
        url = stream_url(self._public_url, path).removesuffix("/")
        return bool(signature) and any(self._valid(form, {}, signature) for form in (url, url + "/"))

    def _valid(self, url: str, form: Mapping[str, str], signature: str | None) -> bool:
        return bool(self._validator.validate(url, form, signature))


def _base(public_url: str) -> str:
    parts = urlsplit(public_url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("public_url must look like https://voice.example.com, with no query")
    return public_url.rstrip("/")


def _append_stream(
    response: Any,
    url: str,
    parameters: Mapping[str, str],
    status_callback: str | None,
    then: str | None,
) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("wss", "ws") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("a stream's url must be a wss:// address without a query")
    stream = response.connect().stream(url=_legal(url), status_callback=status_callback)
    for name, value in parameters.items():
        if not name or len(name) + len(value) >= PARAMETER_LIMIT:
            raise ValueError(f"parameter {name!r}: name and value must be under {PARAMETER_LIMIT} characters")
        stream.parameter(name=_legal(name), value=_legal(value))
    if then is not None:
        response.redirect(_legal(then), method="POST")


def _legal(text: str) -> str:
    if found := _NOT_XML.search(text):
        raise ValueError(f"TwiML cannot hold the character U+{ord(found.group()):04X}")
    return text


def _text(response: Any) -> str:
    return str(response.to_xml())
