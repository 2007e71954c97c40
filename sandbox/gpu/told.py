"""What a job has told of its prompts: their completions and then their verdicts, as events that a retry reads again.

| event      | data                                                         |
| ---------- | ------------------------------------------------------------ |
| completion | prompt, completions, finish, tokens, prompt_tokens           |
| verdict    | prompt, rewards, right, and with a vote `vote`               |

The events are in Redis, so a worker on another host goes on from them as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.gpu.completions import Group
from sandbox.gpu.verdicts import Judged

COMPLETION, VERDICT = "completion", "verdict"


@dataclass(frozen=True, slots=True)
class Told:
    """By prompt; a prompt whose worker was lost in between has its completions and no verdict."""

    groups: dict[int, Group] = field(default_factory=dict)
    judged: dict[int, Judged] = field(default_factory=dict)


def read(events: Iterable[bytes]) -> Told:
    """What earlier attempts have told; times are not among it."""
    told = Told()
    for line in events:
        event = json.loads(line)
        data: dict[str, Any] = event["data"]
        if event["event"] == COMPLETION:
            told.groups[data["prompt"]] = Group(
                prompt=data["prompt"],
                texts=data["completions"],
                finish_reasons=data["finish"],
                tokens=data.get("tokens", 0),
                prompt_tokens=data.get("prompt_tokens", 0),
                at=0.0,
            )
        elif event["event"] == VERDICT:
            told.judged[data["prompt"]] = Judged(data["rewards"], data["right"], data.get("vote"), 0.0)
    return told


def completion(group: Group) -> bytes:
    data = {
        "prompt": group.prompt,
        "completions": group.texts,
        "finish": group.finish_reasons,
        "tokens": group.tokens,
        "prompt_tokens": group.prompt_tokens,
    }
    return json.dumps(data).encode()


def verdict(prompt: int, judged: Judged) -> bytes:
    data: dict[str, Any] = {"prompt": prompt, "rewards": judged.rewards, "right": judged.right}
    return json.dumps(data | ({"vote": judged.vote} if judged.vote is not None else {})).encode()
