"""Request a trainer's rewards from the service: `python -m sandbox.gpu.training.reward_process URL OPTIONS`.

Each line of standard input is a query, {"number", "tests": [text, ...], "drawn": [[index of its tests, completion,
tokens], ...]}. Each line of standard output is an answer, {"number", "rewards"} or {"number", "problem"}, in the order
in which the answers become ready. The process ends at the end of standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from sandbox.client import AsyncClient
from sandbox.trainers.function import AsyncRewardFunction


async def main(url: str, options: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()
    async with AsyncClient(url) as client:
        reward = AsyncRewardFunction(client, {**options, "on_outage": "none", "most_lost_batches": 0})  # type: ignore[arg-type]
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            task = asyncio.create_task(answer_query(reward, json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)
        for task in running:
            task.cancel()


async def answer_query(reward: AsyncRewardFunction, query: dict[str, Any]) -> None:
    response: dict[str, Any] = {"number": query["number"]}
    places, completions, tokens = zip(*query["drawn"], strict=True)
    try:
        tests = [query["tests"][place] for place in places]
        response["rewards"] = await reward(completions, tests, lengths=list(tokens))
    except Exception as error:  # noqa: BLE001 - the trainer asks again and then gets the error
        response["problem"] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(response) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
