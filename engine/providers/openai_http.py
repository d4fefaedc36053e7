"""OpenAI's HTTP API over aiohttp: one client, the bytes of an answer, and every failure as one kind.

Not through OpenAI's SDK. To the headers of a streamed completion (2.5 kB asked; medians of one run on
loopback) a plain POST of aiohttp takes 0.30 ms, this module 0.29 ms, the SDK's bare request 0.61 ms and its
streaming 2.2 ms; with the answer read that is 0.17, 0.17, 0.51 and 2.3 ms of CPU. Importing the SDK takes
390 ms.

Errors follow https://developers.openai.com/api/docs/guides/error-codes. What is raised names the host and
never holds the key; the caller's words are not part of it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from engine.errors import EngineError
from engine.providers.contracts import ProviderError
from engine.providers.retry_after import retry_after_ms

BASE_URL = "https://api.openai.com/v1"
"""OpenAI's own address; a compatible server has another, which ends in ``/v1`` too."""

KEPT_WARM = 60.0
"""Seconds for which an idle connection is kept: longer than a caller's turn as a rule."""

SURELY_WARM = 10.0
"""Seconds for which a connection that was just used is taken to be open at the server's end, too."""

_CONNECT_WITHIN = 5.0  # seconds for name, TCP and TLS; how long an answer may take is the call's to say
_PATIENCE_TO_WARM = 3.0  # seconds; a connection that takes longer is no use for the first reply
_PATIENCE_AT_END = 0.1  # seconds for the end of an answer whose last event is there
_REFUSED, _NOT_FOUND, _TIMES_OUT, _CONFLICT, _RATE_LIMIT = 401, 404, 408, 409, 429
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_KEY = re.compile(r"\b(sk|Bearer)[-\s][^\s\"',.]+")
_LONGEST_REASON = 200  # characters of the vendor's own message

_log = logging.getLogger(__name__)


class UnsupportedParameter(ProviderError):  # noqa: N818 - it names a thing, not an error kind
    """The model does not take one of the request's parameters."""

    def __init__(self, reason: str, parameter: str) -> None:
        super().__init__(reason, retryable=False)
        self.parameter = parameter


class OpenAIClient:
    """Requests to OpenAI or a compatible server over shared, warm connections.

    It sets no deadline for an answer and tries nothing twice: both are the call core's.
    """

    def __init__(self, api_key: str, base_url: str) -> None:
        """Make the client; nothing is connected yet. ``api_key`` may be empty for a server that needs none.

        Raises `EngineError` for an address that is none.
        """
        if not re.match(r"https?://[^/]", base_url):
            raise EngineError(f"OPENAI_BASE_URL: must begin with http:// or https://, not {base_url!r}")
        self._root = base_url.rstrip("/")
        login, _, self._host = urlsplit(base_url).netloc.rpartition("@")
        self._key = api_key
        self._headers = {"User-Agent": "engine", "Accept-Encoding": "identity"}
        self._authorised = dict(self._headers)
        if api_key and not login:  # a login in the address goes out in the same header
            self._authorised["Authorization"] = f"Bearer {api_key}"
        self._post = self._authorised | {"Content-Type": "application/json"}
        self._http: aiohttp.ClientSession | None = None
        self._idle: deque[float] = deque()
        """When connections that are not in use came to rest, by the loop's clock, as far as it is known."""

    @asynccontextmanager
    async def post(
        self, path: str, body: Mapping[str, Any], accept: str = "text/event-stream"
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a JSON request; the answer is open for reading inside the ``with``, and closed after it.

        An answer that was not read to its end loses its connection. Raises `ProviderError`, for what goes
        wrong while the answer is read too.
        """
        response = await self._ask("POST", path, self._post | {"Accept": accept}, orjson.dumps(body))
        try:
            if response.status >= 400:
                raise self._refusal(response, await response.read())
            yield response
        except (aiohttp.ClientError, OSError) as error:
            raise self._broke_off(error) from None
        finally:
            self._leave(response)

    async def warm(self) -> None:
        """Have an idle connection, so that the next request need not wait for TCP and TLS.

        It asks for nothing and shows no key: any answer leaves the connection open. Nothing is sent where a
        connection rests that was used not long ago. What goes wrong is told by the request that matters.
        """
        now = asyncio.get_running_loop().time()
        if self._idle and now - self._idle[-1] < SURELY_WARM:
            return
        try:
            async with asyncio.timeout(_PATIENCE_TO_WARM):
                self._leave(await self._send("HEAD", "", self._headers))
        except Exception as error:
            _log.debug("%s: no connection beforehand (%s)", self._host, type(error).__name__)

    async def read_to_end(self, response: aiohttp.ClientResponse) -> None:
        """Read what follows an answer's last event, for only then its connection can be used again.

        A server that does not end its answer soon loses the connection instead.
        """
        try:
            async with asyncio.timeout(_PATIENCE_AT_END):
                async for _ in response.content.iter_any():
                    pass
        except (aiohttp.ClientError, OSError):
            pass

    async def models(self) -> tuple[str, ...]:
        """The names of the models that the server offers. Raises `ProviderError`."""
        response = await self._ask("GET", "/models", self._authorised)
        try:
            said = await response.read()
            if response.status >= 400:
                raise self._refusal(response, said)
            return tuple([str(model["id"]) for model in orjson.loads(said)["data"]])
        except (aiohttp.ClientError, OSError) as error:
            raise self._broke_off(error) from None
        except (LookupError, TypeError, ValueError):
            raise self.broken("sent something else than a list of models") from None
        finally:
            self._leave(response)

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            http, self._http = self._http, None
            self._idle.clear()
            await http.close()

    def broken(self, what: str) -> ProviderError:
        """The server's answer is not what it should be."""
        return ProviderError(f"{self._host} {what}")

    def told(self, error: Mapping[str, Any]) -> ProviderError:
        """An error that the server sent in the middle of its answer, as an object with a ``message``."""
        retryable = error.get("type") != "invalid_request_error" and error.get("code") not in _NO_MONEY
        return ProviderError(
            f"{self._host} broke off: {self._clean(error.get('message'))}", retryable=retryable
        )

    # --- connections ----------------------------------------------------------------------------------

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_WARM),
                timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_WITHIN),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        """The answer to a request, of which the status and headers are there. Raises `ProviderError`."""
        try:
            return await self._send(method, path, headers, body)
        except aiohttp.ClientResponseError:
            failure = self.broken("does not answer as HTTP would have it")
        except (aiohttp.ClientError, OSError) as error:
            failure = self._unreachable(error)
        raise failure  # out here, because aiohttp's error may hold the request, and with it the key

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        if self._idle:
            self._idle.pop()
        return await self._session().request(
            method, self._root + path, headers=headers, data=body, allow_redirects=method != "HEAD"
        )

    def _leave(self, response: aiohttp.ClientResponse) -> None:
        """Be done with an answer; its connection is kept only if there is nothing of the answer left."""
        if response.content.at_eof() and response.content.exception() is None:
            self._idle.append(asyncio.get_running_loop().time())
        response.close()

    # --- failures -------------------------------------------------------------------------------------

    def _unreachable(self, error: Exception) -> ProviderError:
        if isinstance(error, TimeoutError):
            return ProviderError(f"{self._host} cannot be reached within {_CONNECT_WITHIN:g} s")
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        return ProviderError(f"{self._host} cannot be reached: {self._clean(cause)}")

    def _broke_off(self, error: Exception) -> ProviderError:
        # aiohttp's own words for a cut answer speak of a status 400 that nobody sent.
        told = f": {self._clean(error.strerror)}" if isinstance(error, OSError) and error.strerror else ""
        return ProviderError(f"{self._host} broke off in the middle of its answer{told}")

    def _refusal(self, response: aiohttp.ClientResponse, said: bytes) -> ProviderError:
        """An answer with a status of 400 or more, and its body."""
        status = response.status
        if status == _REFUSED:
            return ProviderError(f"{self._host} refused the key (401): check OPENAI_API_KEY", retryable=False)
        error = _error(said)
        told = error.get("message")
        why = "no such address, does the base URL end in /v1?" if status == _NOT_FOUND else "no reason given"
        reason = f"{self._host} answered {status}: {self._clean(told or why)}"
        if status == 400 and error.get("param") and str(told).startswith("Unsupported"):
            return UnsupportedParameter(reason, str(error["param"]))
        if wait := response.headers.get("Retry-After"):
            reason += f" (it asks to wait {self._clean(wait)} s)"
        retryable = status >= 500 or status in (_TIMES_OUT, _CONFLICT)
        if status == _RATE_LIMIT:
            retryable = not _NO_MONEY & {str(error.get("code")), str(error.get("type"))}
        pause = retry_after_ms(status, wait) if retryable else None
        return ProviderError(reason, retryable=retryable, retry_after_ms=pause)

    def _clean(self, text: object) -> str:
        """A foreign text without the key in it, in one line and not long."""
        words = " ".join(str(text).split()) or type(text).__name__
        if self._key:
            words = words.replace(self._key, "***")
        return _KEY.sub(r"\1-***", words)[:_LONGEST_REASON].rstrip(".")


def _error(said: bytes) -> Mapping[str, Any]:
    """The error object of a refusal's body: under ``error``, or the whole of it; empty if there is none."""
    try:
        body = orjson.loads(said)
        error = body.get("error", body)
    except (ValueError, AttributeError):
        return {}
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}
