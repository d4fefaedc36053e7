"""How long a refusal asks to wait."""

from __future__ import annotations

import pytest

from engine.providers.retry_after import UNSAID_MS, retry_after_ms


@pytest.mark.parametrize(
    ("status", "header", "ms"),
    [
        (429, "3", 3_000),
        (503, "0.25", 250),
        (429, "0", 0),
        (503, None, None),
        (401, "", None),
        (429, None, UNSAID_MS),
        (429, "Fri, 31 Dec 1999 23:59:59 GMT", UNSAID_MS),
        (429, "-1", UNSAID_MS),
        (429, "nan", UNSAID_MS),
        (503, "inf", None),
    ],
)
def test_retry_after(status: int, header: str | None, ms: int | None) -> None:
    assert retry_after_ms(status, header) == ms
