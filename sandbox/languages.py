"""The programming languages, read once from the table `languages.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from sandbox.errors import UnknownLanguage
from sandbox.runner.contract import Limits, Mode, Program

MAX_NAME_CHARS = 40  # of an unknown name that are compared with the known ones
COMPILE_LIMITS = Limits(cpu_time_s=30.0, wall_time_s=60.0, memory_mb=2_048, processes=64, output_kb=256, file_mb=256)


# A program that could inspect the interpreter gets a fresh `python3 main.py`, which is 10 ms slower. It could tell a
# warm interpreter from a fresh one.
INTROSPECTION = re.compile(
    rb"__del__|__subclasses__|_getframe|settrace|setprofile|audit|excepthook|unraisable|sys\.modules|path_importer_cache"
    rb"|meta_path|/proc/|native_id|\bctypes\b|\bweakref\b|builtins\.|\bgc\.(?!disable|enable)|\bre\._|threading\._|_thread"
    rb"|\bSIGINT\b|ResourceWarning|exit\(\(|['\"]\w+\.py['\"]"
)
# A program that matches none of these leaves nothing to close, join or call when the interpreter exits.
NEEDS_CLEANUP = re.compile(
    rb"open|yield|await|async|close|[Ff]ile|[Pp]ipe|subprocess|tempfile|Temporary|multiprocessing|concurrent|Pool|logging|sqlite"
    rb"|socket|shelve|detach|mmap|memmap|curses|exec|eval|import_module|__import__|atexit|thread|Thread|std(?:out|err)\s*="
)


def _choose_mode(source: bytes) -> Mode:
    """Choose how to start a Python program so that it cannot tell the difference to `python3 main.py`."""
    if INTROSPECTION.search(source) or not (source.isascii() or _is_utf8(source)):
        return Mode.EXEC
    return Mode.FORK if NEEDS_CLEANUP.search(source) else Mode.FORK_PLAIN


# Modules of the python image whose import costs more than a fork (numpy: 100 ms). A program that imports some of them
# is forked from an interpreter that has loaded them.
LARGE_MODULE_IMPORT = re.compile(rb"^[ \t]*(?:import|from)[ \t]+(numpy|scipy|pandas|sympy|networkx)\b", re.MULTILINE)


def _find_large_modules(source: bytes) -> tuple[str, ...]:
    return tuple(sorted({name.decode() for name in LARGE_MODULE_IMPORT.findall(source)}))


def _is_utf8(source: bytes) -> bool:
    try:
        source.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Language:
    """One entry of the table. The top of `languages.toml` explains the fields."""

    name: str
    image: str
    source: str
    run_command: tuple[str, ...]
    version: str
    compile_command: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    forked: bool = False
    unix_newlines: bool = False
    suffixes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    compile_limits: Limits = COMPILE_LIMITS
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    memory_errors: tuple[bytes, ...] = ()
    syntax_check: tuple[str, ...] = ()
    with_debug_checks: Language | None = None

    def build_program(
        self, code: str | bytes, compile_limits: Limits | None = None, *, debug_checks: bool = False
    ) -> Program:
        """Return a program in this language. `compile_limits` replace the language's own limits.

        With `debug_checks`, failing assertions stop the program.
        """
        if debug_checks and self.with_debug_checks is not None:
            return self.with_debug_checks.build_program(code, compile_limits)
        source = code.encode() if isinstance(code, str) else code
        if self.unix_newlines:
            source = source.replace(b"\r\n", b"\n")
        return Program(
            source=source,
            source_name=self.source,
            run_command=self.run_command,
            compile_command=self.compile_command,
            keep=self.keep,
            mode=_choose_mode(source) if self.forked else Mode.EXEC,
            preload_modules=_find_large_modules(source) if self.forked else (),
            compile_limits=self.compile_limits if compile_limits is None else compile_limits,
            environment=self.environment,
            memory_errors=self.memory_errors,
        )


def _build_language(name: str, row: Mapping[str, Any]) -> Language:
    return Language(
        name=name,
        image=row["image"],
        source=row["source"],
        run_command=tuple(row["run"]),
        version=row["version"],
        compile_command=tuple(row.get("compile", ())),
        keep=tuple(row.get("keep", ())),
        forked=row.get("forked", False),
        unix_newlines=row.get("unix_newlines", False),
        suffixes=tuple(row.get("suffixes", ())),
        aliases=tuple(row.get("aliases", ())),
        compile_limits=replace(COMPILE_LIMITS, **row.get("compile_limits", {})),
        environment=MappingProxyType(row.get("environment", {})),
        memory_errors=tuple(text.encode() for text in row.get("memory_errors", ())),
        syntax_check=tuple(row.get("syntax_check", ())),
        with_debug_checks=_build_language(name, {**row, **row["debug_checks"], "debug_checks": {}})
        if row.get("debug_checks")
        else None,
    )


@cache
def load_languages() -> Mapping[str, Language]:
    """Return all languages by name."""
    rows = tomllib.loads(files("sandbox").joinpath("languages.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _build_language(name, row) for name, row in rows.items()})


@cache
def _index_names() -> Mapping[str, Language]:
    names = {alias: language for language in load_languages().values() for alias in language.aliases}
    return MappingProxyType({**names, **load_languages()})


def get_language(name: str) -> Language:
    """Return the language with this name or alias. Raises UnknownLanguage, which does not quote the name."""
    language = find_language(name)
    if language is None:
        raise UnknownLanguage(f"unknown language; {_suggest_name(name[:MAX_NAME_CHARS].lower())}", field="language")
    return language


def find_language(name: str) -> Language | None:
    """Return the language with this name or alias, or None."""
    return _index_names().get(name.lower())


@lru_cache(maxsize=1_024)
def _suggest_name(name: str) -> str:
    """Return the advice for an unknown name. It is cached because the comparison takes almost half a millisecond."""
    close = get_close_matches(name, _index_names(), n=1)
    return f"did you mean {close[0]!r}? GET /languages lists all" if close else "see GET /languages"


def get_language_by_suffix(suffix: str) -> Language:
    """Return the language of files with this suffix, dot included. Raises UnknownLanguage."""
    for language in load_languages().values():
        if suffix.lower() in language.suffixes:
            return language
    raise UnknownLanguage(f"no language has files ending in {suffix!r}; choose one", field="language")
