"""The routes of environments: roles, names, and a service whose workers cannot build images."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from sandbox.api.app import create_app
from sandbox.api.keyring import NewKey, generate_key
from sandbox.cli import app
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.errors import BadRequest, Forbidden, NotFound, UnknownEnvironment
from sandbox.request_context import Role
from sandbox.schema.environments import EnvironmentInfo
from tests.api.threaded_server import serve_in_thread
from tests.queue.submit_and_wait import wait_until
from tests.redis_server import RedisServer
from tests.worker_processes import WorkerProcesses

KEYS: dict[Role, NewKey] = {role: generate_key(role.value, role) for role in Role}
PROGRAM = {"language": "python", "code": "print(1)", "environment": "mine"}


@pytest.fixture
def settings(home: Path, redis_server: RedisServer) -> ApiSettings:
    folder = home / "environment-routes"
    folder.mkdir(exist_ok=True)
    keys = ",".join(key.entry for key in KEYS.values())
    return ApiSettings(home=folder, redis_url=redis_server.build_url(8), api_keys=keys)


def test_only_admins_change_environments_and_workers_without_images_refuse_them(settings: ApiSettings) -> None:
    with (
        serve_in_thread(create_app(settings)) as url,
        Client(url, api_key=KEYS[Role.ADMIN].key) as admin,
        Client(url, api_key=KEYS[Role.SUBMIT].key) as user,
    ):
        with pytest.raises(Forbidden):
            user.put_environment("mine", {"pip": ["a"]})
        info = admin.put_environment("mine", {"pip": ["a"]})
        with pytest.raises(Forbidden):
            user.remove_environment("mine")
        assert user.environment("mine") == info
        assert user.environments() == [info]
        with pytest.raises(BadRequest) as raised:
            admin.put_environment("No Name", {})
        assert raised.value.field == "path.name"
        answer = httpx.put(f"{url}/environments/mine", json={"pip": [1]}, headers=_build_headers(Role.ADMIN))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.pip.0")
        with WorkerProcesses(settings, 150, SANDBOX_ENGINE="local") as workers:
            workers.start()
            wait_until(lambda: _is_refused(user), "the service knows its workers' engine")
        _use_command_line(url)
        admin.remove_environment("mine")
        with pytest.raises(NotFound):
            user.environment("mine")


def _build_headers(role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[role].key}"}


def _is_refused(client: Client) -> bool:
    """Return whether the service refuses an environment. Before it does, the worker says why it cannot run one."""
    try:
        result = client.execute(PROGRAM)
    except UnknownEnvironment as error:
        return error.field == "body.environment" and "environments need the Docker engine" in str(error)
    assert "environments need the Docker engine" in result.message
    return False


def _use_command_line(url: str) -> None:
    def run(*words: str) -> str:
        variables = {"SANDBOX_API_KEY": KEYS[Role.ADMIN].key}
        result = CliRunner().invoke(app, ["environment", *words, "--url", url], env=variables)
        assert result.exit_code == 0, result.output
        return result.stdout

    created = run("put", "other", "--pip", "a==1", "--apt", "b", "--file", str(Path(__file__).parent)).strip()
    shown = EnvironmentInfo.model_validate_json(run("show", "other"))
    assert created == f"other@{shown.id}"
    assert (shown.pip, shown.apt) == (["a==1"], ["b"])
    assert f"environments/{Path(__file__).name}" in shown.files
    assert [line.split("@")[0] for line in run("list").splitlines()] == ["mine", "other"]
    run("remove", "other")
    assert [line.split("@")[0] for line in run("list").splitlines()] == ["mine"]
