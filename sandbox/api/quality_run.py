"""Judge the programs of a `QualityRequest` in batches, and measure its tests by the verdicts.

The first batch runs all programs on all tests. With `inputs`, two more batches follow: the first right program gives
the outputs, and the mutants that passed all tests are judged by them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeVar

from fastapi import HTTPException, Request

from sandbox.api.dependencies import get_context
from sandbox.api.request_parsing import Preferences
from sandbox.api.responses import submit_and_wait
from sandbox.api.result_waiter import OnResults
from sandbox.errors import BadRequest, SandboxError
from sandbox.queue.environments import runs_in
from sandbox.queue.submission import Submission
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, TestCase, VerifyRequest
from sandbox.schema.quality import QualityProgram, QualityRequest, QualityResult
from sandbox.schema.quality_progress import QualityPhase, QualityProgress, QualityRow
from sandbox.schema.wire import cap_output
from sandbox.verify.mutants.cpp import make_cpp_mutants
from sandbox.verify.mutants.generate import Mutant, make_mutants
from sandbox.verify.quality import NO_COMPARISON, Comparison, Row, find_surviving_mutants, measure_quality
from sandbox.verify.quality_report import ProgramKind
from sandbox.verify.quality_rows import JudgedRow, compare_rows, read_verdicts
from sandbox.verify.quality_timing import add_timing

OnProgress = Callable[[QualityProgress], object]
DescribeRows = Callable[[Mapping[int, bytes | SandboxError]], list[QualityRow]]

Item = TypeVar("Item", ExecuteRequest, VerifyRequest)

_ITEM_FIELD = re.compile(r"items\.(\d+)\.(language|code)$")


@dataclass(frozen=True)
class _Plan:
    """The programs in the order of the kill matrix's rows. `fields` says which field of the request each comes from."""

    request: QualityRequest
    kinds: list[ProgramKind]
    names: list[str]
    programs: list[QualityProgram]
    fields: list[str]
    mutants: list[Mutant | None]

    @property
    def items(self) -> list[VerifyRequest]:
        return [self.request.build_item(program) for program in self.programs]

    def describe_rows(self, results: Mapping[int, bytes | SandboxError]) -> list[QualityRow]:
        test_count = len(self.request.tests)
        return [
            QualityRow(
                program=row,
                name=self.names[row],
                kind=self.kinds[row],
                verdicts=read_verdicts(result, test_count).verdicts,
            )
            for row, result in results.items()
        ]


def _describe_none(results: Mapping[int, bytes | SandboxError]) -> list[QualityRow]:
    return []


def _count_results(
    phase: QualityPhase, total: int, describe: DescribeRows, on_progress: OnProgress | None
) -> OnResults | None:
    if on_progress is None:
        return None
    done = 0

    def count(results: Mapping[int, bytes | SandboxError]) -> None:
        nonlocal done
        done += len(results)
        on_progress(QualityProgress(phase=phase, done=done, total=total, rows=describe(results)))

    return count


@dataclass(frozen=True)
class _Environment:
    """The environment of a request, with its base image. Programs that do not fit run in their standard image."""

    reference: str = ""
    base: str = ""

    def add_to(self, items: Sequence[Item]) -> list[Item]:
        """Return the items, of which those that fit name the environment."""
        added = {"environment": self.reference}
        return [item.model_copy(update=added) if runs_in(item, self.base) else item for item in items]


@dataclass
class _Batches:
    """Submits the batches of one request, which share its time limit and its idempotency key."""

    request: Request
    preferences: Preferences
    on_progress: OnProgress | None = None
    started_at: float = field(default_factory=time.monotonic)

    async def run(
        self, kind: str, name: QualityPhase, items: Sequence[Any], describe: DescribeRows = _describe_none
    ) -> list[bytes | SandboxError]:
        """Run a batch and report its progress. `describe` turns new results into rows of the progress."""
        left_s = max(0.1, self.preferences.wait_s - (time.monotonic() - self.started_at))
        # Each batch has a key of its own: a key stands for one submission.
        key = self.preferences.idempotency_key
        if key:
            key = f"quality-{name}-{sha256(key.encode()).hexdigest()}"
        submission = Submission("execute" if kind == "execute" else "verify", items, batch=True, idempotency_key=key)
        try:
            return await submit_and_wait(
                self.request,
                submission,
                limit_s=left_s,
                is_large=self.preferences.is_large,
                on_results=_count_results(name, len(items), describe, self.on_progress),
            )
        except HTTPException as error:
            if error.status_code != 504:
                raise
            advice = "send fewer programs or tests, or lower mutants.count or limits.cpu_time_s"
            raise HTTPException(504, f"no report within {self.preferences.wait_s:g} s: {advice}") from None


async def judge_programs(
    request: Request, body: QualityRequest, preferences: Preferences, on_progress: OnProgress | None = None
) -> QualityResult:
    """Run all programs and return the report. `on_progress` is called once each batch is accepted, and with new rows.

    Raises BadRequest, with the field of the program, if one cannot be run or mutated, and HTTPException with status 504
    if the time limit of the request ends first.
    """
    plan = await asyncio.to_thread(_build_plan, body)
    batches = _Batches(request, preferences, on_progress)
    try:
        environment = await asyncio.to_thread(_resolve_environment, request, body, preferences)
        items = await asyncio.to_thread(lambda: environment.add_to(plan.items))
        if body.environment and not any(item.environment for item in items):
            raise BadRequest(f"no program runs in the image {environment.base}, which it extends", "environment")
        results = await batches.run("verify", "tests", items, plan.describe_rows)
    except BadRequest as error:
        raise _rename_field(error, plan) from None
    judged = await asyncio.to_thread(lambda: [read_verdicts(each, len(body.tests)) for each in results])
    rows = _build_rows(plan, judged)
    survivors = find_surviving_mutants(rows) if body.inputs else []
    comparison = await _compare(batches, plan, survivors, environment) if survivors else NO_COMPARISON
    report = await asyncio.to_thread(measure_quality, rows, comparison)
    multipliers = (body.time_multipliers.ac_to_time_limit, body.time_multipliers.time_limit_to_tle)
    report = await asyncio.to_thread(add_timing, report, rows, body.list_sizes(), multipliers)
    return report.model_copy(update={"image_time_s": max(row.image_time_s for row in judged)})


def _resolve_environment(request: Request, body: QualityRequest, preferences: Preferences) -> _Environment:
    """Return the version of the environment that all batches run in. Raises UnknownEnvironment."""
    if not body.environment:
        return _Environment()
    version = get_context(request).service.environments.resolve(body.environment, "environment")
    # An idempotency key stands for the request as it was sent, so its items keep the name without a version.
    return _Environment(body.environment if preferences.idempotency_key else version.reference, version.base)


def _build_plan(body: QualityRequest) -> _Plan:
    given = body.list_given()
    plan = _Plan(
        body,
        kinds=[kind for kind, _, _ in given],
        names=[name for _, name, _ in given],
        programs=[program for _, _, program in given],
        fields=[f"right.{position}" for position in range(len(body.right))]
        + [f"wrong.{position}" for position in range(len(body.wrong))],
        mutants=[None] * len(given),
    )
    for position, mutant in enumerate(_make_mutants(body)):
        plan.kinds.append(ProgramKind.MUTANT)
        plan.names.append(f"mutant {position}")
        plan.programs.append(body.right[0].model_copy(update={"code": mutant.code}))
        plan.fields.append("right.0")
        plan.mutants.append(mutant)
    return plan


def _make_mutants(body: QualityRequest) -> list[Mutant]:
    if not body.mutant_count:
        return []
    options = body.mutants
    seed, operators = (0, []) if options is None else (options.seed, options.operators)
    try:
        make = make_cpp_mutants if body.mutated_language == "cpp" else make_mutants
        return make(body.right[0].code, body.mutant_count, seed, operators)
    except ValueError as error:
        raise BadRequest(f"the program {error}", "right.0.code") from None


def _build_rows(plan: _Plan, judged: Sequence[JudgedRow]) -> list[Row]:
    return [
        Row(name, kind, row.verdicts, row.cpu_times_s, mutant, row.message)
        for name, kind, mutant, row in zip(plan.names, plan.kinds, plan.mutants, judged, strict=True)
    ]


async def _compare(batches: _Batches, plan: _Plan, survivors: Sequence[int], environment: _Environment) -> Comparison:
    """Run the first right program on the inputs, and judge the surviving mutants, and itself, by its outputs."""
    body = plan.request
    executions = [
        ExecuteRequest(
            language=body.right[0].language or body.language,
            code=body.right[0].code,
            limits=cap_output(body.limits),
            priority=body.priority,
            **{name: getattr(one, name) for name in one.model_fields_set},
        )
        for one in body.inputs
    ]
    outputs = await batches.run("execute", "outputs", environment.add_to(executions))
    tests, lost = await asyncio.to_thread(_build_tests, body, outputs)
    rows = [0, *survivors]
    judged = {row: JudgedRow([], [], "") for row in rows}
    if tests:
        items = [body.build_item(plan.programs[row], list(tests.values())) for row in rows]
        verdicts = await batches.run("verify", "inputs", environment.add_to(items))
        judged = {row: read_verdicts(result, len(tests)) for row, result in zip(rows, verdicts, strict=True)}
    return compare_rows(judged, list(tests), len(body.inputs), lost)


def _build_tests(
    body: QualityRequest, outputs: Sequence[bytes | SandboxError]
) -> tuple[dict[int, TestCase], list[int]]:
    """Return a test for each input with an output, by the input's position, and the inputs that the service lost."""
    tests: dict[int, TestCase] = {}
    lost: list[int] = []
    for position, output in enumerate(outputs):
        result = None if isinstance(output, SandboxError) else ExecuteResult.model_validate_json(output)
        if result is None or result.status is Status.INTERNAL_ERROR:
            lost.append(position)
        elif result.status is Status.OK:
            given = body.inputs[position]
            fields = {name: getattr(given, name) for name in given.model_fields_set}
            tests[position] = TestCase(**fields, expected_base64=result.stdout_bytes)
    return tests, lost


def _rename_field(error: BadRequest, plan: _Plan) -> BadRequest:
    """Name the field of this request instead of the item's field. What all items share has its own name."""
    found = _ITEM_FIELD.fullmatch(error.field)
    if found is None:
        error.field = re.sub(r"^items\.\d+\.", "", error.field)
    else:
        position = int(found[1])
        own = plan.programs[position].language
        error.field = f"{plan.fields[position]}.{found[2]}" if own or found[2] == "code" else found[2]
    return error
