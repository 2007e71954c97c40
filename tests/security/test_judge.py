"""Attacks on the judge: output that is expensive to judge, and exits meant to leave a sample without a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from loadtest.checker_cost import MB, SHAPES, SMALL_EXPECTED, measure
from sandbox.box.slot import Slot
from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.schema import VerifyRequest
from sandbox.verify.checkers import RULES, check
from sandbox.verify.judge import CheckerChoice, judge_call
from sandbox.worker.execute import verify

SIZE = 16 * MB
CPU_S = 0.5  # an idle machine takes a tenth of it; without bounds it takes up to a minute
MEMORY_MB = 150.0
# A function's value of any shape, as it arrives from a box (`rpc.codec`).
ANSWERS: dict[str, Callable[[int], bytes]] = {
    "ones": lambda size: b'{"value":[' + b"1," * (size // 2) + b"1]}",
    "floats": lambda size: b'{"value":[' + b"1.5," * (size // 4) + b"1]}",
    "lists": lambda size: b'{"value":[' + b"[]," * (size // 3) + b"1]}",
    "tuples": lambda size: b'{"value":[' + b'{"tuple":[]},' * (size // 13) + b"1]}",
    "a string": lambda size: b'{"value":"' + b"x" * size + b'"}',
    "digits": lambda size: b'{"value":' + b"7" * size + b"}",
    "a large int": lambda size: b'{"value":{"int":"0x' + b"7" * size + b'"}}',
    "bytes": lambda size: b'{"value":{"bytes":"' + b"QUJD" * (size // 4) + b'"}}',
    "a decimal": lambda size: b'{"value":{"decimal":"' + b"7" * size + b'"}}',
    "brackets": lambda size: b"[" * size,
    "keys": lambda size: b'{"value":{"dict":[' + b"[1,2]," * (size // 6) + b"[1,2]]}}",
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", sorted(set(RULES) - {"regex"}))
def test_no_output_costs_much_to_judge(kind: str, shape: str) -> None:
    output = SHAPES[shape](SIZE)
    _, idle_mb = measure(lambda: None)
    cpu_s, memory_mb = measure(lambda: check(kind, output, SMALL_EXPECTED.get(kind, b"42")))
    assert cpu_s < CPU_S
    assert memory_mb - idle_mb < MEMORY_MB


@pytest.mark.parametrize("expected", [[1, 2], {"a": 1}, "x", 7, 0.5, None])
@pytest.mark.parametrize("shape", ANSWERS)
def test_no_value_of_a_function_costs_much_to_judge(shape: str, expected: Any) -> None:
    outcome = Outcome(Status.OK, exit_code=0, answers=ANSWERS[shape](SIZE))

    def judge_answer() -> None:
        verdict = judge_call(outcome, expected, CheckerChoice("float", {"absolute": 0.1, "relative": 0.1})).verdict
        assert verdict in {Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR}

    _, idle_mb = measure(lambda: None)
    cpu_s, memory_mb = measure(judge_answer)
    assert cpu_s < CPU_S
    assert memory_mb - idle_mb < MEMORY_MB


LINE_BY_LINE = """
import sys
seen = []
for line in sys.stdin:
    seen.append(bytearray(100_000))
    print("more", flush=True)
sys.exit(1)
"""
WHOLE = "import sys\nseen = list(sys.stdin.read())\nsys.exit(1)"
CAREFUL = "import sys\nfor line in sys.stdin:\n    if not line.strip().isdigit(): sys.exit(1)\nsys.exit(1)"


@pytest.mark.parametrize("interactor", [LINE_BY_LINE, WHOLE, CAREFUL])
@pytest.mark.parametrize(
    "code",
    [
        "import sys\nwhile True:\n    sys.stdout.write('7\\n')",
        "import sys\nwhile True:\n    sys.stdout.write('7' * 100_000)",
        "import os\nfor _ in range(200): os.write(1, b'7\\n' * 10_000)\ninput()",
        "import os, time\nos.write(1, b'7\\n')\ntime.sleep(60)",
        "print('7\\n' * 100_000)",
        "print('7' * 1_000_000)",
        "import os, signal\nos.write(1, b'7\\n' * 9)\nos.kill(os.getpid(), signal.SIGSTOP)",
        "import os\nos.close(1)\nos.read(0, 1)",
        "import os, time\ntime.sleep(1.45)\nos.write(1, b'7\\n')\ntime.sleep(60)",
    ],
)
@pytest.mark.slow
def test_no_program_ends_a_conversation_without_a_verdict(slot: Slot, code: str, interactor: str) -> None:
    request = VerifyRequest.model_validate(
        {
            "language": "python",
            "code": code,
            "limits": {"cpu_time_s": 1, "output_kb": 1_024, "memory_mb": 128},
            "tests": [{"stdin": "1", "expected": "1"}],
            "checker": {
                "type": "interactive",
                "language": "python",
                "code": interactor,
                "idle_time_s": 0.5,
                "limits": {"cpu_time_s": 1, "memory_mb": 128},
            },
        }
    )
    result = verify("attack", request, slot, 0.0)
    assert result.verdict not in {Verdict.INTERNAL_ERROR, Verdict.ACCEPTED}, result.tests[0]


@pytest.mark.parametrize(
    "code", ["print('7' * 900_000)", "print('7\\n' * 400_000)", "print('[' * 50_000)", "print()", "print('NameError')"]
)
def test_no_output_leaves_a_checker_without_a_verdict(slot: Slot, code: str) -> None:
    """The checker is careless: it takes memory for each character, and evaluates what it reads."""
    checker = """
import sys
text = open(sys.argv[2]).read()
work = [bytearray(1_000) for _ in text]
sys.exit(0 if eval(text) == 7 else 1)
"""
    request = VerifyRequest.model_validate(
        {
            "language": "python",
            "code": code,
            "tests": [{"expected": "7"}],
            "checker": {
                "type": "program",
                "language": "python",
                "code": checker,
                "limits": {"cpu_time_s": 1, "memory_mb": 64},
            },
        }
    )
    assert verify("attack", request, slot, 0.0).verdict is Verdict.WRONG_ANSWER


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (r"(\w+\s?)*:", "print('word ' * 50 + '-')"),
        (r"(\d+ ?)+\.", "print('1' * 60)"),
        (r"(?s)(.|\n)*end", "print('x' * 5_000_000)"),
    ],
)
def test_no_output_leaves_a_regular_expression_without_a_verdict(slot: Slot, pattern: str, code: str) -> None:
    tests = [{"expected": pattern}]
    request = VerifyRequest.model_validate(
        {"language": "python", "code": code, "tests": tests, "checker": {"type": "regex"}}
    )
    assert verify("attack", request, slot, 0.0).verdict is Verdict.WRONG_ANSWER
