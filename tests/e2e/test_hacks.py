"""Hacks through the real service: an input against a target, with real validators, references and generators."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.client import Client
from sandbox.errors import BadRequest
from sandbox.schema.hack import HackResult


def write_python(code: str) -> dict[str, str]:
    return {"language": "python", "code": code}


MAXIMUM = write_python("print(max(map(int, input().split())))")
SORTED_MAXIMUM = write_python("print(sorted(map(int, input().split()))[-1])")
MAXIMUM_FROM_ZERO = write_python("print(max(0, *map(int, input().split())))")
TWO_NUMBERS = write_python("assert len(input().split()) == 2, 'two numbers are needed'")
KATTIS = write_python("import sys\nsys.exit(42 if len(input().split()) == 2 else 43)")
NEGATIVE = "-5 -3\n"


def run_hack(client: Client, target: dict[str, str], given: str | None = NEGATIVE, **fields: Any) -> HackResult:
    body = {"target": target, "input": given, "validators": [TWO_NUMBERS, KATTIS]}
    return client.hack({**body, "references": [MAXIMUM, SORTED_MAXIMUM], **fields})


def test_a_valid_input_breaks_a_target_with_a_wrong_output(client: Client) -> None:
    result = run_hack(client, MAXIMUM_FROM_ZERO)
    assert (result.valid, result.breaks, result.reason, result.verdict) == (
        True,
        True,
        "wrong_output",
        "wrong_answer",
    )
    assert (result.expected, result.got) == ("-3\n", "0\n")


def test_an_input_that_a_target_handles_does_not_break_it(client: Client) -> None:
    result = run_hack(client, MAXIMUM_FROM_ZERO, "5 3\n")
    assert (result.valid, result.breaks, result.reason) == (True, False, "target_passes")


def test_an_invalid_input_breaks_nothing_although_the_target_crashes(client: Client) -> None:
    result = run_hack(client, MAXIMUM_FROM_ZERO, "5\n")
    assert (result.valid, result.breaks, result.reason, result.verdict) == (False, False, "input_rejected", None)
    assert result.message == "validators.0: exit code 1: AssertionError: two numbers are needed"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("raise SystemExit(3)", "runtime_error"),
        ("while True: pass", "time_limit_exceeded"),
        ("print(", "runtime_error"),
    ],
)
def test_a_crash_or_a_timeout_breaks_the_target(client: Client, code: str, verdict: str) -> None:
    result = run_hack(client, write_python(code), limits={"cpu_time_s": 0.5})
    assert (result.valid, result.breaks, result.verdict) == (True, True, verdict)


def test_references_that_disagree_make_the_input_invalid(client: Client) -> None:
    result = run_hack(client, MAXIMUM, references=[MAXIMUM, MAXIMUM_FROM_ZERO])
    assert (result.valid, result.breaks, result.reason) == (False, False, "references_disagree")
    assert (result.expected, result.got) == ("-3\n", "0\n")


def test_a_generator_gets_its_arguments_and_the_seed(client: Client) -> None:
    generator = write_python("import sys\nprint(*(-int(word) for word in sys.argv[1:]))")
    result = run_hack(client, MAXIMUM_FROM_ZERO, None, generator={**generator, "args": ["4"], "seed": 7})
    assert (result.input, result.valid, result.breaks, result.expected) == ("-4 -7\n", True, True, "-4\n")


def test_a_compiled_target_and_reference_agree(client: Client) -> None:
    code = "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << (a > b ? a : b); }"
    result = run_hack(client, {"language": "cpp", "code": code})
    assert (result.valid, result.breaks) == (True, False)


def test_a_target_that_does_not_compile_is_not_hacked(client: Client) -> None:
    result = run_hack(client, {"language": "cpp", "code": "int main( {"})
    assert (result.valid, result.breaks, result.reason) == (True, False, "target_not_compiled")
    assert result.verdict == "compile_error"


def test_a_batch_judges_each_item(client: Client) -> None:
    item = {"target": MAXIMUM_FROM_ZERO, "references": [MAXIMUM]}
    results = client.hack_batch([{**item, "input": NEGATIVE}, {**item, "input": "1 2\n"}])
    assert [result.breaks for result in results] == [True, False]


def test_errors_name_the_field(client: Client) -> None:
    with pytest.raises(BadRequest, match="give either input or generator"):
        client.hack({"target": MAXIMUM, "references": [MAXIMUM]})
    with pytest.raises(BadRequest) as raised:
        run_hack(client, MAXIMUM, references=[MAXIMUM, {"language": "klingon", "code": ""}])
    assert raised.value.field == "body.references.1.language"
