"""Generation with verdicts on the way: a prompt's completions go to the boxes while the GPU draws those of others."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.client import AsyncClient
from sandbox.gpu.completions import Completions, Group, Prompt
from sandbox.gpu.job import CurrentJob
from sandbox.gpu.verdicts import Judge, Judged
from sandbox.schema.gpu import GenerateRequest, Progress, Sampling

TELL_EVERY_S = 0.25


class GroupJudge(Protocol):
    async def judge(self, prompt: int, completions: Sequence[str]) -> Judged: ...


@dataclass
class Timeline:
    """When tokens and verdicts came, in seconds from the first request on."""

    began: float = field(default_factory=time.monotonic)
    tokens: int = 0
    prompt_tokens: int = 0
    completions: int = 0
    last_token_at: float = 0.0
    verdicts: list[tuple[float, int]] = field(default_factory=list)
    marked: int = 0
    right: int = 0
    lost: int = 0
    rewards: list[float] = field(default_factory=list)

    def drawn(self, group: Group) -> None:
        self.tokens += group.tokens
        self.prompt_tokens += group.prompt_tokens
        self.completions += len(group.texts)
        self.last_token_at = max(self.last_token_at, group.at)

    def judged(self, judged: Judged) -> None:
        self.verdicts.append((judged.at, len(judged.rewards)))
        self.rewards += [reward for reward in judged.rewards if reward is not None]
        self.lost += sum(reward is None for reward in judged.rewards)
        self.marked += sum(right is not None for right in judged.right)
        self.right += sum(bool(right) for right in judged.right)

    @property
    def pass_rate(self) -> float | None:
        """Of the completions that have a verdict: one that we failed to judge is neither right nor wrong."""
        return self.right / self.marked if self.marked else None

    def summary(self) -> dict[str, Any]:
        """What a job answers. `overlap` is the share of verdicts that were there when the last token was."""
        generate_s = self.last_token_at - self.began
        told: dict[str, Any] = {
            "completions": self.completions,
            "tokens": self.tokens,
            "prompt_tokens": self.prompt_tokens,
            "generate_s": round(generate_s, 3),
            "tokens_per_s": round(self.tokens / generate_s, 1) if generate_s > 0 else None,
        }
        if not self.verdicts:
            return told
        last, number = max(at for at, _ in self.verdicts), sum(count for _, count in self.verdicts)
        early = sum(count for at, count in self.verdicts if at <= self.last_token_at)
        return told | {
            "verdicts": number,
            "lost_verdicts": self.lost,
            "pass_rate": self.pass_rate,
            "mean_reward": sum(self.rewards) / len(self.rewards) if self.rewards else None,
            "verdicts_per_s": round(number / (last - self.began), 1),
            "last_token_to_last_verdict_s": round(max(0.0, last - self.last_token_at), 3),
            "overlap": round(early / number, 4) if number else None,
        }


class Telling:
    """Collects a job's events and sends them together, a few times a second."""

    def __init__(self, job: CurrentJob, total: int) -> None:
        self._job = job
        self._total = total
        self._lines: list[bytes] = []
        self.done = 0

    def completion(self, group: Group, judged: Judged | None) -> None:
        event: dict[str, Any] = {"prompt": group.prompt, "completions": group.texts, "finish": group.finish_reasons}
        if judged is not None:
            event |= {"rewards": judged.rewards} | ({"vote": judged.vote} if judged.vote is not None else {})
        self._lines.append(json.dumps(event).encode())
        self.done += 1

    async def keep_telling(self, timeline: Timeline) -> None:
        """Until it is cancelled; raises Cancelled when the job is."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            self._job.stop_if_unwanted()
            await asyncio.to_thread(self.flush, timeline)

    def flush(self, timeline: Timeline) -> None:
        lines, self._lines = self._lines, []
        if not lines:
            return
        with (self._job.folder.path / "completions.jsonl").open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
        self._job.tell("completion", lines)
        passed_s = time.monotonic() - timeline.began
        self._job.report(
            Progress(
                step=self.done,
                total=self._total,
                reward=sum(timeline.rewards) / len(timeline.rewards) if timeline.rewards else None,
                pass_rate=timeline.pass_rate,
                tokens_per_s=round(timeline.tokens / passed_s, 1),
                eta_s=round(passed_s / self.done * (self._total - self.done), 1) if self.done else None,
            )
        )


def generate(job: CurrentJob, request: GenerateRequest, model: str, completions: Completions) -> dict[str, Any]:
    """Do a job of the kind generate; completions are its events. Raises SandboxError."""
    prompts: Sequence[Prompt] = request.prompts or request.messages or []
    (job.folder.path / "completions.jsonl").unlink(missing_ok=True)
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
    """Every prompt's completions and their verdicts, both at the same time."""
    telling = Telling(job, len(prompts))
    await completions.warm(model)
    timeline = Timeline()
    teller = asyncio.create_task(telling.keep_telling(timeline))

    async def judge_one(group: Group) -> None:
        judged = None if judge is None else await judge.judge(group.prompt, group.texts)
        if judged is not None:
            timeline.judged(judged)
        telling.completion(group, judged)

    async def all_of_them() -> None:
        judging = []
        try:
            async for group in completions.of(model, prompts, sampling):
                timeline.drawn(group)
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
