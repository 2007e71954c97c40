"""Convert rows of the public benchmarks HumanEval, MBPP and LiveCodeBench to problems.

Programs get the imports of each benchmark's own grader (`sandbox.rewards.preamble`).

| shape         | prompt                          | judged by                                              |
| ------------- | ------------------------------- | ------------------------------------------------------ |
| humaneval     | prompt: the head of a function  | test: `check(candidate)`, run in a separate box        |
| mbpp          | text or prompt, and the asserts | test_list: each assert, run in a separate box          |
| livecodebench | question_content, starter_code  | public and private test cases: stdin or function calls |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import ValidationError

from sandbox.errors import BadRequest
from sandbox.rewards import preamble
from sandbox.rewards.packed_tests import unpack_tests
from sandbox.schema import AnyTest, AssertTest, FunctionTest, LiveCodeBenchChecker, TestCase, TokensChecker
from sandbox.schema.gpu import EvalProblem

Row = Mapping[str, Any]

INSTRUCTION = "Answer with the complete program in one ```python code block.\n\n"


def read_problems(shape: str, rows: Sequence[Row]) -> list[EvalProblem]:
    """Convert the rows to problems. Raises BadRequest, with the index of the invalid row."""
    problems = []
    for index, row in enumerate(rows):
        try:
            problems.append(READERS[shape](row))
        except (KeyError, ValueError, TypeError, ValidationError) as error:
            why = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise BadRequest(f"row {index} is not of the shape {shape}: {why}", f"rows.{index}") from None
    return problems


def read_humaneval(row: Row) -> EvalProblem:
    name = str(row["task_id"])
    imports = preamble.build_humaneval_preamble(row["prompt"], row["test"])
    return EvalProblem(
        name=name,
        prompt=f"{INSTRUCTION}Complete this function:\n\n```python\n{row['prompt']}```",
        tests=[AssertTest(assertion=preamble.join_parts(imports, f"{row['test']}\ncheck({row['entry_point']})\n"))],
        entry_point=row["entry_point"],
        imports=imports,
        before=row["prompt"],
        reference=_join_program(imports, row["prompt"], row.get("canonical_solution")),
    )


def read_mbpp(row: Row) -> EvalProblem:
    """Read a row of either version: `text` and `test_setup_code`, or `prompt` and `test_imports` (sanitized)."""
    asserts = [str(line) for line in row["test_list"]]
    imports = [str(line) for line in row.get("test_imports", [])]
    setup = "\n".join([*imports, row.get("test_setup_code", "")]).strip()
    shown = "\n".join(asserts)
    head = preamble.build_humaneval_preamble(setup) + "".join(f"{line}\n" for line in imports)
    return EvalProblem(
        name=f"MBPP/{row['task_id']}",
        prompt=f"{INSTRUCTION}{row.get('text') or row['prompt']}\nYour code should pass these tests:\n\n{shown}",
        tests=[AssertTest(assertion=f"{setup}\n{line}\n".lstrip()) for line in asserts],
        imports=head,
        reference=_join_program(head, "", row.get("code")),
    )


def read_livecodebench(row: Row) -> EvalProblem:
    """Read a row. Private cases may be packed as in the data set: base64 of zlib of a pickled JSON text."""
    metadata = row.get("metadata") or {}
    metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
    cases = [*_read_cases(row["public_test_cases"]), *_read_cases(row.get("private_test_cases") or [])]
    name = metadata.get("func_name") or ""
    starter = row.get("starter_code") or ""
    how = f"Begin with this:\n\n```python\n{starter}\n```" if starter else "Read standard input, print the answer."
    return EvalProblem(
        name=str(row.get("question_id") or row["question_title"]),
        prompt=f"{INSTRUCTION}{row['question_content']}\n\n{how}",
        tests=[_build_function_test(case) if name else _build_stdin_test(case) for case in cases],
        entry_point=f"Solution.{name}" if name and "class Solution" in starter else name,
        difficulty=str(row.get("difficulty") or ""),
        released=None if not row.get("contest_date") else date.fromisoformat(str(row["contest_date"])[:10]),
        checker=TokensChecker(type="tokens") if name else LiveCodeBenchChecker(type="livecodebench"),
        imports=preamble.build_livecodebench_preamble(),
    )


READERS: dict[str, Callable[[Row], EvalProblem]] = {
    "humaneval": read_humaneval,
    "mbpp": read_mbpp,
    "livecodebench": read_livecodebench,
}


def _join_program(imports: str, before: str, solution: str | None) -> str:
    """Return a row's own solution as a whole program, or an empty string if the row has none."""
    return preamble.join_parts(imports, f"{before}{solution}") if solution else ""


def _read_cases(value: Any) -> list[Row]:
    if not isinstance(value, str):
        return list(value)
    try:
        found = json.loads(value)
    except ValueError:
        found = unpack_tests(value)
    if not isinstance(found, list):
        raise ValueError("the test cases are not a list")
    return found


def _build_stdin_test(case: Row) -> AnyTest:
    return TestCase(stdin=case["input"], expected=case["output"])


def _build_function_test(case: Row) -> AnyTest:
    """Build a test from a case whose input has one argument per line, as JSON."""
    args = [json.loads(line) for line in str(case["input"]).splitlines() if line.strip()]
    return FunctionTest(args=args, expected=json.loads(case["output"]))
