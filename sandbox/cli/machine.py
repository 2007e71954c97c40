"""The commands that look after the machine: its images, and what it lacks."""

from __future__ import annotations

import typer

from sandbox.cli.console import say, settings_of


def build_images() -> None:
    """Build the images that are missing."""
    from sandbox.box.docker_images import IMAGES, engine_client, ensure_images

    with engine_client() as client:
        tags = ensure_images(client, IMAGES, say)
    for tag in tags.values():
        typer.echo(tag)


def prune_images() -> None:
    """Remove older builds that nothing uses."""
    from sandbox.box import docker_images

    with docker_images.engine_client() as client:
        docker_images.prune_images(client, docker_images.IMAGES)


def doctor() -> None:
    """What this machine has and lacks, and what to do about it; exit code 1 when something needed is missing."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from sandbox.config import UpSettings
    from sandbox.doctor import examine

    findings = examine(settings_of(UpSettings))
    table = Table("", "what", Column("found", overflow="fold"), "what to do", box=SIMPLE)
    for finding in findings:
        mark = "[green]up[/]" if finding.good else "[red]missing[/]" if finding.needed else "[yellow]without[/]"
        advice = "" if finding.good else finding.advice
        table.add_row(mark, *map(escape, (finding.what, finding.found, advice)))
    Console().print(table)
    raise typer.Exit(int(any(finding.needed and not finding.good for finding in findings)))
