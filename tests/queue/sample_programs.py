"""Programs that tests submit: they print, sleep, or take long to compile."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.schema import ExecuteRequest, Lane

# C++: the compiler computes for a minute.
SLOW_TO_COMPILE = """
template <int N> constexpr long f(long x) {
    long s = 0;
    for (int i = 0; i < 20000; ++i) s += (x * i) % 7;
    return s + f<N - 1>(s);
}
template <> constexpr long f<0>(long x) { return x; }
constexpr long value = f<800>(3);
int main() { return value & 1; }
"""


def build_program(code: str, lane: Lane = Lane.DEFAULT) -> ExecuteRequest:
    return ExecuteRequest(language="python", code=code, priority=lane)


def build_sleeping_program(seconds: float, output: object = "awake") -> ExecuteRequest:
    return build_program(f"import time; time.sleep({seconds}); print({str(output)!r})")


def build_printing_programs(numbers: Sequence[int] | range, lane: Lane = Lane.DEFAULT) -> list[ExecuteRequest]:
    return [build_program(f"print({number})", lane) for number in numbers]
