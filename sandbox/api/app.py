"""The application: rooms wired to one service, which lives as long as the application does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from sandbox import __version__
from sandbox.api import door, guide, health, jobs, problems, rewards, submissions
from sandbox.api.dialects import table as dialects
from sandbox.api.documentation import Documented
from sandbox.api.edge import Edge
from sandbox.config import ApiSettings
from sandbox.metrics.instrument import MeteredApplication, MeteredService
from sandbox.metrics.meters import Meters
from sandbox.service import Service


def create_app(settings: ApiSettings, service: door.Door | None = None) -> FastAPI:
    """The API. A service that is given stays its owner's to start and close; without one it has its own."""
    meters = Meters()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if service is not None:
            yield
            return
        own = Service(settings)
        own.start()
        try:
            door.open_for(app, door.Context(settings, MeteredService(own, meters), meters))
            yield
        finally:
            own.close()

    app = Documented(
        title="Sandbox",
        summary="Runs untrusted programs in resource-limited boxes and answers with verdicts",
        version=__version__,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
    )
    if service is not None:
        door.open_for(app, door.Context(settings, MeteredService(service, meters), meters))
    problems.handle(app)
    dialects.add_root(app.router, settings.root_dialect)
    submissions.add_to(app.router)
    rewards.add_to(app.router)
    app.include_router(jobs.router)
    app.include_router(health.router)
    app.include_router(guide.router)
    dialects.add_to(app.router)
    app.add_middleware(Edge)
    app.add_middleware(MeteredApplication, meters=meters)
    return app
