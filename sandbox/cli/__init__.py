"""The command line. Modules that are slow to import are imported where they are used."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.cli import (
    environments,
    gpu,
    machine,
    mcp,
    monitoring,
    problem,
    processes,
    programs,
    quality,
    rewriting,
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

RUN = "Run and judge programs"
SERVICE = "The service on this machine"
PARTS = "Parts of a service on many hosts"
DATA = "Tasks and training"

app = typer.Typer(
    name="sandbox",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Run untrusted programs in isolation.",
    epilog="To begin, run `sandbox up --detach`, and then `sandbox demo` or `sandbox run main.py`.",
)
keys = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Manage API keys.")
images = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Manage the container images of boxes.")

app.command(rich_help_panel=SERVICE)(processes.up)
app.command(rich_help_panel=SERVICE)(processes.down)
app.command(rich_help_panel=SERVICE)(programs.demo)
app.command(rich_help_panel=SERVICE)(machine.doctor)
app.command(rich_help_panel=SERVICE)(monitoring.top)
app.command(rich_help_panel=SERVICE)(monitoring.logs)
app.add_typer(images, name="images", rich_help_panel=SERVICE)
app.add_typer(keys, name="keys", rich_help_panel=SERVICE)
app.command(cls=programs.RunCommand, context_settings={"ignore_unknown_options": True}, rich_help_panel=RUN)(
    programs.run
)
app.command(rich_help_panel=RUN)(submissions.verify)
app.command(rich_help_panel=RUN)(votes.vote)
app.command(rich_help_panel=RUN)(quality.quality)
app.command(rich_help_panel=RUN)(shell.shell)
app.add_typer(environments.app, name="environment", rich_help_panel=RUN)
app.command(rich_help_panel=RUN)(mcp.mcp)
app.add_typer(problem.app, name="problem", rich_help_panel=DATA)
app.add_typer(synth.app, name="synth", rich_help_panel=DATA)
app.command(rich_help_panel=DATA)(training_loop.loop)
app.command(rich_help_panel=DATA)(gpu.jobs)
app.command(rich_help_panel=PARTS)(processes.serve)
app.command(rich_help_panel=PARTS)(processes.worker)
app.command("session-host", rich_help_panel=PARTS)(processes.session_host)
app.command("gpu-worker", rich_help_panel=PARTS)(gpu.gpu_worker)
app.command(rich_help_panel=PARTS)(processes.deliver)
app.command("gpu-worker-share", hidden=True)(gpu.gpu_worker_share)
app.command("worker-slot", hidden=True)(processes.worker_slot)
app.command("host-metrics", hidden=True)(processes.host_metrics)
synth.app.add_typer(study.app, name="study")
synth.app.command()(rewriting.rewrite)
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
