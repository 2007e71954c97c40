"""Install packages into a virtual environment with uv, in a fifth of pip's time, or with pip if uv is unavailable.

    PYTHON deploy/packages.py [--into OTHER_PYTHON] WORDS...

WORDS are arguments that both `pip install` and `uv pip install` accept. PYTHON has pip, and optionally uv. Packages
come from the sources configured for pip, in its files and its environment.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# uv's names of pip's settings. uv looks for the best version in all indexes, like pip.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


def parse_pip_settings(listed: str) -> dict[str, str]:
    """Parse the output of `pip config list`. Later lines override earlier ones."""
    settings = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return settings


def build_uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Build uv's environment from pip's settings. Settings made for uv itself take precedence."""
    from_pip = {UV_NAMES[name]: " ".join(value.split()) for name, value in settings.items() if name in UV_NAMES}
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_HTTP_TIMEOUT": "180", **from_pip, **environment}


def build_commands(uv: Path, python: str, words: Sequence[str]) -> list[list[str]]:
    """Return the commands to try in turn."""
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", *words]
    return [*([[str(uv), "pip", "install", "--quiet", "--python", python, *words]] if uv.exists() else []), pip]


def main(words: Sequence[str]) -> int:
    python = sys.executable
    if words[:1] == ["--into"]:
        python, words = words[1], words[2:]
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    environment = build_uv_environment(parse_pip_settings(listed.stdout), os.environ)
    code = 1
    for command in build_commands(Path(sys.executable).with_name("uv"), python, words):
        code = subprocess.run(command, env=environment, check=False).returncode
        if code == 0:
            break
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
