"""Every way in which Deepgram can fail, as a `ProviderError` that says what to do about it.

Follows https://developers.deepgram.com/docs/errors (statuses),
https://developers.deepgram.com/changelog/2022/11/8 (the ``dg-error`` and ``dg-request-id`` headers) and
https://developers.deepgram.com/docs/stt-troubleshooting-websocket-data-and-net-errors (close codes).
None of the errors holds the key, nor the request that held it.
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from engine.providers.contracts import ProviderError
from engine.providers.retry_after import retry_after_ms

_MOST = 200
"""Characters of Deepgram's own words that are passed on."""

_STATUSES = {
    400: "Deepgram refused the settings (400)",
    401: "Deepgram refused the key (401): check DEEPGRAM_API_KEY",
    402: "Deepgram has no credit left for this account (402)",
    403: "Deepgram does not let this key use the model (403)",
    404: "Deepgram has no such address (404): check DEEPGRAM_BASE_URL",
    408: "Deepgram timed out (408)",
    429: "Deepgram has too many streams of this account (429)",
}
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_WORTH_RETRYING = {408, 425, 429}


def refused(error: aiohttp.WSServerHandshakeError) -> ProviderError:
    """A handshake that was answered with a status other than 101."""
    status = error.status
    headers: Mapping[str, str] = error.headers or {}
    reason = _STATUSES.get(status)
    if reason is None:
        reason = (
            f"Deepgram {'is failing' if status >= _SERVER_ERROR else 'refused the connection'} ({status})"
        )
    if told := _short(headers.get("dg-error", "")):
        reason += f": {told}"
    if wait := _short(headers.get("Retry-After", "")):
        reason += f", to be tried again after {wait} s"
    if request := _short(headers.get("dg-request-id", "")):
        reason += f" [request {request}]"
    retryable = status in _WORTH_RETRYING or not _CLIENT_ERROR <= status < _SERVER_ERROR
    pause = retry_after_ms(status, headers.get("Retry-After"))
    return ProviderError(reason, retryable=retryable, retry_after_ms=pause)


def unreachable(error: Exception, host: str) -> ProviderError:
    """A connection that never came to be."""
    if isinstance(error, TimeoutError):
        return ProviderError(f"Deepgram did not answer in time ({host})")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return ProviderError(f"Deepgram's certificate is not accepted ({host})", retryable=False)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return ProviderError(f"cannot reach Deepgram ({host}) over TLS", retryable=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        return ProviderError(f"cannot reach Deepgram ({host}): {error.os_error.strerror or error.os_error}")
    return ProviderError(f"cannot reach Deepgram ({host}): {type(error).__name__}")


def ended(message: aiohttp.WSMessage, code: int | None) -> ProviderError:
    """A socket that ended although nobody here closed it; ``code`` is the close code, where there was one."""
    if message.type is aiohttp.WSMsgType.CLOSE:
        told = _short(message.extra or "")
        reason = f"Deepgram closed the stream ({message.data}{': ' + told if told else ''})"
        # Audio that cannot be decoded would not be any better the next time.
        return ProviderError(reason, retryable="DATA-0000" not in told)
    return ProviderError(f"the connection to Deepgram broke off ({code or 'no close code'})")


def reported(code: str, description: str) -> ProviderError:
    """An error that Deepgram reported in a message of its own."""
    return ProviderError(f"Deepgram reports {_short(code) or 'an error'}: {_short(description)}")


def _short(text: str) -> str:
    """Deepgram's own words, on one line and not too many."""
    return " ".join(str(text).split())[:_MOST]
