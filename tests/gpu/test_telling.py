"""What a generation tells, and when: completions at once, verdicts behind them, and on a retry only what is missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sandbox.gpu.completions import Completions, Group, Prompt
from sandbox.gpu.folder import JobFolder
from sandbox.gpu.generate import Timeline, drawn_and_judged
from sandbox.gpu.job import CurrentJob
from sandbox.gpu.verdicts import Judged
from sandbox.schema.gpu import Progress, Sampling

PROMPTS = ["a", "b", "c"]


@dataclass
class Job:
    """What is told, in order; stands in for a job whose events are in Redis."""

    folder: JobFolder
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def events(self) -> list[bytes]:
        return [json.dumps({"event": event, "data": data}).encode() for event, data in self.told]

    def tell(self, event: str, data: Sequence[bytes]) -> None:
        self.told += [(event, json.loads(each)) for each in data]

    async def told_as_many(self, number: int) -> None:
        for _ in range(200):
            if len(self.told) >= number:
                return
            await asyncio.sleep(0.05)

    def report(self, progress: Progress) -> None:
        """Of no interest here."""

    def stop_if_unwanted(self) -> None:
        """It is wanted."""


@dataclass
class Drawer:
    """Draws each prompt's completions at once."""

    drawn: list[int] = field(default_factory=list)

    async def warm(self, model: str) -> list[str]:
        return []

    async def of(
        self, model: str, prompts: Sequence[Prompt], sampling: Sampling, without: Container[int] = ()
    ) -> AsyncGenerator[Group, None]:
        for index, prompt in enumerate(prompts):
            if index not in without:
                self.drawn.append(index)
                yield Group(index, [f"{prompt}!"], ["stop"], 5, 2, asyncio.get_running_loop().time())


@dataclass
class Judge:
    """Finds everything right, once it may."""

    may: asyncio.Event
    asked: list[int] = field(default_factory=list)
    before: list[int] = field(default_factory=list)

    async def judge(self, prompt: int, completions: Sequence[str]) -> Judged:
        self.asked.append(prompt)
        await self.may.wait()
        return Judged([1.0], [True], None, asyncio.get_running_loop().time())

    def judged_before(self, prompt: int, judged: Judged) -> None:
        self.before.append(prompt)


def _kinds(job: Job) -> list[tuple[str, int]]:
    return [(event, data["prompt"]) for event, data in job.told]


async def _run(job: Job, drawer: Drawer, judge: Judge) -> Timeline:
    return await drawn_and_judged(cast(CurrentJob, job), "m", PROMPTS, Sampling(), cast(Completions, drawer), judge)


async def test_completions_are_told_before_anyone_has_judged_them(tmp_path: Path) -> None:
    job, judge = Job(JobFolder(tmp_path)), Judge(asyncio.Event())
    running = asyncio.create_task(_run(job, Drawer(), judge))
    async with asyncio.timeout(10):
        await job.told_as_many(len(PROMPTS))
        assert _kinds(job) == [("completion", index) for index in range(3)]
        judge.may.set()
        timeline = await running
    assert sorted(_kinds(job)[3:]) == [("verdict", index) for index in range(3)]
    assert job.told[3][1] == {"prompt": 0, "rewards": [1.0], "right": [True]}
    assert timeline.summary()["resumed_from"] == 0


async def test_a_retry_draws_and_judges_only_what_was_not_told(tmp_path: Path) -> None:
    judge = Judge(asyncio.Event())
    judge.may.set()
    first = Job(JobFolder(tmp_path))
    await _run(first, Drawer(), judge)
    # Lost before the second verdict and the third completion.
    lost = {("verdict", 1), ("completion", 2), ("verdict", 2)}
    kept = [(event, data) for event, data in first.told if (event, data["prompt"]) not in lost]
    job, drawer, again = Job(JobFolder(tmp_path), kept), Drawer(), Judge(judge.may)
    timeline = await _run(job, drawer, again)
    assert (drawer.drawn, sorted(again.asked), again.before) == ([2], [1, 2], [0])
    assert sorted(_kinds(job)) == [(event, index) for event in ("completion", "verdict") for index in range(3)]
    told = timeline.summary()
    assert (told["completions"], told["tokens"], told["verdicts"], told["pass_rate"]) == (3, 15, 3, 1.0)
    assert told["resumed_from"] == 2


async def test_a_retry_with_nothing_left_to_do_answers_the_same(tmp_path: Path) -> None:
    judge = Judge(asyncio.Event())
    judge.may.set()
    job, drawer = Job(JobFolder(tmp_path)), Drawer()
    await _run(job, Drawer(), judge)
    told = (await _run(job, drawer, judge)).summary()
    assert not drawer.drawn
    assert len(job.told) == 6
    assert (told["completions"], told["verdicts"], told["overlap"], told["verdicts_per_s"]) == (3, 3, None, None)
