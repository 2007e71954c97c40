"""Adapt the Python checkers of data sets to the arguments and exit codes of a `program` checker.

A `program` checker gets the paths of input, output and answer, and answers with an exit code.
"""

from __future__ import annotations

import ast
import re

from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.schema.checkers import ProgramChecker

# The checker of open-r1/codeforces gets input, answer and output in this order, and prints a score from 0 to 1. It runs
# in the adapter's process, and its text is part of the adapter, so that `verify.checkers.python_guard` sees which
# exceptions are its own mistakes.
_SCORE_ADAPTER = """\
import io as _io, sys as _sys
_sys.argv[1:4] = [_sys.argv[1], _sys.argv[3], _sys.argv[2]]
_stdout, _printed, _code = _sys.stdout, _io.BytesIO(), None
_sys.stdout = _io.TextIOWrapper(_printed, encoding="utf-8", errors="replace", write_through=True)
try:
    pass
{source}
except SystemExit as _exit:
    _code = _exit.code
_text, _sys.stdout = _printed.getvalue().decode(), _stdout
try:
    _score = float(_text.split()[-1])
except (IndexError, ValueError):
    _score = -1.0
if _code not in (None, 0) or not 0 <= _score <= 100:
    print("the generated checker exited with", _code, "and printed", repr(_text[-200:]))
    _sys.exit(3)
if 0 < _score < 1:
    print(_score)
    _sys.exit(7)
_sys.exit(0 if _score >= 1 else 1)
"""
_FUTURE_IMPORT = re.compile(r"^from __future__ import [^(\\\n]*$", re.MULTILINE)

# A judging function of HardTests gets the texts of input, candidate output and reference output.
_FUNCTION_ADAPTER = """\
{source}

if __name__ == "__main__":
    import sys as _sys
    _texts = [open(_path, encoding="utf-8", errors="replace").read() for _path in _sys.argv[1:4]]
    _sys.exit(0 if output_judging_function(*_texts) else 1)
"""


def adapt_score_checker(source: str, field: str) -> ProgramChecker:
    """Return a checker from a program that prints a score. Raises Unsupported."""
    source = source.removeprefix("\ufeff")
    future = "".join(f"{line}\n" for line in _FUTURE_IMPORT.findall(source))
    try:
        code = future + _SCORE_ADAPTER.replace("{source}", _indent(_FUTURE_IMPORT.sub("", source)))
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unsupported(field, f"is not valid Python: {error}") from None
    return _build(code, field)


def _indent(source: str) -> str:
    """Indent Python source by one level. Lines that begin within a string stay as they are."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    within = set[int]()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            within.update(range(node.lineno + 1, (node.end_lineno or node.lineno) + 1))
    return "\n".join(line if number in within else f"    {line}" for number, line in enumerate(lines, start=1))


def adapt_judging_function(source: str, field: str) -> ProgramChecker:
    """Return a checker from source that defines `output_judging_function`. Raises Unsupported."""
    if "def output_judging_function" not in source:
        raise Unsupported(field, "must define output_judging_function")
    return _build(_FUNCTION_ADAPTER.replace("{source}", source), field)


def _build(code: str, field: str) -> ProgramChecker:
    with name_the_place(field):
        return ProgramChecker(type="program", language="python", code=code)
