"""`sandbox shell`: an interactive terminal on a session."""

from __future__ import annotations

import codeop
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import Url, connect_to_service, fail, say

if TYPE_CHECKING:
    from sandbox.client.sync_session import Session

MAX_CALL_S = 600.0
# what `bash -n` says of input that needs more lines
INCOMPLETE_BASH = ("unexpected end of file", "unexpected EOF", "delimited by end-of-file")
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
        session = client.attach_session(attach) if attach else client.session({"language": language})
        language = (session.describe() if attach else session.open()).language.value
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
        if _is_complete_bash(source) if language == "bash" else _is_complete_python(source):
            lines.clear()
            if source.strip():
                yield source


def _is_complete_bash(source: str) -> bool:
    """Return whether bash needs no more lines. Without a bash on this machine, each line is taken as complete."""
    if source.endswith("\\"):
        return False
    if (bash := shutil.which("bash")) is None:
        return True
    english = {**os.environ, "LC_ALL": "C"}  # bash translates its messages
    checked = subprocess.run([bash, "-n"], input=source, env=english, capture_output=True, text=True, check=False)
    return not any(reason in checked.stderr for reason in INCOMPLETE_BASH)


def _is_complete_python(source: str) -> bool:
    """Return whether Python needs no more lines; a block ends with an empty line, as in Python's own shell."""
    try:
        return codeop.compile_command(source, symbol="single") is not None
    except (SyntaxError, ValueError, OverflowError):
        return True  # the session reports it, and knows top-level `await`


def _run(session: Session, source: str) -> None:
    """Run code and show its output. Ctrl-C interrupts the code in the session, whose result then still arrives."""

    def interrupt(_signal: int, _frame: object) -> None:
        # In a thread, because the main thread may hold the locks of the client's connections.
        threading.Thread(target=session.interrupt, daemon=True).start()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        for event in session.stream(source, limits={"cpu_time_s": MAX_CALL_S, "wall_time_s": MAX_CALL_S}):
            _show(event.event, event.data)
    finally:
        signal.signal(signal.SIGINT, before)


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
