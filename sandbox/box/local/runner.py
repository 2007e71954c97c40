"""Install the runner in a folder that is mounted in local boxes. In a Docker image, the last layers serve this purpose.

Each version of the runner's sources is installed once, in a folder named by their hash. The installation includes
bytecode, so a box starts in milliseconds. If this machine has a C compiler, it also includes the compiled
`forkserver.c`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from sandbox.errors import EngineUnavailable

PYTHON = "/usr/bin/python3"
MIN_PYTHON_VERSION = (3, 11)
PACKAGE_FOLDER = Path(__file__).resolve().parents[2]
VERSION_CHECK = (
    f"import sys, compileall; sys.exit(f'it is {{sys.version}}' if sys.version_info < {MIN_PYTHON_VERSION} else 0)"
)
BUILD_TIMEOUT_S = 60


def install_runner(folder: Path) -> Path:
    """Install the runner below `folder`; return the folder to add to `sys.path`. Raises EngineUnavailable."""
    sources = [
        PACKAGE_FOLDER / "__init__.py",
        *sorted((PACKAGE_FOLDER / "runner").rglob("*.py")),
        PACKAGE_FOLDER / "runner/zygote/forkserver.c",
    ]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    runner = folder / f"runner-{digest[:12]}"
    if runner.is_dir():
        return runner
    try:
        staging = Path(tempfile.mkdtemp(prefix="making-", dir=folder))
        staging.chmod(0o755)
        _build_runner(staging, sources)
        _publish(staging, runner)
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", "") or error
        raise EngineUnavailable(
            f"the local engine needs {PYTHON} of version {'.'.join(map(str, MIN_PYTHON_VERSION))} or newer: {reason}"
        ) from error
    return runner


def _build_runner(folder: Path, sources: list[Path]) -> None:
    subprocess.run(
        [PYTHON, "-I", "-S", "-c", VERSION_CHECK], check=True, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S
    )
    for path in sources:
        target = folder / "sandbox" / path.relative_to(PACKAGE_FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    library = folder / "sandbox/runner/zygote/forkserver.so"
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler:
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(library.with_suffix(".c"))]
        subprocess.run(command, check=False, capture_output=True, timeout=BUILD_TIMEOUT_S)
    command = [PYTHON, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S)


def _publish(staging: Path, runner: Path) -> None:
    """Rename the finished folder to its final name.

    It is no error if another process has installed the same version.
    """
    try:
        staging.rename(runner)
    except OSError:
        shutil.rmtree(staging)
        if not runner.is_dir():
            raise
