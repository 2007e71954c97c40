"""Rewards of batches: order, retries and failures, and the request that a route answers."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.errors import BadRequest, InfrastructureError, NotFound, QueueFull, UnknownLanguage
from sandbox.rewards.plan import build_plan
from sandbox.rewards.policy import Policy
from sandbox.rewards.preamble import insert_preamble
from sandbox.rewards.scoring import score_results
from sandbox.runner.contract import Verdict
from sandbox.schema import MAX_CODE_CHARS, Lane, VerifyRequest
from sandbox.schema.reward import RewardRequest, RewardResult, Task
from sandbox.trainers import reward_request
from sandbox.trainers.function import (
    AsyncRewardFunction,
    RewardFunction,
    RewardOptions,
    require_result_rewards,
    require_rewards,
)
from sandbox.trainers.group import fill_with_mean
from sandbox.trainers.lazy_clients import LazyAsyncClient, LazyClient
from tests.trainers.fake_clients import (
    TESTS,
    FakeAsyncClient,
    FakeClient,
    build_result,
    fail_every_test,
    fence_code,
    judge_by_echo,
    plan_without_tasks,
    score_by_echo,
)


def test_a_batch_is_one_request_in_the_rl_lane() -> None:
    client = FakeClient()
    rewards = RewardFunction(client, {"policy": "fraction"})([fence_code("# 42"), fence_code("# 1")], [TESTS, TESTS])
    assert rewards == [0.5, 0.0]
    (batch,) = client.batches
    assert [request.priority for request in batch] == [Lane.RL, Lane.RL]


def test_rewards_stay_aligned_when_a_group_mixes_no_code_syntax_errors_and_runnable_programs() -> None:
    # Cases that the reward manager released with X-Coder gets wrong.
    completions = [
        "no code at all",
        fence_code("# 42"),
        fence_code("def (: # broken"),
        "<think> still",
        fence_code("# 43"),
        fence_code("raise SystemExit(1) # broken"),
        fence_code("# 7"),
        "",
    ]
    rewards = RewardFunction(FakeClient(), {"policy": "x-coder"})(completions, [TESTS] * len(completions))
    assert rewards == [-2.0, 2.5, -2.0, -2.0, 2.5, 0.0, 0.0, -2.0]


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["none", "42", "43", "broken", "lost"]), max_size=40))
def test_every_mix_of_completions_is_rewarded_in_its_order(kinds: list[str]) -> None:
    def judge(request: VerifyRequest) -> list[Verdict]:
        return fail_every_test(request) if "lost" in request.code else judge_by_echo(request)

    completions = ["nothing" if kind == "none" else fence_code(f"# {kind}") for kind in kinds]
    rewards = RewardFunction(FakeClient(judge), {"policy": "fraction"})(completions, [TESTS] * len(kinds))
    worth = {"none": 0.0, "42": 0.5, "43": 0.5, "broken": 0.0, "lost": None}
    assert rewards == [worth[kind] for kind in kinds]


async def test_the_async_function_gives_the_same() -> None:
    reward = AsyncRewardFunction(FakeAsyncClient(), {"policy": "fraction"})
    assert await reward(["none", fence_code("# 42")], [TESTS, TESTS]) == [0.0, 0.5]


def test_the_same_program_on_the_same_tests_is_judged_once_and_rewarded_wherever_it_stands() -> None:
    client = FakeClient()
    one, other = [{"input": "", "output": "1"}], [{"input": "", "output": "2"}]
    completions = [
        fence_code("# 1"),
        "No idea.",
        fence_code("# 1"),
        "So: " + fence_code("# 1"),
        fence_code("# 2"),
        fence_code("# 1"),
    ]
    rewards = RewardFunction(client)(completions, [one, one, [*one], other, other, one])
    assert rewards == [1.0, 0.0, 1.0, 0.0, 1.0, 1.0]
    assert [program.code for program in client.batches[0]] == ["# 1", "# 1", "# 2"]
    RewardFunction(client)([fence_code("# 1", "")] * 2, [one, one], language=["python", "lua"])
    assert [program.language for program in client.batches[1]] == ["python", "lua"]


def test_an_infrastructure_failure_that_stays_is_none() -> None:
    client = FakeClient(fail_every_test)
    result = RewardFunction(client).judge([fence_code("# 42"), "none"], [TESTS, TESTS])
    assert result.rewards == [None, 0.0]
    assert result.details[0].verdict is Verdict.INTERNAL_ERROR
    assert len(client.batches) == 3


def test_an_infrastructure_failure_that_passes_is_forgotten() -> None:
    fails = iter([True, False])

    def judge(request: VerifyRequest) -> list[Verdict]:
        return fail_every_test(request) if "# 42" in request.code and next(fails) else judge_by_echo(request)

    client = FakeClient(judge)
    rewards = RewardFunction(client, {"policy": "fraction"})([fence_code("# 1"), fence_code("# 42")], [TESTS, TESTS])
    assert rewards == [0.0, 0.5]
    assert [len(batch) for batch in client.batches] == [2, 1]


@pytest.mark.parametrize("error", [QueueFull("full"), InfrastructureError("gone")])
def test_a_service_that_does_not_answer_is_none_and_not_a_wrong_answer(error: Exception) -> None:
    class Gone(FakeClient):
        def reward(self, request: RewardRequest) -> RewardResult:
            raise error

    assert RewardFunction(Gone(), {"policy": "x-coder", "on_outage": "none"})(
        [fence_code("# 42"), "none"], [TESTS, TESTS]
    ) == [None, None]


async def test_a_service_that_does_not_answer_is_none_for_the_async_function_too() -> None:
    class Gone(FakeAsyncClient):
        async def reward(self, request: RewardRequest) -> RewardResult:
            raise InfrastructureError("gone")

    assert await AsyncRewardFunction(Gone(), {"on_outage": "none"})([fence_code("# 42")], [TESTS]) == [None]


def test_no_completions_are_no_request() -> None:
    client = FakeClient()
    assert RewardFunction(client)([], []) == []
    assert client.reward_requests == []


def test_completions_without_code_run_no_program() -> None:
    client = FakeClient()
    assert RewardFunction(client)(["none"], [TESTS]) == [0.0]
    assert client.batches == []


@pytest.mark.parametrize("code", ["x" * (MAX_CODE_CHARS + 1), "s = '\ud800'"], ids=["long", "surrogate"])
def test_code_that_cannot_be_sent_does_not_spoil_its_batch(code: str) -> None:
    assert RewardFunction(FakeClient(), {"policy": "fraction"})(
        [fence_code(code), fence_code("# 42")], [TESTS] * 2
    ) == [0, 0.5]


def test_what_the_caller_gets_wrong_raises() -> None:
    reward = RewardFunction(FakeClient())
    with pytest.raises(BadRequest, match="1 of 2"):
        reward(["a", "b"], [TESTS])
    with pytest.raises(BadRequest, match="policy"):
        RewardFunction(FakeClient(), {"policy": "brilliant"})(["a"], [TESTS])
    with pytest.raises(UnknownLanguage):
        RewardFunction(FakeClient(), {"language": "cobol"})(["a"], [TESTS])


def test_options_reach_the_programs() -> None:
    client = FakeClient()
    options: RewardOptions = {
        "policy": {"name": "first-k", "k": 1},
        "language": "cpp",
        "checker": {"type": "lines"},
        "limits": {"cpu_time_s": 1.5},
        "extract": {"which": "first"},
    }
    RewardFunction(client, options)([fence_code("// # 42", "c++") + fence_code("second", "cpp")], [TESTS])
    ((request,),) = client.batches
    assert (request.language, request.code, len(request.tests)) == ("cpp", "// # 42", 1)
    assert (request.checker.type, request.limits.cpu_time_s) == ("lines", 1.5)
    assert not request.stop_on_failure


def test_a_binary_reward_stops_at_the_first_failure_and_travels_whole() -> None:
    client = FakeClient()
    RewardFunction(client)([fence_code("# 42")], [TESTS])
    ((request,),) = client.batches
    sent = json.loads(request.model_dump_json(exclude_unset=True))
    assert sent["stop_on_failure"] is True
    assert VerifyRequest.model_validate(sent) == request


def test_completions_of_one_prompt_share_their_list_of_tests() -> None:
    client = FakeClient()
    one, other = json.dumps(TESTS[:1]), json.dumps(TESTS[1:])
    completions = [fence_code("# 42"), fence_code("# 43")] * 2
    assert RewardFunction(client)(completions, [one, one, other, other]) == [1.0, 0.0, 0.0, 1.0]
    assert RewardFunction(client)(completions, [one] * 4) == [1.0, 0.0, 1.0, 0.0]
    grouped, single = client.reward_requests
    assert (len(grouped.tests or ()), grouped.tests_index) == (2, [0, 0, 1, 1])
    assert (len(single.tests or ()), single.tests_index) == (1, None)


def test_weights_of_each_completion_keep_a_list_of_tests_for_each() -> None:
    client = FakeClient()
    reward = RewardFunction(client, {"policy": "weighted"})
    assert reward([fence_code("# 42")] * 2, [TESTS] * 2, weights=[[1, 3], [3, 1]]) == [0.25, 0.75]
    assert client.reward_requests[0].tests_index is None


def test_unusable_rows_are_not_requested_again_and_shared_tests_stay_with_the_rest() -> None:
    failures = iter([True])

    def judge(request: VerifyRequest) -> list[Verdict]:
        return fail_every_test(request) if "# 43" in request.code and next(failures, False) else judge_by_echo(request)

    client = FakeClient(judge)
    first, second = json.dumps(TESTS[:1]), json.dumps(TESTS[1:])
    completions = [fence_code("# 42"), fence_code("# 43"), fence_code("# 43")]
    assert RewardFunction(client)(completions, [first, second, "no tests"]) == [1.0, 1.0, None]
    assert [len(request.completions) for request in client.reward_requests] == [3, 1]
    assert client.reward_requests[1].problems == [""]

    failures = iter([True])
    assert RewardFunction(client)([*completions[:2]] * 2, [first, second] * 2) == [1.0, 1.0, 1.0, 1.0]
    assert client.reward_requests[-1].tests_index == [1, 1]


def test_tests_run_in_the_programs_process_if_the_options_say_so() -> None:
    client = FakeClient(fail_every_test)
    RewardFunction(client, {"isolation": "shared"})([fence_code("# 42")], [["assert f()"]])
    RewardFunction(client)([fence_code("# 42")], [["assert f()"]])
    assert [batch[0].isolation for batch in client.batches] == ["shared"] * 3 + ["separate"] * 3
    assert json.loads(client.batches[0][0].model_dump_json(exclude_unset=True))["isolation"] == "shared"


def test_a_run_is_named_by_an_option_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient()
    RewardFunction(client, {}).judge(["x"], [TESTS])
    monkeypatch.setenv("SANDBOX_RUN", "from-the-environment")
    reward_request._read_default_run.cache_clear()
    RewardFunction(client, {}).judge(["x"], [TESTS])
    RewardFunction(client, {"run": "own"}).judge(["x"], [TESTS])
    assert [request.run for request in client.reward_requests] == [None, "from-the-environment", "own"]
    monkeypatch.delenv("SANDBOX_RUN")
    reward_request._read_default_run.cache_clear()


def test_lengths_are_tokens_where_told_and_characters_where_not() -> None:
    reward = RewardFunction(FakeClient(), {"policy": Policy("fraction", max_length=10)})
    tests = [[{"input": "", "output": "42"}]]
    assert reward([fence_code("# 42")], tests) == [0.0]
    assert reward([fence_code("# 42")], tests, lengths=[9]) == [1.0]


def test_lazy_clients_survive_pickling() -> None:
    for client in (LazyClient("http://x"), LazyAsyncClient("http://x")):
        assert pickle.loads(pickle.dumps(client)).url == "http://x"


def test_a_trainer_that_cannot_drop_samples_gets_the_number_it_named_or_an_error() -> None:
    assert require_rewards([1.0, None], -1.0) == [1.0, -1.0]
    assert require_rewards([1.0], None) == [1.0]
    with pytest.raises(InfrastructureError, match="missing="):
        require_rewards([1.0, None], None)


def test_the_mean_of_the_group_stands_in_for_a_missing_reward() -> None:
    assert fill_with_mean([1.0, None, 0.0]) == [1.0, 0.5, 0.0]
    assert fill_with_mean([None, None]) == [0.0, 0.0]


def test_a_row_whose_tests_cannot_be_read_has_no_reward_and_says_why() -> None:
    client = FakeClient()
    tests: list[object] = [TESTS, None, "no tests", json.dumps(TESTS), []]
    result = RewardFunction(client, {"policy": "fraction"}).judge([fence_code("# 42")] * 5, tests)
    assert result.rewards == [0.5, None, None, 0.5, None]
    assert [bool(detail.message) for detail in result.details] == [False, True, True, False, True]
    assert len(client.batches) == 1
    assert require_result_rewards(result, None) == [0.5, 0.0, 0.0, 0.5, 0.0]
    assert require_result_rewards(result, -1.0) == [0.5, -1.0, -1.0, 0.5, -1.0]
    with pytest.raises(BadRequest, match="no tests"):
        RewardFunction(client)([fence_code("# 42")] * 2, [[], []])


def test_a_row_in_a_language_that_is_not_served_has_no_reward() -> None:
    languages = ["python", "cobol", "python"]
    result = RewardFunction(FakeClient(), {"policy": "fraction"}).judge(
        [fence_code("# 42")] * 3, [TESTS] * 3, language=languages
    )
    assert result.rewards == [0.5, None, 0.5]
    assert "cobol" in result.details[1].message
    with pytest.raises(InfrastructureError):
        require_result_rewards(RewardFunction(FakeClient(fail_every_test)).judge([fence_code("# 42")], [TESTS]), None)


def test_a_completion_that_is_none_or_odd_has_no_code() -> None:
    completions: list[Any] = [None, 7, [None, {"role": "assistant", "content": fence_code("# 42")}], [], {"a": 1}]
    rewards = RewardFunction(FakeClient(), {"policy": "x-coder"})(completions, [TESTS] * 5)
    assert rewards == [-2.0, -2.0, 2.5, -2.0, -2.0]


def test_rows_name_their_functions_and_get_the_imports_of_their_graders() -> None:
    client = FakeClient(fail_every_test)
    code = "from __future__ import annotations\nclass Solution:\n    def f(self, n): return n"
    own = "def f(n): return n\nclass Solution: pass"
    calls = {"fn_name": "f", "inputs": [[1]], "outputs": [[1]]}
    RewardFunction(client)([fence_code(code), fence_code(own), fence_code("# 42")], [calls, calls, TESTS])
    method, function, program = client.batches[0]
    assert (method.entry_point, function.entry_point, program.entry_point) == ("Solution.f", "f", "")
    assert method.code.startswith("from __future__ import annotations\nimport ")
    assert method.code.endswith("\nfrom builtins import *\nclass Solution:\n    def f(self, n): return n")
    assert function.code.startswith("import ")
    assert program.code == "# 42"
    assert VerifyRequest.model_validate_json(method.model_dump_json(exclude_unset=True)) == method


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("x = 1", "import a\nx = 1"),
        ('"""Doc."""\nfrom __future__ import (\n    annotations,\n)\nx = 1', None),
        ("from __future__ import annotations; x = 1", "from __future__ import annotations; x = 1\nimport a"),
        ("from __future__ import (", "import a\nfrom __future__ import ("),
        ("x = '__future__'", "import a\nx = '__future__'"),
    ],
)
def test_a_preamble_stands_behind_the_imports_that_must_be_first(code: str, whole: str | None) -> None:
    expected = code.replace("\n)\n", "\n)\nimport a\n") if whole is None else whole
    assert insert_preamble("import a\n", code) == expected


def test_code_in_another_language_than_its_tests_call_is_its_own_loss() -> None:
    client = FakeClient()
    completions = [fence_code("int f;", "cpp"), fence_code("# 42")]
    result = RewardFunction(client, {"language": ""}).judge(completions, [["assert f()"], TESTS[:1]])
    assert result.rewards == [0.0, 1.0]
    assert "another language" in result.details[0].message


def test_a_task_that_is_not_registered_leaves_its_own_row_without_a_reward() -> None:
    known = {"0" * 64 + "/x": Task.model_validate({"tests": [{"stdin": "", "expected": "42"}]})}

    def lookup(references: Sequence[str]) -> Mapping[str, Task]:
        for reference in references:
            if reference not in known:
                raise NotFound(f"no task {reference}")
        return known

    names = ["0" * 64 + name for name in ("/y", "/x", "/x", "/z", "/y")]
    body = RewardRequest(completions=[fence_code("# 42")] * 5, tasks=names)
    plan = build_plan(body, lookup)
    result = score_by_echo(plan)
    assert result.rewards == [None, 1.0, 1.0, None, None]
    assert names[3] in result.details[3].message
    with pytest.raises(NotFound):
        build_plan(RewardRequest(completions=["a"], tasks=names[:1]), lookup)


def test_prompts_reach_the_service_with_tasks_too() -> None:
    client = FakeClient()
    client.tasks = {"0" * 64 + "/x": Task.model_validate({"tests": [{"stdin": "", "expected": "42"}]})}
    prompts = [fence_code("# 42"), "Q"]
    rewards = RewardFunction(client)([fence_code("# 42")] * 2, ["0" * 64 + "/x"] * 2, prompts=prompts)
    assert rewards == [0.0, 1.0]


# The request of POST /reward.


def build_request(**fields: object) -> RewardRequest:
    return RewardRequest.model_validate({"completions": [fence_code("# 42"), "none"], **fields})


CASES = [{"stdin": "", "expected": "42"}, {"stdin": "", "expected": "43"}]


def test_tests_are_one_list_for_each_completion_or_one_for_all() -> None:
    for tests in ([CASES], [CASES, CASES]):
        plan = plan_without_tasks(build_request(tests=tests, policy="fraction"))
        result = score_by_echo(plan)
        assert result.rewards == [0.5, 0.0]
        assert [detail.answered for detail in result.details] == [True, False]
        assert [detail.total for detail in result.details] == [2, 2]


def test_registered_tasks_stand_in_for_tests_and_have_the_last_word() -> None:
    task = Task.model_validate(
        {
            "tests": CASES,
            "weights": [3, 1],
            "language": "cpp",
            "checker": {"type": "exact"},
            "limits": {"memory_mb": 99},
        }
    )
    asked: list[str] = []

    def lookup(references: Sequence[str]) -> Mapping[str, Task]:
        asked.extend(references)
        return dict.fromkeys(references, task)

    body = {"completions": [fence_code("// # 42", "cpp")] * 2, "tasks": ["a" * 64 + "/sum"], "policy": "weighted"}
    plan = build_plan(RewardRequest.model_validate(body), lookup)
    assert asked == ["a" * 64 + "/sum"]
    assert (plan.programs[0].language, plan.programs[0].checker.type) == ("cpp", "exact")
    assert plan.programs[0].limits.memory_mb == 99
    assert score_by_echo(plan).rewards == [
        0.75,
        0.75,
    ]


def test_weights_follow_the_tests_that_were_chosen() -> None:
    body = build_request(tests=[CASES], weights=[[1, 9]], policy={"name": "first-k", "k": 1})
    plan = plan_without_tasks(body)
    assert [candidate.weights for candidate in plan.completions] == [[1.0], [1.0]]


def test_a_result_that_is_lost_or_cut_short_is_none() -> None:
    plan = plan_without_tasks(build_request(tests=[CASES], policy="fraction"))
    assert score_results(plan, [None]).rewards == [None, 0.0]
    short = build_result([Verdict.ACCEPTED] * 2).model_copy(update={"tests": []})
    assert score_results(plan, [short.model_dump_json().encode()]).rewards == [None, 0.0]
    with pytest.raises(ValueError, match="0 results for 1"):
        score_results(plan, [])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "tests or tasks"),
        ({"tests": [CASES], "tasks": ["a" * 64 + "/x"]}, "not both"),
        ({"tests": [CASES] * 3}, "3 entries for 2"),
        ({"tests": [CASES], "weights": [[1]]}, "one entry per test"),
        ({"tests": [CASES], "tests_index": [0]}, "tests_index has 1 entries for 2"),
        ({"tests": [CASES], "tests_index": [0, 1]}, "tests_index has 1, but tests has 1 entries"),
        ({"tasks": ["a" * 64 + "/x"], "tests_index": [0, 0]}, "tests has 0 entries"),
        ({"tests": [CASES], "lengths": [1]}, "lengths has 1"),
        ({"tests": [CASES], "language": ["python"]}, "language has 1"),
        ({"tests": [CASES], "policy": "best"}, "policy"),
        ({"tests": [CASES], "policy": {"name": "binary", "typo": 1}}, "typo"),
        ({"tests": [CASES], "extract": {"typo": 1}}, "typo"),
        ({"tasks": ["sum"]}, "pattern"),
    ],
)
def test_a_request_that_does_not_fit_together_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        build_request(**fields)


def test_messages_and_an_empty_request_are_good_requests() -> None:
    body = {"completions": [[{"role": "assistant", "content": fence_code("# 42")}]], "tests": [CASES]}
    assert len(plan_without_tasks(RewardRequest.model_validate_json(json.dumps(body))).programs) == 1
    empty = plan_without_tasks(RewardRequest(completions=[], tests=[]))
    assert score_results(empty, []).rewards == []
