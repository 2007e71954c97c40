"""Read the programs of a package: a file, or a folder whose files make up one source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sandbox.errors import UnknownLanguage
from sandbox.languages import get_language_by_suffix
from sandbox.problems.kattis.metadata import Metadata
from sandbox.problems.package_files import read_text
from sandbox.problems.unsupported import Unsupported

C_FAMILY = frozenset({"c", "cpp"})
_LOCAL_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)".*$', re.MULTILINE)
_HEADERS = frozenset({".h", ".hh", ".hpp", ".hxx"})
_FURTHER_SUFFIXES = {".py3": "python", ".c++": "cpp"}
_IGNORED = frozenset({"__pycache__", ".DS_Store", ".gitignore", ".gitkeep"})


class SourceText:
    """The language and source of one program, with the headers of its folder inserted."""

    def __init__(self, package: Path, path: Path, metadata: Metadata) -> None:
        self.name = path.relative_to(package).as_posix()
        main, headers = _split_files(path, self.name)
        self.language = find_language(main, self.name)
        text = read_text(package, main)
        if self.language in C_FAMILY:
            text = _insert_headers(package, text, main.parent, set())
        elif headers:
            raise Unsupported(self.name, f"consists of several files, and {self.language} programs must be one file")
        self.code = metadata.replace_constants(text)


def is_header(path: Path) -> bool:
    """Return whether a file is a header of C or C++."""
    return path.suffix in _HEADERS


def list_programs(folder: Path) -> Iterator[Path]:
    """Yield the programs of a folder in the order of their names."""
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if path.name not in _IGNORED)


def find_language(path: Path, name: str) -> str:
    """Return the name of the language of a file. Raises Unsupported."""
    try:
        return _FURTHER_SUFFIXES.get(path.suffix) or get_language_by_suffix(path.suffix).name
    except UnknownLanguage:
        raise Unsupported(name, f"no language of this service has files ending in {path.suffix!r}") from None


def _split_files(path: Path, name: str) -> tuple[Path, Sequence[Path]]:
    """Return the main file of a program, and the headers in its folder if the folder is one program."""
    if not path.is_dir():
        return path, []
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and not _IGNORED & set(file.parts)]
    if any(file.name in {"build", "run"} and file.parent == path for file in files):
        raise Unsupported(name, "has a build or run script, which is not run")
    sources = [file for file in files if not is_header(file)]
    if len(sources) != 1:
        raise Unsupported(name, f"consists of {len(sources)} source files, and a program must be one file")
    return sources[0], [file for file in files if is_header(file)]


def _insert_headers(package: Path, text: str, folder: Path, inserted: set[Path]) -> str:
    """Replace each `#include "..."` of a header in the folder with the header's text, once per header."""

    def insert(match: re.Match[str]) -> str:
        path = (folder / match[1]).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file() or path.name == "testlib.h":
            return match[0]
        if path in inserted:
            return ""
        inserted.add(path)
        header = read_text(package.resolve(), path).replace("#pragma once", "")
        return _insert_headers(package, header, folder, inserted)

    return _LOCAL_INCLUDE.sub(insert, text)
