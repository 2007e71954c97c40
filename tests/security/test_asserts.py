"""The attacks on assert tests, each through `/verify`'s way: wrong however it cheats, and the next program unharmed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sandbox.box.slot import Slot
from sandbox.jobs.perform import verify
from sandbox.runner.contract import Verdict
from sandbox.schema import AssertTest, VerifyRequest
from tests.security.attack import Attack, attacks

ASSERT_ATTACKS = [attack for attack in attacks("cheating") if attack.needs == "asserts"]
# The forms in which data sets write their asserts: what the program is asked for is 7.
ASSERTIONS = (
    "assert candidate([3, 4]) == 7",
    "def check(candidate):\n    expected = 7\n    assert candidate([3, 4]) == expected\n\ncheck(candidate)\n",
    "numbers = [3, 4]\nexpected = sum(numbers)\nassert candidate(numbers) == expected, 'not the sum'",
    "import math\nassert math.isclose(candidate([3, 4]), 7) and isinstance(candidate([3, 4]), int)",
    "want = 7\ngot = solve([3, 4])\nassert all([got == want, str(got) == '7', abs(got - want) == 0])",
)
HONEST = "def solve(numbers):\n    return sum(numbers)\n"


def _request(code: str, assertions: Sequence[str] = ASSERTIONS) -> VerifyRequest:
    tests = [AssertTest(assertion=assertion) for assertion in assertions]
    return VerifyRequest(language="python", code=code, entry_point="solve", tests=tests)


def test_all_the_assert_attacks_are_tried() -> None:
    assert len(ASSERT_ATTACKS) >= 13


def test_an_honest_program_passes_every_assert(slot: Slot) -> None:
    result = verify("honest", _request(HONEST), slot, 0.0)
    assert (result.verdict, result.score) == (Verdict.ACCEPTED, 1.0), result


@pytest.mark.parametrize("attack", ASSERT_ATTACKS, ids=lambda attack: attack.path.stem)
def test_an_attack_on_asserts_passes_none_and_leaves_the_next_program_unharmed(attack: Attack, slot: Slot) -> None:
    result = verify("attack", _request(attack.path.read_text()), slot, 0.0)
    assert result.passed == 0, (attack.header["attack"], result)
    assert result.score == 0.0
    assert {test.verdict for test in result.tests} <= {Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR}, result
    assert verify("honest", _request(HONEST, ASSERTIONS[:1]), slot, 0.0).verdict is Verdict.ACCEPTED
