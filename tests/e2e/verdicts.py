"""Send Python programs and their tests to the API and return results in a form that is easy to compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.client import Client
from sandbox.schema import TestResult

ACCEPTED, WRONG, CRASHED = "accepted", "wrong_answer", "runtime_error"


def judge_tests(client: Client, code: str, tests: Sequence[dict[str, Any]], **fields: Any) -> list[TestResult]:
    """Return the results of a Python program's tests."""
    return client.verify({"language": "python", "code": code, "tests": list(tests), **fields}).tests


def read_verdicts(client: Client, code: str, tests: Sequence[dict[str, Any]], **fields: Any) -> list[str]:
    return [result.verdict.value for result in judge_tests(client, code, tests, **fields)]
