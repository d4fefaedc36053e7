"""OpenAI's HTTP API through its own SDK: one client, the bytes of an answer, and every failure as one kind.

The SDK makes the request (key, address, organisation, proxy, over its aiohttp transport); the answer's bytes
are read by the adapters, because the SDK's own reading of a streamed reply costs about four times as much.

Errors follow https://developers.openai.com/api/docs/guides/error-codes. What is raised names the host and
never holds the key; the caller's words are not part of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError, MissingExtra
from engine.providers.contracts import ProviderError
from engine.providers.retry_after import retry_after_ms

if TYPE_CHECKING:
    from httpx2 import Response

BASE_URL = "https://api.openai.com/v1"
"""OpenAI's own address; a compatible server has another, which ends in ``/v1`` too."""

KEPT_WARM = 60.0
"""Seconds for which an idle connection is kept: longer than a caller's turn as a rule."""

_PATIENCE_TO_WARM = 3.0  # seconds; a connection that takes longer is no use for the first reply
_PATIENCE_AT_END = 0.1  # seconds for the end of an answer whose last event is there
_NOT_FOUND, _TIMES_OUT, _CONFLICT, _RATE_LIMIT = 404, 408, 409, 429
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_KEY = re.compile(r"\b(sk|Bearer)[-\s][^\s\"',.]+")
_LONGEST_REASON = 200  # characters of the vendor's own message


class UnsupportedParameter(ProviderError):  # noqa: N818 - it names a thing, not an error kind
    """The model does not take one of the request's parameters."""

    def __init__(self, reason: str, parameter: str) -> None:
        super().__init__(reason, retryable=False)
        self.parameter = parameter


class OpenAIClient:
    """Requests to OpenAI or a compatible server over shared, warm connections.

    It sets no deadline and tries nothing twice: both are the call core's.
    """

    def __init__(self, api_key: str, base_url: str) -> None:
        """Make the client; nothing is connected yet. ``api_key`` may be empty for a server that needs none.

        Raises `EngineError` for an address that is none, `MissingExtra` without the SDK.
        """
        try:
            import httpx2
            import openai
        except ImportError as missing:
            raise MissingExtra(missing.name or "openai", "openai") from None
        if not re.match(r"https?://[^/]", base_url):
            raise EngineError(f"OPENAI_BASE_URL: must begin with http:// or https://, not {base_url!r}")
        self._openai, self._httpx = openai, httpx2
        self._key = api_key
        limits = httpx2.Limits(
            max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEPT_WARM
        )
        self._http = openai.DefaultAioHttpClient(limits=limits, timeout=None)
        self._client = openai.AsyncOpenAI(
            api_key=api_key or "none",
            base_url=base_url,
            max_retries=0,
            timeout=None,
            http_client=self._http,
        )
        self._host = self._client.base_url.netloc.decode("ascii").rpartition("@")[2]

    @asynccontextmanager
    async def post(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[Response]:
        """Send a JSON request; the answer is open for reading inside the ``with``, and closed after it.

        Raises `ProviderError`, for what goes wrong while the answer is read too.
        """
        try:
            response: Response = await self._client.post(
                path,
                body=body,
                cast_to=self._httpx.Response,
                stream=True,
                stream_cls=self._openai.AsyncStream[Any],
                options={"headers": {"Accept-Encoding": "identity"}},
            )  # type: ignore[assignment]  # asked for as a plain response, so that is what it is
            try:
                yield response
            finally:
                await response.aclose()
        except (self._openai.OpenAIError, self._httpx.HTTPError, OSError) as error:
            raise self._failure(error) from None

    async def warm(self) -> None:
        """Have an idle connection, so that the next request need not wait for TCP and TLS.

        It asks for nothing and shows no key: any answer leaves the connection open. What goes wrong is told
        by the request that matters.
        """
        with suppress(TimeoutError, self._httpx.HTTPError, OSError):
            async with asyncio.timeout(_PATIENCE_TO_WARM):
                await self._http.head(self._client.base_url)

    async def read_to_end(self, chunks: AsyncIterator[bytes]) -> None:
        """Read what follows an answer's last event, for only then its connection can be used again.

        A server that does not end its answer soon loses the connection instead.
        """
        try:
            async with asyncio.timeout(_PATIENCE_AT_END):
                async for _ in chunks:
                    pass
        except (TimeoutError, self._httpx.HTTPError, OSError):
            pass

    async def models(self) -> tuple[str, ...]:
        """The names of the models that the server offers. Raises `ProviderError`."""
        try:
            return tuple([model.id async for model in self._client.models.list()])
        except (self._openai.OpenAIError, self._httpx.HTTPError, OSError) as error:
            raise self._failure(error) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def broken(self, what: str) -> ProviderError:
        """The server's answer is not what it should be."""
        return ProviderError(f"{self._host} {what}")

    def told(self, error: Mapping[str, Any]) -> ProviderError:
        """An error that the server sent in the middle of its answer, as an object with a ``message``."""
        retryable = error.get("type") != "invalid_request_error" and error.get("code") not in _NO_MONEY
        return ProviderError(
            f"{self._host} broke off: {self._clean(error.get('message'))}", retryable=retryable
        )

    def _failure(self, error: Exception) -> ProviderError:
        """What the SDK or the transport raised."""
        if isinstance(error, self._openai.APIStatusError):
            return self._refusal(error)
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(error, self._openai.APIConnectionError):
            return ProviderError(f"{self._host} cannot be reached: {self._clean(cause)}")
        # The transport's own words for a cut answer speak of a status 400 that nobody sent.
        told = f": {self._clean(cause.strerror)}" if isinstance(cause, OSError) and cause.strerror else ""
        return ProviderError(f"{self._host} broke off in the middle of its answer{told}")

    def _refusal(self, error: Any) -> ProviderError:
        """An answer with a status of 400 or more; ``error`` is the SDK's `APIStatusError`."""
        status: int = error.status_code
        if status == 401:
            return ProviderError(f"{self._host} refused the key (401): check OPENAI_API_KEY", retryable=False)
        told = error.body.get("message") if isinstance(error.body, dict) else None
        why = "no such address, does the base URL end in /v1?" if status == _NOT_FOUND else "no reason given"
        reason = f"{self._host} answered {status}: {self._clean(told or why)}"
        if status == 400 and error.param and str(told).startswith("Unsupported"):
            return UnsupportedParameter(reason, error.param)
        if wait := error.response.headers.get("retry-after"):
            reason += f" (it asks to wait {wait} s)"
        retryable = status >= 500 or status in (_TIMES_OUT, _CONFLICT)
        if status == _RATE_LIMIT:
            retryable = not _NO_MONEY & {error.code, error.type}
        pause = retry_after_ms(status, wait) if retryable else None
        return ProviderError(reason, retryable=retryable, retry_after_ms=pause)

    def _clean(self, text: object) -> str:
        """A foreign text without the key in it, in one line and not long."""
        words = " ".join(str(text).split()) or type(text).__name__
        if self._key:
            words = words.replace(self._key, "***")
        return _KEY.sub(r"\1-***", words)[:_LONGEST_REASON].rstrip(".")
