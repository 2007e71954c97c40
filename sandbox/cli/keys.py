"""`sandbox keys`: create API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox.cli.console import say
from sandbox.request_context import Role


def new(
    name: Annotated[str, typer.Argument(help="The key's id, which appears in logs: a-z, 0-9 and dash.")],
    role: Annotated[
        Role, typer.Option(help="submit: programs and the key's own jobs; admin: everything.")
    ] = Role.SUBMIT,
) -> None:
    """Create an API key for a client, and the entry for the server's settings.

    The key is shown once and not stored. To give this key its own limits, append them to its entry:
    `:rate=100:burst=500:queued=10000`.
    """
    from sandbox.api.keyring import generate_key

    made = generate_key(name, role)
    say("for the client, in SANDBOX_API_KEY:")
    typer.echo(made.key)
    say("for the server, in SANDBOX_API_KEYS, separated from other entries by a comma:")
    typer.echo(made.entry)
