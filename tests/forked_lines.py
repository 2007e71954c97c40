"""Run each line of standard input in a fork, for judges without the sandbox. It needs only the standard library."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def judge_lines(run: Callable[[Any], None]) -> None:
    """Call `run` in a fork with the JSON of each line, and print `true` if it returned and `false` otherwise."""
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
