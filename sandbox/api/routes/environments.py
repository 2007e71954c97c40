"""`/environments`: images with packages and files of one's own, which submissions and sessions refer to by name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from sandbox.api import request_parsing
from sandbox.api.dependencies import get_context
from sandbox.api.openapi.documentation import document_no_content, document_response, document_upload
from sandbox.api.responses import build_json_response
from sandbox.errors import Forbidden
from sandbox.queue.environments import Environments
from sandbox.request_context import CURRENT_CALLER, Role
from sandbox.schema.environments import EnvironmentInfo, EnvironmentList, EnvironmentRequest
from sandbox.schema.wire import ENVIRONMENT_NAME_PATTERN

router = APIRouter(prefix="/environments", tags=["environments"])

Name = Annotated[str, Path(pattern=f"^{ENVIRONMENT_NAME_PATTERN}$", description="the environment's name")]


@router.get("", **document_response(EnvironmentList, 503))
def list_environments(request: Request) -> Response:
    """List the environments by name."""
    found = _get_environments(request).list_all()
    return build_json_response(EnvironmentList(environments=found).model_dump_json())


@router.get("/{name}", **document_response(EnvironmentInfo, 404, 422, 503))
def environment(request: Request, name: Name) -> Response:
    """Return the current version of an environment."""
    return build_json_response(_get_environments(request).get(name).model_dump_json())


@router.put("/{name}", **document_upload(EnvironmentRequest, EnvironmentInfo, 403))
async def put_environment(request: Request, name: Name) -> Response:
    """Create or replace an environment. Needs the role admin.

    A host builds it when the first program needs it there. Accepted submissions keep the version that they have.
    """
    _require_admin()
    body = await request_parsing.parse_body(request, EnvironmentRequest)
    info = await run_in_threadpool(_get_environments(request).put, name, body)
    return build_json_response(info.model_dump_json())


@router.delete("/{name}", **document_no_content(403, 404, 422, 503))
def remove_environment(request: Request, name: Name) -> Response:
    """Remove an environment. Accepted submissions and open sessions still run in it. Needs the role admin."""
    _require_admin()
    _get_environments(request).remove(name)
    return Response(status_code=204)


def _get_environments(request: Request) -> Environments:
    return get_context(request).service.environments


def _require_admin() -> None:
    """Raise Forbidden unless the caller has the role admin, or the service has no API keys."""
    caller = CURRENT_CALLER.get()
    if caller is not None and caller.role is not Role.ADMIN:
        raise Forbidden("only keys with the role admin may change environments")
