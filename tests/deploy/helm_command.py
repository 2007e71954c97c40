"""Helm for the tests: the installed one, or else the one that the environment `HELM` has in an archive."""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.helm.chart import FOLDER
from tests.conftest import require_python, skip_or_fail
from tests.virtualenvs import HELM


def find_helm() -> Path:
    """Return the path of Helm. Skips the test if there is none for this machine."""
    if installed := shutil.which("helm"):
        return Path(installed)
    if platform.machine() != "x86_64":
        skip_or_fail("no helm here, and the packaged one is for x86_64")
    unpacked = require_python(HELM).with_name("helm")
    if not unpacked.exists():
        [archive] = unpacked.parents[1].glob("lib/python*/site-packages/aws_cdk/*/_jsii/*.tgz")
        _unpack(archive, unpacked)
    return unpacked


def _unpack(archive: Path, target: Path) -> None:
    """Copy Helm from a zip file in a tar file. Several test processes may do this at the same time."""
    with tarfile.open(archive) as package:
        [layer] = [each for each in package if each.name.endswith("/layer.zip")]
        content = package.extractfile(layer)
        assert content is not None
        binary = zipfile.ZipFile(io.BytesIO(content.read())).read("helm/helm")
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(binary)
    part = Path(file.name)
    part.chmod(0o755)
    part.rename(target)


def run_helm(command: str, values: Mapping[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Helm on the chart with these values."""
    with tempfile.TemporaryDirectory(prefix="helm-") as folder:
        file = Path(folder) / "values.yaml"
        file.write_text(json.dumps(values), encoding="utf-8")
        names = ["sandbox", str(FOLDER)] if command == "template" else [str(FOLDER)]
        return subprocess.run(
            [str(find_helm()), command, *names, "--values", str(file), *options],
            env={**os.environ, "HOME": folder},
            check=False,
            capture_output=True,
            text=True,
        )


def render_chart(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the resources that Helm renders, in its order."""
    done = run_helm("template", values)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]
