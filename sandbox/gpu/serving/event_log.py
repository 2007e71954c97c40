"""The event log of a generation job: completions and their verdicts, which a retry reads to continue.

| event      | data                                                         |
| ---------- | ------------------------------------------------------------ |
| completion | prompt, completions, finish, tokens, prompt_tokens           |
| verdict    | prompt, rewards, right, and with a vote `vote`               |

The events are stored in Redis, so a worker on another host can continue the job.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.gpu.serving.completions import CompletionGroup
from sandbox.gpu.serving.verdicts import GroupVerdict

COMPLETION, VERDICT = "completion", "verdict"


@dataclass(frozen=True, slots=True)
class LoggedEvents:
    """Events by prompt. A prompt has completions but no verdict if the worker was lost before the verdict arrived."""

    groups: dict[int, CompletionGroup] = field(default_factory=dict)
    verdicts: dict[int, GroupVerdict] = field(default_factory=dict)


def read_events(events: Iterable[bytes]) -> LoggedEvents:
    """Return the events of earlier attempts. Their times are not logged."""
    logged = LoggedEvents()
    for line in events:
        event = json.loads(line)
        data: dict[str, Any] = event["data"]
        if event["event"] == COMPLETION:
            logged.groups[data["prompt"]] = CompletionGroup(
                prompt_index=data["prompt"],
                texts=data["completions"],
                finish_reasons=data["finish"],
                tokens=data.get("tokens", 0),
                prompt_tokens=data.get("prompt_tokens", 0),
                finished_at=0.0,
            )
        elif event["event"] == VERDICT:
            logged.verdicts[data["prompt"]] = GroupVerdict(data["rewards"], data["right"], data.get("vote"), 0.0)
    return logged


def encode_completion(group: CompletionGroup) -> bytes:
    data = {
        "prompt": group.prompt_index,
        "completions": group.texts,
        "finish": group.finish_reasons,
        "tokens": group.tokens,
        "prompt_tokens": group.prompt_tokens,
    }
    return json.dumps(data).encode()


def encode_verdict(prompt: int, verdict: GroupVerdict) -> bytes:
    data: dict[str, Any] = {"prompt": prompt, "rewards": verdict.rewards, "right": verdict.correct}
    return json.dumps(data | ({"vote": verdict.vote} if verdict.vote is not None else {})).encode()
