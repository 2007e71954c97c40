"""Read the results of programs into the rows of a kill matrix. A failure of the service makes a cell unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic_core import from_json

from sandbox.errors import SandboxError
from sandbox.runner.contract import Verdict
from sandbox.verify.judge import UNDECIDED_VERDICTS
from sandbox.verify.quality import Comparison

MAX_MESSAGE_CHARS = 4_000


class JudgedRow(NamedTuple):
    """One program's verdict and CPU seconds on each test, and the reason if it does not compile or was not judged."""

    verdicts: list[Verdict]
    cpu_times_s: list[float]
    message: str
    image_time_s: float = 0.0  # how long the program waited for the image of its environment


def read_verdicts(result: bytes | SandboxError, test_count: int) -> JudgedRow:
    """Read a verify result as the worker wrote it. An error or a missing test makes all cells internal errors."""
    if isinstance(result, SandboxError):
        return _fill(Verdict.INTERNAL_ERROR, test_count, str(result))
    fields = from_json(result)
    tests, verdict = fields["tests"], Verdict(fields["verdict"])
    message = next((test["message"] for test in tests if test.get("message")), "")
    if verdict is Verdict.COMPILE_ERROR:
        compiled = fields.get("compile") or {}
        return _fill(verdict, test_count, compiled.get("stderr") or compiled.get("message") or message)
    if len(tests) != test_count:
        return _fill(Verdict.INTERNAL_ERROR, test_count, message or "the service returned no result")
    verdicts = [Verdict(test["verdict"]) for test in tests]
    failures = (test.get("message", "") for test in tests if test["verdict"] in UNDECIDED_VERDICTS)
    times_s = [(test.get("usage") or {}).get("cpu_time_s", 0.0) for test in tests]
    return JudgedRow(verdicts, times_s, next(filter(None, failures), ""), fields.get("image_time_s", 0.0))


def _fill(verdict: Verdict, test_count: int, message: str) -> JudgedRow:
    return JudgedRow([verdict] * test_count, [0.0] * test_count, message[:MAX_MESSAGE_CHARS])


def compare_rows(
    judged: Mapping[int, JudgedRow], positions: Sequence[int], input_count: int, lost: Sequence[int] = ()
) -> Comparison:
    """Compare mutants with the first right program, whose outputs are the expected ones.

    `judged` maps a row of the matrix to its verdicts on the inputs at `positions`; row 0 is the first right program. An
    input is not used if this program does not print the same output again. `lost` are the positions of inputs that the
    service failed to run. A mutant that differs on no other input might differ there, so nothing is known about it.
    """
    golden = judged[0].verdicts
    used = [place for place, verdict in enumerate(golden) if verdict is Verdict.ACCEPTED]
    lost_again = (positions[place] for place, verdict in enumerate(golden) if verdict in UNDECIDED_VERDICTS)
    all_lost = sorted({*lost, *lost_again})
    differs_on: dict[int, list[int]] = {}
    unjudged: dict[int, str] = {}
    for row, (verdicts, _, message, _) in judged.items():
        if row == 0:
            continue
        no_difference = {*UNDECIDED_VERDICTS, Verdict.ACCEPTED}
        differing = [positions[place] for place in used if verdicts[place] not in no_difference]
        if not differing and (all_lost or any(verdicts[place] in UNDECIDED_VERDICTS for place in used)):
            unjudged[row] = message or "the service failed to run an input"
        else:
            differs_on[row] = differing
    known = {positions[place] for place in used}.union(all_lost)
    unused = [position for position in range(input_count) if position not in known]
    return Comparison(differs_on, unjudged, unused, all_lost, len(used))
