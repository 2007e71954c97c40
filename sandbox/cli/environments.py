"""`sandbox environment`: create, list and remove environments, which are images with packages of one's own."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Annotated

import typer

from sandbox.cli.console import Url, connect_to_service, fail, say

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Manage environments: images with packages and files of one's own.",
)

Name = Annotated[str, typer.Argument(help="The environment's name, to which programs refer.")]


@app.command()
def put(
    name: Name,
    base: Annotated[str, typer.Option(help="The standard image to extend.")] = "python",
    pip: Annotated[list[str] | None, typer.Option(help="A Python package, such as numpy==2.1; repeat it.")] = None,
    apt: Annotated[list[str] | None, typer.Option(help="A Debian package; repeat it.")] = None,
    file: Annotated[
        list[Path] | None, typer.Option(help="A file or directory to put into /opt/environment; repeat it.")
    ] = None,
    url: Url = "",
) -> None:
    """Create or replace an environment. Hosts build it when the first program needs it."""
    files = {path: b64encode(content).decode() for path, content in _read_files(file or []).items()}
    with connect_to_service(url) as client:
        info = client.put_environment(name, {"base": base, "pip": pip or [], "apt": apt or [], "files": files})
    typer.echo(f"{info.name}@{info.id}")


@app.command("list")
def list_environments(url: Url = "") -> None:
    """List the environments with their packages."""
    with connect_to_service(url) as client:
        environments = client.environments()
        if not environments:
            say("There are no environments. `sandbox environment put NAME` creates one.")
        for info in environments:
            typer.echo(f"{info.name}@{info.id}  {info.base}  {' '.join([*info.pip, *info.apt, *info.files])}".rstrip())


@app.command()
def show(name: Name, url: Url = "") -> None:
    """Print an environment as JSON."""
    with connect_to_service(url) as client:
        typer.echo(client.environment(name).model_dump_json(indent=2))


@app.command()
def remove(name: Name, url: Url = "") -> None:
    """Remove an environment. Programs that were submitted before still run in it."""
    with connect_to_service(url) as client:
        client.remove_environment(name)
    say(f"environment {name} removed")


def _read_files(paths: list[Path]) -> dict[str, bytes]:
    """Return the content of files and directories by their path in the environment."""
    found: dict[str, bytes] = {}
    for path in paths:
        try:
            if path.is_dir():
                inside = sorted(each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
                found |= {each.relative_to(path.parent).as_posix(): each.read_bytes() for each in inside}
            else:
                found[path.name] = path.read_bytes()
        except OSError as error:
            fail(f"--file {path}: {error.strerror}")
    return found
