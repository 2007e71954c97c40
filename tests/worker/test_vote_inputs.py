"""What a vote keeps in memory of the runs of its generators and validators."""

from __future__ import annotations

from sandbox.runner.contract import Outcome, Status
from sandbox.worker.vote_inputs import MAX_GENERATED_BYTES, TOO_MUCH, GeneratedInputs, keep_reason


def test_equal_inputs_are_kept_once_and_those_that_do_not_fit_are_dropped() -> None:
    generated = GeneratedInputs()
    small = generated.reduce_outcome(Outcome(Status.OK, exit_code=0, stdout=b"1\n", stderr=b"log"))
    assert (small.stdout, small.stderr) == (b"1\n", b"")
    large = Outcome(Status.OK, exit_code=0, stdout=b"x" * (MAX_GENERATED_BYTES - 2))
    assert generated.reduce_outcome(large).stdout is large.stdout
    assert generated.reduce_outcome(Outcome(Status.OK, exit_code=0, stdout=bytes(large.stdout))).stdout is large.stdout
    assert generated.reduce_outcome(Outcome(Status.OK, exit_code=0, stdout=b"2\n")) is TOO_MUCH
    assert generated.reduce_outcome(Outcome(Status.OK, exit_code=0, stdout=b"1\n")).stdout is small.stdout


def test_of_a_run_that_fails_the_last_line_is_kept() -> None:
    failed = Outcome(Status.RUNTIME_ERROR, exit_code=1, stdout=b"much", stderr=b"Traceback\nValueError: no\n")
    kept = GeneratedInputs().reduce_outcome(failed)
    assert kept == keep_reason(failed)
    assert (kept.stdout, kept.stderr, kept.message, kept.exit_code) == (b"", b"", "ValueError: no", 1)
    assert keep_reason(Outcome(Status.TIME_LIMIT_EXCEEDED, message="CPU time", stderr=b"x")).message == "CPU time"
