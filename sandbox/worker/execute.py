"""Turn an item into its result: run the program in a box of the slot, and judge it in the worker.

After an infrastructure failure, the program runs again in a new box. If the failure persists, the result is
internal_error, never a wrong answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import BoxOutOfMemory, InfrastructureError
from sandbox.languages import Language
from sandbox.queue.job_batch import Item
from sandbox.queue.lifecycle import Finished
from sandbox.runner.contract import Limits, Outcome, Run, Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, StageResult, TestResult, VerifyRequest, VerifyResult
from sandbox.schema.hack import HackRequest, HackResult
from sandbox.schema.vote import VoteRequest
from sandbox.verify.hacks import build_service_failure
from sandbox.verify.judge import Judgement, TestRun, judge, judge_not_compiled
from sandbox.verify.tally import StopRules
from sandbox.worker.hack import hack
from sandbox.worker.retry import run_with_retries
from sandbox.worker.test_runs import TestRuns
from sandbox.worker.vote import vote

DEFAULT_LIMITS = Limits()
MAX_FAILURE_CHARS = 500
JudgeTests = Callable[[Sequence[TestRun], StopRules, float], Judgement]  # the last argument: the compile time in s


def judge_in_order(test_runs: Sequence[TestRun], rules: StopRules, compile_s: float) -> Judgement:
    """Run the tests one after another."""
    return judge(test_runs, rules)


def execute_item(item: Item, slot: Slot, judge_tests: JudgeTests = judge_in_order) -> Finished:
    """Run an item and return its result. A program that fails also gets a result. `judge_tests` runs its tests."""
    queue_time_s = max(0.0, time.time() - item.submitted_at)
    match item.work:
        case ExecuteRequest() as request:
            return _finish_execute(execute(item.id, request, slot, queue_time_s))
        case VerifyRequest() as request:
            return finish_verify(verify(item.id, request, slot, queue_time_s, judge_tests))
        case VoteRequest() as request:
            voted = vote(item.id, request, slot, queue_time_s, DEFAULT_LIMITS)
            return Finished(voted.model_dump_json().encode(), Status.OK)
        case HackRequest() as request:
            return _finish_hack(hack(item.id, request, slot, queue_time_s, DEFAULT_LIMITS))
    raise ValueError(f"item {item.id} has no request")


def build_failure_result(item: Item, reason: str) -> Finished:
    """Return an internal_error result for an item that could not run because of an infrastructure failure."""
    message = reason[:MAX_FAILURE_CHARS]
    match item.work:
        case ExecuteRequest():
            fields = StageResult.build_fields(Outcome(Status.INTERNAL_ERROR, message=message))
            return _finish_execute(ExecuteResult.model_construct(**fields, id=item.id))
        case VerifyRequest() as request:
            return _build_verify_failure(item, len(request.tests), message)
        case HackRequest():
            return _build_hack_failure(item, message)
    failure = StageResult(status=Status.INTERNAL_ERROR, message=message)
    return Finished(failure.model_dump_json().encode(), Status.INTERNAL_ERROR)


def build_unread_failure_result(item: Item, request: dict[str, Any], reason: str) -> Finished:
    """Return the result of an item with an unreadable request. `request` is its raw JSON by kind."""
    message = reason[:MAX_FAILURE_CHARS]
    if "verify" in request:
        return _build_verify_failure(item, len(request["verify"].get("tests", ())) or 1, message)
    if "hack" in request:
        return _build_hack_failure(item, message)
    return _finish_execute(ExecuteResult(id=item.id, status=Status.INTERNAL_ERROR, message=message))


def _build_verify_failure(item: Item, test_count: int, message: str) -> Finished:
    """Return the result of an item with `test_count` tests, none of which ran."""
    tests = [TestResult(verdict=Verdict.INTERNAL_ERROR, message=message)] * test_count
    return finish_verify(
        VerifyResult(id=item.id, verdict=Verdict.INTERNAL_ERROR, passed=0, total=test_count, score=0.0, tests=tests)
    )


def _build_hack_failure(item: Item, message: str) -> Finished:
    return _finish_hack(HackResult.from_decision(build_service_failure(message), id=item.id))


def _finish_hack(result: HackResult) -> Finished:
    status = Status.OK if result.valid is not None else Status.INTERNAL_ERROR
    return Finished(result.model_dump_json().encode(), status)


def _finish_execute(result: ExecuteResult) -> Finished:
    return Finished(result.model_dump_json().encode(), result.status)


def finish_verify(result: VerifyResult) -> Finished:
    verdicts = () if result.passed == result.total else [test.verdict for test in result.tests]
    return Finished(result.model_dump_json().encode(), result.verdict, result.passed, result.total, verdicts)


def execute(item_id: str, request: ExecuteRequest, slot: Slot, queue_time_s: float) -> ExecuteResult:
    language = languages.get_language(request.language)
    run = Run(
        stdin=request.stdin_source,
        args=tuple(request.args),
        files=request.files,
        fetch_files=tuple(request.fetch_files),
        limits=request.limits.resolve(DEFAULT_LIMITS),
    )

    def run_in_box(box: Box) -> tuple[Outcome | None, Outcome]:
        compiled = load_program(box, request, language)
        if compiled is not None and not compiled.ended_well:
            return compiled, Outcome(Status.COMPILE_ERROR, message=compiled.message)
        return compiled, box.run(run)

    try:
        compiled, outcome = run_with_retries(slot, language, run_in_box)
    except BoxOutOfMemory as error:
        compiled, outcome = None, Outcome(Status.MEMORY_LIMIT_EXCEEDED, message=str(error))
    except InfrastructureError as error:
        compiled, outcome = None, Outcome(Status.INTERNAL_ERROR, message=str(error))
    return ExecuteResult.model_construct(
        **StageResult.build_fields(outcome),
        id=item_id,
        compile=None if compiled is None else StageResult.from_outcome(compiled),
        files=dict(outcome.files),
        queue_time_s=round(queue_time_s, 6),
        image_time_s=round(slot.image_time_s, 6),
    )


def load_program(box: Box, request: ExecuteRequest | VerifyRequest, language: Language) -> Outcome | None:
    """Load the program of a request; return the outcome of its compilation, or None if its language has none."""
    compile_limits = request.limits.resolve_compile(language.compile_limits)
    return box.load(language.build_program(request.code, compile_limits, debug_checks=request.debug_checks))


def verify(
    item_id: str,
    request: VerifyRequest,
    slot: Slot,
    queue_time_s: float,
    judge_tests: JudgeTests = judge_in_order,
) -> VerifyResult:
    language = languages.get_language(request.language)
    limits = request.limits.resolve(DEFAULT_LIMITS)
    began = time.monotonic()

    def judge_in_box(box: Box) -> tuple[Outcome | None, Judgement]:
        compiled = load_program(box, request, language)
        if compiled is not None and not compiled.ended_well:
            return compiled, judge_not_compiled(len(request.tests))
        compile_s = 0.0 if compiled is None else compiled.usage.wall_time_s
        with TestRuns(request, language, limits, box, slot) as test_runs:
            return compiled, judge_tests(test_runs, request.stop_rules, compile_s)

    message = ""
    try:
        compiled, judgement = run_with_retries(slot, language, judge_in_box)
    except InfrastructureError as error:
        box_out_of_memory = isinstance(error, BoxOutOfMemory)
        verdict = Verdict.MEMORY_LIMIT_EXCEEDED if box_out_of_memory else Verdict.INTERNAL_ERROR
        compiled, judgement, message = None, Judgement(verdict, []), str(error)
    return VerifyResult(
        id=item_id,
        verdict=judgement.verdict,
        passed=judgement.passed,
        total=len(request.tests),
        score=judgement.score,
        tests=judgement.tests or [TestResult(verdict=judgement.verdict, message=message)] * len(request.tests),
        compile=None if compiled is None else StageResult.from_outcome(compiled),
        queue_time_s=round(queue_time_s, 6),
        run_time_s=round(time.monotonic() - began, 6),
        image_time_s=round(slot.image_time_s, 6),
    )
