"""Run an evaluation: generate n completions per problem, judge them in parallel, and report pass@k and avg@n."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox.client import AsyncClient
from sandbox.errors import BadRequest, InfrastructureError, Refused
from sandbox.gpu.current_job import CurrentJob
from sandbox.gpu.evaluation.benchmarks import read_problems
from sandbox.gpu.evaluation.pass_at_k import compute_mean, estimate_pass_at_k
from sandbox.gpu.evaluation.plot import plot_scores
from sandbox.gpu.job_dir import resolve_inside
from sandbox.gpu.serving.completions import CompletionClient, Prompt
from sandbox.gpu.serving.generation_job import generate_and_judge
from sandbox.gpu.serving.verdicts import GroupVerdict
from sandbox.rewards.continuation import complete_prompt, continues_function, cut_after_function
from sandbox.rewards.extraction import extract
from sandbox.rewards.preamble import join_parts
from sandbox.runner.contract import Verdict
from sandbox.schema import Lane, VerifyRequest, VerifyResult
from sandbox.schema.gpu import EvalProblem, EvaluateRequest, Message
from sandbox.schema.wire import LimitsRequest

ATTEMPTS = 3
# A completion may take this many times the CPU time of the problem's reference, and at least `MIN_LIMIT_S`.
LIMIT_FACTOR = 10.0
MIN_LIMIT_S = 1.0

# A problem, the number of its completions with a verdict, and how many of these are correct.
ScoredProblem = tuple[EvalProblem, int, int]


class ProblemJudge:
    """Judges completions. One without a program counts as wrong. One that the service failed to judge is left out."""

    def __init__(
        self,
        client: AsyncClient,
        problems: Sequence[EvalProblem],
        limits: Sequence[LimitsRequest],
        environment: str = "",
    ) -> None:
        """Judge with `limits`, one for each problem."""
        self._client = client
        self._problems = problems
        self._limits = limits
        self._environment = environment
        self.correct: dict[int, list[bool]] = {}

    async def judge(self, prompt: int, completions: Sequence[str]) -> GroupVerdict:
        problem = self._problems[prompt]
        found = [build_program(problem, text) for text in completions]
        limits = self._limits[prompt]
        programs = [build_submission(problem, code, limits, self._environment) for code in found if code]
        verdicts = iter(await self._fetch_verdicts(programs))
        correct = [next(verdicts) if code else False for code in found]
        verdict = GroupVerdict(
            [None if one is None else float(one) for one in correct], correct, None, time.monotonic()
        )
        self.restore_verdict(prompt, verdict)
        return verdict

    def restore_verdict(self, prompt: int, verdict: GroupVerdict) -> None:
        self.correct[prompt] = [one for one in verdict.correct if one is not None]

    async def _fetch_verdicts(self, programs: Sequence[VerifyRequest]) -> list[bool | None]:
        """Return whether each program is correct; None if the infrastructure failed on every attempt."""
        answers: list[bool | None] = [None] * len(programs)
        left = list(range(len(programs)))
        for _ in range(ATTEMPTS):
            if not left:
                break
            try:
                results = await self._client.verify_batch([programs[index] for index in left])
            except (Refused, InfrastructureError):
                continue
            for index, result in zip(list(left), results, strict=True):
                answers[index] = _is_correct(result)
            left = [index for index in left if answers[index] is None]
        return answers


def build_submission(problem: EvalProblem, code: str, limits: LimitsRequest, environment: str = "") -> VerifyRequest:
    return VerifyRequest(
        language="python",
        code=code,
        tests=problem.tests,
        entry_point=problem.entry_point,
        checker=problem.checker,
        limits=limits,
        stop_on_failure=True,
        environment=environment,
        priority=Lane.BULK,
    )


def _is_correct(result: VerifyResult) -> bool | None:
    return None if result.verdict is Verdict.INTERNAL_ERROR else result.verdict is Verdict.ACCEPTED


def build_program(problem: EvalProblem, completion: str) -> str:
    """Return the program to judge, or an empty string if there is none.

    A completion without a fence counts as code. If the problem has a `before`, the code is appended to it. The code is
    either the rest of the function that `before` begins, up to the first line that is not indented, or the whole
    function again.
    """
    answer = extract(completion, "python")
    if problem.before and continues_function(problem.before, completion):
        code = completion
    elif answer is None and "```" not in completion:
        code = cut_after_function(completion, problem.entry_point) if problem.before else completion
    else:
        code = "" if answer is None else answer.code
    if not code.strip():
        return ""
    program = complete_prompt(problem.before, code) if problem.before else code
    return join_parts(problem.imports, program, problem.after)


def evaluate(job: CurrentJob, request: EvaluateRequest, model: str, completions: CompletionClient) -> dict[str, Any]:
    """Run a job of kind `evaluate`. Raises SandboxError."""
    problems = load_problems(request, job.root)
    judge, generation = asyncio.run(_evaluate(job, request, problems, model, completions))
    scored = [(problem, len(judge.correct[index]), sum(judge.correct[index])) for index, problem in enumerate(problems)]
    result = build_report(scored, request) | {"generation": generation}
    image = plot_scores(result, job.directory.path / "result.png")
    return result | ({"picture_base64": image} if image else {})


async def _evaluate(
    job: CurrentJob,
    request: EvaluateRequest,
    problems: Sequence[EvalProblem],
    model: str,
    completions: CompletionClient,
) -> tuple[ProblemJudge, dict[str, Any]]:
    prompts: list[Prompt] = [_to_messages(problem.prompt) for problem in problems]
    async with AsyncClient(job.settings.url) as client:
        # The references run while the engine starts.
        limits, _ = await asyncio.gather(choose_limits(client, problems, request), completions.warm_up(model))
        judge = ProblemJudge(client, problems, limits, request.environment)
        timeline = await generate_and_judge(job, model, prompts, request.sampling, completions, judge)
    return judge, timeline.summarize()


async def choose_limits(
    client: AsyncClient, problems: Sequence[EvalProblem], request: EvaluateRequest
) -> list[LimitsRequest]:
    """Return the limits of each problem: the request's or, without any, those that follow from its reference.

    `cpu_time_s` follows from the slowest test of the reference, and `total_cpu_time_s` from all its tests together. A
    problem whose reference is missing or is not accepted gets the default limits.
    """
    limits = [request.limits] * len(problems)
    if "limits" in request.model_fields_set:
        return limits
    places = [place for place, problem in enumerate(problems) if problem.reference]
    programs = [
        build_submission(problems[place], problems[place].reference, request.limits, request.environment)
        for place in places
    ]
    try:
        results = await client.verify_batch(programs) if programs else []
    except (BadRequest, Refused, InfrastructureError):
        return limits
    for place, result in zip(places, results, strict=True):
        if _is_correct(result):
            limits[place] = derive_limits([test.usage.cpu_time_s for test in result.tests])
    return limits


def derive_limits(times_s: Sequence[float]) -> LimitsRequest:
    """Return the limits of a program from the CPU time of its reference on each test, in seconds."""
    limit_s = max(MIN_LIMIT_S, LIMIT_FACTOR * max(times_s, default=0.0))
    total_s = max(limit_s, LIMIT_FACTOR * sum(times_s))
    return LimitsRequest(cpu_time_s=round(limit_s, 2), total_cpu_time_s=round(total_s, 2))


def _to_messages(prompt: str | list[Message]) -> list[Message]:
    return [Message(role="user", content=prompt)] if isinstance(prompt, str) else prompt


def load_problems(request: EvaluateRequest, root: Path) -> list[EvalProblem]:
    """Return the request's problems, whether inline or in a file. Raises BadRequest."""
    if request.problems is not None:
        return request.problems
    assert request.shape is not None
    if request.rows is not None:
        return read_problems(request.shape, request.rows)
    assert request.dataset is not None
    path = resolve_inside(request.dataset, root, "dataset")
    if not path.is_file():
        raise BadRequest(f"no data set {request.dataset!r} below SANDBOX_GPU_FOLDER on this host", "dataset")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return read_problems(request.shape, rows)


def build_report(scored: Sequence[ScoredProblem], request: EvaluateRequest) -> dict[str, Any]:
    """Return the scores of all problems, by difficulty, by month, and before and after the cutoff."""
    sections: dict[str, Any] = {"all": compute_scores(scored, request.k)}
    sections["by_difficulty"] = _score_groups(scored, request.k, lambda problem: problem.difficulty)
    sections["by_month"] = _score_groups(
        scored, request.k, lambda problem: "" if problem.released is None else f"{problem.released:%Y-%m}"
    )
    if request.cutoff is not None:
        dated = [one for one in scored if one[0].released is not None]
        cutoff = request.cutoff
        before = compute_scores(
            [one for one in dated if one[0].released is not None and one[0].released < cutoff], request.k
        )
        after = compute_scores(
            [one for one in dated if one[0].released is not None and one[0].released >= cutoff], request.k
        )
        sections["cutoff"] = {
            "date": cutoff.isoformat(),
            "before": before,
            "from": after,
            "drop": _compute_drop(before, after),
        }
    sections["problems"] = [
        {"name": problem.name, "completions": number, "right": right} for problem, number, right in scored
    ]
    return sections


def compute_scores(scored: Sequence[ScoredProblem], k: Sequence[int]) -> dict[str, Any]:
    """Compute pass@k for each k, and avg@n, the mean share of correct completions. pass@k skips problems with n < k."""
    counted = [(number, right) for _, number, right in scored if number]
    summary: dict[str, Any] = {"problems": len(scored), "without_verdict": len(scored) - len(counted)}
    for each in sorted(set(k)):
        summary[f"pass@{each}"] = compute_mean(
            estimate_pass_at_k(number, right, each) for number, right in counted if number >= each
        )
    most = max((number for number, _ in counted), default=0)
    summary[f"avg@{most}"] = compute_mean(right / number for number, right in counted)
    return summary


def _score_groups(
    scored: Sequence[ScoredProblem], k: Sequence[int], key: Callable[[EvalProblem], str]
) -> dict[str, Any]:
    groups: dict[str, list[ScoredProblem]] = defaultdict(list)
    for one in scored:
        if key(one[0]):
            groups[key(one[0])].append(one)
    return {name: compute_scores(group, k) for name, group in sorted(groups.items())}


def _compute_drop(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """Return how much lower the scores are after the cutoff than before. A large drop suggests contamination."""
    return {
        name: before[name] - after[name]
        for name in before
        if "@" in name and before[name] is not None and after.get(name) is not None
    }
