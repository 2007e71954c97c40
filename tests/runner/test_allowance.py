"""The CPU time that carrying calls may take."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sandbox.runner.allowance import CALL_NS, MOST_DRIVEN_NS, MOST_S, Account, Allowance


@pytest.fixture
def pair() -> Iterator[tuple[Account, Allowance]]:
    reading, writing = os.pipe()
    yield Account(writing), Allowance(reading)
    os.close(reading)
    os.close(writing)


def test_each_call_of_the_test_is_allowed_for(pair: tuple[Account, Allowance]) -> None:
    account, allowance = pair
    for _ in range(1_000):
        account.sent(b"{}", driven=False)
    assert allowance.read_s() >= 0.9 * 1_000 * CALL_NS * 1e-9
    assert allowance.read_s() == allowance.read_s()


def test_what_the_program_makes_the_test_do_counts_up_to_a_limit(pair: tuple[Account, Allowance]) -> None:
    account, allowance = pair
    for _ in range(200_000):
        account.sent(b"{}", driven=True)
        account.received(b"[" * 100)
        account.looked_at_files(10)
    account.sent(b"x" * 100_000, driven=False)
    assert MOST_DRIVEN_NS * 1e-9 <= allowance.read_s() < MOST_DRIVEN_NS * 1e-9 + 0.1


def test_a_full_pipe_stops_nobody_and_there_is_a_ceiling(pair: tuple[Account, Allowance]) -> None:
    account, allowance = pair
    line = b"x" * 100_000
    for _ in range(30_000):
        account.sent(line, driven=False)
    assert allowance.read_s() == allowance.most_s == MOST_S


def test_without_a_pipe_nothing_is_allowed() -> None:
    assert Allowance().read_s() == Allowance().most_s == 0.0
