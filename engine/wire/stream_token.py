"""One-use tokens that bind a media stream to the call for which its TwiML was written.

Anyone may open the media socket; only who brings a token that was issued a moment ago, in the TwiML of a
checked webhook, is let in, and only once.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

TTL_MS = 120_000
"""Long enough for an outbound call to ring for a minute and more before its stream opens."""
LIMIT = 10_000


class StreamTokens:
    """Issues tokens and redeems each of them once.

    ``token_source`` returns a fresh unguessable text, such as ``secrets.token_urlsafe``; ``ttl_ms`` is how
    long a token is good; ``limit`` is how many may be outstanding: one more, and the oldest is forgotten.
    Times are milliseconds of any clock that does not go back.

    Only hashes are kept, and looked up by hash: how long a look-up takes says nothing about a token.
    """

    def __init__(self, token_source: Callable[[], str], *, ttl_ms: int = TTL_MS, limit: int = LIMIT) -> None:
        if ttl_ms <= 0 or limit <= 0:
            raise ValueError("ttl_ms and limit must be at least 1")
        self._token_source = token_source
        self._ttl_ms = ttl_ms
        self._limit = limit
        self._outstanding: dict[bytes, tuple[str, int]] = {}

    def __len__(self) -> int:
        """How many tokens are outstanding, expired ones that nobody has asked for among them."""
        return len(self._outstanding)

    def issue(self, call_id: str, now: int) -> str:
        """A token for ``call_id``, good until ``now`` + ``ttl_ms``."""
        self._forget_expired(now)
        if len(self._outstanding) >= self._limit:
            del self._outstanding[next(iter(self._outstanding))]
        token = self._token_source()
        key = _hash(token)
        if key in self._outstanding:
            raise ValueError("token_source gave a token that is still outstanding")
        self._outstanding[key] = (call_id, now + self._ttl_ms)
        return token

    def redeem(self, token: str, now: int) -> str | None:
        """The call of a token, which is then used up. None if it is unknown, used or expired."""
        call_id, expires = self._outstanding.pop(_hash(token), ("", now))
        return call_id if now < expires else None

    def _forget_expired(self, now: int) -> None:
        # All live equally long, so the dictionary's order is the order in which they expire.
        for key, (_, expires) in list(self._outstanding.items()):
            if now < expires:
                break
            del self._outstanding[key]


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
