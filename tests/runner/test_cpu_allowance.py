"""The extra CPU time granted for exchanging calls."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sandbox.runner.cpu_allowance import (
    CALL_NS,
    MAX_ALLOWANCE_S,
    MAX_PROGRAM_CAUSED_NS,
    AllowanceRecorder,
    CpuAllowance,
)


@pytest.fixture
def pair() -> Iterator[tuple[AllowanceRecorder, CpuAllowance]]:
    reading, writing = os.pipe()
    yield AllowanceRecorder(writing), CpuAllowance(reading)
    os.close(reading)
    os.close(writing)


def test_each_call_of_the_test_adds_to_the_allowance(pair: tuple[AllowanceRecorder, CpuAllowance]) -> None:
    account, allowance = pair
    for _ in range(1_000):
        account.count_sent(b"{}", caused_by_program=False)
    assert allowance.read_s() >= 0.9 * 1_000 * CALL_NS * 1e-9
    assert allowance.read_s() == allowance.read_s()


def test_costs_caused_by_the_program_count_up_to_a_limit(pair: tuple[AllowanceRecorder, CpuAllowance]) -> None:
    account, allowance = pair
    for _ in range(200_000):
        account.count_sent(b"{}", caused_by_program=True)
        account.count_received(b"[" * 100)
        account.count_files(10)
    account.count_sent(b"x" * 100_000, caused_by_program=False)
    assert MAX_PROGRAM_CAUSED_NS * 1e-9 <= allowance.read_s() < MAX_PROGRAM_CAUSED_NS * 1e-9 + 0.1


def test_a_full_pipe_does_not_block_and_the_allowance_is_capped(pair: tuple[AllowanceRecorder, CpuAllowance]) -> None:
    account, allowance = pair
    line = b"x" * 100_000
    for _ in range(30_000):
        account.count_sent(line, caused_by_program=False)
    assert allowance.read_s() == allowance.max_s == MAX_ALLOWANCE_S


def test_there_is_no_allowance_without_a_pipe() -> None:
    assert CpuAllowance().read_s() == CpuAllowance().max_s == 0.0
