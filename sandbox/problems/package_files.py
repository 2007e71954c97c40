"""Read the files of a package, and only those: a link that leaves the package is not followed."""

from __future__ import annotations

from pathlib import Path

from sandbox.problems.unsupported import Unsupported


def read_file(package: Path, path: Path | str) -> bytes:
    """Return a file of the package. `path` is below `package`, or is a name relative to it.

    Raises Unsupported if the file is missing or lies outside the package.
    """
    name = path if isinstance(path, str) else path.relative_to(package).as_posix()
    target = (package / name).resolve()
    if not target.is_relative_to(package.resolve()) or not target.is_file():
        raise Unsupported(name, "is not a file of the package")
    try:
        return target.read_bytes()
    except OSError as error:
        raise Unsupported(name, f"cannot be read: {error.strerror}") from None


def read_text(package: Path, path: Path | str) -> str:
    """Return the text of a file of the package. Raises Unsupported, also if the file is not UTF-8."""
    try:
        return read_file(package, path).decode()
    except UnicodeDecodeError as error:
        name = path if isinstance(path, str) else path.relative_to(package).as_posix()
        raise Unsupported(name, f"is not UTF-8: {error}") from None
