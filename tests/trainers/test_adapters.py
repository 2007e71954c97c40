"""Every trainer's adapter, called the way the trainer calls it."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pkgutil import iter_modules
from typing import Any

import pytest

from sandbox import trainers
from sandbox.errors import BadRequest, InfrastructureError
from sandbox.rewards.scoring import score_results
from sandbox.runner.contract import Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane
from sandbox.trainers.areal_reward import areal_reward, functioncall_answer, functioncall_request
from sandbox.trainers.open_r1_reward import SandboxProvider, open_r1_reward
from sandbox.trainers.openrlhf_reward import openrlhf_answer, openrlhf_request, openrlhf_reward
from sandbox.trainers.reward_metrics import METRICS
from sandbox.trainers.skyrl_environment import SandboxEnvironment
from sandbox.trainers.slime_reward import slime_answer, slime_request, slime_reward
from sandbox.trainers.trl_reward import trl_async_reward, trl_reward
from sandbox.trainers.verifiers_rubric import verifiers_reward, verifiers_rollout_reward
from sandbox.trainers.verl_reward import compute_score, compute_score_batch
from tests.trainers.fake_clients import (
    TESTS,
    FakeAsyncClient,
    FakeClient,
    build_result,
    compute_echo_rewards,
    fail_every_test,
    fence_code,
    judge_by_echo,
    plan_without_tasks,
)

GROUND_TRUTH = json.dumps({"inputs": ["", ""], "outputs": ["42", "43"]})
GOOD = fence_code("# 42")


# TRL: keyword arguments only, columns repeated for every completion, None for a sample to drop.


def build_trl_call(completions: Sequence[Any], **columns: Any) -> dict[str, Any]:
    return {
        "prompts": ["p"] * len(completions),
        "completions": completions,
        "completion_ids": [[1, 2, 3]] * len(completions),
        "trainer_state": object(),
        **columns,
    }


def test_trl_gets_a_list_with_none_for_what_to_drop() -> None:
    client = FakeClient(lambda request: fail_every_test(request) if "lost" in request.code else judge_by_echo(request))
    reward = trl_reward(client=client, policy="fraction")
    completions = [GOOD, "no code", fence_code("# lost")]
    assert reward(**build_trl_call(completions, tests=[TESTS] * 3)) == [0.5, 0.0, None]
    assert (reward.__name__, inspect.iscoroutinefunction(reward)) == ("sandbox_reward", False)


def test_trl_gets_metrics_for_its_log() -> None:
    client = FakeClient(lambda request: fail_every_test(request) if "lost" in request.code else judge_by_echo(request))
    reward = trl_reward(client=client, policy="fraction", name="tests")
    metrics: dict[str, float] = {}
    columns: dict[str, list[str]] = {}
    logs = {"log_metric": metrics.__setitem__, "log_extra": columns.__setitem__}
    completions = [GOOD, "no code", fence_code("# lost"), GOOD]
    reward(**build_trl_call(completions, tests=[TESTS] * 4, **logs))
    assert {name: value for name, value in metrics.items() if value} == {
        "tests/wrong_answer_rate": 0.5,
        "tests/no_code_rate": 0.25,
        "tests/infra_failed_rate": 0.25,
    }
    assert columns == {
        "tests/outcome": ["wrong_answer", "no_code", "infra_failed", "wrong_answer"],
        "tests/passed": ["1 of 2", "0 of 2", "0 of 2", "1 of 2"],
    }


async def test_trl_may_await_it() -> None:
    reward = trl_async_reward(client=FakeAsyncClient(), policy="fraction", name="tests_passed")
    messages = [{"role": "assistant", "content": GOOD}]
    assert await reward(**build_trl_call([messages], tests=[TESTS])) == [0.5]
    assert (reward.__name__, inspect.iscoroutinefunction(reward)) == ("tests_passed", True)


def test_trl_columns_name_tests_languages_and_lengths() -> None:
    client = FakeClient()
    reward = trl_reward(client=client, column="cases", policy={"name": "fraction", "max_length": 2})
    assert reward(**build_trl_call([fence_code("// # 42", "cpp")], cases=[TESTS], language=["cpp"])) == [-0.5]
    assert client.batches[0][0].language == "cpp"
    with pytest.raises(BadRequest, match="column 'cases'"):
        reward(**build_trl_call([GOOD], tests=[TESTS]))


# verl: one awaited solution, or a batch.


async def test_verl_scores_one_solution() -> None:
    score = await compute_score(
        data_source="code",
        solution_str=GOOD,
        ground_truth=GROUND_TRUTH,
        extra_info={},
        client=FakeAsyncClient(),
        policy="x-coder",
    )
    plain = {name: score.pop(name) for name in ("score", "acc", "passed", "total", "answered")}
    assert plain == {"score": 2.5, "acc": 0.0, "passed": 1.0, "total": 2.0, "answered": 1.0}
    assert set(score) == set(METRICS)
    assert {name for name, value in score.items() if value} == {"wrong_answer"}
    assert inspect.iscoroutinefunction(compute_score)


def test_verl_scores_a_batch_in_its_order() -> None:
    scores = compute_score_batch(
        data_sources=["code"] * 3,
        solution_strs=["no code", GOOD, fence_code("# 1")],
        ground_truths=[GROUND_TRUTH] * 3,
        extra_infos=[{}] * 3,
        client=FakeClient(),
        policy="x-coder",
    )
    assert [score["score"] for score in scores] == [-2.0, 2.5, 0.0]


def test_verl_is_never_told_a_number_that_nobody_chose() -> None:
    batch = partial(compute_score_batch, ["code"], [GOOD], [GROUND_TRUTH], [{}], client=FakeClient(fail_every_test))
    with pytest.raises(InfrastructureError, match="missing="):
        batch()
    assert batch(missing=0.25)[0]["score"] == 0.25


# OpenRLHF: a Python function, and an HTTP body.


def test_openrlhf_gets_rewards_scores_and_logs() -> None:
    prompt = fence_code("# 7")  # a prompt with an example, which is not an answer
    reward_func = openrlhf_reward(client=FakeClient(), policy="x-coder")
    answer = reward_func([prompt + GOOD, prompt + "no code"], [prompt, prompt], [GROUND_TRUTH, GROUND_TRUTH], extra=1)
    assert [float(value) for value in answer["rewards"]] == [2.5, -2.0]
    assert [float(value) for value in answer["scores"]] == [0.5, 0.0]
    assert set(answer["extra_logs"]) == {"answered", "all_passed"}


def test_openrlhfs_body_is_a_reward_request_and_back() -> None:
    body = {"query": ["Q" + GOOD], "prompts": ["Q"], "labels": [GROUND_TRUTH]}
    answer = openrlhf_answer(compute_echo_rewards(openrlhf_request(body, {"policy": "fraction"})))
    assert json.loads(json.dumps(answer))["rewards"] == [0.5]


@pytest.mark.parametrize("body", [{"query": [], "prompts": [], "labels": []}, {"query": []}, {}])
def test_openrlhfs_empty_lists_are_answered_with_empty_lists(body: Mapping[str, Any]) -> None:
    answer = openrlhf_answer(compute_echo_rewards(openrlhf_request(body)))
    assert answer == {"rewards": [], "scores": [], "extra_logs": {"answered": [], "all_passed": []}}


def test_openrlhf_tries_again_where_a_reward_is_missing() -> None:
    with pytest.raises(InfrastructureError):
        openrlhf_answer(
            score_results(
                plan_without_tasks(openrlhf_request({"query": [GOOD], "prompts": [""], "labels": [GROUND_TRUTH]})),
                [None],
            )
        )
    with pytest.raises(BadRequest, match="label_key"):
        openrlhf_request({"query": [GOOD], "labels": []})


def test_openrlhf_is_told_which_rows_could_not_be_judged() -> None:
    prompt = fence_code("# 42")
    labels = [GROUND_TRUTH, GROUND_TRUTH, None, GROUND_TRUTH]
    body = {"query": [prompt, GOOD, GOOD, None], "prompts": [prompt, "Other:" + prompt, "", ""], "labels": labels}
    answer = openrlhf_answer(compute_echo_rewards(openrlhf_request(body, {"policy": "fraction"})))
    assert answer["rewards"] == [0.0, 0.0, 0.0, 0.0]
    assert [bool(problem) for problem in answer["problems"]] == [False, True, True, False]


def test_adapters_hand_over_the_prompts_that_they_get() -> None:
    trl = trl_reward(client=FakeClient(), policy="fraction")
    assert trl(**{**build_trl_call([GOOD], tests=[TESTS]), "prompts": [[{"role": "user", "content": GOOD}]]}) == [0.0]
    for info, score in (({"prompt": GOOD}, 0.0), ({"question": GOOD}, 0.0), ({"prompt": "Q"}, 0.5), (None, 0.5)):
        scores = compute_score_batch(["code"], [GOOD], [GROUND_TRUTH], [info], client=FakeClient(), policy="fraction")
        assert scores[0]["score"] == score
    assert (
        areal_reward(GOOD, GOOD, [1], [2], client=FakeClient(), options={"policy": "fraction"}, tests=GROUND_TRUTH)
        == 0.0
    )
    slime = {"prompt": [{"role": "user", "content": GOOD}], "response": GOOD, "label": GROUND_TRUTH}
    assert slime_answer(compute_echo_rewards(slime_request(slime, {"policy": "fraction"}))) == 0.0
    rubric = verifiers_reward(client=FakeAsyncClient(), policy="fraction")
    row = {"completions": [GOOD], "answers": [GROUND_TRUTH], "infos": [{}]}
    assert call_by_name(rubric, **row, prompts=[GOOD]) == [0.0]
    assert call_by_name(rubric, **row) == [0.5]
    rollout = verifiers_rollout_reward(missing=-1.0, client=FakeAsyncClient(), policy="fraction")
    assert call_by_name(rollout, completion=GOOD, prompt=GOOD, answer=GROUND_TRUTH, info={}) == 0.0


async def test_slimes_sample_has_its_prompt() -> None:
    sample = Sample(GOOD, GROUND_TRUTH)
    sample.prompt = GOOD  # type: ignore[attr-defined]
    assert await slime_reward(client=FakeAsyncClient(), policy="fraction")(object(), [sample]) == [0.0]


# slime: samples, alone and in groups.


@dataclass
class Sample:
    response: str
    label: Any
    remove_sample: bool = False


async def test_slime_gets_a_float_for_a_sample_and_a_list_for_a_group() -> None:
    custom_rm = slime_reward(client=FakeAsyncClient(), policy="fraction")
    assert await custom_rm(object(), Sample(GOOD, GROUND_TRUTH), evaluation=False) == 0.5
    assert await custom_rm(object(), [Sample("no code", GROUND_TRUTH), Sample(GOOD, GROUND_TRUTH)]) == [0.0, 0.5]


async def test_slime_removes_a_sample_without_a_reward_and_keeps_its_groups_baseline() -> None:
    client = FakeAsyncClient(
        lambda request: fail_every_test(request) if "lost" in request.code else judge_by_echo(request)
    )
    group = [Sample(GOOD, GROUND_TRUTH), Sample(fence_code("# lost"), GROUND_TRUTH), Sample("no code", GROUND_TRUTH)]
    assert await slime_reward(client=client, policy="fraction")(object(), group) == [0.5, 0.25, 0.0]
    assert [sample.remove_sample for sample in group] == [False, True, False]
    with pytest.raises(InfrastructureError):
        await slime_reward(client=client)(object(), group[1])


def test_slimes_remote_answer_is_the_reward_itself() -> None:
    body = {"prompt": "Q", "response": GOOD, "label": GROUND_TRUTH}
    assert slime_answer(compute_echo_rewards(slime_request(body, {"policy": "fraction"}))) == 0.5


# verifiers and prime-rl: called by parameter names.


def call_by_name(function: Any, **available: Any) -> Any:
    """Call a function like a Rubric does: with those available arguments that it has parameters for."""
    return asyncio.run(
        function(**{name: available[name] for name in inspect.signature(function).parameters if name in available})
    )


def test_a_rubric_calls_the_group_function_with_plurals() -> None:
    client = FakeAsyncClient(
        lambda request: fail_every_test(request) if "lost" in request.code else judge_by_echo(request)
    )
    function = verifiers_reward(client=client, policy="fraction")
    message = type("Message", (), {"model_dump": lambda self: {"role": "assistant", "content": GOOD}})()
    rewards = call_by_name(
        function,
        prompts=["p"] * 3,
        completions=[[message], fence_code("# lost"), "no code"],
        answers=["", "", GROUND_TRUTH],
        infos=[{"tests": TESTS}, {"tests": GROUND_TRUTH}, {}],
        states=[{}] * 3,
    )
    assert rewards == [0.5, 0.25, 0.0]
    assert function.__name__ == "sandbox_reward"


def test_a_rubric_calls_the_rollout_function_with_singulars() -> None:
    call = {"prompt": "p", "answer": GROUND_TRUTH, "info": {}, "state": {}, "task": "code"}
    function = verifiers_rollout_reward(missing=-1.0, client=FakeAsyncClient(), policy="fraction")
    assert call_by_name(function, completion=GOOD, **call) == 0.5
    lost = verifiers_rollout_reward(missing=-1.0, client=FakeAsyncClient(fail_every_test))
    assert call_by_name(lost, completion=GOOD, **call) == -1.0


# open-r1: a reward function, and an execution provider.


def test_open_r1s_verification_info_is_read_with_its_languages() -> None:
    client = FakeClient()
    info = {"language": "cpp", "test_cases": [{"input": "", "output": "42", "type": "stdin_stdout"}]}
    reward = open_r1_reward(client=client)
    assert reward(
        **build_trl_call([[{"role": "assistant", "content": fence_code("// # 42", "cpp")}]], verification_info=[info])
    ) == [1.0]
    assert client.batches[0][0].language == "cpp"
    assert reward.__name__ == "code_reward"


class FakeExecutor:
    """Runs Python scripts with exec, which is safe for the scripts of this test."""

    def __init__(self) -> None:
        self.received: list[ExecuteRequest] = []

    def execute_batch(self, programs: Sequence[ExecuteRequest]) -> list[ExecuteResult]:
        self.received = list(programs)
        return [self._run(program) for program in programs]

    def _run(self, program: ExecuteRequest) -> ExecuteResult:
        if "lost" in program.code:
            return ExecuteResult(id="1", status=Status.INTERNAL_ERROR)
        lines: list[str] = []
        try:
            exec(program.code, {"print": lambda value: lines.append(str(value))})
        except Exception as error:  # noqa: BLE001 -- whatever the script raises
            return ExecuteResult(id="1", status=Status.RUNTIME_ERROR, stdout="\n".join(lines), stderr=str(error))
        return ExecuteResult(id="1", status=Status.OK, stdout="\n".join(lines))


@pytest.mark.parametrize(
    ("script", "reward"),
    [
        ("def evaluate():\n    return 0.75\nevaluate()", 0.75),
        ("print(0.5)", 0.5),
        ("print('noise')\nx = 1.0\nprint(x)", 1.0),
        ("'no number'", 0.0),
        ("raise ValueError", 0.0),
        ("float('nan')", 0.0),
        ("", 0.0),
        ("def (", 0.0),
        ("lost", None),
    ],
)
def test_open_r1s_scripts_say_their_reward_last(script: str, reward: float | None) -> None:
    client = FakeExecutor()
    assert SandboxProvider(client=client).execute_scripts([script], ["python"]) == [reward]
    assert client.received[0].priority is Lane.RL


def test_open_r1s_provider_drops_what_the_service_does_not_answer() -> None:
    class Gone:
        def execute_batch(self, programs: Sequence[ExecuteRequest]) -> list[ExecuteResult]:
            raise InfrastructureError("gone")

    assert SandboxProvider(client=Gone()).execute_scripts(["1.0", "2.0"], ["python"] * 2) == [None, None]
    assert SandboxProvider(client=Gone()).execute_scripts([], []) == []


# AReaL: a picklable function, and an HTTP body.


def test_areals_function_takes_a_row_of_the_data_set_and_pickles() -> None:
    reward_fn = partial(areal_reward, url="http://127.0.0.1:1", options={"policy": "fraction"})
    assert pickle.loads(pickle.dumps(reward_fn)).keywords == reward_fn.keywords
    row: dict[str, Any] = {"query_id": "7", "input_output": GROUND_TRUTH}
    assert reward_fn("p", GOOD, [1], [2, 3], client=FakeClient(), **row) == 0.5
    with pytest.raises(BadRequest, match="column="):
        reward_fn("p", GOOD, [1], [2, 3], client=FakeClient())


def test_areals_function_call_is_a_verification_and_back() -> None:
    body = {
        "uid": "u7",
        "language": "PYTHON",
        "runtime": "python3-default",
        "code": "# 42",
        "entryFunction": "",
        "isFastFail": True,
        "testcases": [{"input": "", "expectedOutput": "42"}, {"input": "", "expectedOutput": "43"}],
        "timeout": 6,
        "memory": 0,
    }
    request = functioncall_request(body)
    assert (request.language, request.limits.cpu_time_s, request.limits.memory_mb) == ("python", 6.0, None)
    assert request.stop_on_failure
    assert functioncall_answer(body, build_result(judge_by_echo(request))) == {
        "uid": "u7",
        "success": False,
        "results": [
            {"success": True, "reason": "", "errorType": ""},
            {"success": False, "reason": "wrong_answer", "errorType": "UnknownError"},
        ],
    }


def test_areal_tries_our_failures_again_and_hears_of_what_cannot_be() -> None:
    answer = functioncall_answer({}, build_result([Verdict.INTERNAL_ERROR]))
    assert answer["results"][0]["errorType"] == "SystemError"
    for body in ({"entryFunction": "solve"}, {"code": "1", "testcases": []}, {"testcases": TESTS, "timeout": -1}):
        with pytest.raises(BadRequest):
            functioncall_request(body)


def test_no_adapter_needs_its_framework() -> None:
    import sys

    assert not {"trl", "verl", "openrlhf", "slime", "verifiers", "torch", "open_r1", "areal"} & set(sys.modules)


def test_every_adapter_obeys_sandbox_url() -> None:
    """Without a URL, each leaves the choice to its client, which reads SANDBOX_URL (tests/client/test_calling.py)."""
    found: list[tuple[str, Any]] = []
    for module in (
        importlib.import_module(f"sandbox.trainers.{each.name}") for each in iter_modules(trainers.__path__)
    ):
        for name, each in vars(module).items():
            if inspect.isfunction(each) and each.__module__ == module.__name__ and not name.startswith("_"):
                parameters = inspect.signature(each).parameters
                if "url" in parameters and name != "probe_service":
                    found.append((name, parameters["url"].default))
    names = {"areal_reward", "ms_swift_reward", "open_r1_reward", "openrlhf_reward", "rllm_reward", "slime_reward"}
    assert names | {"trl_reward", "trl_environment", "verifiers_reward", "compute_score"} <= {name for name, _ in found}
    assert {default for _, default in found} == {None}
    assert inspect.signature(SandboxProvider).parameters["url"].default is SandboxEnvironment.url is None
