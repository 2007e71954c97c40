"""Bind a GPU job to the version of its environment: the one that is current when the job is accepted."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.box.environment import NO_IMAGES
from sandbox.errors import UnknownEnvironment
from sandbox.queue.environments import Environments, check_languages
from sandbox.schema.gpu import (
    EvaluateRequest,
    GenerateRequest,
    GpuRequest,
    GrpoRequest,
    Probe,
    SftRequest,
    Verification,
)


class _Place(NamedTuple):
    """The part of a job's request that says how completions are judged, and its field in the request."""

    holder: GrpoRequest | EvaluateRequest | Verification | Probe
    parent: str
    language: str


def bind_gpu_request(environments: Environments, request: GpuRequest, can_build: bool = True) -> GpuRequest:
    """Return the request with the version of its environment.

    Raises UnknownEnvironment, also if a request names an environment although no worker can build one, or BadRequest.
    """
    place = _find_place(request)
    if place is None or not place.holder.environment:
        return request
    field = f"{place.parent}.environment" if place.parent else "environment"
    if not can_build:
        raise UnknownEnvironment(NO_IMAGES, field)
    version = environments.resolve(place.holder.environment, field)
    if place.language:
        check_languages({place.language}, version, field)
    bound = place.holder.model_copy(update={"environment": version.reference})
    return request.model_copy(update={place.parent: bound}) if place.parent else bound  # type: ignore[return-value]


def _find_place(request: GpuRequest) -> _Place | None:
    if isinstance(request, GenerateRequest) and request.verify is not None:
        return _Place(request.verify, "verify", request.verify.language)
    if isinstance(request, SftRequest) and request.probe is not None:
        return _Place(request.probe, "probe", "python")
    if isinstance(request, GrpoRequest):
        return _Place(request, "", request.language)
    return _Place(request, "", "python") if isinstance(request, EvaluateRequest) else None
