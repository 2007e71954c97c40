"""The commands that start and stop the service's processes."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.cli.console import say, settings_of

KEEP_ALIVE_S = 75
STOP_PATIENCE_S = 10

Slots = Annotated[int | None, typer.Option(min=1, help="Programs run at one time; default: one per core.")]


def up(
    slots: Slots = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of the API; default: 8080.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it is ready and leave it running.")] = False,
    log_to_files: Annotated[bool, typer.Option("--log-to-files", hidden=True)] = False,
) -> None:
    """Redis, the API and the workers in one supervised process tree.

    Settings come from the environment (SANDBOX_HOME, SANDBOX_REDIS_URL, SANDBOX_ENGINE ...). Logs are lines of JSON on
    stderr or, detached, in the home folder's log/.
    """
    from sandbox import up as service
    from sandbox.config import UpSettings
    from sandbox.home import AlreadyUp, running_pid
    from sandbox.logs import start_logging

    settings = settings_of(UpSettings, slots=slots, port=port)
    if (pid := running_pid(settings.home)) is not None:
        say(f"already running on {settings.home}, pid {pid}; `sandbox down` stops it")
        return
    if detach:
        pid, url = service.detach(settings, say), service.service_url(settings)
        say(f"ready at {url}, pid {pid}, logs in {service.log_folder_of(settings)}; `sandbox down` stops it")
        return
    start_logging()
    try:
        service.run(settings, say, service.log_folder_of(settings) if log_to_files else None)
    except AlreadyUp as other:  # it came up between our look and our start
        say(str(other))


def down() -> None:
    """Stop what `up` started on this home folder; no process, container or socket of it is left."""
    from sandbox import up as service
    from sandbox.config import UpSettings

    settings = settings_of(UpSettings)
    say("stopped" if service.down(settings) else f"nothing runs on {settings.home}")


def serve() -> None:
    """The API alone, on SANDBOX_HOST and SANDBOX_PORT."""
    import uvicorn

    from sandbox.api.app import create_app
    from sandbox.config import ApiSettings
    from sandbox.logs import start_logging

    settings = settings_of(ApiSettings)
    start_logging()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_PATIENCE_S,
    )


def worker(
    slots: Slots = None,
    redis: Annotated[str | None, typer.Option(help="The Redis to join; default: SANDBOX_REDIS_URL.")] = None,
) -> None:
    """Workers alone, one supervised process a slot: all it takes for a host to join."""
    from sandbox import up as service
    from sandbox.config import WorkerSettings, environment_of
    from sandbox.logs import start_logging
    from sandbox.tree import Tree

    settings = settings_of(WorkerSettings, slots=slots, redis_url=redis)
    service.prepare_engine(settings, say)
    start_logging()
    Tree(service.worker_children(settings, environment_of(settings))).run()


def worker_slot(slot: Annotated[int, typer.Option(min=0)]) -> None:
    """One slot; started by `up` and `worker`."""
    from sandbox.config import WorkerSettings
    from sandbox.jobs.worker import main as work
    from sandbox.logs import start_logging

    settings = settings_of(WorkerSettings)
    start_logging()
    raise typer.Exit(work(settings, slot))
