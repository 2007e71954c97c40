"""Training jobs end to end, with TRL and a two-layer model: the worker, its processes, and the real service."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from sandbox.cli import app
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.toy_tasks import generate_tasks
from sandbox.schema import JobStatus
from sandbox.schema.gpu import GpuJob
from sandbox.synth.training_loop import STEPS
from tests.conftest import require_python
from tests.gpu.conftest import GpuHost
from tests.synth.scripted_model import ScriptedModel, serve_scripted_model
from tests.virtualenvs import ROOT, TRL, build_environment

pytestmark = [pytest.mark.frameworks, pytest.mark.slow, pytest.mark.timeout(600)]

TIMEOUT_S = 280.0
# Every byte is a token, so there is no vocabulary to download.
BUILD_MODEL_SCRIPT = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
vocabulary = {token: index for index, token in enumerate(["<pad>", "<end>", *alphabet])}
tokenizer = Tokenizer(models.BPE(vocabulary, []))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")
fast.chat_template = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '<end>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
config = LlamaConfig(
    vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=1, max_position_embeddings=1024, pad_token_id=0, eos_token_id=1, bos_token_id=1,
)
LlamaForCausalLM(config).bfloat16().save_pretrained(sys.argv[1])
fast.save_pretrained(sys.argv[1])
"""

# A probe with a known pass rate, in a training with two processes.
PROBED_TRAINING_SCRIPT = """
import sys
from pathlib import Path
import torch
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training import train_sft

folder = Path(sys.argv[1])
train_sft.Prober.measure_pass_rate = lambda self, model: 1.0
train_sft.main(JobDir(folder))
(folder / f"{torch.distributed.get_rank()}-of-{torch.distributed.get_world_size()}").touch()
"""

# Save a model after its base has gone, and cast one with a file for each layer.
SAVE_SCRIPT = """
import shutil, sys
from pathlib import Path
import torch
from transformers import Trainer, TrainingArguments
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.pretrained import cast_checkpoint, load_pretrained, save_model

base, sharded, job = map(Path, sys.argv[1:])
pretrained = load_pretrained(JobDir(job), str(base))
assert pretrained.model.dtype is torch.float32
shutil.rmtree(base)
trainer = Trainer(model=pretrained.model, args=TrainingArguments(output_dir=str(job / "trainer"), use_cpu=True))
save_model(trainer, pretrained.tokenizer, JobDir(job), pretrained.dtype)
pretrained.model.save_pretrained(sharded, max_shard_size="40KB")
cast_checkpoint(sharded, torch.bfloat16)
"""


@pytest.fixture(scope="module")
def trl() -> Path:
    return require_python(TRL)


@pytest.fixture(scope="module")
def model(trl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model") / "tiny"
    subprocess.run(
        [trl, "-c", BUILD_MODEL_SCRIPT, str(directory)],
        check=True,
        env=build_environment(),
        capture_output=True,
        timeout=280,
    )
    return directory


@pytest.fixture
def trainer(host: GpuHost, trl: Path, model: Path) -> GpuHost:
    """A host whose worker trains with TRL's own interpreter, and a random model in its folder."""
    shutil.copytree(model, host.directory / "pool" / "tiny")
    host.environment |= {"SANDBOX_GPU_PYTHON": str(trl), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return host


def _build_sft_request(steps: int, **more: Any) -> dict[str, Any]:
    rows = [task.to_sft_row().model_dump(mode="json") for task in generate_tasks(16, 0)]
    return {"model": "tiny", "rows": rows, "steps": steps, "batch": 2, "max_tokens": 256, **more}


def _build_rl_tasks(number: int, held_out: bool = False) -> list[dict[str, Any]]:
    return [
        task.to_rl_task().model_dump(mode="json", exclude_unset=True) for task in generate_tasks(number, 0, held_out)
    ]


def _get_result(job: GpuJob, host: GpuHost) -> dict[str, Any]:
    log = host.directory / "pool" / "jobs" / job.id / "log.txt"
    assert job.status is JobStatus.FINISHED, (
        job.error,
        host.read_log(),
        log.read_text()[-3000:] if log.exists() else "",
    )
    assert job.result is not None
    return job.result


def _read_tensor_types(path: Path) -> dict[str, str]:
    """Return the type of each tensor from the file's header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: entry["dtype"] for name, entry in header.items() if name != "__metadata__"}


@pytest.fixture
def teacher() -> Iterator[ScriptedModel]:
    with serve_scripted_model() as server:
        yield server


def _run_cli(host: GpuHost, *arguments: object) -> str:
    done = CliRunner().invoke(app, list(map(str, arguments)), env=host.environment)
    assert done.exit_code == 0, (done.output, done.exception, host.read_log())
    return done.stdout


def test_one_command_makes_tasks_trains_a_model_on_them_with_this_service_as_the_reward_and_evaluates_it(
    trainer: GpuHost, teacher: ScriptedModel, tmp_path: Path
) -> None:
    """Run the whole loop: synthetic tasks, solutions, the vote with its hold-out, SFT, GRPO, evaluation."""
    trainer.write_script(default=["```python\nprint(1)\n```"])
    trainer.start_worker()
    run, examples, settings = tmp_path / "run", tmp_path / "examples.jsonl", tmp_path / "settings.json"
    examples.write_text(json.dumps({"code": "a = list(map(int, input().split()))\nprint(sum(a) % 7)"}))
    small = {
        "prompts_per_step": 1,
        "num_generations": 2,
        "max_tokens": 8,
        "held_out": _build_rl_tasks(2, held_out=True),
    }
    settings.write_text(json.dumps({"sft": {"batch": 2, "max_tokens": 2_048}, "grpo": small}))
    _run_cli(trainer, "synth", "new", run, "--examples", examples, "--model", "scripted", "--seed", 3, "--rounds", 1,
             "--tasks", 6, "--solutions", 6)  # fmt: skip
    loop = ("loop", run, "--llm-url", teacher.url, "--train", "tiny", "--sft-steps", 2, "--grpo-steps", 2, "-n", 2,
            "--settings", settings)  # fmt: skip
    shown = _run_cli(trainer, *loop)
    report = json.loads((run / "loop.json").read_bytes())
    assert all(step in shown for step in STEPS)
    assert [row["step"] for row in report["table"]] == ["engine", *STEPS]
    assert [row["pass@1"] for row in report["table"]] == [None, 0.0, None, 0.0, None, 0.0]
    assert report["data"]["held_out_tasks"] >= 1
    tuned, reinforced = (trainer.wait_until_ended(report["steps"][name]["job"]) for name in ("sft", "grpo"))
    assert _get_result(tuned, trainer)["steps"] == 2
    assert tuned.progress.loss is not None
    result = _get_result(reinforced, trainer)
    assert (result["steps"], result["held_out_before"], result["held_out_after"]) == (2, 0.0, 0.0)
    assert 0 < result["timing"]["verdict_s"] < result["timing"]["step_s"]
    runs = httpx.get(f"{trainer.client.url}/runs").json()["runs"]
    assert f"train_grpo/{reinforced.id}" in [run["name"] for run in runs]
    saved = trainer.directory / "pool" / "jobs" / reinforced.id / "model"
    assert json.loads((saved / "config.json").read_bytes())["dtype"] == "bfloat16"
    assert set(_read_tensor_types(saved / "model.safetensors").values()) == {"BF16"}, "as in the base model"
    jobs = len(trainer.client.gpus().jobs)
    assert _run_cli(trainer, *loop).count("grpo") >= 1
    assert len(trainer.client.gpus().jobs) == jobs, "a second time starts nothing"


@pytest.mark.training
def test_the_training_of_a_killed_worker_goes_on_from_its_last_checkpoint(trainer: GpuHost) -> None:
    first = trainer.start_worker()
    job = trainer.client.start("train_sft", _build_sft_request(40, save_steps=2))
    trainer.wait_until(job.id, lambda job: job.progress.step >= 5, TIMEOUT_S)
    os.killpg(first.pid, signal.SIGKILL)
    trainer.start_worker()
    result = _get_result(trainer.wait_until_ended(job.id, TIMEOUT_S), trainer)
    assert result["steps"] == 40
    assert result["resumed_from"] >= 4
    assert trainer.client.job(job.id).model_dump()["attempts"] == 2


@pytest.mark.training
def test_a_training_that_crashes_ends_alone_and_is_tried_as_often_as_was_set(trainer: GpuHost) -> None:
    """A crash affects only the training process: the worker survives and takes the next job."""
    worker = trainer.start_worker(SANDBOX_GPU_ATTEMPTS="1")
    job = trainer.wait_until_ended(
        trainer.client.start("train_sft", _build_sft_request(2, settings={"max_grad_norm": "x"})).id, TIMEOUT_S
    )
    assert job.status is JobStatus.FAILED
    assert "training ended with exit code 1" in job.error
    assert worker.poll() is None


@pytest.mark.training
@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("train_sft", {"settings": {"no_such_option": 1}}, "settings: TypeError: .*no_such_option"),
        ("train_sft", {"model": "nobody/nothing"}, "model: OSError"),
        ("train_sft", {"launch": {"no_such_option": 1}}, "launch: .*no_such_option"),
        ("train_sft", {"max_tokens": 8}, "max_tokens: ValueError: none of the 16 rows"),
        ("train_grpo", {"settings": {"generation_batch_size": 3}}, "settings: ValueError: .*generation_batch_size"),
    ],
)
def test_what_a_training_request_gets_wrong_fails_at_once_and_says_why(
    trainer: GpuHost, kind: str, change: dict[str, Any], why: str
) -> None:
    trainer.start_worker()
    request = (
        _build_sft_request(1) if kind == "train_sft" else {"model": "tiny", "tasks": _build_rl_tasks(2), "steps": 1}
    )
    job = trainer.wait_until_ended(trainer.client.start(kind, {**request, **change}).id, TIMEOUT_S)
    assert (job.status, job.attempts) == (JobStatus.FAILED, 1), job.error
    assert re.search(why, job.error, re.DOTALL), job.error


@pytest.mark.training
def test_a_probe_ends_the_training_of_all_processes(trl: Path, model: Path, tmp_path: Path) -> None:
    probe = {"tasks": _build_rl_tasks(1), "every_steps": 2, "stop_at": 0.5}
    job_dir = JobDir(tmp_path)
    job_dir.write_order(
        {"request": _build_sft_request(6, probe=probe, processes=2), "model": str(model), "url": "http://127.0.0.1:9"}
    )
    program = tmp_path / "probed.py"
    program.write_text(PROBED_TRAINING_SCRIPT, encoding="utf-8")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program), str(tmp_path)]
    environment = {**build_environment(), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([trl, *launch], check=True, env=environment, timeout=TIMEOUT_S)
    assert sorted(path.name for path in tmp_path.glob("*-of-2")) == ["0-of-2", "1-of-2"]
    result = job_dir.read_result()
    assert result is not None
    assert result["steps"] == 2


@pytest.mark.training
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"fsdp": "full_shard auto_wrap"},
        {"fsdp": "full_shard", "fsdp_config": {"state_dict_type": "SHARDED_STATE_DICT"}},
    ],
    ids=["DDP", "FSDP", "FSDP with checkpoints of shards"],
)
def test_several_processes_train_one_whole_model(
    trl: Path, model: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    job_dir = JobDir(tmp_path)
    request = _build_sft_request(2, processes=2, settings=settings)
    job_dir.write_order({"request": request, "model": str(model), "url": "http://127.0.0.1:9"})
    launch = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "sandbox.gpu.training.train_sft",
    ]
    environment = {**build_environment(), "OMP_NUM_THREADS": "1"}
    subprocess.run([trl, *launch, str(tmp_path)], check=True, env=environment, timeout=TIMEOUT_S)
    result = job_dir.read_result()
    assert result is not None
    assert result["steps"] == 2
    before, after = (_read_tensor_types(place / "model.safetensors") for place in (model, job_dir.model))
    assert before == after
    assert set(after.values()) == {"BF16"}


def test_a_model_is_saved_in_the_type_that_its_base_had_when_it_was_loaded(
    trl: Path, model: Path, tmp_path: Path
) -> None:
    base, sharded, job = (tmp_path / name for name in ("base", "sharded", "job"))
    shutil.copytree(model, base)
    job.mkdir()
    arguments = [str(trl), "-c", SAVE_SCRIPT, *map(str, (base, sharded, job))]
    subprocess.run(arguments, check=True, env=build_environment(), timeout=TIMEOUT_S)
    assert set(_read_tensor_types(JobDir(job).model / "model.safetensors").values()) == {"BF16"}
    files = sorted(sharded.glob("*.safetensors"))
    assert len(files) > 1
    assert {kind for path in files for kind in _read_tensor_types(path).values()} == {"BF16"}
    headers_bytes = [int.from_bytes(path.read_bytes()[:8], "little") + 8 for path in files]
    tensors_bytes = sum(path.stat().st_size for path in files) - sum(headers_bytes)
    index = json.loads((sharded / "model.safetensors.index.json").read_bytes())
    assert index["metadata"]["total_size"] == tensors_bytes
