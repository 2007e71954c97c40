"""Train a model with TRL's multi-turn GRPO to run code in a session before it answers, and without the tool.

    SANDBOX_URL=http://127.0.0.1:8080 python -m loadtest.tool_use --model FOLDER --out FOLDER

The interpreter needs torch and TRL. The service runs at SANDBOX_URL and has a session host. The task is arithmetic that
a small model cannot do in its head, so running code helps. The model is first fine-tuned on a few conversations to know
their form, in some of which it guesses without the tool. `tool_use.json` has, with and without the tool, the pass rate
before and after GRPO, the calls per rollout, and with the tool the latency of a call and the share of a step that calls
take.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, set_seed
from transformers.utils import get_json_schema
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import qwen2_5_chat_template

from loadtest.code_tool import UNUSED_TESTS, CodeTool, close_sessions
from loadtest.session_hosts import require_session_host
from sandbox.client import Client

NUMBER = re.compile(r"-?\d+")
GUESS_SHARE = 0.3
HELD_OUT_SEED = 1_000


def make_rows(count: int, seed: int) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    rows = []
    for _ in range(count):
        a, b, c = dice.randint(100, 999), dice.randint(100, 999), dice.randint(10, 99)
        expression = dice.choice((f"{a} * {b} + {c}", f"{a} * {c} - {b}", f"({a} + {b}) * {c}"))
        prompt = [{"role": "user", "content": f"What is {expression}? Answer with the number."}]
        rows.append(
            {"prompt": prompt, "expression": expression, "answer": str(eval(expression)), "tests": UNUSED_TESTS}
        )
    return rows


def write_conversation(row: dict[str, Any], with_tool: bool, dice: random.Random) -> list[dict[str, Any]]:
    """Return an example: with the tool, a call and its result; sometimes, and without the tool, a guess."""
    if not with_tool or dice.random() < GUESS_SHARE:
        guess = str(int(row["answer"]) + dice.randint(-500, 500))
        return [*row["prompt"], {"role": "assistant", "content": guess}]
    arguments = {"code": f"print({row['expression']})"}
    call = {"type": "function", "function": {"name": "run_code", "arguments": arguments}}
    return [
        *row["prompt"],
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "run_code", "content": f"{row['answer']}\n"},
        {"role": "assistant", "content": row["answer"]},
    ]


def tune(model: Any, tokenizer: Any, with_tool: bool, options: argparse.Namespace) -> None:
    """Fine-tune on whole conversations, without the padding."""
    dice = random.Random(0)
    tools = [get_json_schema(CodeTool().run_code)] if with_tool else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.sft_rate)
    model.train()
    for step in range(options.sft_steps):
        rows = make_rows(options.batch, 10_000 + step)
        texts = [
            tokenizer.apply_chat_template(write_conversation(row, with_tool, dice), tools=tools, tokenize=False)
            for row in rows
        ]
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda"):
            loss = model(**batch, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    print(f"fine-tuned: loss {loss.item():.3f}", flush=True)


class Reward:
    """The reward: 1 if the last number of the last message is the answer. Counts what it judged."""

    __name__ = "answer"

    def __init__(self) -> None:
        self.right: list[bool] = []
        self.called: list[bool] = []

    def __call__(self, completions: Sequence[Any], answer: Sequence[str], **columns: Any) -> list[float]:
        right = [is_right(messages, truth) for messages, truth in zip(completions, answer, strict=True)]
        self.right += right
        self.called += [any(message.get("tool_calls") for message in messages) for messages in completions]
        return [float(one) for one in right]

    def take(self) -> dict[str, float | None]:
        """Return the share of right answers and of rollouts with a call since the last time."""
        taken = {name: sum(seen) / len(seen) if seen else None for name, seen in self._list_counts()}
        self.right, self.called = [], []
        return taken

    def _list_counts(self) -> list[tuple[str, list[bool]]]:
        return [("pass_rate", self.right), ("call_share", self.called)]


def is_right(messages: Sequence[dict[str, Any]], truth: str) -> bool:
    last = messages[-1] if messages else {}
    found = NUMBER.findall(str(last.get("content") or "")) if last.get("role") == "assistant" else []
    return bool(found) and found[-1] == truth


class StepClock(TrainerCallback):  # type: ignore[misc]
    """Measures the seconds of each step, and the seconds that its tool calls took."""

    def __init__(self, reward: Reward) -> None:
        self.steps: list[dict[str, Any]] = []
        self._reward = reward

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._began, self._calls = time.perf_counter(), len(CodeTool.latencies_s)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        calls = CodeTool.latencies_s[self._calls :]
        step = {"step_s": time.perf_counter() - self._began, "calls": len(calls), "calls_s": sum(calls)}
        self.steps.append({**step, **self._reward.take()})
        print(json.dumps(self.steps[-1]), flush=True)


def train(with_tool: bool, options: argparse.Namespace) -> dict[str, Any]:
    set_seed(options.seed)
    on_gpu = torch.cuda.is_available()
    tokenizer = AutoTokenizer.from_pretrained(options.model, padding_side="right")
    tokenizer.chat_template = qwen2_5_chat_template  # TRL reads the tool calls of this template
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).to("cuda" if on_gpu else "cpu")
    tune(model, tokenizer, with_tool, options)
    reward = Reward()
    clock = StepClock(reward)
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(make_rows(options.rows, options.seed)),
        eval_dataset=Dataset.from_list(make_rows(options.held_out, HELD_OUT_SEED)),
        reward_funcs=[reward],
        environment_factory=CodeTool if with_tool else None,
        callbacks=[clock],
        args=GRPOConfig(
            output_dir=str(options.out / "trainer"),
            use_cpu=not on_gpu,
            bf16=on_gpu,
            report_to=[],
            save_strategy="no",
            max_steps=options.steps,
            per_device_train_batch_size=options.batch,
            per_device_eval_batch_size=options.held_out,
            num_generations=8 if options.batch % 8 == 0 else 2,
            num_generations_eval=1,
            max_completion_length=128,
            max_tool_calling_iterations=2,
            learning_rate=options.rate,
            lr_scheduler_type="constant",
            disable_tqdm=True,
            gradient_checkpointing=False,
        ),
    )
    before = evaluate(trainer, reward)
    trainer.train()
    after = evaluate(trainer, reward)
    return {"before": before, "after": after, "steps": clock.steps, **summarize_calls(clock.steps)}


def evaluate(trainer: GRPOTrainer, reward: Reward) -> dict[str, float | None]:
    reward.take()
    trainer.evaluate()
    return reward.take()


def summarize_calls(steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the latency of a call and the share of a step, of all steps but the first, None without calls."""
    counted = steps[1:] or steps
    latencies = sorted(CodeTool.latencies_s)
    total_s = sum(step["step_s"] for step in counted)
    return {
        "step_s": round(total_s / len(counted), 3),
        "calls": len(latencies),
        "call_p50_ms": round(1e3 * statistics.median(latencies), 2) if latencies else None,
        "call_p99_ms": round(1e3 * latencies[int(0.99 * (len(latencies) - 1))], 2) if latencies else None,
        "calls_share": round(sum(step["calls_s"] for step in counted) / total_s, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of a model with the tokens of Qwen's chat template")
    parser.add_argument("--out", type=Path, required=True)
    numbers = {"steps": 12, "batch": 64, "rows": 512, "held-out": 128, "sft-steps": 60, "seed": 0}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=1e-5)
    parser.add_argument("--sft-rate", type=float, default=1e-4)
    options = parser.parse_args()
    with Client() as client:  # reads SANDBOX_URL, like the environment
        require_session_host(client.ready(), client.url)
    options.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"settings": {**vars(options), "out": str(options.out)}}
    for name, with_tool in (("tool", True), ("plain", False)):
        try:
            report[name] = train(with_tool, options)
        finally:
            close_sessions()
        (options.out / "tool_use.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(name, {key: value for key, value in report[name].items() if key != "steps"}, flush=True)


if __name__ == "__main__":
    main()
