"""The release workflow and the Dockerfiles agree on build arguments, targets and labels."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "release.yaml"
DOCKERFILES = ("deploy/Dockerfile", "deploy/Dockerfile.gpu")


def _load_steps(job: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"][job]["steps"]
    return steps


def test_the_workflow_builds_every_image_with_arguments_and_targets_that_exist() -> None:
    [script] = [step["run"] for step in _load_steps("images") if step.get("name") == "Build and push"]
    commands = re.split(r"docker buildx build", script)[1:]
    assert [re.findall(r"--file (\S+)", command) for command in commands] == [[name] for name in DOCKERFILES]
    targets = re.findall(r"for target in ([\w ]+);", script)[0].split()
    assert set(targets) <= set(re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / DOCKERFILES[0]).read_text(), re.M))
    for name, command in zip(DOCKERFILES, commands, strict=True):
        declared = set(re.findall(r"^ARG (\w+)", (ROOT / name).read_text(), re.M))
        assert set(re.findall(r"--build-arg (\w+)=", command)) <= declared
    assert "linux/amd64,linux/arm64" in commands[0]


def test_the_workflow_releases_only_a_tag_that_is_the_version_and_names_files_that_exist() -> None:
    scripts = [step["run"] for step in _load_steps("files") if "run" in step]
    assert any("sandbox.__version__" in script and '"$GITHUB_REF_NAME"' in script for script in scripts)
    for path in re.findall(r"deploy/helm/\w+|CHANGELOG\.md", "\n".join(scripts)):
        assert (ROOT / path).exists(), path


def test_the_release_names_the_digest_of_every_image(tmp_path: Path) -> None:
    [build], [attach] = (
        [step["run"] for step in _load_steps("images") if step.get("name") == name]
        for name in ("Build and push", "Attach the digests to the release")
    )
    assert '--metadata-file "$name.json"' in build
    assert "--metadata-file sandbox-gpu.json" in build
    for name in ("sandbox", "sandbox-local", "sandbox-gpu"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"containerimage.digest": f"sha256:{name}"}))
    script = attach.rpartition("gh release upload")[0]
    subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, check=True)
    lines = (tmp_path / "DIGESTS").read_text().splitlines()
    assert lines == [f"{name}@sha256:{name}" for name in ("sandbox", "sandbox-local", "sandbox-gpu")]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_names_its_version_commit_and_license(name: str) -> None:
    labels = dict(re.findall(r"org\.opencontainers\.image\.(\w+)=\"([^\"]+)\"", (ROOT / name).read_text()))
    assert labels.keys() == {"title", "description", "licenses", "version", "revision"}
    assert (labels["version"], labels["revision"], labels["licenses"]) == ("${VERSION}", "${REVISION}", "Apache-2.0")
