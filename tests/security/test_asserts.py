"""Attacks on assert tests, each run like a `/verify` request: cheating fails, and the next program is unharmed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sandbox.box.slot import Slot
from sandbox.runner.contract import Verdict
from sandbox.schema import AnyTest, AssertTest, LimitsRequest, PytestTest, VerifyRequest
from sandbox.schema.submissions import Isolation
from sandbox.worker.execute import verify
from tests.security.attack import Attack, load_attacks

ASSERT_ATTACKS = [attack for attack in load_attacks("cheating") if attack.needs == "asserts"]
# The forms in which data sets write their asserts. The program is asked for 7.
ASSERTIONS = (
    "assert candidate([3, 4]) == 7",
    "def check(candidate):\n    expected = 7\n    assert candidate([3, 4]) == expected\n\ncheck(candidate)\n",
    "numbers = [3, 4]\nexpected = sum(numbers)\nassert candidate(numbers) == expected, 'not the sum'",
    "import math\nassert math.isclose(candidate([3, 4]), 7) and isinstance(candidate([3, 4]), int)",
    "want = 7\ngot = solve([3, 4])\nassert all([got == want, str(got) == '7', abs(got - want) == 0])",
)
UNITTEST = """
import unittest
class Solve(unittest.TestCase):
    def test_pair(self):
        self.assertEqual(solve([3, 4]), 7)
"""
# The same asserts without an entry point; the source finds the program by itself.
BARE_ASSERTIONS = (
    "assert solve([3, 4]) == 7",
    "from solution import solve\nassert solve([3, 4]) == 7",
    "import main\nassert main.solve([3, 4]) == 7",
    "CASES = [([3, 4], 7)]\nfrom solution import *\nassert all(map(lambda case: solve(case[0]) == case[1], CASES))",
    "assert math.isclose(solve([3, 4]), 7)",
    "assert all(map(lambda case: solve(case[0]) == case[1], [([3, 4], 7)]))",
    "import solution\nassert all(map(lambda case: solution.solve(case[0]) == case[1], [([3, 4], 7)]))",
    "got = solve([3, 4])\nassert sorted([got]) == [7] and len(str(got)) == 1 and isinstance(got, int)",
    "got = solve([3, 4])\nassert len(range(got)) == 7",
    "try:\n    got = solve([3, 4])\nexcept SystemExit as error:\n    got = error.code\nassert got == 7",
    f"{UNITTEST}unittest.main()",
    f"{UNITTEST}assert SystemExit\nunittest.main()",
    f"from solution import *\n{UNITTEST}unittest.main(exit=False)",
)
PYTEST_FILES = (
    "from solution import solve\ndef test_it():\n    assert solve([3, 4]) == 7",
    "import solution\nGOT = solution.solve([3, 4])  # no SystemExit\ndef test_it():\n    assert GOT == 7",
    f"from main import solve\n{UNITTEST}",
    """
import pytest
CASES = [([3, 4], 7), ([7], 7)]
from solution import *
@pytest.mark.parametrize(("numbers", "expected"), CASES)
def test_it(numbers, expected):
    assert solve(numbers) == expected
""",
    """
import pytest
import solution
@pytest.fixture
def got():
    return solution.solve([3, 4])
class TestSolve:
    def test_it(self, got):
        assert [got] == [7]
""",
    """
import solution
def test_it(tmp_path):
    (tmp_path / "numbers").write_text("3 4")
    solution.FOLDER = str(tmp_path)
    assert solution.solve([3, 4]) == 7
    assert (tmp_path / "numbers").read_text() == "3 4"
""",
)
# Asserts on objects that the program returns.
OBJECT_ASSERTIONS = (
    "with solve([3, 4]) as total:\n    assert total == 7",
    "with contextlib.ExitStack() as stack:\n    assert stack.enter_context(solve([3, 4])) == 7",
    "async def check():\n    async with solve([3, 4]) as total:\n        assert total == 7\nasyncio.run(check())",
    "assert all(map(lambda numbers: solve(numbers).value == sum(numbers), [[3, 4], [5]]))",
    "assert all(map(lambda numbers: Solved(numbers).value == sum(numbers), [[3, 4], [5]]))",
    "assert all(map(lambda numbers: Solved()[0] + 1 == sum(numbers), [[3, 4]]))",
    "assert all(map(lambda numbers: Solved() == Solved(), [[3, 4], [5]]))",
    "assert [*map(lambda numbers: len(Solved()), [[3, 4]])] == [2]",
)
HONEST_OBJECT = """
class Solved:
    def __init__(self, numbers=()):
        self.value = sum(numbers)
    __enter__ = lambda self: self.value
    __exit__ = lambda self, *raised: None
    async def __aenter__(self):
        return self.value
    async def __aexit__(self, *raised):
        return None
    def __eq__(self, other):
        return self.value == other.value
    def __len__(self):
        return 2
    def __getitem__(self, key):
        return 6
def solve(numbers):
    return Solved(numbers)
"""
HONEST = "import math\ndef solve(numbers):\n    return sum(numbers)\n"


def _build_request(code: str, assertions: Sequence[str] = ASSERTIONS) -> VerifyRequest:
    tests = [AssertTest(assertion=assertion) for assertion in assertions]
    return VerifyRequest(language="python", code=code, entry_point="solve", tests=tests)


def _build_bare_request(code: str, isolation: Isolation = "separate") -> VerifyRequest:
    tests: list[AnyTest] = [AssertTest(assertion=assertion) for assertion in BARE_ASSERTIONS]
    tests += [PytestTest(source=source) for source in PYTEST_FILES]
    limits = LimitsRequest(cpu_time_s=2.0, wall_time_s=5.0)
    return VerifyRequest(language="python", code=code, tests=tests, isolation=isolation, limits=limits)


def test_there_are_at_least_24_attacks_on_assert_tests() -> None:
    assert len(ASSERT_ATTACKS) >= 24


def test_an_honest_program_passes_every_assert(slot: Slot) -> None:
    result = verify("honest", _build_request(HONEST), slot, 0.0)
    assert (result.verdict, result.score) == (Verdict.ACCEPTED, 1.0), result


@pytest.mark.parametrize("isolation", ["separate", "shared"])
def test_an_honest_program_passes_every_form_of_test(isolation: Isolation, slot: Slot) -> None:
    result = verify("honest", _build_bare_request(HONEST, isolation), slot, 0.0)
    assert (result.verdict, result.score) == (Verdict.ACCEPTED, 1.0), result


@pytest.mark.parametrize("isolation", ["separate", "shared"])
@pytest.mark.parametrize("attack", ASSERT_ATTACKS, ids=lambda attack: attack.path.stem)
def test_an_attack_neither_passes_nor_breaks_any_form_of_test(attack: Attack, isolation: Isolation, slot: Slot) -> None:
    if not attack.is_contained_in(isolation):
        pytest.skip("in a shared process the program may replace what a test uses and compares")
    result = verify("attack", _build_bare_request(attack.path.read_text(), isolation), slot, 0.0)
    assert (result.passed, result.score) == (0, 0.0), (attack.header["attack"], result)
    assert {test.verdict for test in result.tests} <= {Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR}, result


@pytest.mark.parametrize("attack", ASSERT_ATTACKS, ids=lambda attack: attack.path.stem)
def test_an_attack_passes_no_assert_test_and_leaves_the_next_program_unharmed(attack: Attack, slot: Slot) -> None:
    result = verify("attack", _build_request(attack.path.read_text()), slot, 0.0)
    assert result.passed == 0, (attack.header["attack"], result)
    assert result.score == 0.0
    assert {test.verdict for test in result.tests} <= {Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR}, result
    assert verify("honest", _build_request(HONEST, ASSERTIONS[:1]), slot, 0.0).verdict is Verdict.ACCEPTED


OBJECT_ATTACKS = [
    attack for attack in ASSERT_ATTACKS if "swallow" in attack.path.stem or "operators" in attack.path.stem
]


@pytest.mark.parametrize("attack", OBJECT_ATTACKS, ids=lambda attack: attack.path.stem)
def test_an_object_of_the_program_cannot_end_an_assertion_early(attack: Attack, slot: Slot) -> None:
    imports = "import asyncio, contextlib\n"
    tests: list[AnyTest] = [AssertTest(assertion=imports + assertion) for assertion in OBJECT_ASSERTIONS]
    result = verify("attack", VerifyRequest(language="python", code=attack.path.read_text(), tests=tests), slot, 0.0)
    assert (result.passed, result.score) == (0, 0.0), (attack.header["attack"], result)


def test_an_honest_object_passes_the_same_assertions(slot: Slot) -> None:
    tests: list[AnyTest] = [AssertTest(assertion=f"import asyncio, contextlib\n{text}") for text in OBJECT_ASSERTIONS]
    result = verify("honest", VerifyRequest(language="python", code=HONEST_OBJECT, tests=tests), slot, 0.0)
    assert (result.verdict, result.score) == (Verdict.ACCEPTED, 1.0), result


def test_an_object_of_the_program_suppresses_exceptions_but_not_failed_assertions(slot: Slot) -> None:
    code = "class Quiet:\n    __enter__ = lambda self: 5\n    __exit__ = lambda self, *raised: True"
    tests: list[AnyTest] = [
        AssertTest(assertion="with Quiet() as five:\n    assert five == 5\n    raise ValueError"),
        AssertTest(
            assertion="try:\n    with Quiet():\n        raise AssertionError\nexcept AssertionError:\n    1 / 0"
        ),
    ]
    result = verify("quiet", VerifyRequest(language="python", code=code, tests=tests), slot, 0.0)
    assert (result.verdict, result.score) == (Verdict.ACCEPTED, 1.0), result


@pytest.mark.parametrize("kind", ["NameError", "ImportError", "ModuleNotFoundError"])
def test_an_exception_of_the_program_during_collection_does_not_break_the_test_file(kind: str, slot: Slot) -> None:
    code = f"""
class Noisy:
    def __repr__(self):
        raise ValueError("another exception, raised for the text of the first")
    __str__ = __repr__
def solve(numbers):
    raise {kind}(Noisy())
"""
    source = "from solution import solve\nGOT = solve([3, 4])\ndef test_it():\n    assert GOT == 7"
    request = VerifyRequest(language="python", code=code, tests=[PytestTest(source=source)])
    assert verify("attack", request, slot, 0.0).verdict is Verdict.RUNTIME_ERROR
