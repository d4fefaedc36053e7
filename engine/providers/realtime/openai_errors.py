"""Every way in which a realtime connection to OpenAI can fail, as a `ProviderError` in one sentence.

Follows https://developers.openai.com/api/docs/guides/error-codes and the ``error`` event of
https://developers.openai.com/api/reference/resources/realtime. None of the errors holds the key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from engine.providers.contracts import ProviderError
from engine.providers.retry_after import retry_after_ms

_MOST = 200
"""Characters of the vendor's own words that are passed on."""
_KEY = re.compile(r"\b(sk|Bearer)[-\s][^\s\"',.]+")
_SERVER_ERROR = 500
_WORTH_RETRYING = {408, 409, 425, 429}

HARMLESS = frozenset({"response_cancel_not_active"})
"""Codes of errors that tell nothing but that a message came too late."""
STILL_ACTIVE = "conversation_already_has_active_response"
"""The code of the error that a response is refused with because the one before is not over."""
FATAL = frozenset(
    {
        "session_expired",
        "invalid_api_key",
        "model_not_found",
        "insufficient_quota",
        "rate_limit_exceeded",
    }
)
"""Codes of errors after which a session is of no use."""
_USELESS_TO_RETRY = frozenset(
    {"invalid_api_key", "model_not_found", "insufficient_quota", "billing_hard_limit_reached"}
)


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong at ``host``, told without the key."""

    host: str
    key: str = field(repr=False)

    def refused(self, error: aiohttp.WSServerHandshakeError) -> ProviderError:
        """A handshake that was answered with a status other than 101."""
        status = error.status
        if status in (401, 403):
            return ProviderError(
                f"{self.host} refused the key ({status}): check OPENAI_API_KEY", retryable=False
            )
        reason = f"{self.host} answered {status}"
        headers: Mapping[str, str] = error.headers or {}
        if wait := headers.get("Retry-After"):
            reason += f" (it asks to wait {self._clean(wait)} s)"
        retryable = status >= _SERVER_ERROR or status in _WORTH_RETRYING
        pause = retry_after_ms(status, wait) if retryable else None
        return ProviderError(reason, retryable=retryable, retry_after_ms=pause)

    def unreachable(self, error: Exception) -> ProviderError:
        """A connection that never came to be."""
        if isinstance(error, TimeoutError):
            return ProviderError(f"{self.host} did not answer in time")
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            return ProviderError(f"{self.host} has a certificate that is not accepted", retryable=False)
        if isinstance(error, aiohttp.ClientConnectorError):
            return ProviderError(
                f"{self.host} cannot be reached: {error.os_error.strerror or error.os_error}"
            )
        return ProviderError(f"{self.host} cannot be reached: {type(error).__name__}")

    def ended(self, message: aiohttp.WSMessage, code: int | None) -> ProviderError:
        """A socket that ended although nobody here closed it; ``code``: the close code, if there was one."""
        if message.type is aiohttp.WSMsgType.CLOSE:
            told = self._clean(message.extra or "")
            return ProviderError(
                f"{self.host} closed the session ({message.data}{': ' + told if told else ''})"
            )
        return ProviderError(f"the connection to {self.host} broke off ({code or 'no close code'})")

    def reported(self, error: Mapping[str, Any]) -> ProviderError:
        """An error that the server told of, as an object with a ``message``."""
        code = error.get("code")
        retryable = code not in _USELESS_TO_RETRY and (
            code in FATAL or code == STILL_ACTIVE or error.get("type") != "invalid_request_error"
        )
        return self.broken(f"reports {code or 'an error'}: {error.get('message')}", retryable=retryable)

    def broken(self, what: str, *, retryable: bool = True) -> ProviderError:
        """Any other failure: what the host did."""
        return ProviderError(f"{self.host} {self._clean(what)}", retryable=retryable)

    def _clean(self, text: object) -> str:
        """A foreign text without the key in it, in one line and not long."""
        words = " ".join(str(text).split())
        if self.key:
            words = words.replace(self.key, "***")
        return _KEY.sub(r"\1-***", words)[:_MOST].rstrip(".")
