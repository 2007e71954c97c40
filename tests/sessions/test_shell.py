"""`sandbox shell`, as a person types into it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.cli.shell import _is_complete_bash
from sandbox.client import Client
from tests.docs.conftest import ROOT

TIMEOUT_S = 60.0


def _start(url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", "shell", "--url", url, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _type(url: str, lines: str, *arguments: str) -> tuple[int, str, str]:
    process = _start(url, *arguments)
    output, errors = process.communicate(lines, TIMEOUT_S)
    return process.returncode, output, errors


def test_python_blocks_and_values_are_shown(client: Client, url: str) -> None:
    code, output, errors = _type(url, "x = 20\nfor i in range(2):\n    print(i)\n\nx + 22\n1 / 0\n")
    assert code == 0
    assert [word for word in output.split() if word.isdigit()] == ["0", "1", "42"]
    assert "ZeroDivisionError: division by zero" in errors
    assert client.sessions() == []


@pytest.mark.parametrize("lines", ["for i in 1 2\ndo echo $i; done\n", "cat <<END\n1\n2\nEND\n", "echo '1\n2'\n"])
def test_bash_input_may_have_several_lines(client: Client, url: str, lines: str) -> None:
    code, output, errors = _type(url, lines, "--language", "bash")
    assert code == 0
    assert [word for word in output.split() if word.isdigit()] == ["1", "2"]
    assert "syntax error" not in errors
    assert client.sessions() == []


def test_bash_input_is_checked_in_english_whatever_the_locale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bash of this test speaks German unless it is told to use the C locale."""
    bash = tmp_path / "bash"
    german = "bash: Zeile 2: Syntaxfehler: Unerwartetes Dateiende."
    bash.write_text(f'#!/bin/sh\n[ "$LC_ALL" = C ] && exec {shutil.which("bash")} "$@"\necho "{german}" >&2\nexit 2\n')
    bash.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert not _is_complete_bash("for i in 1 2")
    assert _is_complete_bash("for i in 1 2; do echo $i; done")


def test_an_exit_of_the_shell_ends_the_command(client: Client, url: str) -> None:
    code, _, errors = _type(url, "exit 3\n", "--language", "bash")
    assert code == 1
    assert "the session ended" in errors
    assert client.sessions() == []


def test_ctrl_c_interrupts_the_code_and_keeps_the_session(client: Client, url: str) -> None:
    process = _start(url)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("kept = 7\nimport time; print('sleeping', flush=True); time.sleep(60)\n")
    process.stdin.flush()
    seen = ""
    while "sleeping" not in seen:
        seen += process.stdout.read(1)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate("kept\n", TIMEOUT_S)
    assert process.returncode == 0
    assert "7" in output
    assert "KeyboardInterrupt" in errors
    assert client.sessions() == []


def test_a_session_that_is_kept_can_be_attached(client: Client, url: str) -> None:
    _, _, errors = _type(url, "kept = 7\n", "--keep")
    session_id = errors.split("--attach ")[1].split()[0]
    _, output, _ = _type(url, "kept\n", "--attach", session_id)
    assert "7" in output
    client.attach_session(session_id).close()
