"""Tasks that all commands share: read settings, connect to the service, and report errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from pydantic import ValidationError

    from sandbox.client import Client
    from sandbox.config import QueueSettings

Settings = TypeVar("Settings", bound="QueueSettings")

EXAMPLE_URL = "http://127.0.0.1:8080"
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_RUN_USAGE = 64  # EX_USAGE of sysexits(3): `run` reserves 1 and 2 for the program
EXIT_UNREACHABLE = 69  # EX_UNAVAILABLE of sysexits(3)
EXIT_INTERRUPTED = 130  # as a shell reports SIGINT
ATTEMPTS = 3
PROBE_TIMEOUT_S = 5.0


def fail(message: str, code: int = EXIT_FAILURE) -> NoReturn:
    """Print an error and exit."""
    typer.echo(f"sandbox: {message}", err=True)
    raise SystemExit(code)


def say(line: str) -> None:
    """Print a line about progress to stderr; stdout is for results."""
    typer.echo(line, err=True)


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise typer.BadParameter(f"{url!r} is not a URL; use one like {EXAMPLE_URL}")
    return url.rstrip("/")


Url = Annotated[
    str,
    typer.Option(
        envvar="SANDBOX_URL",
        callback=_check_url,
        help="URL of the service; default: from SANDBOX_HOST and SANDBOX_PORT.",
    ),
]


def read_settings(kind: type[Settings], **given: Any) -> Settings:
    """Read a process's settings from the environment. Options in `given` take precedence."""
    from pydantic import ValidationError

    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        faults = [(str(fault["loc"][0]).upper(), fault["msg"]) for fault in error.errors(include_url=False)]
        fail("\n".join(f"SANDBOX_{name}: {message}" for name, message in faults), EXIT_USAGE)


def format_faults(error: ValidationError) -> list[str]:
    """Format each fault as a line with its field and message."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return [": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"]))) for fault in faults]


@contextmanager
def connect_to_service(url: str, attempts: int = ATTEMPTS) -> Iterator[Client]:
    """Connect to the service at `url` or at the address in the settings. If it does not answer, exit with advice."""
    from sandbox.client import Client, Retries
    from sandbox.config import ApiSettings
    from sandbox.errors import InfrastructureError
    from sandbox.processes.api_address import build_service_url

    url = url or build_service_url(read_settings(ApiSettings))

    try:
        with Client(url, retries=Retries(attempts=attempts)) as client:
            yield client
    except InfrastructureError as error:
        if _is_alive(url):
            raise
        advice = "is it running? Start it with `sandbox up`, or set its URL with --url or SANDBOX_URL"
        cause = f"{type(error.__cause__).__name__}: {error.__cause__}" if error.__cause__ else str(error)
        fail(f"no service answers at {url} ({cause}): {advice}", EXIT_UNREACHABLE)


def _is_alive(url: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{url}/health/live", timeout=PROBE_TIMEOUT_S).status_code == 200
    except httpx.HTTPError:
        return False


def require_redis(settings: QueueSettings) -> None:
    """Exit with one line if Redis does not answer."""
    from redis.exceptions import RedisError

    from sandbox.errors import QueueUnavailable
    from sandbox.queue.connection import hide_password, open_client

    url = settings.effective_redis_url
    try:
        client = open_client(url, socket_timeout=PROBE_TIMEOUT_S, socket_connect_timeout=PROBE_TIMEOUT_S)
    except QueueUnavailable as error:
        fail(f"SANDBOX_REDIS_URL: {error}")
    try:
        client.ping()
    except RedisError as error:
        shown = hide_password(url)
        fail(
            f"Redis does not answer at {shown}: {error}. Set its URL with --redis or SANDBOX_REDIS_URL",
            EXIT_UNREACHABLE,
        )
    finally:
        client.close()
