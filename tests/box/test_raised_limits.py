"""Programs may raise their limits as on an ordinary machine, and gain nothing from it."""

from __future__ import annotations

import pytest

from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.runner.contract import Status
from tests.box.running import run_in, run_once

IDIOMS = [
    "resource.setrlimit(resource.RLIMIT_STACK, (2**28, resource.RLIM_INFINITY))",
    "resource.setrlimit(resource.RLIMIT_STACK, (-1, -1))",
    "resource.setrlimit(resource.RLIMIT_STACK, (2**30, 2**30))",
    "resource.setrlimit(resource.RLIMIT_STACK, (resource.getrlimit(resource.RLIMIT_STACK)[1], -1))",
    "resource.prlimit(0, resource.RLIMIT_STACK, (10**9, -1))",
    "resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))",
    "resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)",
    "resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))",
    "resource.setrlimit(resource.RLIMIT_CPU, (100, 200))",
    "resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))",
    "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))",
    "resource.setrlimit(resource.RLIMIT_DATA, (2**33, -1))",
    "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
]


@pytest.mark.parametrize("started", ["forked", "executed"])
@pytest.mark.parametrize("idiom", IDIOMS)
def test_a_limit_is_raised_as_on_a_plain_machine(box: Box, idiom: str, started: str) -> None:
    look = "sys.modules\n" if started == "executed" else ""
    outcome = run_in(box, f"import resource, sys\n{look}{idiom}\nsys.setrecursionlimit(10**6)\nprint(42)")
    assert (outcome.status, outcome.stdout) == (Status.OK, b"42\n"), outcome.stderr


def test_a_deep_recursion_that_needs_the_raised_stack_is_fine(slot: Slot) -> None:
    code = """
    #include <sys/resource.h>
    #include <cstdio>
    static long deeper(long left) {
        volatile char frame[1000];
        frame[left % 1000] = 1;
        return left ? deeper(left - 1) + frame[left % 1000] : 0;
    }
    int main() {
        struct rlimit wanted = {1 << 29, RLIM_INFINITY};
        if (setrlimit(RLIMIT_STACK, &wanted) != 0) return 1;
        printf("%ld\\n", deeper(80000));
    }
    """
    assert run_once(slot, code, language="cpp", memory_mb=256).stdout == b"80000\n"


def test_the_limits_of_a_run_still_apply_after_it_raised_its_own(box: Box) -> None:
    lift = "from resource import *\nfor kind in (RLIMIT_CPU, RLIMIT_STACK): setrlimit(kind, (-1, -1))\n"
    spinning = run_in(box, f"{lift}while True: pass", cpu_time_s=0.5)
    assert (spinning.status, spinning.message) == (Status.TIME_LIMIT_EXCEEDED, "CPU time")
    assert run_in(box, f"{lift}x = bytearray(300 << 20)", memory_mb=64).status is Status.MEMORY_LIMIT_EXCEEDED


@pytest.mark.parametrize("kind", ["FSIZE", "NPROC", "CORE", "MEMLOCK", "SIGPENDING", "NOFILE"])
def test_the_other_hard_limits_hold(box: Box, kind: str) -> None:
    code = f"import resource\nresource.setrlimit(resource.RLIMIT_{kind}, (2**20 + 1, 2**40))"
    outcome = run_in(box, code, file_mb=1)
    assert outcome.status is Status.RUNTIME_ERROR
    assert b"not allowed to raise maximum limit" in outcome.stderr
