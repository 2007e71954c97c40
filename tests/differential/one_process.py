"""Run assert tests without the sandbox: the program and then the test in one Python process.

One interpreter runs many of them, each in a fork: `python -m tests.differential.one_process < requests > verdicts`,
with lines of JSON. A request has the program, the entry point or an empty string, and the test. A test passes if it
reaches its end.
"""

import contextlib
import importlib
import os
import resource
import signal
import sys
import types

from tests.forked_lines import judge_lines

CPU_TIME_S = 20
WALL_TIME_S = 10
# Modules that many tests import, loaded before the first fork.
MODULES = ("asyncio", "numpy", "pytest", "unittest.mock", "concurrent.futures", "decimal", "zoneinfo", "uuid")


def run_test(program: str, entry_point: str, test: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_TIME_S, CPU_TIME_S))
    signal.alarm(WALL_TIME_S)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    module = types.ModuleType("__main__")
    sys.modules.update(__main__=module, solution=module, main=module)
    exec(compile(program, "program.py", "exec", dont_inherit=True), module.__dict__)
    exec(compile(render_candidate(entry_point) + test, "test.py", "exec", dont_inherit=True), module.__dict__)


def render_candidate(entry_point: str) -> str:
    """Return the line that binds the function under test to `candidate`. A method gets a new instance for each call."""
    kind, _, method = entry_point.rpartition(".")
    if kind:
        return f"candidate = lambda *args, **kwargs: {kind}().{method}(*args, **kwargs)\n"
    return f"candidate = {entry_point}\n" if entry_point else ""


def main() -> None:
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    judge_lines(lambda request: run_test(*request))


if __name__ == "__main__":
    main()
