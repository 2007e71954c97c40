"""Three hosts, each with its own Docker engine and its own home, build the image of an environment once each.

The engines are processes of one machine in separate network namespaces. They get only the small image of the runner,
under the name of the Python image: its Python runs the programs of this test, which import nothing else.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.api.app import create_app
from sandbox.box.docker.environment_images import REPOSITORY
from sandbox.box.docker.images import compute_image_tag
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.schema import ExecuteResult
from sandbox.schema.environments import EnvironmentRequest
from tests.api.threaded_server import serve_in_thread
from tests.conftest import skip_or_fail
from tests.redis_server import RedisServer
from tests.second_engine import EngineMissing, SecondEngine
from tests.worker_processes import WorkerProcesses

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(180)]

HOSTS = 3
SLOTS = 2  # of each host
FIRST_SLOT = 160
PROGRAMS = 36
TIMEOUT_S = 60.0
PROGRAM = "import answer, time\ntime.sleep(0.05)\nprint(answer.ANSWER)"


@pytest.fixture
def engines(images: dict[str, str]) -> Iterator[list[SecondEngine]]:
    runner, python = compute_image_tag("runner"), images["python"]

    def start(engine: SecondEngine) -> None:
        engine.start()
        engine.load([runner])
        engine.run_docker("tag", runner, python)

    engines = [SecondEngine() for _ in range(HOSTS)]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(start, engines))
        yield engines
    except EngineMissing as error:
        skip_or_fail(str(error))
    finally:
        with ThreadPoolExecutor() as pool:
            list(pool.map(SecondEngine.close, engines))


@pytest.fixture
def client(engines: list[SecondEngine], home: Path, redis_server: RedisServer) -> Iterator[Client]:
    """A client of a service whose workers are on the three hosts."""
    url = redis_server.build_url(7)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        starting = []
        for number, engine in enumerate(engines):
            settings = ApiSettings(home=home / f"host{number}", redis_url=url)
            settings.home.mkdir()
            variables = {"DOCKER_HOST": engine.host, "SANDBOX_ENVIRONMENT_NETWORK": "none"}
            hired = WorkerProcesses(settings, FIRST_SLOT + SLOTS * number, **variables)
            starting.append(pool.submit(stack.enter_context(hired).start, SLOTS))
        for start in starting:
            start.result()
        with serve_in_thread(create_app(ApiSettings(home=home, redis_url=url))) as address, Client(address) as client:
            yield client


def define(answer: int) -> EnvironmentRequest:
    files = {"answer.py": f"ANSWER = {answer}".encode(), "nonce": uuid.uuid4().bytes}
    return EnvironmentRequest(files=files)


def run_everywhere(
    client: Client, environment: str, engines: list[SecondEngine], content_id: str
) -> list[ExecuteResult]:
    """Run programs until all hosts have the image, and return the results."""
    request = {"language": "python", "code": PROGRAM, "environment": environment}
    results: list[ExecuteResult] = []
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        results += client.execute_batch([request] * PROGRAMS)
        if all(count_builds(engine, content_id) for engine in engines):
            return results
    pytest.fail("a host has not built the environment")


def count_builds(engine: SecondEngine, content_id: str) -> int:
    """Return how many builds of an environment the engine has ever committed."""
    events = engine.run_docker(
        *("events", "--since", "0", "--until", f"{time.time():.3f}", "--format", "{{.Action}} {{.Actor.Attributes}}"),
        *("--filter", "type=container", "--filter", "event=commit"),
    )
    return sum(content_id in line for line in events.splitlines())


def test_each_of_three_hosts_builds_an_environment_once(client: Client, engines: list[SecondEngine]) -> None:
    content_id = client.put_environment("mine", define(42)).id
    results = run_everywhere(client, "mine", engines, content_id)
    assert {result.stdout for result in results} == {"42\n"}, results[0]
    assert sum(result.image_time_s > 0.0 for result in results) == HOSTS
    again = client.execute_batch([{"language": "python", "code": PROGRAM, "environment": "mine"}] * PROGRAMS)
    assert {(result.stdout, result.image_time_s) for result in again} == {("42\n", 0.0)}
    for engine in engines:
        assert count_builds(engine, content_id) == 1
        assert len(engine.run_docker("images", "-q", REPOSITORY).split()) == 1
