"""The application: rooms wired to one service, which lives as long as the application does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from fastapi import FastAPI

from sandbox import __version__, api_keys
from sandbox.api import (
    api_reference,
    callbacks,
    door,
    gpu,
    guide,
    health,
    jobs,
    live,
    problems,
    rewards,
    submissions,
    web,
)
from sandbox.api.dialects import table as dialects
from sandbox.api.documentation import Documented
from sandbox.api.edge import Edge
from sandbox.api.guard import Guard
from sandbox.api.hosts import HostCheck
from sandbox.api.shortcut import Shortcut, shortcuts
from sandbox.caller import Caller, Role
from sandbox.config import ApiSettings
from sandbox.metrics.exporter import tracing_of
from sandbox.metrics.files import folder_of
from sandbox.metrics.instrument import MeteredApplication, MeteredService
from sandbox.metrics.meters import Meters
from sandbox.metrics.server import in_background
from sandbox.service import Service


def metrics_without_keys(
    settings: ApiSettings, number: int, refresh: Callable[[], object]
) -> AbstractContextManager[None]:
    """Open the port for Prometheus, where the settings name one; one process of a host does."""
    if not settings.metrics_port or number:
        return nullcontext()
    return in_background(folder_of(settings.home), settings.metrics_host, settings.metrics_port, refresh)


def create_app(
    settings: ApiSettings,
    service: door.Door | None = None,
    number: int = 0,
    hosts: frozenset[str] | None = None,
) -> FastAPI:
    """The API. A service that is given stays its owner's to start and close; without one it has its own. `number` tells
    processes apart that serve the same home. `hosts` are the names that requests may be sent to; None: any.
    """
    meters = Meters(folder_of(settings.home), f"api-{number}" if number else "api")
    tracing = tracing_of(settings, "api")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if service is not None:
            yield
            return
        own = Service(settings)
        own.start()
        metered = MeteredService(own, meters)
        try:
            door.open_for(app, door.Context(settings, metered, meters))
            with metrics_without_keys(settings, number, metered.readiness):
                yield
        finally:
            own.close()
            if tracing is not None:
                tracing.close()

    app = Documented(
        title="Sandbox",
        summary="Runs untrusted programs in resource-limited boxes and answers with verdicts",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    if service is not None:
        door.open_for(app, door.Context(settings, MeteredService(service, meters), meters))
    problems.handle(app)
    dialects.add_root(app.router, settings.root_dialect)
    submissions.add_to(app.router)
    rewards.add_to(app.router)
    gpu.add_to(app.router)
    app.include_router(jobs.router)
    app.include_router(callbacks.router)
    app.include_router(health.router)
    app.include_router(api_reference.router)
    app.include_router(guide.router)
    app.include_router(live.router)
    app.include_router(web.router)
    dialects.add_to(app.router)
    app.add_middleware(Shortcut, routes=shortcuts(app.router.routes))
    if settings.api_keys:
        default = Caller(
            "",
            Role.SUBMIT,
            settings.key_rate,
            settings.key_burst,
            settings.key_max_queued,
            settings.key_max_kept_mb,
        )
        keyring = api_keys.parse(settings.api_keys, default)
        app.add_middleware(Guard, keyring=keyring, root_dialect=settings.root_dialect)
    if hosts is not None:
        app.add_middleware(HostCheck, names=hosts)
    if tracing is not None:
        app.add_middleware(tracing.application)
    app.add_middleware(Edge)
    app.add_middleware(MeteredApplication, meters=meters)
    return app
