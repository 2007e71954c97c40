"""Environments in Redis: names, versions, and what a submission is bound to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from redis import Redis

from sandbox.errors import BadRequest, NotFound, UnknownEnvironment
from sandbox.queue import redis_keys
from sandbox.queue.environments import DAY_S, Environments, build_recipe, read_definition
from sandbox.queue.gpu_environments import bind_gpu_request
from sandbox.queue.submission import Submission
from sandbox.schema import ExecuteRequest, VerifyRequest
from sandbox.schema.environments import MAX_FILE_BYTES, EnvironmentRequest
from sandbox.schema.gpu import EvaluateRequest, GenerateRequest, GpuRequest, GrpoRequest, SftRequest
from sandbox.schema.hack import HackRequest
from sandbox.schema.reward import RewardRequest
from sandbox.schema.sessions import SessionRequest
from sandbox.schema.vote import Candidate, VoteRequest
from tests.redis_server import RedisServer

FIRST = EnvironmentRequest(pip=["a==1"], files={"data/x": b"1"})
SECOND = EnvironmentRequest(pip=["a==2"])
QUEUE_TTL_S = 1_000


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.open_empty_database(11) as redis:
        yield redis


@pytest.fixture
def environments(redis: Redis) -> Environments:
    return Environments(redis, QUEUE_TTL_S)


def _run(name: str = "mine", language: str = "python") -> ExecuteRequest:
    return ExecuteRequest(language=language, code="", environment=name)


def _bind(environments: Environments, *requests: ExecuteRequest | VoteRequest, batch: bool = False) -> list[str]:
    bound = environments.bind(Submission("execute", requests, batch=batch)).requests
    return [request.environment for request in bound if isinstance(request, ExecuteRequest | VoteRequest)]


def _read_ttl(redis: Redis, content_id: str) -> int:
    return int(redis.ttl(redis_keys.environment_versions("mine") + content_id))


def test_equal_content_has_an_equal_id_and_any_difference_another_one() -> None:
    same = EnvironmentRequest(pip=["a==1"], files={"data/x": b"1"})
    changes: list[dict[str, object]] = [
        {"pip": ["a==2"]},
        {"apt": ["a"]},
        {"base": "cpp"},
        {"files": {"data/x": b"2"}},
        {"files": {}},
    ]
    others = [FIRST.model_copy(update=change) for change in changes]
    assert FIRST.compute_id() == same.compute_id()
    assert len({FIRST.compute_id(), *(each.compute_id() for each in others)}) == 6
    recipe = build_recipe(FIRST)
    assert (recipe.image, recipe.pip, recipe.files) == (f"python+{FIRST.compute_id()}", ("a==1",), {"data/x": b"1"})


@pytest.mark.parametrize(
    "fields",
    [
        {"pip": ["--index-url=x"]},
        {"pip": ["a\nb"]},
        {"pip": [""]},
        {"apt": ["-o=Dir::Etc=x"]},
        {"apt": ["A"]},
        {"apt": ["a b"]},
        {"base": "cpp", "pip": ["a"]},
        {"base": "sandbox-python:latest"},
        {"files": {"../x": "MQ=="}},
        {"files": {"a": "MQ==", "a/b": "MQ=="}},
        {"files": {"a": bytes(MAX_FILE_BYTES + 1)}},
        {"run": "make"},
    ],
)
def test_a_definition_that_could_mean_something_else_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EnvironmentRequest.model_validate(fields)


def test_an_environment_is_stored_listed_and_removed(environments: Environments) -> None:
    info = environments.put("mine", FIRST)
    environments.put("b", SECOND)
    assert environments.get("mine") == info
    assert (info.id, info.files, info.pip) == (FIRST.compute_id(), {"data/x": 1}, ["a==1"])
    assert [each.name for each in environments.list_all()] == ["b", "mine"]
    environments.remove("mine")
    assert [each.name for each in environments.list_all()] == ["b"]
    for call in (environments.get, environments.remove):
        with pytest.raises(NotFound) as raised:
            call("mine")
        assert raised.value.field == "path.name"


def test_a_replaced_version_stays_readable_for_a_while_and_the_current_one_forever(
    environments: Environments, redis: Redis
) -> None:
    first = environments.put("mine", FIRST).id
    assert _read_ttl(redis, first) == -1
    second = environments.put("mine", SECOND).id
    assert (_read_ttl(redis, first), _read_ttl(redis, second)) == (QUEUE_TTL_S + DAY_S, -1)
    assert read_definition(redis, f"mine@{first}") == FIRST
    environments.put("mine", FIRST)
    assert (_read_ttl(redis, first), _read_ttl(redis, second)) == (-1, QUEUE_TTL_S + DAY_S)
    environments.remove("mine")
    assert _read_ttl(redis, first) == QUEUE_TTL_S + DAY_S
    assert environments.resolve(f"mine@{first}", "environment").base == "python"


def test_a_replaced_version_is_kept_for_the_latest_work_that_names_it(environments: Environments, redis: Redis) -> None:
    first, second = (environments.put("mine", each).id for each in (FIRST, SECOND))
    key = redis_keys.environment_versions("mine") + first
    redis.expire(key, 1)
    assert _bind(environments, _run(f"mine@{first}")) == [f"mine@{first}"]
    assert _read_ttl(redis, first) == QUEUE_TTL_S + DAY_S
    redis.expire(key, 2 * (QUEUE_TTL_S + DAY_S))
    environments.resolve(f"mine@{first}", "environment")
    environments.resolve(f"mine@{second}", "environment")
    assert (_read_ttl(redis, first), _read_ttl(redis, second)) == (2 * (QUEUE_TTL_S + DAY_S), -1)


def test_a_submission_is_bound_to_the_versions_of_its_acceptance(environments: Environments) -> None:
    first = environments.put("mine", FIRST).id
    assert _bind(environments, _run(), _run(""), batch=True) == [f"mine@{first}", ""]
    second = environments.put("mine", SECOND).id
    assert _bind(environments, _run(), _run(f"mine@{first}"), batch=True) == [f"mine@{second}", f"mine@{first}"]
    vote = VoteRequest(
        candidates=[Candidate(language=each, code="") for each in ("cpp", "python")], inputs=[""], environment="mine"
    )
    assert _bind(environments, vote) == [f"mine@{second}"]
    plain = Submission("execute", [_run("")])
    assert environments.bind(plain) is plain


def test_an_unknown_environment_and_one_of_another_image_name_the_field(environments: Environments) -> None:
    environments.put("mine", FIRST)
    for name in ("other", f"other@{FIRST.compute_id()}", f"mine@{SECOND.compute_id()}"):
        with pytest.raises(UnknownEnvironment) as unknown:
            _bind(environments, _run(name))
        assert unknown.value.field == "environment"
    with pytest.raises(BadRequest, match="mine extends the image python, but cpp runs in the image cpp") as wrong:
        _bind(environments, _run(""), _run(language="cpp"), batch=True)
    assert wrong.value.field == "items.1.environment"


def test_any_program_of_a_request_may_be_the_one_that_runs_in_it(environments: Environments) -> None:
    content_id = environments.put("mine", FIRST).id
    cpp = {"language": "cpp", "code": ""}
    checker = {"type": "program", "language": "python", "code": ""}
    verify = {**cpp, "tests": [{}], "environment": "mine"}
    hack = {"target": cpp, "references": [cpp], "input": "", "environment": "mine"}
    accepted: list[VerifyRequest | HackRequest] = [
        VerifyRequest.model_validate({**verify, "checker": checker}),
        HackRequest.model_validate({**hack, "validators": [{"language": "python", "code": ""}]}),
    ]
    bound = environments.bind(Submission("verify", accepted, batch=True)).requests
    assert [request.environment for request in bound] == [f"mine@{content_id}"] * 2
    refused: VerifyRequest | HackRequest
    for refused in (VerifyRequest.model_validate(verify), HackRequest.model_validate(hack)):
        with pytest.raises(BadRequest, match="extends the image python, but cpp runs in the image cpp"):
            environments.bind(Submission("verify", [refused]))


GPU_REQUESTS: list[tuple[type[GpuRequest], dict[str, Any], str]] = [
    (GenerateRequest, {"prompts": ["p"], "verify": {"vote": [[""]], "environment": "mine"}}, "verify.environment"),
    (GrpoRequest, {"tasks": [{"prompt": "p", "tests": [{}]}], "environment": "mine"}, "environment"),
    (EvaluateRequest, {"rows": [{}], "shape": "mbpp", "environment": "mine"}, "environment"),
    (
        SftRequest,
        {
            "rows": [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}],
            "probe": {"tasks": [{"prompt": "p", "tests": [{}]}], "environment": "mine"},
        },
        "probe.environment",
    ),
]


@pytest.mark.parametrize(("model", "fields", "field"), GPU_REQUESTS)
def test_a_gpu_job_is_bound_to_the_version_of_its_acceptance(
    environments: Environments, model: type[GpuRequest], fields: dict[str, Any], field: str
) -> None:
    request = model.model_validate({"model": "m", **fields})
    with pytest.raises(UnknownEnvironment) as unknown:
        bind_gpu_request(environments, request)
    with pytest.raises(UnknownEnvironment, match="need the Docker engine"):
        bind_gpu_request(environments, request, can_build=False)
    assert unknown.value.field == field
    content_id = environments.put("mine", FIRST).id
    stored = bind_gpu_request(environments, request).model_dump_json(exclude_unset=True)
    assert stored == request.model_dump_json(exclude_unset=True).replace('"mine"', f'"mine@{content_id}"')
    environments.put("mine", EnvironmentRequest(base="cpp"))
    with pytest.raises(BadRequest, match="mine extends the image cpp, but python runs in the image python") as wrong:
        bind_gpu_request(environments, request)
    assert wrong.value.field == field


def test_a_gpu_job_without_an_environment_stays_as_it_is(environments: Environments) -> None:
    for model, fields, _ in GPU_REQUESTS:
        plain = {name: value for name, value in fields.items() if name not in ("environment", "verify", "probe")}
        request = model.model_validate({"model": "m", **plain})
        assert bind_gpu_request(environments, request) is request


def test_completions_in_other_languages_do_not_spoil_a_batch_of_rewards(environments: Environments) -> None:
    content_id = environments.put("mine", FIRST).id
    reward = RewardRequest(completions=["", ""], tests=[[]], environment="mine")
    programs = [
        VerifyRequest.model_validate({"language": each, "code": "", "tests": [{}], "environment": "mine"})
        for each in ("python", "cpp")
    ]
    bound = environments.bind(Submission("verify", programs, batch=True, reward=reward))
    assert [request.environment for request in bound.requests if isinstance(request, VerifyRequest)] == [
        f"mine@{content_id}"
    ] * 2
    programs[1] = programs[1].model_copy(update={"environment": "other"})
    with pytest.raises(UnknownEnvironment) as raised:
        environments.bind(Submission("verify", programs, batch=True, reward=reward))
    assert raised.value.field == "environment"


def test_a_session_takes_only_environments_of_its_image(environments: Environments) -> None:
    content_id = environments.put("mine", FIRST).id
    environments.put("native", EnvironmentRequest(base="cpp"))
    assert environments.bind_session(SessionRequest(environment="mine")).environment == f"mine@{content_id}"
    assert environments.bind_session(SessionRequest()).environment == ""
    with pytest.raises(BadRequest, match="base python"):
        environments.bind_session(SessionRequest(environment="native"))
