"""Read all problems below a path: packages in folders or zip files, and rows of JSON lines, JSON or Parquet."""

from __future__ import annotations

import importlib
import json
import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.problems import polygon
from sandbox.problems.kattis.generated_tests import ProgramRunner
from sandbox.problems.kattis.package import read_package as read_kattis_package
from sandbox.problems.problem import Problem
from sandbox.problems.rows.detection import READERS, read_row
from sandbox.problems.unsupported import Unsupported, name_invalid_values, name_the_place

PACKAGE_FORMATS = ("kattis", "polygon")
FORMATS = (*PACKAGE_FORMATS, *READERS)
MAX_ARCHIVE_BYTES = 2 << 30
MAX_ARCHIVE_FILES = 100_000
# NotImplementedError, for an unknown compression, is a RuntimeError.
_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)
_MARKS = {"problem.yaml": "kattis", "problem.xml": "polygon"}


@dataclass(frozen=True)
class Options:
    """Options for reading: the format (empty: detect it), a runner for generators, and whether to accept weak tests."""

    format: str = ""
    runner: ProgramRunner | None = None
    examples_only: bool = False


@dataclass(frozen=True)
class Skipped:
    """A package or row that cannot become a task, with its location and the reason."""

    place: str
    reason: str


def read_problems(path: Path, options: Options = Options()) -> Iterator[Problem | Skipped]:
    """Yield each problem, or why it is unsupported. Raises Unsupported if the path holds no problems at all."""
    if path.is_dir():
        yield from _read_folder(path, options)
    elif path.suffix == ".zip":
        with tempfile.TemporaryDirectory(prefix="sandbox-problem-") as folder:
            # A package at the root of the archive is named after its folder.
            root = Path(folder) / path.stem
            _extract(path, root)
            yield from _read_folder(root, options)
    elif path.is_file():
        yield from _read_rows(path, options)
    else:
        raise Unsupported(str(path), "does not exist")


def read_package(package: Path, options: Options = Options()) -> Problem:
    """Read one package in a folder. Raises Unsupported."""
    if options.format in READERS:
        raise Unsupported(str(package), f"is a package, but the format {options.format} is for rows")
    kind = options.format or next((kind for mark, kind in _MARKS.items() if (package / mark).is_file()), "")
    with name_invalid_values(package.resolve().name):
        if kind == "kattis":
            return read_kattis_package(package, options.runner)
        if kind == "polygon":
            return polygon.read_package(package)
    raise Unsupported(str(package), "is not a package: it has neither problem.yaml nor problem.xml")


def find_packages(folder: Path) -> list[Path]:
    """Return the packages in a folder: the folder itself, or the outermost folders in it that are packages."""
    if any((folder / mark).is_file() for mark in _MARKS):
        return [folder]
    children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    return [package for child in children for package in find_packages(child)]


def _read_folder(folder: Path, options: Options) -> Iterator[Problem | Skipped]:
    packages = find_packages(folder)
    if not packages:
        raise Unsupported(str(folder), "has no package: no folder in it has problem.yaml or problem.xml")
    for package in packages:
        try:
            yield read_package(package, options)
        except Unsupported as error:
            yield Skipped(package.resolve().name, str(error))


def _extract(path: Path, folder: Path) -> None:
    """Extract an archive. Raises Unsupported if it is damaged, too large, or leaves the folder."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ARCHIVE_FILES or sum(entry.file_size for entry in entries) > MAX_ARCHIVE_BYTES:
                raise Unsupported(
                    str(path), f"has more than {MAX_ARCHIVE_FILES} files or {MAX_ARCHIVE_BYTES >> 30} GiB"
                )
            for entry in entries:
                target = (folder / entry.filename).resolve()
                if not target.is_relative_to(folder.resolve()):
                    raise Unsupported(str(path), f"{entry.filename} leaves the archive's folder")
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except (*_ARCHIVE_ERRORS, OSError, EOFError, RuntimeError, ValueError) as error:
        raise Unsupported(str(path), f"cannot be extracted: {error}") from None


def _read_rows(path: Path, options: Options) -> Iterator[Problem | Skipped]:
    if options.format in PACKAGE_FORMATS:
        raise Unsupported(str(path), f"has rows, but the format {options.format} is for packages")
    for number, row in _list_rows(path):
        place = f"row {number}"
        try:
            if isinstance(row, Unsupported):
                raise row
            if not isinstance(row, dict):
                raise Unsupported("row", f"must be an object, not {type(row).__name__}")
            with name_the_place("row"):
                problem = read_row(row, options.format, examples_only=options.examples_only)
            yield problem
        except Unsupported as error:
            yield Skipped(place, str(error))


def _list_rows(path: Path) -> Iterable[tuple[int, Any]]:
    """Return the rows, numbered from 1. For JSON lines, the number is the line number."""
    if path.suffix == ".parquet":
        return enumerate(_read_parquet(path), start=1)
    if path.suffix == ".json":
        value = _parse(path.read_bytes())
        return enumerate(value if isinstance(value, list) else [value], start=1)
    return _read_json_lines(path)


def _read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _parse(line)


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        return Unsupported("row", f"is not JSON: {error}")


def _read_parquet(path: Path) -> Iterator[Any]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise Unsupported(str(path), "Parquet files need pyarrow: pip install 'verdict-sandbox[synth]'") from None
    with name_invalid_values(str(path)):
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=16):
            yield from batch.to_pylist()
