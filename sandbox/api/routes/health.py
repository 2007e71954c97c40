"""The service's capabilities and state: languages, liveness, readiness and metrics."""

from __future__ import annotations

from functools import lru_cache

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter
from starlette.responses import PlainTextResponse

from sandbox import languages as table
from sandbox.api.dependencies import get_context
from sandbox.api.openapi.documentation import document_metrics, document_response
from sandbox.api.openapi.models import Live
from sandbox.api.responses import build_json_response
from sandbox.schema import LanguageInfo
from sandbox.schema.health import Readiness
from sandbox.telemetry import registry

router = APIRouter(tags=["service"])

_READINESS = TypeAdapter(Readiness)
_LANGUAGES = TypeAdapter(list[LanguageInfo])


@router.get("/languages", **document_response(list[LanguageInfo]))
async def languages(request: Request) -> Response:
    """List the languages. Use a language's name or any of its aliases as `language`.

    A request in a language that is not `available` gets 422 with instructions for installing it.
    """
    return build_json_response(_render_languages(get_context(request).service.get_missing_languages()))


@router.get("/health/live", **document_response(Live))
async def live(request: Request) -> Response:
    """Return 200 as long as this process serves requests."""
    return build_json_response(Live().model_dump_json())


@router.get("/health/ready", **document_response(Readiness, alternative_status=503))
def ready(request: Request) -> Response:
    """Return 200 if the service can judge submissions now, and 503 otherwise. Both list problems and missing isolation.

    The service is not ready if it has no workers, if Redis does not answer, or if every worker has been waiting for
    more than 30 seconds for a box to start. `problems` names each worker that waits for a box, since when, and why.
    """
    readiness = get_context(request).check_readiness()
    return build_json_response(_READINESS.dump_json(readiness), 200 if readiness.ready else 503)


@router.get("/metrics", response_class=PlainTextResponse, **document_metrics())
def metrics(request: Request) -> Response:
    """Return the metrics of the service in Prometheus' text format."""
    context = get_context(request)
    context.check_readiness()  # sets the gauges that are computed at each scrape
    return Response(context.metrics_registry.render(), headers={"Content-Type": registry.CONTENT_TYPE})


@lru_cache(maxsize=4)
def _render_languages(missing: frozenset[str]) -> bytes:
    infos = [
        LanguageInfo(
            name=each.name,
            version=each.version,
            aliases=list(each.aliases),
            compiled=bool(each.compile_command),
            available=each.name not in missing,
        )
        for each in table.load_languages().values()
    ]
    return _LANGUAGES.dump_json(infos)
