"""The compile limits of a request apply to every program that is compiled for it."""

from __future__ import annotations

import time

import pytest

from sandbox.client import Client
from tests.queue.sample_programs import SLOW_TO_COMPILE

QUICK = "int main() {}"
SOON_S = 25  # of the 30 s of CPU time that compiling may take by default, on a busy machine


@pytest.mark.parametrize("limits", [{"compile_cpu_time_s": 1}, {"compile_wall_time_s": 1}])
def test_a_compilation_that_takes_longer_is_a_compile_error_soon(client: Client, limits: dict[str, float]) -> None:
    began = time.monotonic()
    result = client.execute({"language": "cpp", "code": SLOW_TO_COMPILE, "limits": limits})
    assert time.monotonic() - began < SOON_S
    assert result.status == "compile_error"
    assert result.compile is not None
    assert result.compile.message == "time_limit_exceeded"
    used = result.compile.usage
    assert 0.5 < (used.cpu_time_s if "compile_cpu_time_s" in limits else used.wall_time_s) < 6


def test_it_is_the_limit_of_one_program_and_not_of_the_next(client: Client) -> None:
    limits = {"compile_cpu_time_s": 0.01}
    test = {"stdin": "", "expected": ""}
    programs = [
        {"language": "cpp", "code": QUICK, "tests": [test]},
        {"language": "python", "code": "", "tests": [test]},
    ]
    first, second, third = (
        client.verify({**program, **({"limits": limits} if limited else {})})
        for program, limited in ((programs[0], True), (programs[0], False), (programs[1], True))
    )
    assert [first.verdict, second.verdict, third.verdict] == ["compile_error", "accepted", "accepted"]


def test_a_votes_candidates_are_compiled_within_it(client: Client) -> None:
    candidates = [{"language": "cpp", "code": code} for code in (QUICK, QUICK + "//", SLOW_TO_COMPILE)]
    began = time.monotonic()
    result = client.vote({"candidates": candidates, "inputs": [{"stdin": ""}], "limits": {"compile_cpu_time_s": 2}})
    compiled = [candidate.compile_message for candidate in result.candidates]
    assert time.monotonic() - began < SOON_S
    assert [bool(message) for message in compiled] == [False, False, True]


def test_a_checker_is_compiled_within_its_own(client: Client) -> None:
    checker = {"type": "program", "language": "cpp", "code": SLOW_TO_COMPILE, "limits": {"compile_cpu_time_s": 1}}
    began = time.monotonic()
    result = client.verify(
        {"language": "python", "code": "print(1)", "checker": checker, "tests": [{"stdin": "", "expected": "1"}]}
    )
    assert time.monotonic() - began < SOON_S
    assert result.verdict == "internal_error"
