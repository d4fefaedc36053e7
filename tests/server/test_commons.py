"""What workers know of one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.server.commons import STALE_S, Board, CallOwners, Load


def test_what_one_writes_the_others_read(tmp_path: Path) -> None:
    one, other = Board(tmp_path, 3), Board(tmp_path, 3)
    assert other.read(2) == (0, False)
    one.write(2, Load(17, True))
    one.write(0, Load(3, False))
    assert [other.read(number) for number in range(3)] == [(3, False), (0, False), (17, True)]


def test_a_worker_that_tells_nothing_any_more_is_given_no_calls(tmp_path: Path) -> None:
    now = [100.0]
    board = Board(tmp_path, 1, lambda: now[0])
    board.write(0, Load(1, True))
    now[0] += STALE_S - 0.01
    assert board.read(0) == (1, True)
    now[0] += 0.01
    assert board.read(0) == (1, False)


def test_a_call_has_one_owner_until_it_is_over(tmp_path: Path) -> None:
    one, other = CallOwners(tmp_path), CallOwners(tmp_path)
    assert one.owner("CA1") is None
    assert one.claim("CA1", 1)
    assert not other.claim("CA1", 0)
    assert not one.claim("CA1", 1)
    assert other.owner("CA1") == 1
    one.release("CA1")
    assert other.owner("CA1") is None
    one.release("CA1")


def test_the_calls_of_a_worker_that_is_gone_are_forgotten(tmp_path: Path) -> None:
    owners = CallOwners(tmp_path)
    for name, number in (("CA1", 1), ("CA2", 0), ("CA3", 1)):
        owners.claim(name, number)
    owners.forget(1)
    assert [owners.owner(name) for name in ("CA1", "CA2", "CA3")] == [None, 0, None]


def test_calls_may_end_while_those_of_a_worker_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = CallOwners(tmp_path)
    owners.claim("CA1", 0)
    links = list((tmp_path / "calls").iterdir())
    owners.release("CA1")
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(links))
    owners.forget(1)


@pytest.mark.parametrize("name", ["", "..", "../board", "a/b", "C A1", "x" * 65, "CA1\n", "\ud800"])
def test_what_is_no_calls_name_names_no_file(tmp_path: Path, name: str) -> None:
    owners = CallOwners(tmp_path)
    assert not owners.claim(name, 0)
    assert owners.owner(name) is None
    owners.release(name)
    assert list((tmp_path / "calls").iterdir()) == []
