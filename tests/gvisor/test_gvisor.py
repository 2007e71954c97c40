"""Programs, verdicts and attacks under gVisor's kernel, with a separate engine for the tests that has its runtime.

A few boxes work in parallel. Only samples of the corpus and of the comparison are run; they change only when the
programs change. Running everything would take minutes, because the kernel intercepts each system call.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.config import QueueSettings, WorkerSettings
from sandbox.queue.submission import Submission
from sandbox.runner.contract import Run, Status, Verdict
from sandbox.runner.kernel import GVISOR_MISSING_ISOLATION
from sandbox.schema import VerifyRequest, VerifyResult
from sandbox.service import Service
from tests import test_corpus as corpus
from tests.differential import test_differential as differential
from tests.gvisor.gvisor_engine import RUNTIME, GvisorEngine
from tests.gvisor.known_differences import KNOWN_DIFFERENCES, LOSES_THE_BOX
from tests.redis_server import RedisServer
from tests.running_service import run_service_with_workers
from tests.second_engine import EngineMissing
from tests.security import test_attacks as security
from tests.security.attack import GROUPS, Attack, load_attacks
from tests.worker_processes import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]

DATABASE = 5
FIRST_SLOT = 140
WORKERS = 2
PARALLEL_BOXES = 3  # many attacks wait, so that more boxes than CPUs are faster
SAMPLE_SIZE = 60
SLOWDOWN_FACTOR = 5.0  # how much slower a program with many system calls is under ptrace
RESULT_TIMEOUT_S = 240.0
Part = TypeVar("Part")


@pytest.fixture(scope="module")
def gvisor(images: dict[str, str]) -> Iterator[GvisorEngine]:
    """Make this process and those it starts use the engine with gVisor from now on."""
    engine = GvisorEngine()
    before = os.environ.get("DOCKER_HOST")
    try:
        engine.start()
        engine.load([images["python"], images["cpp"]])
        engine.probe(images["python"])
        os.environ["DOCKER_HOST"] = engine.host
        yield engine
    except EngineMissing as error:
        pytest.skip(str(error))
    finally:
        os.environ.pop("DOCKER_HOST", None)
        if before is not None:
            os.environ["DOCKER_HOST"] = before
        engine.close()


@pytest.fixture(scope="module")
def own_home(gvisor: GvisorEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = Path("/tmp") / f"gv-{os.getpid()}"  # short, because the path of a Unix socket is limited to 107 bytes
    home.mkdir()
    yield home
    remove_boxes(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def service(own_home: Path, redis_server: RedisServer) -> Iterator[Service]:
    """Two real workers under gVisor, with a service in front of them."""
    settings = QueueSettings(home=own_home, redis_url=redis_server.build_url(DATABASE))
    with (
        redis_server.open_empty_database(DATABASE),
        run_service_with_workers(settings, WORKERS, FIRST_SLOT, SANDBOX_DOCKER_RUNTIME=RUNTIME) as service,
    ):
        yield service


@pytest.fixture(scope="module")
def engines(own_home: Path) -> Iterator[list[DockerEngine]]:
    settings = WorkerSettings(home=own_home, docker_runtime=RUNTIME)
    opened = [DockerEngine(settings, FIRST_SLOT + 8 + number) for number in range(PARALLEL_BOXES)]
    yield opened
    for engine in opened:
        engine.close()


def _run_in_parallel(
    parts: list[Part], engines: list[DockerEngine], work: Callable[[DockerEngine, Iterator[Part]], list[str]]
) -> list[str]:
    """Return what `work` finds in each engine's share of the parts. An engine takes the next part when it is free."""
    left = iter(parts)  # of a list, so that threads may share it
    with ThreadPoolExecutor(len(engines)) as threads:
        return [found for share in threads.map(lambda engine: work(engine, left), engines) for found in share]


def test_workers_are_ready_and_name_what_gvisor_lacks(service: Service) -> None:
    readiness = service.check_readiness()
    assert (readiness.ready, readiness.workers, readiness.problems) == (True, WORKERS, [])
    assert set(GVISOR_MISSING_ISOLATION) <= set(readiness.missing_walls)


def test_doctor_runs_a_program_and_names_what_gvisor_lacks(gvisor: GvisorEngine, own_home: Path) -> None:
    environment = {**os.environ, "SANDBOX_DOCKER_RUNTIME": RUNTIME, "SANDBOX_HOME": str(own_home), "COLUMNS": "300"}
    command = [sys.executable, "-m", "sandbox", "doctor"]
    shown = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in shown.splitlines() if len(line.split()) > 2]
    assert any(row[:2] == ["ok", "program"] and "print(6 * 7) was judged accepted" in row[2] for row in rows), shown
    assert all(layer in shown for layer in GVISOR_MISSING_ISOLATION), shown


def _sample_corpus() -> dict[str, tuple[Verdict, VerifyRequest]]:
    """Select programs with a few verdicts of each problem, in one of the languages; all verdicts occur across all
    problems.
    """
    sample: dict[str, tuple[Verdict, VerifyRequest]] = {}
    for number, problem in enumerate(corpus.PROBLEMS):
        by_verdict: dict[Verdict, list[str]] = {}
        requests = corpus._build_requests(problem)
        for name in sorted(requests):
            by_verdict.setdefault(corpus._parse_expected_verdict(corpus.CORPUS / problem / name), []).append(name)
        for offset, (verdict, names) in enumerate(sorted(by_verdict.items())):
            if (number + offset) % 3:
                continue
            name = names[(number + offset) % len(names)]
            sample[f"{problem}/{name}"] = verdict, requests[name]
    return sample


def test_a_sample_of_the_corpus_gets_the_verdicts_it_is_named_after(service: Service) -> None:
    sample = _sample_corpus()
    ticket = service.submit(Submission("verify", [request for _, request in sample.values()], batch=True))
    wrong = []
    for (name, (verdict, _)), future in zip(sample.items(), ticket.results, strict=True):
        result = VerifyResult.model_validate_json(future.result(RESULT_TIMEOUT_S))
        if result.verdict is not verdict:
            wrong.append(f"{name}: {corpus._describe_result(result)}")
    assert not wrong, "\n".join(wrong)


def test_a_fork_behaves_like_python3_under_gvisor(engines: list[DockerEngine]) -> None:
    paths = [path for area in differential._group_programs().values() for path in area]

    def find_differences(engine: DockerEngine, share: Iterable[Path]) -> list[str]:
        box = Box(engine.start("python"))
        found = [differential._find_lasting_difference(box, path) for path in share]
        box.close()
        return [difference for difference in found if difference]

    sample = random.Random(len(paths)).sample(paths, SAMPLE_SIZE)
    found = _run_in_parallel(sample, engines, find_differences)
    assert not found, "\n".join(found)


def _extend_time_limits(attack: Attack) -> Any:
    """Extend the time limits of an attack with many system calls, unless running out of time is its purpose."""
    if Status.TIME_LIMIT_EXCEEDED in attack.statuses:
        return attack

    class PatientAttack(Attack):
        def build_run(self) -> Run:
            run = super().build_run()
            limits = run.limits
            return replace(
                run,
                limits=replace(
                    limits,
                    cpu_time_s=limits.cpu_time_s * SLOWDOWN_FACTOR,
                    wall_time_s=limits.wall_time_s * SLOWDOWN_FACTOR,
                ),
            )

    return PatientAttack(attack.path, attack.header)


def _attempt_share(engine: DockerEngine, share: Iterable[Attack]) -> list[str]:
    arena = security.AttackBoxes(engine)
    failures = []
    for attack in share:
        if attack.name in LOSES_THE_BOX:
            attack = Attack(attack.path, attack.header | {"breaks": LOSES_THE_BOX[attack.name]})
        found = security.attempt(arena, _extend_time_limits(attack))
        if attack.name in KNOWN_DIFFERENCES:
            left = [one for one in found if one.startswith(("left behind", "broke", "the box broke"))]
            failures += [f"{attack.name}: {one}" for one in left]
        else:
            failures += [f"{attack.name}: {one}" for one in found]
    arena.close()
    return failures


def test_every_attack_is_contained(engines: list[DockerEngine]) -> None:
    tried = [attack for group in GROUPS for attack in load_attacks(group) if attack.is_meant_for("docker")]
    failures = _run_in_parallel(tried, engines, _attempt_share)
    assert not failures, "\n".join([f"{len(failures)} failures in {len(tried)} attacks", *failures])


def test_the_known_differences_of_gvisor_name_existing_attacks() -> None:
    names = {attack.name for group in GROUPS for attack in load_attacks(group)}
    assert names >= {*KNOWN_DIFFERENCES, *LOSES_THE_BOX}
