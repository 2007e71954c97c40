"""Generate completions and judge them at the same time: boxes judge one prompt while the GPU works on others.

Completions are published as soon as they finish, and then their verdicts. A retry neither generates nor judges again
what an earlier attempt has published.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.client import AsyncClient
from sandbox.gpu.current_job import CurrentJob
from sandbox.gpu.serving import event_log
from sandbox.gpu.serving.completions import CompletionClient, CompletionGroup, Prompt
from sandbox.gpu.serving.verdicts import CompletionJudge, GroupVerdict
from sandbox.schema.gpu import GenerateRequest, Progress, Sampling

PUBLISH_INTERVAL_S = 0.25


class GroupJudge(Protocol):
    async def judge(self, prompt: int, completions: Sequence[str]) -> GroupVerdict: ...

    def restore_verdict(self, prompt: int, verdict: GroupVerdict) -> None:
        """Restore a verdict of an earlier attempt at the job."""


@dataclass
class Timeline:
    """When tokens and verdicts arrived (time.monotonic). Counts include those of earlier attempts."""

    started_at: float = field(default_factory=time.monotonic)
    tokens: int = 0
    prompt_tokens: int = 0
    completions: int = 0
    last_token_at: float = 0.0
    verdicts: list[tuple[float, int]] = field(default_factory=list)
    resumed_from: int = 0
    tokens_before: int = 0
    verdicts_before: int = 0
    judged_count: int = 0
    correct_count: int = 0
    lost_count: int = 0
    rewards: list[float] = field(default_factory=list)

    def record_group(self, group: CompletionGroup) -> None:
        self._count_group(group)
        self.last_token_at = max(self.last_token_at, group.finished_at)

    def restore_group(self, group: CompletionGroup) -> None:
        self._count_group(group)
        self.resumed_from += 1
        self.tokens_before += group.tokens

    def record_verdict(self, verdict: GroupVerdict) -> None:
        self.verdicts.append((verdict.judged_at, len(verdict.rewards)))
        self._count_verdict(verdict)

    def restore_verdict(self, verdict: GroupVerdict) -> None:
        self.verdicts_before += len(verdict.rewards)
        self._count_verdict(verdict)

    def _count_group(self, group: CompletionGroup) -> None:
        self.tokens += group.tokens
        self.prompt_tokens += group.prompt_tokens
        self.completions += len(group.texts)

    def _count_verdict(self, verdict: GroupVerdict) -> None:
        self.rewards += [reward for reward in verdict.rewards if reward is not None]
        self.lost_count += sum(reward is None for reward in verdict.rewards)
        self.judged_count += sum(right is not None for right in verdict.correct)
        self.correct_count += sum(bool(right) for right in verdict.correct)

    @property
    def pass_rate(self) -> float | None:
        """The share of correct completions among those with a verdict. Infrastructure failures do not count."""
        return self.correct_count / self.judged_count if self.judged_count else None

    def compute_tokens_per_s(self, now: float) -> float | None:
        """Return the speed of this attempt."""
        passed_s = now - self.started_at
        return round((self.tokens - self.tokens_before) / passed_s, 1) if passed_s > 0 else None

    def summarize(self) -> dict[str, Any]:
        """Return the statistics of a job. `overlap` is the share of verdicts that arrived before the last token.

        Speeds and times are those of the last attempt; `resumed_from` counts the prompts of earlier attempts.
        """
        last_token_at = max(self.started_at, self.last_token_at)
        answer: dict[str, Any] = {
            "completions": self.completions,
            "tokens": self.tokens,
            "prompt_tokens": self.prompt_tokens,
            "generate_s": round(last_token_at - self.started_at, 3),
            "tokens_per_s": self.compute_tokens_per_s(last_token_at),
            "resumed_from": self.resumed_from,
        }
        if not self.verdicts and not self.verdicts_before:
            return answer
        last = max((at for at, _ in self.verdicts), default=self.started_at)
        number = sum(count for _, count in self.verdicts)
        early_count = sum(count for at, count in self.verdicts if at <= last_token_at)
        return answer | {
            "verdicts": self.verdicts_before + number,
            "lost_verdicts": self.lost_count,
            "pass_rate": self.pass_rate,
            "mean_reward": sum(self.rewards) / len(self.rewards) if self.rewards else None,
            "verdicts_per_s": round(number / (last - self.started_at), 1) if last > self.started_at else None,
            "last_token_to_last_verdict_s": round(max(0.0, last - last_token_at), 3),
            "overlap": round(early_count / number, 4) if number else None,
        }


class EventPublisher:
    """Collects a job's events and publishes them in batches, a few times a second; `done` counts finished prompts."""

    def __init__(self, job: CurrentJob, total: int, done: int) -> None:
        self._job = job
        self._total = total
        self._done_before = done
        self._completions: list[bytes] = []
        self._verdicts: list[bytes] = []
        self.done_count = done

    def add_completion(self, group: CompletionGroup) -> None:
        self._completions.append(event_log.encode_completion(group))

    def add_verdict(self, prompt: int, verdict: GroupVerdict) -> None:
        self._verdicts.append(event_log.encode_verdict(prompt, verdict))

    async def publish_periodically(self, timeline: Timeline) -> None:
        """Publish until cancelled. Raises Cancelled if the job is cancelled."""
        while True:
            await asyncio.sleep(PUBLISH_INTERVAL_S)
            self._job.raise_if_stopped()
            await asyncio.to_thread(self.flush, timeline)

    def flush(self, timeline: Timeline) -> None:
        """Publish the completions, then the verdicts, so that a verdict never precedes its completions."""
        completions, self._completions = self._completions, []
        verdicts, self._verdicts = self._verdicts, []
        if not completions and not verdicts:
            return
        self._job.publish_events(event_log.COMPLETION, completions)
        self._job.publish_events(event_log.VERDICT, verdicts)
        with (self._job.directory.path / "completions.jsonl").open("ab") as file:
            file.writelines(line + b"\n" for line in completions + verdicts)
        now, done = time.monotonic(), self.done_count - self._done_before
        self._job.report_progress(
            Progress(
                step=self.done_count,
                total=self._total,
                reward=sum(timeline.rewards) / len(timeline.rewards) if timeline.rewards else None,
                pass_rate=timeline.pass_rate,
                tokens_per_s=timeline.compute_tokens_per_s(now),
                eta_s=round((now - timeline.started_at) / done * (self._total - self.done_count), 1) if done else None,
            )
        )


def generate(job: CurrentJob, request: GenerateRequest, model: str, completions: CompletionClient) -> dict[str, Any]:
    """Run a job of kind `generate`; its events are the completions. Raises SandboxError."""
    prompts: Sequence[Prompt] = request.prompts or request.messages or []
    return asyncio.run(_generate(job, request, model, prompts, completions))


async def _generate(
    job: CurrentJob, request: GenerateRequest, model: str, prompts: Sequence[Prompt], completions: CompletionClient
) -> dict[str, Any]:
    async with AsyncClient(job.settings.url) as client:
        judge = None if request.verify is None else CompletionJudge(client, request.verify)
        timeline = await generate_and_judge(job, model, prompts, request.sampling, completions, judge)
    return timeline.summarize() | {"served_by": await completions.warm_up(model)}


async def generate_and_judge(
    job: CurrentJob,
    model: str,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    completions: CompletionClient,
    judge: GroupJudge | None,
) -> Timeline:
    """Generate and judge all prompts concurrently, except for those of earlier attempts."""
    logged = event_log.read_events(await asyncio.to_thread(job.read_events))
    finished = logged.groups if judge is None else logged.verdicts
    publisher = EventPublisher(job, len(prompts), len(finished))
    await completions.warm_up(model)
    timeline = Timeline()
    _restore(timeline, logged, judge)
    publishing = asyncio.create_task(publisher.publish_periodically(timeline))

    async def judge_one(group: CompletionGroup) -> None:
        if judge is not None:
            verdict = await judge.judge(group.prompt_index, group.texts)
            timeline.record_verdict(verdict)
            publisher.add_verdict(group.prompt_index, verdict)
        publisher.done_count += 1

    async def generate_all() -> None:
        unjudged = (
            [] if judge is None else [group for group in logged.groups.values() if group.prompt_index not in finished]
        )
        judging = [asyncio.create_task(judge_one(group)) for group in unjudged]
        try:
            async for group in completions.generate(model, prompts, sampling, logged.groups):
                timeline.record_group(group)
                publisher.add_completion(group)
                judging.append(asyncio.create_task(judge_one(group)))
            await asyncio.gather(*judging)
        finally:
            for task in judging:
                task.cancel()

    work = asyncio.create_task(generate_all())
    try:
        await asyncio.wait({work, publishing}, return_when=asyncio.FIRST_COMPLETED)
        if publishing.done():
            publishing.result()
        await work
        await asyncio.to_thread(publisher.flush, timeline)
    finally:
        for task in (work, publishing):
            task.cancel()
        await asyncio.gather(work, publishing, return_exceptions=True)
    return timeline


def _restore(timeline: Timeline, logged: event_log.LoggedEvents, judge: GroupJudge | None) -> None:
    for group in logged.groups.values():
        timeline.restore_group(group)
    for prompt, verdict in logged.verdicts.items():
        timeline.restore_verdict(verdict)
        if judge is not None:
            judge.restore_verdict(prompt, verdict)
