"""The command line: parse and wire, nothing else. What is slow to import is imported where it is used."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.cli import gpu, machine, monitoring, processes, programs, submissions, synth, training_loop, votes
from sandbox.cli import keys as api_keys
from sandbox.cli.console import fail
from sandbox.errors import SandboxError

app = typer.Typer(
    name="sandbox", no_args_is_help=True, pretty_exceptions_enable=False, help="Run untrusted programs behind walls."
)
keys = typer.Typer(no_args_is_help=True, help="The API keys of a service.")
images = typer.Typer(no_args_is_help=True, help="The images that boxes are made of.")

app.command()(processes.up)
app.command()(processes.down)
app.command()(processes.serve)
app.command()(processes.worker)
app.command("gpu-worker")(gpu.gpu_worker)
app.command("gpu-worker-share", hidden=True)(gpu.gpu_worker_share)
app.command()(gpu.jobs)
app.command()(training_loop.loop)
app.command("worker-slot", hidden=True)(processes.worker_slot)
app.command()(processes.deliver)
app.command("host-metrics", hidden=True)(processes.host_metrics)
app.command(cls=programs.RunCommand, context_settings={"ignore_unknown_options": True})(programs.run)
app.command()(submissions.verify)
app.command()(votes.vote)
app.command()(programs.demo)
app.command()(machine.doctor)
app.command()(monitoring.top)
app.command()(monitoring.logs)
app.add_typer(images, name="images")
app.add_typer(keys, name="keys")
app.add_typer(synth.app, name="synth")
keys.command("new")(api_keys.new)
images.command("build")(machine.build_images)
images.command("list")(machine.list_images)
images.command("prune")(machine.prune_images)


def main() -> None:
    """Console script: errors of ours are a line that says what to do, never a traceback."""
    try:
        app()
    except SandboxError as error:
        fail(str(error))


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
    """Nothing but --version."""
