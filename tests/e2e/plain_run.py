"""HumanEval's own way of judging, without the sandbox: program, test and check in one process; exit code 0 passes.

One interpreter runs many of them, each in a fork with a CPU limit: `plain_run.py < requests > verdicts`, with lines of
JSON.
"""

import json
import os
import resource
import sys

CPU_TIME_S = 1


def run(source: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_TIME_S, CPU_TIME_S))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    exec(compile(source, "program.py", "exec"), {"__name__": "program"})


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run(json.loads(line))
                code = 0
            finally:
                os._exit(code)
        sys.stdout.write(json.dumps(os.waitpid(child, 0)[1] == 0) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
