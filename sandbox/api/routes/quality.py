"""`POST /verify/quality`: judge all programs of the request as one batch, and report on the tests.

With `inputs`, two more batches follow: the first right program gives the outputs, and the mutants that passed all tests
are judged by them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from sandbox.api import request_parsing
from sandbox.api.openapi.documentation import document_submission
from sandbox.api.responses import build_json_response, submit_and_wait
from sandbox.errors import BadRequest, SandboxError
from sandbox.queue.submission import Submission
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, TestCase, VerifyRequest
from sandbox.schema.hack import cap_output
from sandbox.schema.quality import QualityProgram, QualityRequest, QualityResult
from sandbox.verify.mutants.generate import Mutant, make_mutants
from sandbox.verify.quality import NO_COMPARISON, Comparison, Row, find_surviving_mutants, measure_quality
from sandbox.verify.quality_report import ProgramKind
from sandbox.verify.quality_rows import compare_rows, read_verdicts

_ITEM_FIELD = re.compile(r"items\.(\d+)\.(language|code)$")


def _document() -> dict[str, Any]:
    documentation = document_submission(QualityRequest, QualityResult)
    del documentation["responses"][202]  # the route makes several batches, which no stored job stands for
    return documentation


router = APIRouter(tags=["submissions"])


@dataclass(frozen=True)
class _Plan:
    """The programs in the order of the matrix, with the field that each comes from."""

    request: QualityRequest
    kinds: list[ProgramKind]
    names: list[str]
    programs: list[QualityProgram]
    fields: list[str]
    mutants: list[Mutant | None]

    @property
    def items(self) -> list[VerifyRequest]:
        return [self.request.build_item(program) for program in self.programs]


@dataclass
class _Batches:
    """Submits the batches of one request, which share its time limit and its idempotency key."""

    request: Request
    key: str
    wait_s: float
    started_at: float = field(default_factory=time.monotonic)

    async def run(self, kind: str, name: str, items: Sequence[Any]) -> list[bytes | SandboxError]:
        left_s = max(0.1, self.wait_s - (time.monotonic() - self.started_at))
        # Each batch has a key of its own: a key stands for one submission.
        key = f"quality-{name}-{sha256(self.key.encode()).hexdigest()}" if self.key else ""
        submission = Submission("execute" if kind == "execute" else "verify", items, batch=True, idempotency_key=key)
        try:
            return await submit_and_wait(self.request, submission, limit_s=left_s)
        except HTTPException as error:
            if error.status_code != 504:
                raise
            advice = "send fewer programs or tests, or lower mutants.count or limits.cpu_time_s"
            raise HTTPException(504, f"no report within {self.wait_s:g} s: {advice}") from None


@router.post("/verify/quality", **_document())
async def quality(request: Request) -> Response:
    """Judge right and wrong programs on all tests, and report how well the tests tell them apart."""
    body, preferences = await request_parsing.parse_submission(request, QualityRequest)
    if preferences.respond_async:
        raise BadRequest("this route cannot answer later: leave out Prefer: respond-async", "header.Prefer")
    plan = await asyncio.to_thread(_build_plan, body)
    batches = _Batches(request, preferences.idempotency_key, preferences.wait_s)
    try:
        results = await batches.run("verify", "tests", await asyncio.to_thread(lambda: plan.items))
    except BadRequest as error:
        raise _rename_field(error, plan) from None
    rows = await asyncio.to_thread(_build_rows, plan, results)
    survivors = find_surviving_mutants(rows) if body.inputs else []
    comparison = await _compare(batches, plan, survivors) if survivors else NO_COMPARISON
    report = await asyncio.to_thread(measure_quality, rows, comparison)
    return build_json_response(report.model_dump_json())


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
        return make_mutants(body.right[0].code, body.mutant_count, seed, operators)
    except ValueError as error:
        raise BadRequest(f"the program {error}", "right.0.code") from None


def _build_rows(plan: _Plan, results: Sequence[bytes | SandboxError]) -> list[Row]:
    rows = []
    for name, kind, mutant, result in zip(plan.names, plan.kinds, plan.mutants, results, strict=True):
        judged = read_verdicts(result, len(plan.request.tests))
        rows.append(Row(name, kind, judged.verdicts, judged.cpu_times_s, mutant, judged.message))
    return rows


async def _compare(batches: _Batches, plan: _Plan, survivors: Sequence[int]) -> Comparison:
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
    outputs = await batches.run("execute", "outputs", executions)
    tests = {place: test for place, output in enumerate(outputs) if (test := _build_test(body, place, output))}
    if not tests:
        return Comparison({}, {}, unused_inputs=range(len(body.inputs)))
    rows = [0, *survivors]
    items = [body.build_item(plan.programs[row], list(tests.values())) for row in rows]
    results = await batches.run("verify", "inputs", items)
    judged = {row: read_verdicts(result, len(tests)) for row, result in zip(rows, results, strict=True)}
    return compare_rows(judged, list(tests), len(body.inputs))


def _build_test(body: QualityRequest, position: int, output: bytes | SandboxError) -> TestCase | None:
    """Return an input with the first right program's output as expected, or None if it gave none."""
    if isinstance(output, SandboxError):
        return None
    result = ExecuteResult.model_validate_json(output)
    if result.status is not Status.OK:
        return None
    given = body.inputs[position]
    fields = {name: getattr(given, name) for name in given.model_fields_set}
    return TestCase(**fields, expected_base64=result.stdout_base64 or result.stdout.encode())


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
