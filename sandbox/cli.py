"""The command line: parse and wire, nothing else. What is slow to import is imported where it is used."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.config import UpSettings
    from sandbox.schema import ExecuteResult, VerifyRequest, VerifyResult

app = typer.Typer(
    name="sandbox", no_args_is_help=True, pretty_exceptions_enable=False, help="Run untrusted programs behind walls."
)
images = typer.Typer(no_args_is_help=True, help="The images that boxes are made of.")
app.add_typer(images, name="images")

Url = Annotated[str, typer.Option(envvar="SANDBOX_URL", help="the service; default: at SANDBOX_HOST and SANDBOX_PORT")]
# Exit codes of `sandbox run` where the program itself has none; 124 and 137 as timeout(1) and a shell have them.
EXIT_OF_STATUS = {
    "compile_error": 65,
    "time_limit_exceeded": 124,
    "memory_limit_exceeded": 137,
    "output_limit_exceeded": 153,
    "internal_error": 70,
}


def main() -> None:
    """Console script: errors of ours are one line that says what to do, never a traceback."""
    try:
        app()
    except SandboxError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    typer.echo(f"sandbox: {message}", err=True)
    raise SystemExit(1)


def version_asked(asked: bool) -> None:
    if asked:
        from sandbox import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=version_asked, is_eager=True, help="and exit")] = False,
) -> None:
    """Nothing but --version."""


def settings_with(slots: int | None = None, port: int | None = None) -> UpSettings:
    from sandbox.config import UpSettings

    for name, value in (("SANDBOX_SLOTS", slots), ("SANDBOX_PORT", port)):
        if value is not None:
            os.environ[name] = str(value)
    return UpSettings()


@app.command()
def up(
    slots: Annotated[int | None, typer.Option(help="programs run at one time; default one per core")] = None,
    port: Annotated[int | None, typer.Option(help="port of the API")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="return once it is ready")] = False,
) -> None:
    """Redis, the API and the workers in one supervised process tree."""
    from sandbox import up as tree
    from sandbox.logs import start_logging

    settings = settings_with(slots, port)
    url = f"http://{settings.host}:{settings.port}"
    if tree.running_pid(settings.home) is not None:
        typer.echo(f"already running on {settings.home}, at {url}")
        return
    if detach:
        typer.echo(f"ready at {url}, pid {tree.detach(settings)}, log in {settings.home}/log")
        return
    start_logging()
    tree.run(settings)


@app.command()
def down() -> None:
    """Stop what `up` started and leave nothing of it."""
    from sandbox import up as tree

    settings = settings_with()
    typer.echo("stopped" if tree.down(settings) else f"nothing runs on {settings.home}")


@app.command()
def serve() -> None:
    """The API alone."""
    import uvicorn

    from sandbox.api.app import create_app
    from sandbox.config import ApiSettings
    from sandbox.logs import start_logging

    start_logging()
    settings = ApiSettings()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=10,
    )


@app.command()
def worker(
    slots: Annotated[int | None, typer.Option(help="programs run at one time; default one per core")] = None,
    redis: Annotated[str | None, typer.Option(help="the Redis to join, as SANDBOX_REDIS_URL")] = None,
) -> None:
    """Workers alone: all it takes for a host to join."""
    from sandbox import up as tree
    from sandbox.logs import start_logging
    from sandbox.tree import Tree

    if redis is not None:
        os.environ["SANDBOX_REDIS_URL"] = redis
    settings = settings_with(slots)
    start_logging()
    tree.check_engine(settings)
    Tree(tree.worker_children(settings, tree.handed_on(settings))).run()


@app.command("worker-slot", hidden=True)
def worker_slot(slot: Annotated[int, typer.Option()]) -> None:
    """One slot; started by `up` and `worker`."""
    from sandbox.config import WorkerSettings
    from sandbox.jobs.worker import main as work
    from sandbox.logs import start_logging

    start_logging()
    raise typer.Exit(work(WorkerSettings(), slot))


@images.command("build")
def build_images() -> None:
    """Build the images that are missing."""
    import docker

    from sandbox.box.docker_images import IMAGES, ensure_images

    client = docker.from_env()
    ensure_images(client, IMAGES, typer.echo)
    client.close()


@images.command("prune")
def prune() -> None:
    """Remove older builds that nothing uses."""
    import docker

    from sandbox.box.docker_images import IMAGES, prune_images

    client = docker.from_env()
    prune_images(client, IMAGES)
    client.close()


@app.command()
def doctor() -> None:
    """What this machine has and lacks, and what to do about it."""
    from rich.console import Console
    from rich.table import Table

    from sandbox.doctor import examine

    table = Table("", "what", "found", "what to do")
    findings = examine(settings_with())
    for finding in findings:
        mark = "[green]up[/]" if finding.good else "[red]missing[/]" if finding.needed else "[yellow]without[/]"
        table.add_row(mark, finding.what, finding.found, "" if finding.good else finding.advice)
    Console().print(table)
    raise typer.Exit(int(any(finding.needed and not finding.good for finding in findings)))


def client_for(url: str) -> Client:
    from sandbox.client import Client

    if url:
        return Client(url)
    settings = settings_with()
    return Client(f"http://{settings.host}:{settings.port}")


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    program: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="the source file")],
    args: Annotated[list[str] | None, typer.Argument(help="the program's arguments")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="default: by the file's suffix")] = "",
    stdin: Annotated[Path | None, typer.Option(exists=True, help="default: standard input")] = None,
    cpu_time_s: Annotated[float | None, typer.Option(help="CPU seconds")] = None,
    memory_mb: Annotated[int | None, typer.Option(help="MiB")] = None,
    url: Url = "",
) -> None:
    """Run one program; its output is ours, and so is its exit code.

    Without an exit code of its own: 65 compile error, 124 time limit, 137 memory limit, 153 output limit, 70 our
    failure, 128 + n for signal n.
    """
    from sandbox import languages
    from sandbox.schema import ExecuteRequest, LimitsRequest

    data = b"" if stdin is None and sys.stdin.isatty() else (stdin.read_bytes() if stdin else sys.stdin.buffer.read())
    request = ExecuteRequest(
        language=language or languages.by_suffix(program.suffix).name,
        code=program.read_text(encoding="utf-8"),
        stdin_base64=data,
        args=args or [],
        limits=LimitsRequest(cpu_time_s=cpu_time_s, memory_mb=memory_mb),
    )
    with client_for(url) as client:
        result = client.execute(request)
    raise typer.Exit(show_run(result))


def show_run(result: ExecuteResult) -> int:
    """Print what a program printed, and a line of how it went; returns the exit code to leave with."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if result.compile is not None and result.status == "compile_error":
        console.out(result.compile.stderr, end="")
    sys.stdout.buffer.write(result.stdout.encode() if result.stdout_base64 is None else result.stdout_base64)
    sys.stdout.flush()
    sys.stderr.buffer.write(result.stderr.encode() if result.stderr_base64 is None else result.stderr_base64)
    sys.stderr.flush()
    colour = "green" if result.status == "ok" else "red"
    used = result.usage
    told = f" ({result.message})" if result.message else ""
    console.print(
        f"[{colour}]{result.status}[/]{told}  cpu {used.cpu_time_s * 1000:.1f} ms  "
        f"wall {used.wall_time_s * 1000:.1f} ms  memory {used.memory_mb:.1f} MiB"
    )
    if result.status in EXIT_OF_STATUS:
        return EXIT_OF_STATUS[result.status]
    return 128 + result.signal if result.signal is not None else result.exit_code or 0


@app.command()
def verify(
    submissions: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="one VerifyRequest as JSON a line")],
    out: Annotated[Path | None, typer.Option(help="write each result as a line of JSON, in order")] = None,
    url: Url = "",
) -> None:
    """Judge many programs; exit code 0 only when every one is accepted."""
    from rich.progress import Progress

    requests = read_submissions(submissions)
    results: dict[int, VerifyResult] = {}
    with client_for(url) as client, Progress(transient=True) as progress:
        task = progress.add_task("judging", total=len(requests))
        for index, result in client.verify_stream(requests):
            results[index] = result
            progress.advance(task)
    if out is not None:
        lines = [results[index].model_dump_json() + "\n" for index in range(len(requests))]
        out.write_text("".join(lines), encoding="utf-8")
    counts = Counter(str(result.verdict) for result in results.values())
    show_counts(counts)
    raise typer.Exit(int(counts["accepted"] != len(requests)))


def read_submissions(path: Path) -> list[VerifyRequest]:
    """Every line's request; a bad one ends the command with its number and field."""
    from pydantic import ValidationError

    from sandbox.schema import VerifyRequest

    requests = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            requests.append(VerifyRequest.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            fail(f"{path}, line {number}, {'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}")
    if not requests:
        fail(f"{path} holds no submission")
    return requests


def show_counts(counts: Counter[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("verdict", "programs", "share")
    for verdict, count in counts.most_common():
        table.add_row(verdict, str(count), f"{count / counts.total():.1%}")
    Console().print(table)


@app.command()
def demo(url: Url = "") -> None:
    """Ten programs in five languages and their verdicts; exit code 1 when one is not as it must be."""
    from rich.console import Console
    from rich.table import Table

    from sandbox.demo import PROGRAMS

    with client_for(url) as client:
        results = client.verify_batch([shown.request() for shown in PROGRAMS])
    table = Table("program", "language", "expected", "verdict", "cpu ms", "MiB")
    for shown, result in zip(PROGRAMS, results, strict=True):
        colour = "green" if result.verdict == shown.verdict else "red"
        cpu_ms = sum(test.usage.cpu_time_s for test in result.tests) * 1000
        memory_mb = max(test.usage.memory_mb for test in result.tests)
        verdict = f"[{colour}]{result.verdict}[/]"
        table.add_row(shown.what, shown.language, shown.verdict, verdict, f"{cpu_ms:.1f}", f"{memory_mb:.1f}")
    Console().print(table)
    right = all(result.verdict == shown.verdict for shown, result in zip(PROGRAMS, results, strict=True))
    raise typer.Exit(int(not right))
