"""HumanEval's own way of judging, without the sandbox: program, test and check in one process; exit code 0 passes.

One interpreter runs many of them, each in a fork with a CPU limit: `python -m tests.e2e.plain_run < requests >
verdicts`, with lines of JSON.
"""

import os
import resource

from tests.forked_lines import judge_lines

CPU_TIME_S = 1


def run(source: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_TIME_S, CPU_TIME_S))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    exec(compile(source, "program.py", "exec"), {"__name__": "program"})


if __name__ == "__main__":
    judge_lines(run)
