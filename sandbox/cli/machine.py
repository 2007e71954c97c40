"""The commands that manage this machine: its images, and a check of its requirements."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.cli.console import EXIT_USAGE, fail, read_settings, say


def build_images(
    names: Annotated[
        list[str] | None, typer.Argument(help="Images to build; default: python, cpp and js. See `images list`.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Build all images: 30 languages, about 5 GB.")] = False,
) -> None:
    """Build missing images and print their tags."""
    from sandbox.box.docker.engine_client import open_engine_client
    from sandbox.box.docker.images import FORMER_NAMES, IMAGES, ON_DEMAND_IMAGES, ensure_images

    known = (*IMAGES, *ON_DEMAND_IMAGES)
    if every and names:
        fail("give image names or --all, not both", EXIT_USAGE)
    names = [FORMER_NAMES.get(name, name) for name in names or ()]
    for name in names:
        if name not in known:
            fail(f"unknown image {name!r}; use one of {', '.join(known)}", EXIT_USAGE)
    with open_engine_client() as client:
        tags = ensure_images(client, known if every else names or IMAGES, say)
    for tag in tags.values():
        typer.echo(tag)


def list_images() -> None:
    """List the images, their languages, and whether each one is built."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from sandbox import languages
    from sandbox.box.docker.engine_client import open_engine_client
    from sandbox.box.docker.images import IMAGES, ON_DEMAND_IMAGES, read_image_sizes

    known = (*IMAGES, *ON_DEMAND_IMAGES)
    with open_engine_client() as client:
        sizes = read_image_sizes(client, known)
    table = Table("image", "built", "MB", "languages", box=SIMPLE)
    for name in known:
        size = sizes.get(name)
        runs = (language.name for language in languages.load_languages().values() if language.image == name)
        table.add_row(name, "no" if size is None else "yes", "" if size is None else str(size), ", ".join(runs))
    Console().print(table)
    if len(sizes) < len(known):
        say("Build one with `sandbox images build NAME`, or all with `sandbox images build --all`.")


def prune_images() -> None:
    """Remove old builds that are not in use, and environments that extend them."""
    from sandbox.box.docker import images
    from sandbox.box.docker.engine_client import open_engine_client
    from sandbox.box.docker.environment_images import prune_environments

    with open_engine_client() as client:
        prune_environments(client)
        images.prune_images(client, (*images.IMAGES, *images.ON_DEMAND_IMAGES, *images.SHARED_STAGES))


def doctor() -> None:
    """Check this machine's requirements and print advice; exit code 1 if a required one is missing."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from sandbox.config import UpSettings
    from sandbox.processes.doctor import examine

    findings = examine(read_settings(UpSettings))
    table = Table("", "check", Column("found", overflow="fold"), "advice", box=SIMPLE)
    for finding in findings:
        mark = "[green]ok[/]" if finding.passed else "[red]missing[/]" if finding.is_required else "[yellow]optional[/]"
        advice = "" if finding.passed else finding.advice
        table.add_row(mark, *map(escape, (finding.name, finding.detail, advice)))
    Console().print(table)
    missing = sum(finding.is_required and not finding.passed for finding in findings)
    say(
        f"{missing} required checks failed: follow the advice from top to bottom."
        if missing
        else "This machine is ready."
    )
    raise typer.Exit(int(missing > 0))
