"""`/runs`: the history of training runs, recorded from reward requests."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from sandbox.api.dependencies import get_context
from sandbox.api.openapi.documentation import document_response
from sandbox.api.responses import build_json_response
from sandbox.schema.runs import Run, RunList

router = APIRouter(tags=["rewards"])

DEFAULT_POINTS = 400
MAX_POINTS = 5_000


@router.get("/runs", **document_response(RunList, 503))
def runs(request: Request) -> Response:
    """List the latest training runs. Reward requests name their run in `run` or in the header Sandbox-Run."""
    listed = RunList(runs=get_context(request).service.list_runs())
    return build_json_response(listed.model_dump_json())


@router.get("/runs/{id}", **document_response(Run, 404, 422, 503))
def run(
    request: Request,
    id: Annotated[str, Path(max_length=64)],
    points: Annotated[
        int,
        Query(ge=1, le=MAX_POINTS, description="return at most this many points; consecutive requests are combined"),
    ] = (DEFAULT_POINTS),
) -> Response:
    """Return the mean rewards, verdicts and latency of a run over its steps."""
    return build_json_response(get_context(request).service.get_run(id, points).model_dump_json())
