"""Read problems of TestCase-Eval.

Fields (https://huggingface.co/datasets/FlowRays/TestCase-Eval-problem): `problem_id`, `title`, `description`, `input`,
`output`, `note`, `examples` (a list of `[input, output]`), `time_limit_ms`, `memory_limit_mb`, `rating`, `tags`, `url`.
The benchmark asks a model for tests, so its rows have only the statement's examples. They are imported only if the
caller accepts tests that are known to be weak.
"""

from __future__ import annotations

from sandbox.problems.limits import build_limits
from sandbox.problems.problem import Problem
from sandbox.problems.rows.row import Row, build_stdin_tests, get_list, get_number, get_text, name_problem
from sandbox.problems.unsupported import Unsupported
from sandbox.schema.checkers import CodeforcesChecker


def read_row(row: Row, *, examples_only: bool = False) -> Problem:
    """Build a problem from a row if `examples_only` allows it. Raises Unsupported."""
    if not examples_only:
        raise Unsupported(
            "examples",
            "the row has only the statement's examples, which accept wrong programs; "
            "use --examples-only to import them as they are",
        )
    pairs = []
    for number, example in enumerate(get_list(row, "examples")):
        if not isinstance(example, list) or len(example) != 2:
            raise Unsupported(f"examples[{number}]", "must be a list of input and output")
        pairs.append((example[0], example[1]))
    if not pairs:
        raise Unsupported("examples", "the row has no examples")
    parts = [get_text(row, name, "") for name in ("description", "input", "output", "note")]
    time_ms = get_number(row, "time_limit_ms")
    return Problem(
        name=name_problem(row, "problem_id"),
        title=get_text(row, "title", ""),
        format="testcase-eval",
        statement="\n\n".join(filter(None, parts)),
        tests=tuple(build_stdin_tests(pairs, "examples", is_sample=True)),
        checker=CodeforcesChecker(type="codeforces"),
        limits=build_limits(time_ms / 1000 if time_ms else None, get_number(row, "memory_limit_mb"), where="limits"),
    )
