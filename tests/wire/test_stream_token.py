"""One-use stream tokens."""

from __future__ import annotations

from itertools import count

import pytest

from engine.wire.stream_token import StreamTokens


def tokens(**options: int) -> StreamTokens:
    numbers = count()
    return StreamTokens(lambda: f"token-{next(numbers)}", **options)


def test_a_token_opens_its_call_once() -> None:
    issued = tokens()
    first, second = issued.issue("call-1", 0), issued.issue("call-2", 0)
    assert issued.redeem(second, 1) == "call-2"
    assert issued.redeem(first, 1) == "call-1"
    assert issued.redeem(first, 1) is None
    assert len(issued) == 0


@pytest.mark.parametrize("token", ["", "token-1", "token-0 ", "\ud800", "x" * 100_000])
def test_any_other_token_opens_nothing(token: str) -> None:
    issued = tokens()
    issued.issue("call-1", 0)
    assert issued.redeem(token, 0) is None
    assert issued.redeem("token-0", 0) == "call-1"


def test_a_token_expires() -> None:
    issued = tokens(ttl_ms=100)
    early, late = issued.issue("call-1", 5), issued.issue("call-2", 5)
    assert issued.redeem(early, 104) == "call-1"
    assert issued.redeem(late, 105) is None


def test_expired_tokens_are_forgotten_at_the_next_issue() -> None:
    issued = tokens(ttl_ms=100)
    issued.issue("call-1", 0)
    issued.issue("call-2", 50)
    issued.issue("call-3", 100)
    assert len(issued) == 2


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    issued = tokens(limit=2)
    given = [issued.issue(f"call-{n}", n) for n in range(3)]
    assert [issued.redeem(token, 3) for token in given] == [None, "call-1", "call-2"]


def test_the_tokens_themselves_are_not_kept() -> None:
    issued = tokens()
    token = issued.issue("call-1", 0)
    assert token not in repr(vars(issued))


def test_a_source_that_repeats_itself_is_refused() -> None:
    issued = StreamTokens(lambda: "same")
    issued.issue("call-1", 0)
    with pytest.raises(ValueError, match="outstanding"):
        issued.issue("call-2", 0)
    assert issued.redeem("same", 0) == "call-1"
