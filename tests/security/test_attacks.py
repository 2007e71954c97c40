"""Every attack is contained and judged correctly, does not harm the next run in its box, and leaves nothing behind."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import docker
import pytest
from docker.models.containers import Container

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.images import ensure_images
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.box.docker.socket_folder import ensure_socket_folder
from sandbox.box.engine import Engine
from sandbox.config import WorkerSettings
from sandbox.errors import BoxError, BoxOutOfMemory
from sandbox.runner.contract import Outcome, Run, Status, Verdict
from sandbox.runner.supervisor import process_tree
from sandbox.runner.zygote import syscall_filter
from sandbox.verify.judge import CheckerChoice, judge_outcome
from tests.security.attack import FOLDER, GROUPS, LIMITS, Attack, load_attacks

SLOT = 50
MIN_ATTACKS = 120
REMOVAL_TIMEOUT_S = 20.0
LOCAL_ENGINE = "sandbox.box.local.engine"
SECRET = b"secret-of-an-earlier-run: 4711\n" * 100
VICTIM = "import sys\nprint(len(sys.stdin.read().split()))\n"
PROBE = (FOLDER / "probe.py").read_text()
# a busy machine is no failure
PROBE_RUN = Run(stdin=b"1 2 3 4", limits=replace(LIMITS, cpu_time_s=5.0, wall_time_s=30.0))
PAGE = Path(syscall_filter.__file__).parents[2] / "docs" / "threat-model.md"


class AttackEnvironment(Protocol):
    """An engine under attack, and how to find what it has left on this machine."""

    engine: Engine

    def find_leftovers(self, boxes: int) -> list[str]:
        """Return what exists in addition to this many boxes in use."""


class DockerAttackEnvironment:
    def __init__(self, home: Path, client: docker.DockerClient) -> None:
        self._client = client
        ensure_images(client, ("python", "cpp"), lambda line: None)
        self._home = home
        self._ids: set[str] = set()
        self.engine: Engine = DockerEngine(WorkerSettings(home=home), slot=SLOT)

    def find_leftovers(self, boxes: int) -> list[str]:
        containers = self._list_containers()
        patience = time.monotonic() + REMOVAL_TIMEOUT_S
        while len(containers) > boxes and time.monotonic() < patience:  # the engine removes ended containers by itself
            time.sleep(0.1)
            containers = self._list_containers()
        left = [f"{len(containers)} containers for {boxes} boxes"] if len(containers) != boxes else []
        for container in containers if not left else ():
            processes = container.top()["Processes"]
            if len(processes) > 2:
                left.append(f"{len(processes)} processes in {container.name}: {processes}")
        left += [str(path) for path in ensure_socket_folder(self._home).iterdir()]
        gone = self._ids - {container.id for container in containers}
        mounts = Path("/proc/self/mounts").read_text()
        left += [f"mounts of {one}" for one in gone if one in mounts]
        for one in gone:
            left += map(str, Path("/sys/fs/cgroup").glob(f"*/docker/{one}"))
        return left

    def close(self) -> None:
        self.engine.close()

    def _list_containers(self) -> list[Container]:
        label = {"label": f"{HOME_LABEL}={self._home}"}
        found: list[Container] = self._client.containers.list(all=True, ignore_removed=True, filters=label)
        self._ids.update(container.id for container in found)
        return found


class LocalAttackEnvironment:
    def __init__(self, home: Path) -> None:
        module = importlib.import_module(LOCAL_ENGINE)
        self._before = set(process_tree.list_children(os.getpid()))
        self._home = home
        self.engine: Engine = module.LocalEngine(WorkerSettings(home=home, engine="local"), slot=SLOT)

    def find_leftovers(self, boxes: int) -> list[str]:
        launchers = set(process_tree.list_children(os.getpid())) - self._before
        left = [f"{len(launchers)} launchers for {boxes} boxes"] if len(launchers) != boxes else []
        if str(self._home) in Path("/proc/self/mounts").read_text():
            left.append("mounts of a box")
        return left

    def close(self) -> None:
        self.engine.close()


class AttackBoxes:
    """Boxes to attack, one per image, replaced when they break."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._boxes: dict[str, Box] = {}
        self.broken_by: list[str] = []
        self.baseline: dict[str, list[str]] = {}

    def get_box(self, image: str) -> Box:
        if image not in self._boxes:
            self._boxes[image] = Box(self._engine.start(image))
        return self._boxes[image]

    @property
    def box_count(self) -> int:
        return len(self._boxes)

    def discard_broken(self, image: str, why: str) -> None:
        self.broken_by.append(why)
        self._boxes.pop(image).close()

    def retire(self, image: str) -> None:
        self._boxes.pop(image).close()

    def close(self) -> None:
        for box in self._boxes.values():
            box.close()
        self._boxes.clear()

    def probe(self, image: str) -> list[str]:
        """Return what a program finds in the box that is not its own. Raises BoxError."""
        box = self.get_box(image)
        box.load(languages.get_language("python").build_program(PROBE))
        outcome = box.run(PROBE_RUN)
        assert outcome.status is Status.OK, (outcome.status, outcome.stderr)
        report = json.loads(outcome.stdout)
        assert (report["sum"], report["count"]) == (10, 4)
        return list(report["found"])


@pytest.fixture(params=["docker", "local"])
def environment(request: pytest.FixtureRequest) -> Iterator[DockerAttackEnvironment | LocalAttackEnvironment]:
    if request.param == "local" and importlib.util.find_spec(LOCAL_ENGINE) is None:
        pytest.skip("the local engine does not exist yet")
    client = request.getfixturevalue("docker_client") if request.param == "docker" else None
    home = Path(tempfile.mkdtemp(prefix="sandbox-"))  # not tmp_path: the path of a Unix socket is limited to 107 bytes
    opened = LocalAttackEnvironment(home) if client is None else DockerAttackEnvironment(home, client)
    if missing := opened.engine.list_missing_isolation():
        opened.close()
        shutil.rmtree(home)
        pytest.skip(f"attacks run only with every isolation layer; this machine lacks: {'; '.join(missing)}")
    yield opened
    opened.close()
    shutil.rmtree(home)


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("group", GROUPS)
def test_every_attack_of_a_group_is_contained(
    environment: DockerAttackEnvironment | LocalAttackEnvironment, group: str, request: pytest.FixtureRequest
) -> None:
    engine = "docker" if isinstance(environment, DockerAttackEnvironment) else "local"
    boxes = AttackBoxes(environment.engine)
    failures: list[str] = []
    tried = [attack for attack in load_attacks(group) if attack.is_meant_for(engine)]
    for attack in tried:
        failures += [f"{attack.name}: {failure}" for failure in attempt(boxes, attack)]
    failures += [f"after {group}: {left}" for left in environment.find_leftovers(boxes.box_count)]
    boxes.close()
    failures += [f"after the boxes of {group}: {left}" for left in environment.find_leftovers(0)]
    uncontained = {attack.name for attack in tried if any(each.startswith(f"{attack.name}:") for each in failures)}
    request.node.user_properties += [("attacks", len(tried)), ("uncontained", len(uncontained))]
    assert not failures, "\n".join([f"{len(failures)} failures in {len(tried)} attacks", *failures])


def attempt(boxes: AttackBoxes, attack: Attack) -> list[str]:
    """Run one attack and then the probe; return what went wrong."""
    image = attack.image
    if image not in boxes.baseline:
        boxes.baseline[image] = boxes.probe(image)
    broken_before = len(boxes.broken_by)
    failures: list[str] = []
    for outcome in run_attack(boxes, attack):
        failures += find_violations(attack, outcome)
    try:
        found = boxes.probe(image)
    except BoxError as error:
        boxes.discard_broken(image, attack.name)
        found = boxes.probe(image)
        failures += [] if "breaks" in attack.header else [f"the box broke afterwards: {error}"]
    failures += [f"left behind: {one}" for one in found if one not in boxes.baseline[image]]
    if len(boxes.broken_by) > broken_before + 1:
        failures.append("broke more than one box")
    return failures


def run_attack(boxes: AttackBoxes, attack: Attack) -> Iterator[Outcome]:
    image = attack.image
    try:
        box = boxes.get_box(image)
        if "victim" in attack.header:
            box.load(languages.get_language("python").build_program(VICTIM))
            box.run(Run(stdin=SECRET, limits=LIMITS))
        compiled = box.load(attack.build_program())
        if compiled is not None and not compiled.ended_well:
            yield compiled
            return
        for _ in range(attack.runs):
            yield box.run(attack.build_run())
        if box.should_retire:  # as a slot does
            boxes.retire(image)
    except BoxError as error:
        boxes.discard_broken(image, attack.name)
        # If a box was killed for its program's memory, that is the program's own end; any other loss is a failure of
        # the service.
        status = Status.MEMORY_LIMIT_EXCEEDED if isinstance(error, BoxOutOfMemory) else Status.INTERNAL_ERROR
        yield Outcome(status, message=f"the box broke: {error}")
        if "breaks" not in attack.header:
            yield Outcome(Status.INTERNAL_ERROR, message="the box may not break here")


def find_violations(attack: Attack, outcome: Outcome) -> list[str]:
    failures = []
    details = f"{outcome.message} {outcome.stdout[:300]!r} {outcome.stderr[-300:]!r}"
    if outcome.status not in attack.statuses:
        failures.append(f"status {outcome.status}, not {attack.header['expect']}: {details}")
    if b"ESCAPED" in outcome.stdout + outcome.stderr and outcome.status is not Status.COMPILE_ERROR:
        failures.append(f"escaped: {details}")
    if "stdout" in attack.header and not re.search(attack.header["stdout"].encode(), outcome.stdout):
        failures.append(f"stdout differs from the declaration: {details}")
    for name, content in outcome.files.items():
        if b"root:" in content or b"PATH=" in content:
            failures.append(f"a system file was fetched as {name}")
    if "verdict" in attack.header:
        choice = CheckerChoice(attack.header["checker"], {})
        verdict = judge_outcome(outcome, attack.header["expected"].encode(), choice).verdict
        if verdict is not Verdict(attack.header["verdict"]):
            failures.append(f"verdict {verdict}, not {attack.header['verdict']}: {details}")
    return failures


def test_there_are_attacks_of_every_group() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(GROUPS)
    assert sum(len(load_attacks(group)) for group in GROUPS) >= MIN_ATTACKS


@pytest.mark.parametrize("group", GROUPS)
def test_every_attack_declares_what_it_tries_and_the_required_result(group: str) -> None:
    for attack in load_attacks(group):
        assert {"attack", "contained", "expect"} <= attack.header.keys(), attack.name
        if not attack.needs:
            assert attack.statuses, attack.name


def test_the_threat_model_explains_the_filter_group_by_group() -> None:
    section = PAGE.read_text().split("## The system-call filter")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", section, re.MULTILINE))
    assert {name for name in rows if name != "Group" and set(name) != {"-"}} == set(syscall_filter.DENIED_CALLS)
    for group, calls in syscall_filter.DENIED_CALLS.items():
        named = set(re.findall(r"`(\w+)`", rows[group]))
        assert named <= set(calls), f"{group} does not refuse {named - set(calls)}"


def test_the_threat_model_says_what_bounds_what_the_kernel_keeps() -> None:
    section = PAGE.read_text().split("## What the kernel keeps for a program")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)[2:]
    assert len(rows) > 25
    refused = {call for group in syscall_filter.DENIED_CALLS.values() for call in group} | set(
        syscall_filter.IGNORED_CALLS
    )
    for kind, _, bound in rows:
        for words in re.findall(r"(?:denied|pretended): ((?:`\w+`(?:, (?:and )?)?)+)", bound):
            unknown = set(re.findall(r"`(\w+)`", words)) - refused
            assert not unknown, f"{kind}: the filter lets {unknown} pass"
