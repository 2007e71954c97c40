"""Run programs on inputs through the service and return every outcome, with outputs.

A program of an interpreted language is one request per input. A compiled program would be compiled for each of them.
Instead, it is compiled twice: a vote in which it is the only candidate returns its outputs, and a verification against
these outputs returns the CPU time of each run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from sandbox import languages
from sandbox.problems.check import RunFailed
from sandbox.problems.problem import Program
from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, TestCase, VerifyRequest, VerifyResult
from sandbox.schema.checkers import ExactChecker
from sandbox.schema.vote import Candidate, VoteRequest, VoteResult
from sandbox.schema.vote_inputs import VoteInput
from sandbox.schema.vote_policy import VotePolicy
from sandbox.schema.wire import MAX_OUTPUT_KB, LimitsRequest
from sandbox.verify.judge import VERDICT_OF_STATUS

_STATUS_OF_VERDICT = {verdict: status for status, verdict in VERDICT_OF_STATUS.items()}
_OWN_OUTPUT = VotePolicy(quorum=0.0, min_votes=1, margin=0, holdout_fraction=0.0)


class ClientLike(Protocol):
    """The methods of `sandbox.client.Client` that running programs needs."""

    def execute_stream(self, programs: Iterable[ExecuteRequest]) -> Iterator[tuple[int, ExecuteResult]]: ...

    def verify(self, submission: VerifyRequest) -> VerifyResult: ...

    def vote(self, request: VoteRequest) -> VoteResult: ...


def run_program(program: Program, stdins: Sequence[bytes], limits: LimitsRequest, client: ClientLike) -> list[Outcome]:
    """Return the outcome of a program on each input. Raises RunFailed if the service fails in a run."""
    limits = limits.model_copy(update={"output_kb": MAX_OUTPUT_KB})
    if languages.get_language(program.language).compile_command:
        outcomes = _run_compiled(program, stdins, limits, client)
    else:
        outcomes = _run_interpreted(program, stdins, limits, client)
    if lost := sum(outcome.status is Status.INTERNAL_ERROR for outcome in outcomes):
        raise RunFailed(f"{program.name}: the service failed in {lost} runs")
    return outcomes


def _run_interpreted(
    program: Program, stdins: Sequence[bytes], limits: LimitsRequest, client: ClientLike
) -> list[Outcome]:
    requests = [
        ExecuteRequest(language=program.language, code=program.code, stdin_base64=stdin, limits=limits)
        for stdin in stdins
    ]
    results = dict(client.execute_stream(requests))
    shared: dict[bytes, bytes] = {}
    outcomes = []
    for place in range(len(stdins)):
        result = results[place]
        output = shared.setdefault(result.stdout_bytes, result.stdout_bytes)
        outcomes.append(replace(Outcome(result.status, result.exit_code), stdout=output, usage=result.usage))
    return outcomes


def _run_compiled(
    program: Program, stdins: Sequence[bytes], limits: LimitsRequest, client: ClientLike
) -> list[Outcome]:
    request = VoteRequest(
        candidates=[Candidate(language=program.language, code=program.code)],
        inputs=[VoteInput(stdin_base64=stdin) for stdin in stdins],
        checker=ExactChecker(type="exact"),
        policy=_OWN_OUTPUT,
        limits=limits,
    )
    result = client.vote(request)
    outcomes = [
        Outcome(Status.OK, exit_code=0, stdout=label.expected_base64 or (label.expected or "").encode())
        if verdict is Verdict.ACCEPTED
        else Outcome(_STATUS_OF_VERDICT[verdict])
        for label, verdict in zip(result.labels, result.matrix[0], strict=True)
    ]
    return _measure_usage(program, stdins, outcomes, limits, client)


def _measure_usage(
    program: Program, stdins: Sequence[bytes], outcomes: list[Outcome], limits: LimitsRequest, client: ClientLike
) -> list[Outcome]:
    """Run the program again where it ended well, and add the CPU time of these runs."""
    places = [place for place, outcome in enumerate(outcomes) if outcome.ended_well]
    if not places:
        return outcomes
    tests = [TestCase(stdin_base64=stdins[place], expected_base64=outcomes[place].stdout) for place in places]
    request = VerifyRequest(
        language=program.language,
        code=program.code,
        tests=tests,
        checker=ExactChecker(type="exact"),
        limits=limits,
    )
    for place, test in zip(places, client.verify(request).tests, strict=True):
        outcomes[place] = replace(outcomes[place], usage=test.usage)
        if test.verdict is Verdict.INTERNAL_ERROR:
            outcomes[place] = Outcome(Status.INTERNAL_ERROR)
    return outcomes
