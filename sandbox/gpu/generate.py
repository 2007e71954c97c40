"""Generation with verdicts on the way: a prompt's completions go to the boxes while the GPU draws those of others.

Each is told as soon as it is there, completions and then their verdicts; what an earlier attempt at the job has told is
neither drawn nor judged again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.client import AsyncClient
from sandbox.gpu import told
from sandbox.gpu.completions import Completions, Group, Prompt
from sandbox.gpu.job import CurrentJob
from sandbox.gpu.verdicts import Judge, Judged
from sandbox.schema.gpu import GenerateRequest, Progress, Sampling

TELL_EVERY_S = 0.25


class GroupJudge(Protocol):
    async def judge(self, prompt: int, completions: Sequence[str]) -> Judged: ...

    def judged_before(self, prompt: int, judged: Judged) -> None:
        """An earlier attempt at the job has this verdict."""


@dataclass
class Timeline:
    """When tokens and verdicts came, in seconds from the first request on; counts are those of earlier attempts too."""

    began: float = field(default_factory=time.monotonic)
    tokens: int = 0
    prompt_tokens: int = 0
    completions: int = 0
    last_token_at: float = 0.0
    verdicts: list[tuple[float, int]] = field(default_factory=list)
    resumed_from: int = 0
    tokens_before: int = 0
    verdicts_before: int = 0
    marked: int = 0
    right: int = 0
    lost: int = 0
    rewards: list[float] = field(default_factory=list)

    def drawn(self, group: Group) -> None:
        self._count(group)
        self.last_token_at = max(self.last_token_at, group.at)

    def drawn_before(self, group: Group) -> None:
        self._count(group)
        self.resumed_from += 1
        self.tokens_before += group.tokens

    def judged(self, judged: Judged) -> None:
        self.verdicts.append((judged.at, len(judged.rewards)))
        self._mark(judged)

    def judged_before(self, judged: Judged) -> None:
        self.verdicts_before += len(judged.rewards)
        self._mark(judged)

    def _count(self, group: Group) -> None:
        self.tokens += group.tokens
        self.prompt_tokens += group.prompt_tokens
        self.completions += len(group.texts)

    def _mark(self, judged: Judged) -> None:
        self.rewards += [reward for reward in judged.rewards if reward is not None]
        self.lost += sum(reward is None for reward in judged.rewards)
        self.marked += sum(right is not None for right in judged.right)
        self.right += sum(bool(right) for right in judged.right)

    @property
    def pass_rate(self) -> float | None:
        """Of the completions that have a verdict: one that we failed to judge is neither right nor wrong."""
        return self.right / self.marked if self.marked else None

    def tokens_per_s(self, now: float) -> float | None:
        """Of this attempt."""
        passed_s = now - self.began
        return round((self.tokens - self.tokens_before) / passed_s, 1) if passed_s > 0 else None

    def summary(self) -> dict[str, Any]:
        """What a job answers. `overlap` is the share of verdicts that were there when the last token was.

        Speeds and times are those of the last attempt; `resumed_from` says how many prompts were drawn before it.
        """
        last_token_at = max(self.began, self.last_token_at)
        answer: dict[str, Any] = {
            "completions": self.completions,
            "tokens": self.tokens,
            "prompt_tokens": self.prompt_tokens,
            "generate_s": round(last_token_at - self.began, 3),
            "tokens_per_s": self.tokens_per_s(last_token_at),
            "resumed_from": self.resumed_from,
        }
        if not self.verdicts and not self.verdicts_before:
            return answer
        last = max((at for at, _ in self.verdicts), default=self.began)
        number = sum(count for _, count in self.verdicts)
        early = sum(count for at, count in self.verdicts if at <= last_token_at)
        return answer | {
            "verdicts": self.verdicts_before + number,
            "lost_verdicts": self.lost,
            "pass_rate": self.pass_rate,
            "mean_reward": sum(self.rewards) / len(self.rewards) if self.rewards else None,
            "verdicts_per_s": round(number / (last - self.began), 1) if last > self.began else None,
            "last_token_to_last_verdict_s": round(max(0.0, last - last_token_at), 3),
            "overlap": round(early / number, 4) if number else None,
        }


class Telling:
    """Collects a job's events and sends them together, a few times a second; `done` are prompts with all they get."""

    def __init__(self, job: CurrentJob, total: int, done: int) -> None:
        self._job = job
        self._total = total
        self._before = done
        self._completions: list[bytes] = []
        self._verdicts: list[bytes] = []
        self.done = done

    def completion(self, group: Group) -> None:
        self._completions.append(told.completion(group))

    def verdict(self, prompt: int, judged: Judged) -> None:
        self._verdicts.append(told.verdict(prompt, judged))

    async def keep_telling(self, timeline: Timeline) -> None:
        """Until it is cancelled; raises Cancelled when the job is."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            self._job.stop_if_unwanted()
            await asyncio.to_thread(self.flush, timeline)

    def flush(self, timeline: Timeline) -> None:
        """Completions first: their verdicts are told behind them."""
        completions, self._completions = self._completions, []
        verdicts, self._verdicts = self._verdicts, []
        if not completions and not verdicts:
            return
        self._job.tell(told.COMPLETION, completions)
        self._job.tell(told.VERDICT, verdicts)
        with (self._job.folder.path / "completions.jsonl").open("ab") as file:
            file.writelines(line + b"\n" for line in completions + verdicts)
        now, done = time.monotonic(), self.done - self._before
        self._job.report(
            Progress(
                step=self.done,
                total=self._total,
                reward=sum(timeline.rewards) / len(timeline.rewards) if timeline.rewards else None,
                pass_rate=timeline.pass_rate,
                tokens_per_s=timeline.tokens_per_s(now),
                eta_s=round((now - timeline.began) / done * (self._total - self.done), 1) if done else None,
            )
        )


def generate(job: CurrentJob, request: GenerateRequest, model: str, completions: Completions) -> dict[str, Any]:
    """Do a job of the kind generate; completions are its events. Raises SandboxError."""
    prompts: Sequence[Prompt] = request.prompts or request.messages or []
    return asyncio.run(_generate(job, request, model, prompts, completions))


async def _generate(
    job: CurrentJob, request: GenerateRequest, model: str, prompts: Sequence[Prompt], completions: Completions
) -> dict[str, Any]:
    async with AsyncClient(job.settings.url) as client:
        judge = None if request.verify is None else Judge(client, request.verify)
        timeline = await drawn_and_judged(job, model, prompts, request.sampling, completions, judge)
    return timeline.summary() | {"served_by": await completions.warm(model)}


async def drawn_and_judged(
    job: CurrentJob,
    model: str,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    completions: Completions,
    judge: GroupJudge | None,
) -> Timeline:
    """Every prompt's completions and their verdicts, both at the same time, but for what was told before."""
    before = told.read(await asyncio.to_thread(job.events))
    whole = before.groups if judge is None else before.judged
    telling = Telling(job, len(prompts), len(whole))
    await completions.warm(model)
    timeline = Timeline()
    _restore(timeline, before, judge)
    teller = asyncio.create_task(telling.keep_telling(timeline))

    async def judge_one(group: Group) -> None:
        if judge is not None:
            judged = await judge.judge(group.prompt, group.texts)
            timeline.judged(judged)
            telling.verdict(group.prompt, judged)
        telling.done += 1

    async def all_of_them() -> None:
        unjudged = [] if judge is None else [group for group in before.groups.values() if group.prompt not in whole]
        judging = [asyncio.create_task(judge_one(group)) for group in unjudged]
        try:
            async for group in completions.of(model, prompts, sampling, before.groups):
                timeline.drawn(group)
                telling.completion(group)
                judging.append(asyncio.create_task(judge_one(group)))
            await asyncio.gather(*judging)
        finally:
            for task in judging:
                task.cancel()

    work = asyncio.create_task(all_of_them())
    try:
        await asyncio.wait({work, teller}, return_when=asyncio.FIRST_COMPLETED)
        if teller.done():
            teller.result()
        await work
        await asyncio.to_thread(telling.flush, timeline)
    finally:
        for task in (work, teller):
            task.cancel()
        await asyncio.gather(work, teller, return_exceptions=True)
    return timeline


def _restore(timeline: Timeline, before: told.Told, judge: GroupJudge | None) -> None:
    for group in before.groups.values():
        timeline.drawn_before(group)
    for prompt, judged in before.judged.items():
        timeline.judged_before(judged)
        if judge is not None:
            judge.judged_before(prompt, judged)
