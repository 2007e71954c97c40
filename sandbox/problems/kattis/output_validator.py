"""Turn output validators into checkers: the default one with its flags, and custom programs.

A custom validator is called as `validator input answer feedback_dir/ [args] < output` and exits with 42 to accept and
with 43 to reject; an interactive one talks to the program over stdin and stdout. The checkers of this service have
other arguments and exit codes. An adapter, which becomes part of the checker's source, starts the validator as a child
process in the same box and translates both. Any exit code other than 42 and 43 means that the validator failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from sandbox.problems.kattis.metadata import Metadata
from sandbox.problems.kattis.programs import C_FAMILY, SourceText
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.schema.checkers import (
    CaseInsensitiveChecker,
    Checker,
    ExactChecker,
    FloatChecker,
    InteractiveChecker,
    ProgramChecker,
    TokensChecker,
)

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TOLERANCE_FLAGS = {
    "float_tolerance": ("absolute", "relative"),
    "float_absolute_tolerance": ("absolute",),
    "float_relative_tolerance": ("relative",),
}

_PYTHON_ADAPTER = """\
import os, subprocess, sys
SOURCE = {source!r}
with open("output_validator.py", "w", encoding="utf-8") as file:
    file.write(SOURCE)
os.makedirs("feedback", exist_ok=True)
given, output, answer = sys.argv[1:4]
command = [sys.executable, "output_validator.py", given, answer, "feedback/", *{arguments!r}]
child = subprocess.Popen(command, stdin=None if {is_interactive!r} else open(output, "rb"))
if {is_interactive!r}:
    os.close(0)
    os.close(1)
code = child.wait()
if os.path.exists("feedback/judgemessage.txt"):
    with open("feedback/judgemessage.txt", encoding="utf-8", errors="replace") as file:
        sys.stderr.write(file.read(2000))
    sys.stderr.flush()
os._exit({{42: 0, 43: 1}}.get(code, 3))
"""

# Valid in C and in C++. A constructor runs before main; the child starts the same program again with other arguments.
_C_ADAPTER = """

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((constructor)) static void sandbox_run_validator(int count, char **arguments) {
    if (count < 4 || getenv("SANDBOX_OUTPUT_VALIDATOR")) return;
    setenv("SANDBOX_OUTPUT_VALIDATOR", "1", 1);
    mkdir("feedback", 0700);
    pid_t child = fork();
    if (child == 0) {
        if (!@INTERACTIVE@) {
            int output = open(arguments[2], O_RDONLY);
            if (output < 0 || dup2(output, 0) < 0) _exit(3);
        }
        const char *command[] = {arguments[0], arguments[1], arguments[3], "feedback/", @ARGUMENTS@ 0};
        execv("/proc/self/exe", (char **)command);
        _exit(3);
    }
    if (@INTERACTIVE@) {
        close(0);
        close(1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) _exit(3);
    FILE *message = fopen("feedback/judgemessage.txt", "r");
    char text[2000];
    if (message) fwrite(text, 1, fread(text, 1, sizeof text, message), stderr);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 3;
    _exit(code == 42 ? 0 : code == 43 ? 1 : 3);
}
"""

# The default validator, for combinations of flags that no built-in checker has.
_DEFAULT_VALIDATOR = """\
import math, re, sys
OPTIONS = {options!r}
with open(sys.argv[2], "rb") as file:
    output = file.read().decode(errors="replace")
with open(sys.argv[3], "rb") as file:
    answer = file.read().decode(errors="replace")

def parse(token):
    try:
        return float(token) if re.fullmatch(r"[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?", token, re.ASCII) else None
    except ValueError:
        return None

def equal(given, wanted):
    if not OPTIONS["case_sensitive"]:
        given, wanted = given.lower(), wanted.lower()
    if given == wanted:
        return True
    absolute, relative = OPTIONS["absolute"], OPTIONS["relative"]
    if absolute is None and relative is None:
        return False
    first, second = parse(given), parse(wanted)
    if first is None or second is None:
        return False
    gap = abs(first - second)
    return (absolute is not None and gap <= absolute) or (relative is not None and gap <= relative * abs(second))

def split(text):
    return re.split(r"(\\s)", text) if OPTIONS["space_change_sensitive"] else text.split()

given, wanted = split(output), split(answer)
if len(given) != len(wanted):
    sys.exit(f"wrong number of tokens: {{len(given)}} instead of {{len(wanted)}}")
for number, (first, second) in enumerate(zip(given, wanted)):
    if not equal(first, second):
        sys.exit(f"token {{number + 1}} is {{first[:50]!r}} instead of {{second[:50]!r}}")
"""


def build_default_checker(flags: Sequence[str], answers: Iterable[bytes], where: str) -> Checker:
    """Return the checker for the default validator with these flags. Raises Unsupported, naming the flag.

    If tolerances are given and all tokens of all answers are numbers, the built-in `float` checker decides the same as
    the default validator and needs no process.
    """
    options: dict[str, bool | float | None] = {
        **{"case_sensitive": False, "space_change_sensitive": False},
        **{"absolute": None, "relative": None},
    }
    words = iter(flags)
    for flag in words:
        if flag in {"case_sensitive", "space_change_sensitive"}:
            options[flag] = True
        elif flag in _TOLERANCE_FLAGS:
            value = _parse_tolerance(next(words, ""), f"{where}: {flag}")
            options.update(dict.fromkeys(_TOLERANCE_FLAGS[flag], value))
        else:
            raise Unsupported(where, f"the default output validator has no flag {flag!r}")
    if options["absolute"] is None and options["relative"] is None:
        if not options["space_change_sensitive"]:
            kind = TokensChecker(type="tokens") if options["case_sensitive"] else None
            return kind or CaseInsensitiveChecker(type="case_insensitive")
        if options["case_sensitive"]:
            return ExactChecker(type="exact")
    elif not options["space_change_sensitive"] and all(map(_has_only_numbers, answers)):
        return FloatChecker(type="float", absolute=options["absolute"] or 0.0, relative=options["relative"] or 0.0)
    return ProgramChecker(type="program", language="python", code=_DEFAULT_VALIDATOR.format(options=options))


def _has_only_numbers(answer: bytes) -> bool:
    return all(_NUMBER.fullmatch(token) for token in answer.split())


def _parse_tolerance(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Unsupported(where, f"needs a number, not {text!r}") from None
    if not 0 <= value < float("inf"):
        raise Unsupported(where, f"{text} is not a tolerance")
    return value


def build_custom_checker(source: SourceText, arguments: Sequence[str], metadata: Metadata) -> Checker:
    """Return the checker or interactor for a custom validator. Raises Unsupported."""
    if source.language in C_FAMILY:
        quoted = "".join(f"{_quote_for_c(argument)}, " for argument in arguments)
        adapter = _C_ADAPTER.replace("@INTERACTIVE@", str(int(metadata.is_interactive)))
        code = source.code + adapter.replace("@ARGUMENTS@", quoted)
    elif source.language == "python":
        code = _PYTHON_ADAPTER.format(
            source=source.code, arguments=list(arguments), is_interactive=metadata.is_interactive
        )
    else:
        raise Unsupported(source.name, f"output validators must be C, C++ or Python, not {source.language}")
    fields = {"language": source.language, "code": code, "limits": metadata.checker_limits}
    with name_the_place(source.name):
        if metadata.is_interactive:
            return InteractiveChecker(type="interactive", **fields)
        return ProgramChecker(type="program", **fields)


def _quote_for_c(text: str) -> str:
    """Return a string literal. JSON's escapes for printable ASCII are also those of C; others become octal."""
    if text.isascii() and text.isprintable():
        return json.dumps(text).replace("?", "\\?")
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"'
