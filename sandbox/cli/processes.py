"""The commands that start and stop the service's processes."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from sandbox.cli.console import fail, read_settings, require_redis, say

KEEP_ALIVE_S = 75
STOP_TIMEOUT_S = 10
BACKLOG = 4_096
EXIT_SETTINGS_CHANGED = 3  # a service already runs with other settings

Slots = Annotated[int | None, typer.Option(min=1, help="Programs that run at the same time; default: one per core.")]


def up(
    slots: Slots = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of the API; default: 8080.")] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once the service is ready, and leave it running.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Stop a service that runs on this home directory first.")
    ] = False,
    log_to_files: Annotated[bool, typer.Option("--log-to-files", hidden=True)] = False,
) -> None:
    """Start Redis, the API and the workers in one supervised process tree.

    Settings come from the environment (SANDBOX_HOME, SANDBOX_REDIS_URL, SANDBOX_ENGINE ...). Logs are JSON lines on
    stderr or, with --detach, in log/ in the home directory. If a service already runs on this home with the same
    settings, the command changes nothing and exits with 0. If it runs with other settings, the command changes
    nothing, lists them, and exits with 3.
    """
    from sandbox.config import UpSettings
    from sandbox.processes import up as service
    from sandbox.processes.api_address import build_service_url
    from sandbox.processes.state_dir import AlreadyRunning, find_running_pid
    from sandbox.telemetry.logs import start_logging

    settings = read_settings(UpSettings, slots=slots, port=port)
    stop_it = f"`{service.format_command(settings, 'down')}` stops it"
    if replace and service.stop(settings):
        say("stopped")
    if (pid := find_running_pid(settings.home)) is not None:
        if changed := service.find_changed_variables(settings):
            restart = service.format_command(settings, "up --replace")
            fail(
                f"already running on {settings.home}, pid {pid}, with different settings: {', '.join(changed)}. "
                f"Nothing was changed; `{restart}` restarts it with the new ones",
                EXIT_SETTINGS_CHANGED,
            )
        say(f"already running on {settings.home}, pid {pid}; {stop_it}")
        return
    if detach:
        pid, url = service.start_detached(settings, say), build_service_url(settings)
        say(f"ready at {url}, pid {pid}, logs in {service.get_log_folder(settings)}; {stop_it}")
        return
    start_logging(settings.log_level)
    try:
        service.run(settings, say, service.get_log_folder(settings) if log_to_files else None)
    except AlreadyRunning as other:  # it started after the check above
        say(str(other))


def down() -> None:
    """Stop the service on this home directory, with all its processes, containers and sockets."""
    from sandbox.config import UpSettings
    from sandbox.processes import up as service

    settings = read_settings(UpSettings)
    say("stopped" if service.stop(settings) else f"nothing runs on {settings.home}")


def serve(number: Annotated[int, typer.Option(min=0, hidden=True)] = 0) -> None:
    """Start only the API, on SANDBOX_HOST and SANDBOX_PORT."""
    import uvicorn

    from sandbox.api.app import create_app
    from sandbox.api.host_check import resolve_allowed_hosts
    from sandbox.api.http_limits import build_timeout_protocol, raise_open_file_limit
    from sandbox.config import ApiSettings
    from sandbox.processes.api_address import open_listener, refuse_public_without_keys
    from sandbox.processes.garbage_collection import reduce_garbage_collection
    from sandbox.telemetry.logs import start_logging

    settings = read_settings(ApiSettings)
    refuse_public_without_keys(settings)
    start_logging(settings.log_level)
    raise_open_file_limit()
    config = uvicorn.Config(
        create_app(settings, process_number=number, hosts=resolve_allowed_hosts(settings)),
        loop="uvloop",
        http=build_timeout_protocol(settings.header_timeout_s),
        backlog=BACKLOG,
        ws="auto",
        ws_per_message_deflate=False,
        access_log=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    reduce_garbage_collection()
    with open_listener(settings) as listener, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def worker(
    slots: Slots = None,
    redis: Annotated[str | None, typer.Option(help="URL of the service's Redis; default: SANDBOX_REDIS_URL.")] = None,
) -> None:
    """Start workers only, one supervised process per slot. This is all a new host needs to join."""
    from sandbox.config import WorkerSettings, build_environment
    from sandbox.processes import up as service
    from sandbox.processes.process_tree import ProcessTree
    from sandbox.processes.state_dir import find_running_pid
    from sandbox.telemetry.logs import start_logging

    settings = read_settings(WorkerSettings, slots=slots, redis_url=redis)
    if (pid := find_running_pid(settings.home)) is not None:
        fail(
            f"{settings.home} belongs to the service with pid {pid}, whose workers use its slots; "
            "set SANDBOX_HOME to another directory"
        )
    require_redis(settings)
    service.prepare_engine(settings, say)
    start_logging(settings.log_level)
    service.remove_stale_metrics(settings)
    environment = build_environment(settings)
    ProcessTree(
        [*service.build_metrics_children(settings, environment), *service.build_worker_children(settings, environment)]
    ).run()


def worker_slot(
    slot: Annotated[int, typer.Option(min=0)],
    express: Annotated[
        str, typer.Option(help="Run as a reserved worker, which serves only items that wait too long in these lanes.")
    ] = "",
) -> None:
    """Run the worker of one slot; started by `up` and `worker`."""
    from sandbox.config import WorkerSettings
    from sandbox.processes.garbage_collection import reduce_garbage_collection
    from sandbox.queue.lifecycle import LifecycleLog
    from sandbox.schema import Lane
    from sandbox.telemetry.logs import start_logging
    from sandbox.telemetry.process_files import get_metrics_folder
    from sandbox.telemetry.registry import MetricsRegistry
    from sandbox.telemetry.tracing_setup import configure_tracing
    from sandbox.telemetry.worker_metrics import WorkerMetrics
    from sandbox.worker.item_trace import ItemTracer
    from sandbox.worker.worker import main as work

    settings = read_settings(WorkerSettings)
    start_logging(settings.log_level)
    metrics_registry = MetricsRegistry(
        get_metrics_folder(settings.home), f"{'express' if express else 'worker'}-{slot}"
    )
    tracing = configure_tracing(settings, "worker")
    metrics = WorkerMetrics(metrics_registry, "express" if express else "slot", slot)
    if settings.engine == "docker" and slot == 0 and not express:
        from sandbox.box.docker.engine import find_data_folder
        from sandbox.telemetry.disk_metrics import EngineDisk

        EngineDisk(metrics_registry, find_data_folder).start()
    tracer = ItemTracer([metrics, LifecycleLog(), *([] if tracing is None else [tracing.span_writer])], metrics)
    reduce_garbage_collection()
    code = work(settings, slot, tracer, [Lane(lane) for lane in express.split(",") if lane])
    if tracing is not None:
        tracing.close()
    raise typer.Exit(code)


def session_host(
    sessions: Annotated[int | None, typer.Option(min=1, help="Sessions that this host may hold at one time.")] = None,
    redis: Annotated[str | None, typer.Option(help="URL of the service's Redis; default: SANDBOX_REDIS_URL.")] = None,
) -> None:
    """Hold sessions on this host. `sandbox up` starts it if SANDBOX_SESSIONS is set.

    SIGUSR1 drains the host: it takes no new sessions, and stops when the last one has ended.
    """
    from sandbox.config import SessionSettings
    from sandbox.session_host.host import main as serve_sessions
    from sandbox.telemetry.logs import start_logging
    from sandbox.telemetry.process_files import get_metrics_folder
    from sandbox.telemetry.registry import MetricsRegistry
    from sandbox.telemetry.session_metrics import SessionMetrics

    settings = read_settings(SessionSettings, sessions=sessions, redis_url=redis)
    if not settings.sessions:
        fail("give --sessions or SANDBOX_SESSIONS: how many sessions this host may hold")
    start_logging(settings.log_level)
    registry = MetricsRegistry(get_metrics_folder(settings.home), "session-host")
    serve_sessions(settings, SessionMetrics(registry))


def deliver() -> None:
    """Start only the webhook sender, for the Redis at SANDBOX_REDIS_URL.

    `sandbox up` starts it if a webhook secret is set.
    """
    import asyncio
    import signal
    from functools import partial

    from sandbox.api.dialects import judge0
    from sandbox.config import DeliverSettings
    from sandbox.queue.connection import connect
    from sandbox.queue.job_store import JobStore
    from sandbox.queue.task_sets import TaskSets
    from sandbox.rewards.scoring import score_stored_request
    from sandbox.telemetry.logs import start_logging
    from sandbox.telemetry.process_files import get_metrics_folder
    from sandbox.telemetry.registry import MetricsRegistry
    from sandbox.telemetry.server import serve_host_in_background
    from sandbox.telemetry.webhook_metrics import WebhookMetrics
    from sandbox.webhooks.queue import WebhookQueue
    from sandbox.webhooks.sender import WebhookSender

    settings = read_settings(DeliverSettings)
    if not settings.webhook_secret:
        fail(
            "webhooks need a secret: set SANDBOX_WEBHOOK_SECRET; create one with: echo whsec_$(openssl rand -base64 32)"
        )
    start_logging(settings.log_level)
    redis = connect(settings.effective_redis_url)
    tasks = TaskSets(redis, settings.task_set_ttl_s)
    job_store = JobStore(
        redis, settings.queue_ttl_s, settings.result_ttl_s, partial(score_stored_request, look_up_tasks=tasks.get)
    )
    webhook_queue = WebhookQueue(redis, job_store, {judge0.DIALECT.name: judge0.make_callback_renderer(tasks.get)})
    folder = get_metrics_folder(settings.home)
    watch = WebhookMetrics(MetricsRegistry(folder, "deliver"))

    async def run_until_stopped() -> None:
        sender = WebhookSender(settings, webhook_queue, watch)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, sender.stop)
        await sender.run()

    with serve_host_in_background(folder, settings.worker_metrics_host, settings.worker_metrics_port):
        asyncio.run(run_until_stopped())


def host_metrics() -> None:
    """Serve the metrics of this host's workers; started by `worker` and `gpu-worker`."""
    from sandbox.config import HostSettings
    from sandbox.telemetry.logs import start_logging
    from sandbox.telemetry.process_files import get_metrics_folder
    from sandbox.telemetry.server import serve

    settings = read_settings(HostSettings)
    start_logging(settings.log_level)
    serve(get_metrics_folder(settings.home), settings.worker_metrics_host, settings.worker_metrics_port)
