"""`sandbox shell`: an interactive terminal on a session."""

from __future__ import annotations

import codeop
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import Url, connect_to_service, fail, say

if TYPE_CHECKING:
    from sandbox.client.sync_session import Session

CALL_WALL_TIME_S = 600.0
PROMPTS = {"python": (">>> ", "... "), "bash": ("$ ", "> ")}


def shell(
    language: Annotated[str, typer.Option("--language", "-l", help="python or bash.")] = "python",
    attach: Annotated[str, typer.Option(help="Id of an open session, instead of a new one.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the session open at the end.")] = False,
    url: Url = "",
) -> None:
    """Type code into a session, and see its output as it is written.

    Ctrl-C interrupts the running code, Ctrl-D ends the session.
    """
    if language not in PROMPTS:
        fail(f"--language {language}: sessions run python or bash")
    with suppress(ImportError):
        import readline  # noqa: F401 - gives `input` line editing and history
    with connect_to_service(url) as client:
        session = client.attach_session(attach) if attach else client.session(language=language)
        if not attach:
            session.open()
        say(f"session {session.id}: Ctrl-C interrupts, Ctrl-D ends it")
        try:
            for source in _read_sources(language):
                _run(session, source)
        finally:
            if keep or attach:
                say(f"session {session.id} stays open: sandbox shell --attach {session.id}")
            else:
                session.close()


def _read_sources(language: str) -> Iterator[str]:
    """Yield each complete input, until Ctrl-D."""
    first, more = PROMPTS[language]
    lines: list[str] = []
    while True:
        try:
            lines.append(input(more if lines else first))
        except EOFError:
            typer.echo()
            return
        except KeyboardInterrupt:
            typer.echo()
            lines.clear()
            continue
        source = "\n".join(lines)
        if (language == "bash" and not source.endswith("\\")) or (language == "python" and _is_complete(source)):
            lines.clear()
            if source.strip():
                yield source


def _is_complete(source: str) -> bool:
    """Return whether Python needs no more lines; a block ends with an empty line, as in Python's own shell."""
    try:
        return codeop.compile_command(source, symbol="single") is not None
    except (SyntaxError, ValueError, OverflowError):
        return True  # the session reports it, and knows top-level `await`


def _run(session: Session, source: str) -> None:
    events = session.stream(source, limits={"cpu_time_s": CALL_WALL_TIME_S, "wall_time_s": CALL_WALL_TIME_S})
    while True:
        try:
            for event in events:
                _show(event.event, event.data)
            return
        except KeyboardInterrupt:
            session.interrupt()
            return


def _show(event: str, data: dict[str, object]) -> None:
    if event in {"stdout", "stderr"}:
        typer.echo(data["text"], nl=False, err=event == "stderr")
    elif event == "display":
        typer.echo(data.get("text/plain", f"<{', '.join(data)}>"))
    elif event == "result":
        result, error = data.get("result"), data.get("error")
        if isinstance(result, dict):
            typer.echo(result.get("text/plain", ""))
        if isinstance(error, dict):
            typer.echo(error.get("traceback") or f"{error['type']}: {error['message']}", err=True)
        if data.get("state") == "lost":
            fail(f"the session ended: {data.get('reason')}")
