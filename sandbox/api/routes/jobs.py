"""`/jobs`: look up and cancel jobs, whose results are fetched later."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from sandbox.api.dependencies import get_context
from sandbox.api.openapi.documentation import document_response
from sandbox.api.responses import build_json_response
from sandbox.schema import Job

router = APIRouter(prefix="/jobs", tags=["jobs"])

JobId = Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9_.-]+$", description="from the `Location` header")]


@router.get("/{job_id}", **document_response(Job, 404, 422, 503))
def job(request: Request, job_id: JobId) -> Response:
    """Return a job's status, its position in the queue, and its result once it has one."""
    return build_json_response(get_context(request).service.get_job(job_id).model_dump_json())


@router.delete("/{job_id}", **document_response(Job, 404, 422, 503))
def cancel(request: Request, job_id: JobId) -> Response:
    """Cancel the remaining items of a job and stop its running programs. A finished job does not change."""
    return build_json_response(get_context(request).service.cancel(job_id).model_dump_json())
