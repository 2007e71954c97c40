"""One example of every request and response model, for the OpenAPI document. A test validates all of them."""

from __future__ import annotations

from typing import Any

from sandbox.api.openapi.live_examples import LIVE_EXAMPLES
from sandbox.api.openapi.quality_examples import QUALITY_EXAMPLES
from sandbox.api.openapi.session_examples import SESSION_EXAMPLES
from sandbox.api.openapi.vote_examples import VOTE_EXAMPLES

_SUM = "a, b = map(int, input().split())\nprint(a + b)"
_ID = "0f8fad5bd9cb469fa16570867728950e"
_USAGE = {"cpu_time_s": 0.004, "wall_time_s": 0.005, "memory_mb": 9.1}
_COMPILE_RESULT = {
    "status": "ok",
    "exit_code": 0,
    "usage": {"cpu_time_s": 0.41, "wall_time_s": 0.43, "memory_mb": 148.0},
}
_TEST = {"stdin": "20 22\n", "expected": "42\n"}
_TEST_RESULT = {"verdict": "accepted", "exit_code": 0, "usage": _USAGE}
_EXECUTE_REQUEST = {"language": "python", "code": _SUM, "stdin": "20 22\n"}
_VERIFY_REQUEST = {"language": "python", "code": _SUM, "tests": [_TEST]}
_EXECUTE_RESULT = {"id": _ID, "status": "ok", "exit_code": 0, "stdout": "42\n", "usage": _USAGE, "queue_time_s": 0.001}
_VERIFY_RESULT = {
    "id": _ID,
    "verdict": "accepted",
    "passed": 1,
    "total": 1,
    "score": 1.0,
    "tests": [_TEST_RESULT],
    "queue_time_s": 0.001,
    "run_time_s": 0.006,
}
_PROBLEM_FIELD = {"field": "body.tests.3.stdin", "message": "Input should be a valid string"}

_TASK_SET_ID = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_CANDIDATE = {"language": "python", "code": _SUM}
_ENVIRONMENT = {
    "name": "numerals",
    "id": "5f2d9c3e8a1b4c7d9e0f1a2b3c4d5e6f",
    "base": "python",
    "pip": ["roman==5.0"],
    "apt": [],
    "files": {},
    "updated_at": 1764342000.0,
}
_TASK = {"tests": [_TEST], "language": "python"}
_COMPLETION = f"```python\n{_SUM}\n```"
_REWARD_DETAIL = {"answered": True, "language": "python", "verdict": "accepted", "passed": 1, "total": 1}
_VOTE_REQUEST = {"candidates": [_CANDIDATE, _CANDIDATE], "inputs": ["20 22\n", "1 2\n"]}
_VOTE_LABEL = {
    "input": 0,
    "expected": "42\n",
    "votes": 2,
    "cast": 2,
    "confidence": 1.0,
    "tie": False,
    "dissenters": [],
    "abstained": [],
    "weight": 1.0,
}
_GOLDEN = {
    "index": 0,
    "score": 1.0,
    "holdout_passed": 1,
    "holdout_total": 1,
    "holdout_pass_rate": 1.0,
    "accepted": True,
    "tied": 2,
    "tie_break": "cpu_time",
}
_CANDIDATE_SCORE = {"score": 1.0, "selection_passed": 1, "holdout_passed": 1, "cpu_time_s": 0.004, "same_as": 0}
_HACK_REQUEST = {
    "target": {"language": "python", "code": "print(max(0, *map(int, input().split())))"},
    "input": "-5 -3\n",
    "references": [{"language": "python", "code": "print(max(map(int, input().split())))"}],
}
_HACK_RESULT = {
    "id": _ID,
    "valid": True,
    "breaks": True,
    "reason": "wrong_output",
    "verdict": "wrong_answer",
    "expected": "-3\n",
    "got": "0\n",
    "queue_time_s": 0.001,
    "run_time_s": 0.02,
}
_TEST_SET = {"tests": [_TEST], "checker": {"type": "tokens"}}

_MESSAGE = {"role": "user", "content": "Print the sum of the integers on standard input."}
_SAMPLING = {"n": 8, "temperature": 1.0, "max_tokens": 1024}
_RL_TASK = {"prompt": _MESSAGE["content"], "tests": [_TEST]}
_SFT_ROW = {"messages": [_MESSAGE, {"role": "assistant", "content": _COMPLETION}]}
_PROBLEM = {"name": "sum", "prompt": _MESSAGE["content"], "tests": [_TEST], "difficulty": "easy"}
_PROGRESS = {"step": 17, "total": 100, "loss": 0.02, "reward": 0.61, "tokens_per_s": 5210.0, "eta_s": 71.0}
_GPU_JOB = {
    "id": "gpu-7d3a",
    "status": "running",
    "kind": "train_grpo",
    "progress": _PROGRESS,
    "attempts": 1,
    "worker": "host-1-gpu-0",
}
_GPU_LEASE = {"gpu": "host-1/0", "worker": "host-1-gpu-0", "job": "gpu-7d3a", "until": 1780000000.0}

# Examples of models that others contain. `EXAMPLES` has the names that the models have under `components`.
EXAMPLES: dict[str, Any] = {
    "AppsChecker": {"type": "apps"},
    "AssertTest": {"assert": "assert candidate(20, 22) == 42"},
    "Candidate": _CANDIDATE,
    "CaseInsensitiveChecker": {"type": "case_insensitive"},
    "CodeJudgeChecker": {"type": "code-judge"},
    "CodeforcesChecker": {"type": "codeforces"},
    "CommandTest": {"command": ["python3", "-c", "import main; assert main.add(20, 22) == 42"]},
    "ExactChecker": {"type": "exact"},
    "DeadWebhook": {
        "id": _ID,
        "url": "https://trainer.example/rewards",
        "tries": 10,
        "error": "status 500",
        "died_at": 1_790_000_000.0,
    },
    "ExecuteBatchRequest": {"items": [_EXECUTE_REQUEST]},
    "ExecuteBatchResult": {"results": [{**_EXECUTE_RESULT, "id": f"{_ID}.0"}]},
    "ExecuteRequest": _EXECUTE_REQUEST,
    "ExecuteResult": _EXECUTE_RESULT,
    "ExecuteSubmission": _EXECUTE_REQUEST,
    "Extraction": {"which": "last", "thinking_tag": "think"},
    "EvalProblem": _PROBLEM,
    "EvaluateRequest": {"model": "org/model", "problems": [_PROBLEM], "k": [1, 8], "sampling": {"n": 8}},
    "FloatChecker": {"type": "float", "absolute": 1e-6, "relative": 1e-6},
    "FunctionTest": {"args": [20, 22], "kwargs": {}, "expected": 42},
    "GenerateRequest": {
        "model": "org/model",
        "messages": [[_MESSAGE]],
        "sampling": _SAMPLING,
        "verify": {"tests": [[_TEST]]},
    },
    "GpuJob": _GPU_JOB,
    "GpuLease": _GPU_LEASE,
    "GpuPool": {"leases": [_GPU_LEASE], "jobs": [_GPU_JOB]},
    "GrpoRequest": {"model": "job:gpu-7d3a", "tasks": [_RL_TASK], "rollouts": "colocate", "steps": 100},
    "HumanEvalChecker": {"type": "humaneval"},
    "InteractiveChecker": {"type": "interactive", "language": "python", "code": "print(1)", "idle_time_s": 2.0},
    "Job": {"id": _ID, "status": "finished", "position": None, "result": _VERIFY_RESULT},
    "JsonChecker": {"type": "json"},
    "LanguageInfo": {"name": "cpp", "version": "g++ 12, C++20", "aliases": ["c++"], "compiled": True},
    "LimitsRequest": {"cpu_time_s": 2.0, "memory_mb": 256},
    "LinesChecker": {"type": "lines"},
    "Live": {"status": "ok"},
    "LiveCodeBenchChecker": {"type": "livecodebench"},
    "Message": _MESSAGE,
    "Policy": {"name": "first-k", "k": 10, "seed": 7},
    "Probe": {"tasks": [_RL_TASK], "every_steps": 10, "stop_at": 0.4},
    "Problem": {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": f"{_PROBLEM_FIELD['field']}: {_PROBLEM_FIELD['message']}",
        "errors": [_PROBLEM_FIELD],
    },
    "ProblemField": _PROBLEM_FIELD,
    "Progress": _PROGRESS,
    "ProgramChecker": {"type": "program", "language": "cpp", "code": "int main() { return 0; }"},
    "Readiness": {
        "ready": True,
        "workers": 2,
        "queued": {"rl": 0, "default": 3, "bulk": 120},
        "engine": "docker",
        "missing_walls": [],
        "problems": [],
    },
    "PytestTest": {"pytest": "from solution import add\n\n\ndef test_add():\n    assert add(20, 22) == 42\n"},
    "RegexChecker": {"type": "regex", "ignore_case": True},
    "RewardDetail": _REWARD_DETAIL,
    "RewardRequest": {"completions": [_COMPLETION], "tests": [[_TEST]], "policy": "fraction"},
    "RewardResult": {"rewards": [1.0], "details": [_REWARD_DETAIL]},
    "RlTask": _RL_TASK,
    "Sampling": _SAMPLING,
    "SftRequest": {"model": "org/model", "rows": [_SFT_ROW], "steps": 100},
    "SftRow": _SFT_ROW,
    "SandboxFusionChecker": {"type": "sandbox-fusion"},
    "StageResult": _COMPILE_RESULT,
    "Task": _TASK,
    "TaskSet": {"tasks": {"sum": _TASK}},
    "TaskSetInfo": {"id": _TASK_SET_ID, "tasks": 1},
    "EnvironmentRequest": {"base": "python", "pip": ["roman==5.0"]},
    "EnvironmentInfo": _ENVIRONMENT,
    "EnvironmentList": {"environments": [_ENVIRONMENT]},
    "TestCase": _TEST,
    "TestPart": {"name": "test_add", "verdict": "accepted", "message": ""},
    "TestResult": _TEST_RESULT,
    "TestSet": _TEST_SET,
    "TokensChecker": {"type": "tokens"},
    "UnorderedLinesChecker": {"type": "unordered_lines"},
    "UnorderedTokensChecker": {"type": "unordered_tokens"},
    "Usage": _USAGE,
    "Verification": {"tests": [[_TEST]], "policy": "fraction"},
    "VerifyBatchRequest": {"items": [_VERIFY_REQUEST]},
    "VerifyBatchResult": {"results": [{**_VERIFY_RESULT, "id": f"{_ID}.0"}]},
    "VerifyRequest": _VERIFY_REQUEST,
    "VerifyResult": _VERIFY_RESULT,
    "VerifySubmission": _VERIFY_REQUEST,
    "HackBatchRequest": {"items": [_HACK_REQUEST]},
    "HackBatchResult": {"results": [{**_HACK_RESULT, "id": f"{_ID}.0"}]},
    "HackGenerator": {"language": "python", "code": "import sys\nprint(sys.argv[1])", "args": ["100"], "seed": 7},
    "HackProgram": _CANDIDATE,
    "HackRequest": _HACK_REQUEST,
    "HackResult": _HACK_RESULT,
    "HackTask": {name: _HACK_REQUEST[name] for name in ("target", "references")},
    "HackSubmission": _HACK_REQUEST,
    "ProgramInput": {"stdin": "20 22\n"},
    "VoteCandidate": _CANDIDATE_SCORE,
    "VoteGolden": _GOLDEN,
    "VoteInput": {"stdin": "20 22\n", "weight": 2.0},
    "VoteLabel": _VOTE_LABEL,
    "VotePolicy": {"name": "default", "quorum": 0.6, "seed": 7},
    "VoteRequest": _VOTE_REQUEST,
    "VoteResult": {
        "id": _ID,
        "labels": [_VOTE_LABEL],
        "golden": _GOLDEN,
        "candidates": [_CANDIDATE_SCORE],
        "matrix": [["accepted"]],
        "test_set": _TEST_SET,
    },
    **LIVE_EXAMPLES,
    **QUALITY_EXAMPLES,
    **SESSION_EXAMPLES,
    **VOTE_EXAMPLES,
}
