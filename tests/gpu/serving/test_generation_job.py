"""A generation job publishes completions at once, then their verdicts; a retry only adds what is missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sandbox.gpu.current_job import CurrentJob
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.serving.completions import CompletionClient, CompletionGroup, Prompt
from sandbox.gpu.serving.generation_job import Timeline, generate_and_judge
from sandbox.gpu.serving.verdicts import GroupVerdict
from sandbox.schema.gpu import Progress, Sampling

PROMPTS = ["a", "b", "c"]


@dataclass
class FakeJob:
    """Records events in order, in place of a job whose events are in Redis."""

    directory: JobDir
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def read_events(self) -> list[bytes]:
        return [json.dumps({"event": event, "data": data}).encode() for event, data in self.published]

    def publish_events(self, event: str, data: Sequence[bytes]) -> None:
        self.published += [(event, json.loads(each)) for each in data]

    async def wait_for_events(self, count: int) -> None:
        for _ in range(200):
            if len(self.published) >= count:
                return
            await asyncio.sleep(0.05)

    def report_progress(self, progress: Progress) -> None:
        """Ignore progress."""

    def raise_if_stopped(self) -> None:
        """Never stop the job."""


@dataclass
class FakeCompletionClient:
    """Returns each prompt's completions at once."""

    generated: list[int] = field(default_factory=list)

    async def warm_up(self, model: str) -> list[str]:
        return []

    async def generate(
        self, model: str, prompts: Sequence[Prompt], sampling: Sampling, skip: Container[int] = ()
    ) -> AsyncGenerator[CompletionGroup, None]:
        for index, prompt in enumerate(prompts):
            if index not in skip:
                self.generated.append(index)
                yield CompletionGroup(index, [f"{prompt}!"], ["stop"], 5, 2, asyncio.get_running_loop().time())


@dataclass
class FakeJudge:
    """Accepts every completion once `may_judge` is set."""

    may_judge: asyncio.Event
    judged_prompts: list[int] = field(default_factory=list)
    restored_prompts: list[int] = field(default_factory=list)

    async def judge(self, prompt: int, completions: Sequence[str]) -> GroupVerdict:
        self.judged_prompts.append(prompt)
        await self.may_judge.wait()
        return GroupVerdict([1.0], [True], None, asyncio.get_running_loop().time())

    def restore_verdict(self, prompt: int, verdict: GroupVerdict) -> None:
        self.restored_prompts.append(prompt)


def _list_events(job: FakeJob) -> list[tuple[str, int]]:
    return [(event, data["prompt"]) for event, data in job.published]


async def _run(job: FakeJob, drawer: FakeCompletionClient, judge: FakeJudge) -> Timeline:
    return await generate_and_judge(
        cast(CurrentJob, job), "m", PROMPTS, Sampling(), cast(CompletionClient, drawer), judge
    )


async def test_completions_are_told_before_anyone_has_judged_them(tmp_path: Path) -> None:
    job, judge = FakeJob(JobDir(tmp_path)), FakeJudge(asyncio.Event())
    running = asyncio.create_task(_run(job, FakeCompletionClient(), judge))
    async with asyncio.timeout(10):
        await job.wait_for_events(len(PROMPTS))
        assert _list_events(job) == [("completion", index) for index in range(3)]
        judge.may_judge.set()
        timeline = await running
    assert sorted(_list_events(job)[3:]) == [("verdict", index) for index in range(3)]
    assert job.published[3][1] == {"prompt": 0, "rewards": [1.0], "right": [True]}
    assert timeline.summarize()["resumed_from"] == 0


async def test_a_retry_draws_and_judges_only_what_was_not_told(tmp_path: Path) -> None:
    judge = FakeJudge(asyncio.Event())
    judge.may_judge.set()
    first = FakeJob(JobDir(tmp_path))
    await _run(first, FakeCompletionClient(), judge)
    # Lost before the second verdict and the third completion.
    lost = {("verdict", 1), ("completion", 2), ("verdict", 2)}
    remaining = [(event, data) for event, data in first.published if (event, data["prompt"]) not in lost]
    job, drawer, again = FakeJob(JobDir(tmp_path), remaining), FakeCompletionClient(), FakeJudge(judge.may_judge)
    timeline = await _run(job, drawer, again)
    assert (drawer.generated, sorted(again.judged_prompts), again.restored_prompts) == ([2], [1, 2], [0])
    assert sorted(_list_events(job)) == [(event, index) for event in ("completion", "verdict") for index in range(3)]
    summary = timeline.summarize()
    assert (summary["completions"], summary["tokens"], summary["verdicts"], summary["pass_rate"]) == (3, 15, 3, 1.0)
    assert summary["resumed_from"] == 2


async def test_a_retry_with_nothing_left_to_do_answers_the_same(tmp_path: Path) -> None:
    judge = FakeJudge(asyncio.Event())
    judge.may_judge.set()
    job, drawer = FakeJob(JobDir(tmp_path)), FakeCompletionClient()
    await _run(job, FakeCompletionClient(), judge)
    summary = (await _run(job, drawer, judge)).summarize()
    assert not drawer.generated
    assert len(job.published) == 6
    assert (summary["completions"], summary["verdicts"], summary["overlap"], summary["verdicts_per_s"]) == (
        3,
        3,
        None,
        None,
    )
