"""Images are named after their content, built if they are missing, and contain what a box needs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import docker
import docker.errors
import pytest
import requests

from sandbox.box.docker import debian_base, images
from sandbox.box.docker.debian_base import ensure_base
from sandbox.box.docker.images import IMAGES, compute_image_tag, ensure_images, prune_images
from sandbox.errors import EngineUnavailable

ROOT = Path(images.__file__).resolve().parents[3]
DOCKERFILE = (
    "ARG BASE\nARG RUNNER\nFROM ${RUNNER} AS runner\nFROM ${BASE}\nCOPY --from=runner /opt/sandbox /opt/sandbox\n"
)
SHARED_DOCKERFILE = """ARG DEBIAN
FROM ${DEBIAN} AS foundation
LABEL sandbox.selftest=1
RUN mkdir -p /opt/sandbox
FROM foundation AS runner
COPY sandbox /opt/sandbox/sandbox
"""
UNPRIVILEGED_USER = "70001:70001"
HEADERS = Path(__file__).parent / "headers"
# The CPU time of an empty program with the precompiled header, as a share of the time with the header as text.
HEADER_COST_SCRIPT = """
import resource, subprocess
def cpu_s(*more):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["g++", "-O2", "-std=gnu++20", "-fsyntax-only", "main.cpp", *more], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
open("main.cpp", "w").write("#include <bits/stdc++.h>\\nint main() {}\\n")
print(min(cpu_s() for _ in range(3)) / cpu_s("-DNDEBUG"))
"""


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    try:
        engine = docker.from_env(timeout=60)
    except docker.errors.DockerException as error:
        if os.environ.get("CI"):
            pytest.fail(f"no Docker engine answers: {error}")
        pytest.skip(f"no Docker engine answers: {error}")
    yield engine
    engine.close()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create a small package with the same layout and two images of its own, so the real ones are not touched."""
    package = tmp_path / "sandbox"
    (package / "runner" / "zygote").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "runner" / "__init__.py").write_text("first = 1\n")
    (package / "runner" / "zygote" / "forkserver.c").write_text("/* the zygote's loop */\n")
    (tmp_path / "images" / "base").mkdir(parents=True)
    (tmp_path / "images" / "base" / "Dockerfile").write_text(SHARED_DOCKERFILE)
    for name in ("selftest", "othertest"):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text(DOCKERFILE)
    monkeypatch.setattr(images, "_PACKAGE", package)
    monkeypatch.setattr(images, "IMAGES", ("selftest", "othertest"))
    compute_image_tag.cache_clear()
    yield package
    compute_image_tag.cache_clear()


@pytest.fixture
def swept(client: docker.DockerClient) -> Iterator[None]:
    """Remove all images of these tests afterwards."""
    yield
    for image in client.api.images(filters={"label": "sandbox.selftest"}):
        for tag in image["RepoTags"] or ():
            client.api.remove_image(tag, force=True)


def compute_fresh_tag(name: str) -> str:
    compute_image_tag.cache_clear()
    return compute_image_tag(name)


def change_runner(package: Path, text: str) -> None:
    (package / "runner" / "__init__.py").write_text(text)
    compute_image_tag.cache_clear()


def run_in(client: docker.DockerClient, name: str, *command: str) -> str:
    """Return what `command` prints in a container as restricted as a box, under a uid that owns no file."""
    output = client.containers.run(
        compute_image_tag(name),
        list(command),
        user=UNPRIVILEGED_USER,
        read_only=True,
        network_mode="none",
        cap_drop=["ALL"],
        tmpfs={"/tmp": "exec,mode=1777"},
        working_dir="/tmp",
        environment={"PYTHONPATH": "/opt/sandbox"},
        remove=True,
        stderr=True,
    )
    return str(output, "utf-8")


def test_a_tag_names_the_image_and_twelve_digits_of_its_content() -> None:
    name, _, digits = compute_image_tag("python").partition(":")
    assert name == "sandbox-python"
    assert len(digits) == 12
    assert set(digits) <= set("0123456789abcdef")


def test_a_changed_runner_changes_every_tag(package: Path) -> None:
    before = compute_fresh_tag("selftest"), compute_fresh_tag("othertest")
    change_runner(package, "second = 2\n")
    after = compute_fresh_tag("selftest"), compute_fresh_tag("othertest")
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_changed_dockerfile_changes_the_tag_of_its_own_image_only(package: Path) -> None:
    before = compute_fresh_tag("selftest"), compute_fresh_tag("othertest")
    (package.parent / "images" / "selftest" / "Dockerfile").write_text(DOCKERFILE + "RUN true\n")
    assert compute_fresh_tag("selftest") != before[0]
    assert compute_fresh_tag("othertest") == before[1]


def test_bytecode_beside_the_runner_does_not_change_the_tag(package: Path) -> None:
    before = compute_fresh_tag("selftest")
    (package / "runner" / "__pycache__").mkdir()
    (package / "runner" / "__pycache__" / "left.pyc").write_bytes(b"left behind")
    assert compute_fresh_tag("selftest") == before


def test_a_process_keeps_to_its_tag_while_the_sources_change(package: Path) -> None:
    before = compute_image_tag("selftest")
    (package / "runner" / "__init__.py").write_text("edited = 3\n")
    assert compute_image_tag("selftest") == before


def test_an_installed_package_uses_the_sources_it_carries(package: Path) -> None:
    from_checkout = compute_fresh_tag("selftest")
    shutil.move(package.parent / "images", package / "_images")
    assert compute_fresh_tag("selftest") == from_checkout


def test_a_package_without_sources_says_to_install_again(package: Path) -> None:
    shutil.rmtree(package.parent / "images")
    with pytest.raises(EngineUnavailable, match="install the package again"):
        compute_fresh_tag("selftest")


def test_an_unknown_image_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EngineUnavailable, match="cpp, python, js"):
        compute_image_tag("cobol")


@pytest.mark.docker
@pytest.mark.usefixtures("swept")
def test_missing_images_are_built_once(client: docker.DockerClient, package: Path) -> None:
    steps: list[str] = []
    tags = ensure_images(client, ["selftest"], steps.append)
    assert tags == {"selftest": compute_image_tag("selftest")}
    assert any("building" in step for step in steps)
    assert not any("\n" in step for step in steps)
    steps.clear()
    assert ensure_images(client, ["selftest"], steps.append) == tags
    assert steps == []


@pytest.mark.docker
@pytest.mark.usefixtures("swept", "package")
def test_several_are_built_in_one_call(client: docker.DockerClient) -> None:
    steps: list[str] = []
    tags = ensure_images(client, ["selftest", "othertest"], steps.append)
    assert [name for name in tags if client.api.inspect_image(tags[name])] == ["selftest", "othertest"]
    assert sum("test:" in step and " built in " in step for step in steps) == 2


@pytest.mark.docker
@pytest.mark.usefixtures("swept")
def test_pruning_removes_the_build_before_the_last_and_keeps_the_last_one(
    client: docker.DockerClient, package: Path
) -> None:
    built = []
    for number in range(3):
        change_runner(package, f"number = {number}\n")
        built.append(ensure_images(client, ["selftest"], lambda step: None)["selftest"])
    assert len(client.api.images(name="sandbox-selftest")) == 3
    prune_images(client, ["selftest"])
    left = {tag for image in client.api.images(name="sandbox-selftest") for tag in image["RepoTags"]}
    assert built[2] in left
    assert len(left) == 2


@pytest.mark.docker
@pytest.mark.usefixtures("swept")
def test_pruning_includes_the_builds_under_a_former_name(
    client: docker.DockerClient, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "FORMER_NAMES", {"formertest": "selftest"})
    for number in range(3):
        change_runner(package, f"number = {number}\n")
        tag = ensure_images(client, ["selftest"], lambda step: None)["selftest"]
        if number < 2:
            time.sleep(1.1)  # the engine tells the age of an image in whole seconds
            client.api.tag(tag, "sandbox-formertest", str(number))
            client.api.remove_image(tag)
    prune_images(client, ["selftest"])
    names = ("sandbox-selftest", "sandbox-formertest")
    left = {one for name in names for image in client.api.images(name=name) for one in image["RepoTags"]}
    assert left == {tag, "sandbox-formertest:1"}


@pytest.mark.docker
@pytest.mark.usefixtures("swept", "package")
def test_two_at_a_time_build_once(client: docker.DockerClient) -> None:
    steps: list[str] = []
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(ensure_images, client, ["selftest"], steps.append) for _ in range(2)]
        assert runs[0].result() == runs[1].result()
    assert sum("building sandbox-selftest" in step for step in steps) == 1


@pytest.mark.docker
@pytest.mark.usefixtures("swept")
def test_a_failed_build_shows_the_end_of_its_log_and_what_to_do(client: docker.DockerClient, package: Path) -> None:
    dockerfile = package.parent / "images" / "selftest" / "Dockerfile"
    dockerfile.write_text("ARG BASE\nFROM ${BASE}\nRUN echo the cellar is flooded; exit 7\n")
    compute_image_tag.cache_clear()
    with pytest.raises(EngineUnavailable) as failure:
        ensure_images(client, ["selftest"], lambda step: None)
    assert "the cellar is flooded" in str(failure.value)
    assert "sandbox images build" in str(failure.value)


def test_an_engine_that_went_away_is_named_as_the_cause() -> None:
    class GoneApi:
        def inspect_image(self, tag: str) -> None:
            raise requests.exceptions.ConnectionError("connection refused")

    class GoneEngine:
        api = GoneApi()

    with pytest.raises(EngineUnavailable, match=r"connection refused.*docker info"):
        ensure_images(GoneEngine(), ["python"], lambda step: None)


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_a_registry_the_base_is_built_with_debootstrap(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this machine's own base image was built this way (because there was none), check that image instead."""
    if client.images.list(debian_base.BASE_IMAGE, filters={"label": debian_base.DEBOOTSTRAP_LABEL}):
        assert ensure_base(client, print_nothing) == debian_base.BASE_IMAGE
        assert read_debian_version(client, debian_base.BASE_IMAGE).startswith("12")
        return
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap")
    made = "sandbox-base-selftest:bookworm"
    monkeypatch.setattr(debian_base, "BASE_IMAGE", made)
    monkeypatch.setattr(debian_base, "OFFICIAL_BASE_IMAGE", "sandbox-base-that-nobody-publishes:bookworm")
    steps: list[str] = []
    try:
        assert ensure_base(client, steps.append) == made
        assert any("debootstrap" in step for step in steps)
        assert client.images.list(made, filters={"label": debian_base.DEBOOTSTRAP_LABEL})
        assert read_debian_version(client, made).startswith("12")
    finally:
        with suppress(docker.errors.ImageNotFound):
            client.api.remove_image(made, force=True)


@pytest.mark.docker
def test_without_debootstrap_the_missing_base_says_how_to_get_it(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(debian_base, "BASE_IMAGE", "sandbox-base-selftest:bookworm")
    monkeypatch.setattr(debian_base, "OFFICIAL_BASE_IMAGE", "sandbox-base-that-nobody-publishes:bookworm")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="apt-get install debootstrap"):
        ensure_base(client, lambda step: None)


def test_a_registry_that_does_not_answer_counts_as_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The engine's own answers are immediate, but it hangs while its registry does not answer."""

    class SilentRegistry:
        timeout = 60

        def inspect_image(self, tag: str) -> None:
            raise docker.errors.ImageNotFound(tag)

        def pull(self, repository: str, **options: object) -> None:
            assert self.timeout <= 30
            raise requests.exceptions.ReadTimeout

    class Engine:
        api = SilentRegistry()

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="debootstrap"):
        ensure_base(Engine(), lambda step: None)
    assert Engine.api.timeout == 60


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", IMAGES)
def test_every_image_works_for_an_unknown_uid_with_a_read_only_root(client: docker.DockerClient, name: str) -> None:
    ensure_images(client, IMAGES, print_nothing)
    check = (
        "import json, os, sandbox.runner.contract as contract; print(json.dumps({"
        "'compiled': os.path.exists(contract.__cached__), 'places': [os.path.isdir(p) for p in"
        " ('/box', '/run/sandbox', '/tmp', '/dev/shm')], 'var_tmp': os.path.realpath('/var/tmp'), 'uid': os.getuid()}))"
    )
    seen = json.loads(run_in(client, name, "/usr/bin/python3", "-c", check))
    assert seen == {"compiled": True, "places": [True] * 4, "var_tmp": "/tmp", "uid": 70001}


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", IMAGES)
def test_no_image_has_a_program_that_changes_uid(client: docker.DockerClient, name: str) -> None:
    ensure_images(client, IMAGES, print_nothing)
    command = "find / -xdev -perm /6000 -type f 2>/dev/null; true"
    assert run_in(client, name, "sh", "-c", command) == ""


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("header", ["bits/stdc++.h", "iostream"])
def test_the_table_s_cpp_command_takes_the_precompiled_header(client: docker.DockerClient, header: str) -> None:
    """With `-H`, an exclamation mark shows that a header was used in precompiled form."""
    ensure_images(client, IMAGES, print_nothing)
    table = tomllib.loads((ROOT / "sandbox" / "languages.toml").read_text())
    compile_command = " ".join(table["cpp"]["compile"])
    source = rf'printf "#include <{header}>\nint main() {{}}\n" > main.cpp'
    used = run_in(client, "cpp", "sh", "-c", f"{source}; {compile_command} -H 2>&1")
    assert used.startswith("! ")
    assert f"{header}.gch" in used


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(path.stem for path in HEADERS.glob("*.cpp")))
def test_a_program_does_the_same_with_the_precompiled_header_and_without(
    client: docker.DockerClient, name: str
) -> None:
    """A header that depends on NDEBUG is read as text if NDEBUG is defined; none of these programs defines it."""
    ensure_images(client, IMAGES, print_nothing)
    compile_command = " ".join(tomllib.loads((ROOT / "sandbox" / "languages.toml").read_text())["cpp"]["compile"])
    source = f"printf %s {shlex.quote((HEADERS / f'{name}.cpp').read_text())} > main.cpp"
    precompiled, text = (
        run_in(client, "cpp", "sh", "-ec", f"{source}; {command} -H 2> used; head -c 1 used; ./main")
        for command in (compile_command, f"{compile_command} -DNDEBUG")
    )
    assert (precompiled[0], text[0]) == ("!", "x")
    assert precompiled[1:] == text[1:]


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_the_precompiled_header_leaves_next_to_nothing_to_do(client: docker.DockerClient) -> None:
    """If each program had to instantiate the templates of its inline functions, the cost would be a third of that of
    the header as text.
    """
    ensure_images(client, IMAGES, print_nothing)
    assert float(run_in(client, "cpp", "python3", "-c", HEADER_COST_SCRIPT)) < 1 / 8


def read_debian_version(client: docker.DockerClient, image: str) -> str:
    release: bytes = client.containers.run(image, ["cat", "/etc/debian_version"], network_mode="none", remove=True)
    return release.decode()


def print_nothing(step: str) -> None:
    """Ignore the progress lines of the builder."""
