"""The command line. Modules that are slow to import are imported where they are used."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.cli import (
    gpu,
    machine,
    monitoring,
    problem,
    processes,
    programs,
    quality,
    shell,
    study,
    submissions,
    synth,
    training_loop,
    votes,
)
from sandbox.cli import keys as api_keys
from sandbox.cli.console import fail
from sandbox.cli.server_extra import describe_missing_module
from sandbox.errors import SandboxError

app = typer.Typer(
    name="sandbox", no_args_is_help=True, pretty_exceptions_enable=False, help="Run untrusted programs in isolation."
)
keys = typer.Typer(no_args_is_help=True, help="Manage API keys.")
images = typer.Typer(no_args_is_help=True, help="Manage the container images of boxes.")

app.command()(processes.up)
app.command()(processes.down)
app.command()(processes.serve)
app.command()(processes.worker)
app.command("gpu-worker")(gpu.gpu_worker)
app.command("gpu-worker-share", hidden=True)(gpu.gpu_worker_share)
app.command()(gpu.jobs)
app.command()(training_loop.loop)
app.command("session-host")(processes.session_host)
app.command()(shell.shell)
app.command("worker-slot", hidden=True)(processes.worker_slot)
app.command()(processes.deliver)
app.command("host-metrics", hidden=True)(processes.host_metrics)
app.command(cls=programs.RunCommand, context_settings={"ignore_unknown_options": True})(programs.run)
app.command()(submissions.verify)
app.command()(votes.vote)
app.command()(quality.quality)
app.command()(programs.demo)
app.command()(machine.doctor)
app.command()(monitoring.top)
app.command()(monitoring.logs)
app.add_typer(images, name="images")
app.add_typer(keys, name="keys")
app.add_typer(problem.app, name="problem")
app.add_typer(synth.app, name="synth")
synth.app.add_typer(study.app, name="study")
keys.command("new")(api_keys.new)
images.command("build")(machine.build_images)
images.command("list")(machine.list_images)
images.command("prune")(machine.prune_images)


def main() -> None:
    """Run the console script. The service's own errors become one line with advice instead of a traceback.

    So does a command of the service if the extra `server` is not installed.
    """
    try:
        app()
    except SandboxError as error:
        fail(str(error))
    except ModuleNotFoundError as error:
        advice = describe_missing_module(error)
        if advice is None:
            raise
        fail(advice)


def _show_version(asked: bool) -> None:
    if asked:
        from sandbox import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Define the options that precede a command."""
