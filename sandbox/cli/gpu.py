"""`sandbox gpu-worker` and `sandbox jobs`: start the GPU pool's workers, and show their jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import Url, connect_to_service, read_settings, say

if TYPE_CHECKING:
    from sandbox.schema.gpu import GpuJob, GpuPool

STOP_TIMEOUT_S = 60.0


def gpu_worker(
    gpus: Annotated[str | None, typer.Option(help="Indices of the GPUs to use, such as 0,1; default: 0.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Workers that share the GPUs evenly; each runs one job at a time; default: 1."),
    ] = None,
    redis: Annotated[str | None, typer.Option(help="URL of the service's Redis; default: SANDBOX_REDIS_URL.")] = None,
) -> None:
    """Start workers that generate, train and evaluate on this host's GPUs.

    The service at SANDBOX_URL judges their programs.
    """
    import logging
    import sys

    from sandbox.config import GpuSettings, build_environment
    from sandbox.gpu.required_packages import find_missing_by_lane, select_working_lanes
    from sandbox.gpu.worker import select_lanes
    from sandbox.processes.process_tree import Child, ProcessTree
    from sandbox.processes.up import build_metrics_children
    from sandbox.telemetry.logs import start_logging

    settings = read_settings(GpuSettings, gpus=gpus, gpu_workers=workers, redis_url=redis)
    start_logging(settings.log_level)
    lacks = find_missing_by_lane(settings)
    for share in range(settings.gpu_workers):
        select_working_lanes(select_lanes(settings, share), lacks)
    for lane, words in lacks.items():
        logging.getLogger(__name__).warning("this host takes no jobs of lane %s: %s", lane, words)
    command = [sys.executable, "-m", "sandbox", "gpu-worker-share", "--share"]
    environment = build_environment(settings)
    workers_of_host = [
        Child(f"gpu-{share}", [*command, str(share)], environment, stop_timeout_s=STOP_TIMEOUT_S)
        for share in range(settings.gpu_workers)
    ]
    ProcessTree([*build_metrics_children(settings, environment), *workers_of_host]).run()


def gpu_worker_share(share: Annotated[int, typer.Option(min=0)]) -> None:
    """Run one worker; started by `gpu-worker`."""
    from sandbox.config import GpuSettings
    from sandbox.gpu.worker import main as work
    from sandbox.telemetry.gpu_metrics import GpuMetrics
    from sandbox.telemetry.logs import start_logging
    from sandbox.telemetry.process_files import get_metrics_folder
    from sandbox.telemetry.registry import MetricsRegistry

    settings = read_settings(GpuSettings)
    start_logging(settings.log_level)
    watch = GpuMetrics(MetricsRegistry(get_metrics_folder(settings.home), f"gpu-{share}"))
    raise typer.Exit(work(settings, share, watch))


def jobs(
    job_id: Annotated[str, typer.Argument(help="A job's id; default: show the latest jobs and the GPU leases.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Show a job's progress until it ends.")] = False,
    url: Url = "",
) -> None:
    """Show GPU jobs with their progress, the GPU leases, and the latest finished durable submissions."""
    import time

    from sandbox.cli.monitoring import show_durable_jobs
    from sandbox.client.protocol import ENDED_STATUSES

    with connect_to_service(url) as client:
        if not job_id:
            _show_pool(client.gpus())
            show_durable_jobs(client.live())
            return
        while True:
            job = client.job(job_id)
            typer.echo(job.model_dump_json(exclude={"result"} if follow and job.status not in ENDED_STATUSES else None))
            if not follow or job.status in ENDED_STATUSES:
                return
            time.sleep(1.0)


def _show_pool(pool: GpuPool) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Column, Table

    leases = Table("gpu", "worker", Column("job", no_wrap=True), "until", box=SIMPLE, pad_edge=False)
    for lease in pool.leases:
        leases.add_row(lease.gpu, lease.worker, lease.job or "idle", _format_clock(lease.until))
    jobs = Table(Column("job", no_wrap=True), "kind", "status", "progress", box=SIMPLE, pad_edge=False)
    for job in pool.jobs:
        jobs.add_row(job.id, job.kind, job.status, _describe_progress(job))
    if pool.leases or pool.jobs:
        Console().print(leases, jobs)
    else:
        say("No GPU worker is alive, and there are no GPU jobs.")


def _format_clock(seconds: float) -> str:
    """Format a time as the local time of day."""
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%H:%M:%S}"


def _describe_progress(job: GpuJob) -> str:
    """Describe a job's progress or, if it failed, show the last line of its error."""
    from rich.markup import escape

    if job.error:
        return escape(job.error.strip().splitlines()[-1])
    if job.note:
        return escape(job.note)
    progress = job.progress
    known = [f"step {progress.step}/{progress.total}" if progress.total else "", escape(progress.message)]
    for name, number in (
        ("loss", progress.loss),
        ("reward", progress.reward),
        ("pass rate", progress.pass_rate),
        ("tokens/s", progress.tokens_per_s),
        ("seconds left", progress.eta_s),
    ):
        known.append("" if number is None else f"{name} {number:.4g}")
    return "  ".join(filter(None, known))
