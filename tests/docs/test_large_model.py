"""The page on a 7B model: its requests are valid, and its arithmetic is that of the capacity page."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from loadtest.capacity import MeasuredCosts, compute_slot_s, read_measurements
from sandbox.config import GpuSettings
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.toy_tasks import generate_tasks
from sandbox.gpu.training.verl_config import OVERRIDES_FILE, prepare_verl_command
from sandbox.schema.gpu import GrpoRequest, SftRequest
from tests.docs.conftest import ROOT
from tests.gpu.training.test_verl_config import LARGE_MODEL_SETTINGS

PAGE = (ROOT / "sandbox/docs/how-to/large-model.md").read_text(encoding="utf-8")
CONTEXT_TOKENS, STEP_ROWS = 32_768, 128
TESTS_PER_TASK, TEST_CPU_S, ENDLESS_SHARE, WITHIN_S = 10, 0.05, 0.05, 60
TASKS, DATA_BYTES, PASSES = 40_000, 17e9, 3
SLOTS_PER_HOST, STEP_S, GPU_PRICE, HOST_PRICE = 14, 900, 2.50, 0.64


@pytest.fixture(scope="module")
def costs() -> MeasuredCosts:
    return read_measurements(ROOT / "loadtest/results/cores32")


def read_requests() -> list[str]:
    tokens = MarkdownIt("commonmark").parse(PAGE)
    return [token.content for token in tokens if token.type == "fence" and token.info == "json"]


def read_grpo_request() -> GrpoRequest:
    return GrpoRequest.model_validate_json(read_requests()[1].replace("job:FINE-TUNING", "job:gpu-1"))


def test_the_fine_tuning_has_x_coders_context_and_rows_per_step() -> None:
    request = SftRequest.model_validate_json(read_requests()[0])
    assert (request.max_tokens, request.epochs) == (CONTEXT_TOKENS, 8)
    assert request.batch * request.processes * request.settings["gradient_accumulation_steps"] == STEP_ROWS


def test_the_reinforcement_gives_verl_x_coders_values(tmp_path: Path) -> None:
    request = read_grpo_request()
    task = generate_tasks(1, 0)[0].to_rl_task().model_dump_json(exclude_unset=True)
    (tmp_path / "rl.jsonl").write_text(task + "\n", encoding="utf-8")
    job_dir = JobDir(tmp_path / "job")
    job_dir.write_order({"model": "m", "url": "http://api", "dataset": str(tmp_path / "rl.jsonl"), "request": {}})
    prepare_verl_command(job_dir, request, GpuSettings(home=tmp_path), request.gpus)
    lines: list[str] = json.loads((job_dir.path / OVERRIDES_FILE).read_text(encoding="utf-8"))
    values = dict(line.split("=", 1) for line in lines)
    assert values["data.train_batch_size"] == "512"
    assert values["actor_rollout_ref.actor.ppo_mini_batch_size"] == "128"
    assert values["actor_rollout_ref.rollout.n"] == values["trainer.n_gpus_per_node"] == "8"
    longest = int(values["data.max_prompt_length"]) + int(values["data.max_response_length"])
    assert values["actor_rollout_ref.actor.ppo_max_token_len_per_gpu"] == str(longest)
    assert longest <= CONTEXT_TOKENS
    assert request.settings == LARGE_MODEL_SETTINGS  # the names are checked with verl itself
    assert request.steps == PASSES * TASKS // request.prompts_per_step


def test_the_slots_and_redis_follow_from_the_measured_costs(costs: MeasuredCosts) -> None:
    request = read_grpo_request()
    programs = request.prompts_per_step * request.num_generations
    tests, limit_s = programs * TESTS_PER_TASK, request.limits.cpu_time_s
    assert request.stop_after_timeouts is not None
    assert limit_s is not None
    tests_s = compute_slot_s(tests, TEST_CPU_S, costs)
    endless_s = ENDLESS_SHARE * programs * request.stop_after_timeouts * limit_s
    slots = (tests_s + endless_s) / WITHIN_S
    hosts = slots / SLOTS_PER_HOST
    rate = tests / WITHIN_S
    stored_bytes = 2 * programs * DATA_BYTES / TASKS
    for expected in (
        f"a slot spends {1e3 / costs.slot_rate:.2f} ms",
        f"= {tests:,}.",
        f"= {tests_s:,.0f} s.",
        f"= {endless_s:,.0f} s.",
        f"= {slots:.1f}, so {math.ceil(slots)}.",
        f"= {math.ceil(slots) / SLOTS_PER_HOST:.1f}, so {math.ceil(hosts)} hosts",
        f"= {rate:,.0f} verdicts/s x {costs.api_s * 1e6:.0f} us = {rate * costs.api_s:.2f} cores",
        f"{rate:,.0f} verdicts/s x {costs.redis_s * 1e6:.0f} us = {rate * costs.redis_s:.1%}".replace(
            "%", " % of a core"
        ),
        f"= {stored_bytes / 1e9:.1f} GB.",
        f"/ 60 s = {stored_bytes / WITHIN_S / 1e6:.0f} MB/s",
        f"0.6 ms, {math.ceil(tests / WITHIN_S / costs.slot_rate)} slots would be enough",
    ):
        assert expected in " ".join(PAGE.split()), expected


def test_the_cost_of_a_step_follows_from_the_prices() -> None:
    request = read_grpo_request()
    gpus = STEP_S * request.gpus * GPU_PRICE / 3600
    hosts = STEP_S * 4 * HOST_PRICE / 3600
    for expected in (
        f"2.50 / 3600 | ${gpus:.2f} |",
        f"0.64 / 3600 | ${hosts:.2f} |",
        f"| a step | ${gpus + hosts:.2f} |",
        f"| ${round(request.steps * (gpus + hosts), -1):,.0f} |",
        f"| ${request.gpus * GPU_PRICE / 3600:.4f} |",
        f"= ${hosts / 4:.2f} per step, as much as {hosts / 4 / (request.gpus * GPU_PRICE / 3600):.0f} s of waiting",
    ):
        assert expected in " ".join(PAGE.split()), expected
