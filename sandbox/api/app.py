"""The application: all routes and middleware wired to one service, which lives as long as the application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from fastapi import FastAPI

from sandbox import __version__
from sandbox.api import dependencies, problems
from sandbox.api.auth import ApiKeyMiddleware
from sandbox.api.dialects import registry as dialects
from sandbox.api.fast_routes import FastRouteMiddleware, find_fast_routes
from sandbox.api.host_check import HostCheckMiddleware
from sandbox.api.keyring import parse_keyring
from sandbox.api.middleware import RequestIdMiddleware
from sandbox.api.openapi import api_reference
from sandbox.api.openapi.documentation import DocumentedApp
from sandbox.api.routes import (
    gpu,
    guide,
    health,
    jobs,
    live,
    quality,
    rewards,
    runs,
    sessions,
    submissions,
    web_ui,
    webhooks,
)
from sandbox.config import ApiSettings
from sandbox.queue.session_calls import SessionCalls
from sandbox.request_context import Caller, Role
from sandbox.service import Service
from sandbox.telemetry.http_metrics import MetricsMiddleware
from sandbox.telemetry.process_files import get_metrics_folder
from sandbox.telemetry.registry import MetricsRegistry
from sandbox.telemetry.server import serve_in_background
from sandbox.telemetry.session_metrics import SessionLosses
from sandbox.telemetry.tracing_setup import configure_tracing


def open_metrics_port(
    settings: ApiSettings, process_number: int, refresh: Callable[[], object]
) -> AbstractContextManager[None]:
    """Open the port for Prometheus if the settings name one. Only the first API process of a host opens it."""
    if not settings.metrics_port or process_number:
        return nullcontext()
    return serve_in_background(get_metrics_folder(settings.home), settings.metrics_host, settings.metrics_port, refresh)


def create_app(
    settings: ApiSettings,
    service: Service | None = None,
    process_number: int = 0,
    hosts: frozenset[str] | None = None,
) -> FastAPI:
    """Create the API application.

    A given `service` is started and closed by the caller; without one, the application runs its own. `process_number`
    distinguishes API processes that share a home directory. `hosts` are the accepted host names; None accepts any.
    """
    metrics_registry = MetricsRegistry(
        get_metrics_folder(settings.home), f"api-{process_number}" if process_number else "api"
    )
    tracing = configure_tracing(settings, "api")
    session_calls = SessionCalls(settings, SessionLosses(metrics_registry).record)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if service is not None:
            yield
            session_calls.close()
            return
        own = Service(settings)
        own.start()
        context = dependencies.ApiContext(settings, own, metrics_registry, session_calls)
        try:
            dependencies.attach_context(app, context)
            with open_metrics_port(settings, process_number, context.check_readiness):
                yield
        finally:
            session_calls.close()
            own.close()
            if tracing is not None:
                tracing.close()

    app = DocumentedApp(
        title="Sandbox",
        summary="Runs untrusted programs in resource-limited boxes and returns verdicts",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    if service is not None:
        context = dependencies.ApiContext(settings, service, metrics_registry, session_calls)
        dependencies.attach_context(app, context)
    _add_routes(app, settings)
    app.add_middleware(FastRouteMiddleware, routes=find_fast_routes(app.router.routes))
    if settings.api_keys:
        keyring = parse_keyring(settings.api_keys, _build_default_caller(settings))
        app.add_middleware(ApiKeyMiddleware, keyring=keyring, root_dialect=settings.root_dialect)
    if hosts is not None:
        app.add_middleware(HostCheckMiddleware, names=hosts)
    if tracing is not None:
        app.add_middleware(tracing.wrap_application)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(MetricsMiddleware, registry=metrics_registry)
    return app


def _add_routes(app: FastAPI, settings: ApiSettings) -> None:
    problems.register_error_handlers(app)
    dialects.add_root_routes(app.router, settings.root_dialect)
    submissions.add_routes(app.router)
    rewards.add_routes(app.router)
    gpu.add_routes(app.router)
    app.include_router(quality.router)
    app.include_router(runs.router)
    app.include_router(jobs.router)
    app.include_router(sessions.router)
    app.include_router(webhooks.router)
    app.include_router(health.router)
    app.include_router(api_reference.router)
    app.include_router(guide.router)
    app.include_router(live.router)
    app.include_router(web_ui.router)
    dialects.add_routes(app.router)


def _build_default_caller(settings: ApiSettings) -> Caller:
    """Return the limits that apply to an API key without limits of its own."""
    return Caller(
        "", Role.SUBMIT, settings.key_rate, settings.key_burst, settings.key_max_queued, settings.key_max_kept_mb
    )
