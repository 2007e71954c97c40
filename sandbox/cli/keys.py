"""`sandbox keys`: make API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.cli.console import say
from sandbox.request_context import Role


def new(
    name: Annotated[str, typer.Argument(help="The key's id, which stands in logs: a-z, 0-9 and dash.")],
    role: Annotated[Role, typer.Option(help="submit: programs, and their own jobs; admin: everything.")] = Role.SUBMIT,
) -> None:
    """A new API key for a client, and the entry by which a server knows it.

    The key is shown once and kept nowhere. Rate, burst and quota of this one key may be added to its entry:
    `:rate=100:burst=500:queued=10000`.
    """
    from sandbox.api.keyring import generate_key

    made = generate_key(name, role)
    say("for the client, as SANDBOX_API_KEY:")
    typer.echo(made.key)
    say("for the server, in SANDBOX_API_KEYS, after a comma where there are others:")
    typer.echo(made.entry)
