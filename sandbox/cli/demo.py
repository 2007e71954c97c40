"""Ten programs in five languages, correct and faulty ones, and the verdict that each must get."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.runner.contract import Verdict
from sandbox.schema import LimitsRequest, TestCase, VerifyRequest

TESTS = [TestCase(stdin="20 22\n", expected="42\n"), TestCase(stdin="-1 1\n", expected="0\n")]
LIMITS = LimitsRequest(cpu_time_s=2.0, memory_mb=128)
SHORT_LIMITS = LimitsRequest(cpu_time_s=1.0, memory_mb=128)


@dataclass(frozen=True, slots=True)
class DemoProgram:
    """One row of the demo."""

    description: str
    language: str
    code: str
    expected_verdict: Verdict
    limits: LimitsRequest = LIMITS

    def build_request(self) -> VerifyRequest:
        return VerifyRequest(language=self.language, code=self.code, tests=TESTS, limits=self.limits)


PROGRAMS = (
    DemoProgram("right", "python", "a, b = map(int, input().split())\nprint(a + b)", Verdict.ACCEPTED),
    DemoProgram("wrong", "python", "a, b = map(int, input().split())\nprint(a - b)", Verdict.WRONG_ANSWER),
    DemoProgram("crashes", "python", "print(1 // 0)", Verdict.RUNTIME_ERROR),
    DemoProgram("never ends", "python", "while True:\n    pass", Verdict.TIME_LIMIT_EXCEEDED, SHORT_LIMITS),
    DemoProgram(
        "takes all memory",
        "python",
        "blocks = []\nwhile True:\n    blocks.append(bytes(range(256)) * 40_000)",
        Verdict.MEMORY_LIMIT_EXCEEDED,
        LimitsRequest(cpu_time_s=5.0, memory_mb=64),
    ),
    DemoProgram(
        "right",
        "cpp",
        "#include <bits/stdc++.h>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }",
        Verdict.ACCEPTED,
    ),
    DemoProgram("does not compile", "cpp", "int main() { return x; }", Verdict.COMPILE_ERROR),
    DemoProgram(
        "right",
        "c",
        '#include <stdio.h>\nint main(void) { long a, b; scanf("%ld %ld", &a, &b); printf("%ld\\n", a + b); }',
        Verdict.ACCEPTED,
    ),
    DemoProgram(
        "right",
        "javascript",
        "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number); console.log(a + b);",
        Verdict.ACCEPTED,
    ),
    DemoProgram("right", "bash", "read -r a b\necho $((a + b))", Verdict.ACCEPTED),
)
