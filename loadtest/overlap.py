"""Judge completions while the model is still writing others: stream them from an OpenAI-compatible server.

    python -m loadtest.overlap --llm http://127.0.0.1:8000/v1 --model MODEL --picture overlap.png

Requests several completions of every prompt concurrently. Each completion goes to the service as soon as its last token
arrives, through `AsyncClient.verify_stream`, whose input is still being produced. Prints, and plots as a timeline, how
much of the judging overlapped with the generation: verdicts that arrive before the last completion cost a training step
no time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sandbox.client import AsyncClient
from sandbox.rewards.extraction import extract

NO_CODE = "no code"
COLOURS = {"accepted": "#2ca02c", NO_CODE: "#c7c7c7"}
FAILED_COLOUR = "#d62728"
PROMPT_TEMPLATE = (
    "Write a Python program that reads from stdin and prints to stdout. {task} Answer with one code block."
)
PROBLEMS: list[dict[str, Any]] = [
    {
        "prompt": PROMPT_TEMPLATE.format(task=task),
        "tests": [{"stdin": stdin, "expected": expected} for stdin, expected in tests],
    }
    for task, tests in {
        "Read two integers on one line and print their sum.": [("2 3\n", "5"), ("-4 4\n", "0"), ("10 99\n", "109")],
        "Read a line and print it reversed.": [("abc\n", "cba"), ("a b\n", "b a"), ("x\n", "x")],
        "Read an integer n and print n factorial.": [("0\n", "1"), ("5\n", "120"), ("10\n", "3628800")],
        "Read integers on one line and print the largest.": [("1 2 3\n", "3"), ("-5 -2\n", "-2"), ("7\n", "7")],
        "Read integers on one line and print them sorted, blanks between.": [("3 1 2\n", "1 2 3"), ("5\n", "5")],
        "Read an integer and print yes if it is prime, else no.": [("7\n", "yes"), ("9\n", "no"), ("1\n", "no")],
    }.items()
]


@dataclass
class Completion:
    """The timeline of one completion, in seconds since the first request. `verdict` is empty until it is judged."""

    problem: int
    began_s: float
    ended_s: float = 0.0
    judged_s: float = 0.0
    chunks: int = 0
    text: str = ""
    verdict: str = ""


@dataclass
class Timeline:
    """All completions, in the order in which they finished."""

    completions: list[Completion] = field(default_factory=list)

    @property
    def written_s(self) -> float:
        """The time at which the last completion finished."""
        return max(each.ended_s for each in self.completions)

    @property
    def judged_s(self) -> float:
        """The time at which the last verdict arrived."""
        return max(each.judged_s for each in self.completions)

    def summarize(self) -> dict[str, float | int]:
        """Return the numbers of one step. `hidden` is the share of judging time that overlapped with generation."""
        judged = [each for each in self.completions if each.verdict != NO_CODE]
        waits = [each.judged_s - each.ended_s for each in judged]
        hidden = [max(0.0, min(each.judged_s, self.written_s) - each.ended_s) for each in judged]
        return {
            "completions": len(self.completions),
            "judged": len(judged),
            "accepted": sum(each.verdict == "accepted" for each in judged),
            "written_s": round(self.written_s, 3),
            "judged_s": round(self.judged_s, 3),
            "tail_s": round(self.judged_s - self.written_s, 3),
            "verdicts_before_the_last_token": sum(each.judged_s <= self.written_s for each in judged),
            "hidden": round(sum(hidden) / sum(waits), 4) if sum(waits) else 1.0,
        }


class TrainingStep:
    """The generation and judging of one training step, running concurrently."""

    def __init__(self, llm: httpx.AsyncClient, service: AsyncClient, model: str, sampling: dict[str, Any]) -> None:
        self._llm = llm
        self._service = service
        self._request_fields = {"model": model, "stream": True, **sampling}
        self._done: asyncio.Queue[Completion | None] = asyncio.Queue()
        self._sent: list[Completion] = []
        self._start = time.monotonic()
        self.timeline = Timeline()

    async def run(self, problems: Sequence[dict[str, Any]], number: int) -> Timeline:
        """Run `number` completions of each problem. Raises httpx.HTTPError and the client's errors."""
        self._start = time.monotonic()
        writing = asyncio.create_task(self._write_all(problems, number))
        async for index, result in self._service.verify_stream(self._iterate_submissions(problems)):
            self._sent[index].judged_s = self._measure_elapsed_s()
            self._sent[index].verdict = result.verdict.value
        await writing
        return self.timeline

    async def _write_all(self, problems: Sequence[dict[str, Any]], number: int) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(problems) * number):
                    problem = index % len(problems)
                    group.create_task(self._write(problem, problems[problem]["prompt"]))
        finally:
            self._done.put_nowait(None)

    async def _write(self, problem: int, prompt: str) -> None:
        completion = Completion(problem, self._measure_elapsed_s())
        body = {**self._request_fields, "messages": [{"role": "user", "content": prompt}]}
        async with self._llm.stream("POST", "chat/completions", json=body) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data:") and line != "data: [DONE]":
                    for choice in json.loads(line[5:])["choices"]:
                        completion.text += choice.get("delta", {}).get("content") or ""
                        completion.chunks += 1
        completion.ended_s = self._measure_elapsed_s()
        self._done.put_nowait(completion)

    async def _iterate_submissions(self, problems: Sequence[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        """Yield programs in the order in which they finish. A completion without a program is recorded at once."""
        while (completion := await self._done.get()) is not None:
            self.timeline.completions.append(completion)
            answer = extract(completion.text, "python")
            if answer is None:
                completion.verdict, completion.judged_s = NO_CODE, completion.ended_s
                continue
            self._sent.append(completion)
            tests = problems[completion.problem]["tests"]
            yield {"language": "python", "code": answer.code, "tests": tests, "priority": "rl"}

    def _measure_elapsed_s(self) -> float:
        return time.monotonic() - self._start


def draw(timeline: Timeline, path: Path) -> None:
    """Draw a row per completion: grey while it is written, then the color of its verdict while it is judged."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = sorted(timeline.completions, key=lambda each: each.ended_s)
    figure, axes = plt.subplots(figsize=(9, min(7.0, 1.6 + 0.09 * len(rows))), dpi=90, layout="constrained")
    for row, each in enumerate(rows):
        axes.barh(row, each.ended_s - each.began_s, left=each.began_s, height=0.8, color="#b9cfe4")
        width = max(
            each.judged_s - each.ended_s, timeline.judged_s / 300
        )  # keep verdicts of a few milliseconds visible
        axes.barh(row, width, left=each.ended_s, height=0.8, color=COLOURS.get(each.verdict, FAILED_COLOUR))
    axes.axvline(timeline.written_s, color="#444444", linewidth=0.8, linestyle=":")
    summary = timeline.summarize()
    axes.set_title(
        f"{summary['verdicts_before_the_last_token']} of {summary['judged']} verdicts before the last token; "
        f"the last one {summary['tail_s']:.2f} s after it",
        loc="left",
        fontsize=10,
    )
    axes.set(
        xlabel="seconds; blue: the model writes, green: judged and accepted, red: failed, grey: no code", yticks=[]
    )
    axes.set_ylabel("completions, in the order in which they finished")
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(path)
    plt.close(figure)


async def measure(options: argparse.Namespace, problems: Sequence[dict[str, Any]]) -> Timeline:
    sampling = {"temperature": options.temperature, "max_tokens": options.max_tokens}
    headers = {"Authorization": f"Bearer {options.llm_key}"} if options.llm_key else {}
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=options.llm, headers=headers, timeout=600.0, limits=limits) as llm,
        AsyncClient(options.url) as service,
    ):
        return await TrainingStep(llm, service, options.model, sampling).run(problems, options.number)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--llm", required=True, help="base URL of an OpenAI-compatible server, /v1 included")
    parser.add_argument("--llm-key", default="", help="API key of the model server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service")
    parser.add_argument("--problems", type=Path, help="JSON lines with prompt and tests; default: six easy ones")
    parser.add_argument("--number", type=int, default=8, help="completions per problem")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--picture", type=Path, help="write the timeline to this PNG")
    parser.add_argument("--times", type=Path, help="write the times of every completion to this JSON file")
    options = parser.parse_args(words)
    lines = options.problems.read_text(encoding="utf-8").splitlines() if options.problems else []
    timeline = asyncio.run(measure(options, [json.loads(line) for line in lines] or PROBLEMS))
    if options.times:
        options.times.write_text(json.dumps([asdict(each) for each in timeline.completions], indent=1))
    if options.picture:
        draw(timeline, options.picture)
    print(json.dumps(timeline.summarize()))


if __name__ == "__main__":
    main()
