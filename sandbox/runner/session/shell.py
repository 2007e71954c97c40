"""Run one bash that keeps its state between calls.

Theory of operation. Bash runs interactively but without a terminal, line editing, history, prompts or job control. An
interactive bash survives an interrupt, an unset variable with `set -u` and a syntax error: it drops the command and
reads the next line. It reads its lines from a pipe, and every call writes the same two: the first evaluates the code in
a memfd, the second writes the exit status to another pipe. After a dropped command the second line still runs. The code
runs with the call's stdin, and with the private descriptors closed, so that no background process keeps them.

Bash shares its uid with the program, which can therefore forge a status. As with a REPL, this corrupts only its own
results.
"""

from __future__ import annotations

import os
from typing import NoReturn

from sandbox.runner.session.branch_launch import PRIVATE_DESCRIPTOR, BranchSpec, confine

CODE, STDIN, STATUS, STATE = (PRIVATE_DESCRIPTOR + number for number in range(4))
MAX_STATUS_BYTES = 4096
_CLOSE = f"{CODE}<&- {STDIN}<&- {STATUS}>&- {STATE}>&-"
FIRST_LINES = f"""\
exec 2>&{STATE + 1} {STATE + 1}>&-; builtin set +o history; builtin unset HISTFILE
__sandbox_status() {{ builtin return "${{__sandbox_last:-0}}"; }}
"""
CALL_LINES = f"""\
builtin read -r -d '' -u {CODE} __sandbox_code; __sandbox_status; \
builtin eval "$__sandbox_code" </proc/self/fd/{STDIN} {_CLOSE}
__sandbox_last=$?; builtin printf '%d\\0' "$__sandbox_last" >&{STATUS}
"""
# What a forked shell takes over, as code that the new bash evaluates.
SAVE_LINES = f"""\
{{ builtin printf 'builtin cd -- %q\\n' "$PWD"; builtin declare -p; builtin declare -f; builtin alias -p; \
builtin shopt -p; builtin set +o; builtin trap -p; builtin umask -p; }} >/proc/self/fd/{STATE} 2>/dev/null
builtin printf '0\\0' >&{STATUS}
"""
# Options of line editing, history and job control, which this shell does not have.
# `set -o emacs` makes bash lose its descriptors.
_FIXED_OPTIONS = (b"emacs", b"vi", b"history", b"histexpand", b"monitor", b"onecmd", b"noexec", b"privileged")
_FIXED_VARIABLES = ("EUID", "UID", "PPID", "GROUPS", "SHELLOPTS", "FUNCNAME", "DIRSTACK", "HOME", "TMPDIR")


def run_bash(_: BranchSpec) -> NoReturn:
    """Confine this process and replace it with bash, which reads its commands from the pipe at descriptor 0."""
    confine(_.uid)
    for number in range(CODE, STATE + 2):
        os.set_inheritable(number, True)
    environment = {**os.environ, "PS1": "", "PS2": "", "TERM": "dumb"}
    os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i", "+m", "+H"], environment)


def build_replay(state: bytes, old_directory: str, new_directory: str) -> bytes:
    """Return code that restores the saved state in a new bash, whose directory is the copy `new_directory`."""
    text = b"\n".join(line for line in state.split(b"\n") if not _is_fixed(line))
    return text.replace(f"{old_directory}/".encode(), f"{new_directory}/".encode())


def _is_fixed(line: bytes) -> bool:
    """Return whether a line of the state sets a variable or option that every bash sets for itself."""
    words = line.split(b" ", 2)
    if len(words) < 3:
        return False
    if words[0] == b"set":
        return words[2] in _FIXED_OPTIONS
    name = words[2].partition(b"=")[0].decode("utf-8", "replace")
    return words[0] == b"declare" and (name.startswith(("BASH", "__sandbox")) or name in _FIXED_VARIABLES)
