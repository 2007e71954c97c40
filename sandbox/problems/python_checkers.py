"""Adapt the Python checkers of data sets to the arguments and exit codes of a `program` checker.

A `program` checker gets the paths of input, output and answer, and answers with an exit code.
"""

from __future__ import annotations

from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.schema.checkers import ProgramChecker

# The checker of open-r1/codeforces gets input, answer and output in this order, and prints a score from 0 to 1.
_SCORE_ADAPTER = """\
import subprocess, sys
SOURCE = {source!r}
with open("generated_checker.py", "w", encoding="utf-8") as file:
    file.write(SOURCE)
given, output, answer = sys.argv[1:4]
done = subprocess.run([sys.executable, "generated_checker.py", given, answer, output], capture_output=True, text=True)
words = done.stdout.split()
try:
    score = float(words[-1]) if words else None
except ValueError:
    score = None
if done.returncode != 0 or score is None or not 0 <= score <= 100:
    print("the generated checker exited with", done.returncode, "and printed", repr(done.stdout[-200:]))
    print(done.stderr[-1000:])
    sys.exit(3)
if 0 < score < 1:
    print(score)
    sys.exit(7)
print(done.stderr[-1000:])
sys.exit(0 if score >= 1 else 1)
"""

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
    return _build(_SCORE_ADAPTER.format(source=source), field)


def adapt_judging_function(source: str, field: str) -> ProgramChecker:
    """Return a checker from source that defines `output_judging_function`. Raises Unsupported."""
    if "def output_judging_function" not in source:
        raise Unsupported(field, "must define output_judging_function")
    return _build(_FUNCTION_ADAPTER.replace("{source}", source), field)


def _build(code: str, field: str) -> ProgramChecker:
    with name_the_place(field):
        return ProgramChecker(type="program", language="python", code=code)
