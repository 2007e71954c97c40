"""The workloads: distinct programs, so that no cache helps, with the expected verdict of each test.

`make(index)` returns program number `index`. Its output is known by a formula, so making a program costs the load
generator microseconds, while running it costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

ACCEPTED, WRONG, CRASHED, TOO_SLOW = "accepted", "wrong_answer", "runtime_error", "time_limit_exceeded"
SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """One test: the input and the expected output."""

    stdin: str
    expected: str


@dataclass(frozen=True, slots=True)
class Task:
    """One program with its tests and the expected verdict of each."""

    code: str
    cases: tuple[Case, ...]
    verdicts: tuple[str, ...]
    language: str = "python"
    cpu_limit_s: float = 10.0
    stop_on_failure: bool = False
    checker: str = "tokens"

    @property
    def executed_tests(self) -> int:
        """The number of tests that run. With stop_on_failure, those after the first failure do not."""
        return len(self.verdicts) - self.verdicts.count(SKIPPED)


def make_accepted(code: str, *cases: Case, language: str = "python") -> Task:
    return Task(code, cases, (ACCEPTED,) * len(cases), language)


TINY_SOURCE = """\
a, b = map(int, input().split())
print(a + b + {index})
"""


def make_tiny_py(index: int) -> Task:
    """W1: add two numbers, one test."""
    return make_accepted(TINY_SOURCE.format(index=index), make_tiny_case(index, index))


def make_tiny_case(index: int, seed: int) -> Case:
    a, b = seed * 7919 % 10_007, seed * 104_729 % 10_009
    return Case(f"{a} {b}\n", f"{a + b + index}\n")


LOOP_SOURCE = """\
def main():
    n, a = map(int, input().split())
    total = {index}
    for i in range(n):
        total += a * i
    print(total{off})


main()
"""
PY_20_STEPS = 90_000  # ~5 ms of CPU, at 50-60 ns per step on the reference machine
RL_STEPS = 10_000


def make_loop_task(index: int, steps: int, tests: int, wrong_suffix: str = "") -> Task:
    code = LOOP_SOURCE.format(index=index, off=wrong_suffix)
    cases = tuple(make_loop_case(index, steps, index % 89 + test + 1) for test in range(tests))
    return Task(code, cases, (WRONG if wrong_suffix else ACCEPTED,) * tests)


def make_loop_case(index: int, steps: int, factor: int) -> Case:
    return Case(f"{steps} {factor}\n", f"{index + factor * (steps * (steps - 1) // 2)}\n")


def make_py_20(index: int) -> Task:
    """W2: about 5 ms of CPU, 20 tests."""
    return make_loop_task(index, PY_20_STEPS, 20)


CPP_SOURCE = """\
#include <bits/stdc++.h>
using namespace std;

int main() {{
    ios::sync_with_stdio(false);
    cin.tie(nullptr);
    long long n;
    cin >> n;
    vector<long long> values(n);
    for (auto &value : values) cin >> value;
    sort(values.rbegin(), values.rend());
    map<long long, int> seen;
    for (auto value : values) seen[value]++;
    long long total = accumulate(values.begin(), values.end(), {index}LL);
    cout << total << ' ' << values.front() << ' ' << seen.size() << '\\n';
}}
"""


def make_cpp_10(index: int) -> Task:
    """W3: `<bits/stdc++.h>`, 10 tests."""
    return make_accepted(
        CPP_SOURCE.format(index=index), *(make_cpp_case(index, test) for test in range(10)), language="cpp"
    )


def make_cpp_case(index: int, test: int) -> Case:
    values = [(index + test * 31 + place * place) % 997 for place in range(20)]
    numbers = " ".join(map(str, values))
    return Case(f"20\n{numbers}\n", f"{sum(values) + index} {max(values)} {len(set(values))}\n")


MIXED_TESTS = 10
MIXED_LIMIT_S = 2.0
ENDLESS_SOURCE = "n = {index}\nwhile True:\n    n += 1\n"
CRASH_SOURCE = "numbers = list(map(int, input().split()))\nprint(numbers[{index}])\n"


def make_mixed(index: int) -> Task:
    """W4: of every 20 programs, 14 are correct, 2 wrong, 2 crash, 1 never ends, 1 is C++. Stops at first failure."""
    place = index * 7 % 20
    if place == 19:
        task = make_cpp_10(index)
        return Task(task.code, task.cases, task.verdicts, "cpp", stop_on_failure=True)
    cases = tuple(make_tiny_case(index, index + test) for test in range(MIXED_TESTS))
    code, verdict = TINY_SOURCE.format(index=index), ACCEPTED
    if place == 18:
        code, verdict = ENDLESS_SOURCE.format(index=index), TOO_SLOW
    elif place >= 16:
        code, verdict = CRASH_SOURCE.format(index=index + 2), CRASHED
    elif place >= 14:
        code, verdict = TINY_SOURCE.format(index=-index), WRONG
    verdicts = (ACCEPTED,) * MIXED_TESTS if verdict == ACCEPTED else (verdict, *(SKIPPED,) * (MIXED_TESTS - 1))
    return Task(code, cases, verdicts, cpu_limit_s=MIXED_LIMIT_S, stop_on_failure=True)


def make_rl_step(index: int) -> Task:
    """W5: two of the 8 completions of a prompt are wrong; ~0.6 ms of CPU, 10 tests."""
    return make_loop_task(index, RL_STEPS, 10, " - 1" if index % 8 in {3, 6} else "")


NUMPY_SOURCE = """\
import numpy as np

n = int(input())
print(int(np.arange(n).sum()) + {index})
"""


def make_imports(index: int) -> Task:
    """W6: programs that import numpy."""
    n = 100 + index % 900
    return make_accepted(NUMPY_SOURCE.format(index=index), Case(f"{n}\n", f"{n * (n - 1) // 2 + index}\n"))


ECHO_SOURCE = """\
import sys

NUMBER = {index}
sys.stdout.buffer.write(sys.stdin.buffer.read())
"""


@cache
def make_big_case() -> Case:
    line = "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXY\n"
    text = line * ((8 << 20) // len(line))
    return Case(text, text)


def make_big_io(index: int) -> Task:
    """W7: 8 MB in, the same 8 MB out."""
    return Task(ECHO_SOURCE.format(index=index), (make_big_case(),), (ACCEPTED,), checker="exact")


@dataclass(frozen=True, slots=True)
class Workload:
    """Programs and how to send them. Without a fixed number of programs, a round has a fixed duration."""

    name: str
    make: Callable[[int], Task]
    batch: int = 1  # programs per request, if the side supports batches
    concurrency: int = 16  # concurrent requests; 1 measures idle latency, with one worker per pool
    programs: int = 0  # fixed number of programs per round
    programs_per_core: int = 0
    stream: bool = False  # stream results, to see when each arrives
    with_docker_run: bool = True  # whether to run the container-per-test side

    @property
    def family(self) -> str:
        return self.name.split()[0]

    def count_programs(self, cores: int) -> int:
        """Return the fixed number of programs of a round; 0 means as many as time allows."""
        return self.programs or self.programs_per_core * cores

    @property
    def language(self) -> str:
        return "cpp" if self.make in {make_cpp_10, make_mixed} else "python"


ALL_WORKLOADS = (
    Workload("W1 single", make_tiny_py),
    Workload("W1 batch64", make_tiny_py, batch=64, concurrency=4, with_docker_run=False),
    Workload("W1 idle", make_tiny_py, concurrency=1, with_docker_run=False),
    Workload("W2 py-20", make_py_20),
    Workload("W3 cpp-10", make_cpp_10, programs_per_core=4),
    Workload("W3 idle", make_cpp_10, concurrency=1, programs=3, with_docker_run=False),
    Workload("W4 mixed", make_mixed, programs_per_core=40, with_docker_run=False),
    Workload("W5 rl-step", make_rl_step, batch=512, concurrency=1, programs=512, stream=True, with_docker_run=False),
    Workload("W6 imports", make_imports),
    Workload("W7 big-io", make_big_io, concurrency=4),
)
FAMILIES = tuple(dict.fromkeys(workload.family for workload in ALL_WORKLOADS))


def select_workloads(families: str) -> list[Workload]:
    """Return the workloads of a list such as `W1,W2`. Raises ValueError."""
    names = [name.strip().upper() for name in families.split(",") if name.strip()]
    unknown = set(names) - set(FAMILIES)
    if unknown or not names:
        raise ValueError(f"no workload {', '.join(sorted(unknown)) or families!r}: choose from {','.join(FAMILIES)}")
    return [workload for workload in ALL_WORKLOADS if workload.family in names]


def find_workload(name: str) -> Workload:
    return next(workload for workload in ALL_WORKLOADS if workload.name == name)
