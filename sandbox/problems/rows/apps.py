"""Read rows of APPS and of TACO, which has the same `input_output` and adds limits.

Fields (https://huggingface.co/datasets/codeparrot/apps, https://huggingface.co/datasets/BAAI/TACO): `question`,
`solutions` (JSON text of a list of Python programs), `input_output` (JSON text of `{"inputs", "outputs"}`, with
`fn_name` if the program is a function), `starter_code`, `difficulty`, `url`; TACO has `time_limit` such as
`2.0 seconds` and `memory_limit` such as `256.0 megabytes`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.problems.limits import build_limits, parse_mebibytes, parse_seconds
from sandbox.problems.problem import Problem, ProblemTest, Submission
from sandbox.problems.rows.row import Row, build_submission, get_json, get_list, get_text, name_by_content, name_problem
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.rewards.case_formats import read_tests

NAME_FIELDS = ("problem_id", "id", "task_id", "url", "name")


def read_row(row: Row, data_set: str = "apps") -> Problem:
    """Build a problem from a row of `apps` or `taco`. Raises Unsupported."""
    data = get_json(row, "input_output")
    if not data:
        raise Unsupported("input_output", "the row has no tests")
    if not isinstance(data, Mapping):
        raise Unsupported("input_output", f"must be an object, not {type(data).__name__}")
    if unknown := sorted(set(data) - {"inputs", "outputs", "fn_name"}):
        raise Unsupported(f"input_output.{unknown[0]}", "unknown field")
    with name_the_place("input_output"):
        found = read_tests(data)
    tests = [ProblemTest(name=f"input_output/{number}", test=test) for number, test in enumerate(found.tests)]
    starter, name = get_text(row, "starter_code", ""), found.entry_point
    if name and "class Solution" in starter:
        name = f"Solution.{name}"
    time_s, memory_mb = parse_seconds(row.get("time_limit"), "time_limit"), row.get("memory_limit")
    # Many rows of TACO have neither an id nor an address.
    is_named = any(row.get(field) not in (None, "") for field in NAME_FIELDS)
    return Problem(
        name=name_problem(row, *NAME_FIELDS) if is_named else name_by_content(row, data_set),
        title=get_text(row, "name", ""),
        format=data_set,
        statement=get_text(row, "question", ""),
        tests=tuple(tests),
        entry_point=name,
        language="python" if name else None,
        limits=build_limits(time_s, parse_mebibytes(memory_mb, "memory_limit"), where="limits"),
        submissions=tuple(_read_solutions(row)),
    )


def _read_solutions(row: Row) -> list[Submission]:
    submissions = []
    for number, code in enumerate(get_list(row, "solutions")):
        if not isinstance(code, str):
            raise Unsupported(f"solutions[{number}]", "must be text")
        submission = build_submission(f"solutions[{number}]", "python", code, is_right=True)
        assert submission is not None
        submissions.append(submission)
    return submissions
