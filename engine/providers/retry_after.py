"""How long a vendor that refuses for the moment asks to be left alone: ``Retry-After``, RFC 9110, 10.2.3."""

from __future__ import annotations

from math import isfinite

UNSAID_MS = 500
"""ms to wait after "too many requests" from a vendor that does not say how long: a call cannot wait long."""

_TOO_MANY_REQUESTS = 429


def retry_after_ms(status: int, header: str | None) -> int | None:
    """ms to wait before the next try, by the answer's status and ``Retry-After``; None: no need to.

    The header's form as a date, which no vendor here uses, counts as none.
    """
    try:
        seconds = float(header) if header else -1.0
    except ValueError:
        seconds = -1.0
    if isfinite(seconds) and seconds >= 0:
        return round(seconds * 1000)
    return UNSAID_MS if status == _TOO_MANY_REQUESTS else None
