"""A warm server takes new weights instead of being started again, sleeps during trainings, and reports each phase."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.config import GpuSettings
from sandbox.errors import BadRequest, Cancelled
from sandbox.gpu.serving import local_engine
from sandbox.gpu.serving.local_engine import LocalEngine
from sandbox.gpu.serving.model_server import find_start_stage, read_start_parts
from sandbox.gpu.subprocesses import SubprocessStarter
from tests.gpu.checkpoints import write_checkpoint
from tests.virtualenvs import ROOT


class EngineHost:
    """An engine whose server is scripted, with one pretended GPU."""

    def __init__(self, folder: Path, starter: SubprocessStarter) -> None:
        self.folder = folder
        self.write_script()
        self._starter = starter
        self._settings = GpuSettings(
            llm_module="tests.gpu.scripted_server",
            llm_options=f"--script {folder / 'script.json'}",
            llm_start_patience_s=40,
        )
        self.engine = self.build_engine()
        self.base = str(write_checkpoint(folder / "base"))
        self.trained = str(write_checkpoint(folder / "trained", dtype="BF16"))

    def build_engine(self) -> LocalEngine:
        return LocalEngine(self._settings, [0], self._starter, self.folder / "pool")

    def write_script(self, **fields: Any) -> None:
        script = {"default": ["text"], "signed": True, **fields}
        (self.folder / "script.json").write_text(json.dumps(script), encoding="utf-8")

    def complete(self, model: str) -> str:
        (url,) = self.engine.serve(model)
        return _complete(url)

    def read_calls(self) -> list[list[Any]]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _complete(url: str) -> str:
    body = {"model": "model", "prompt": "p"}
    return str(httpx.post(f"{url}/completions", json=body).json()["choices"][0]["text"])


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(local_engine, "HEALTH_POLL_INTERVAL_S", 0.05)
    starter = SubprocessStarter()
    host = EngineHost(tmp_path, starter)
    yield host
    host.engine.stop()
    starter.close()


def test_a_trained_model_is_loaded_into_the_warm_server(host: EngineHost) -> None:
    assert host.complete(host.base) == "text base"
    assert host.complete(host.trained) == "text trained"
    assert host.complete(host.trained) == "text trained"
    assert host.engine.start_count == 1
    assert host.read_calls() == [
        ["/collective_rpc", "", {"weights_path": host.trained}],
        ["/reset_prefix_cache", "", {}],
    ]
    start, load = host.engine.take_phases()
    assert (start["phase"], load["phase"]) == ("start", "load")
    assert load["took_s"] >= load["weights_s"] > 0
    assert host.engine.take_phases() == []


def test_a_server_sleeps_during_a_training_and_wakes_with_the_weights_of_its_result(host: EngineHost) -> None:
    host.complete(host.base)
    host.engine.release_gpus()
    host.engine.release_gpus()
    assert host.complete(host.trained) == "text trained"
    assert [call[:2] for call in host.read_calls()] == [
        ["/sleep", "level=2&mode=abort"],
        ["/wake_up", "tags=weights"],
        ["/collective_rpc", ""],
        ["/wake_up", "tags=kv_cache"],
        ["/reset_prefix_cache", ""],
    ]
    host.engine.release_gpus()
    assert host.complete(host.trained) == "text trained"  # the weights are gone, although the model is the same
    assert host.engine.start_count == 1


def test_a_lent_server_gets_its_weights_again(host: EngineHost) -> None:
    url = host.engine.lend(host.base)
    httpx.post(f"{url}/collective_rpc", json={"method": "reload_weights", "kwargs": {"weights_path": "/x/step-9"}})
    assert _complete(f"{url}/v1") == "text step-9"
    assert host.complete(host.base) == "text base"
    assert host.engine.start_count == 1


def test_a_server_that_can_neither_sleep_nor_load_is_replaced(host: EngineHost) -> None:
    host.write_script(frozen=True)
    host.complete(host.base)
    assert host.complete(host.trained) == "text trained"
    assert host.engine.start_count == 2
    host.engine.release_gpus()
    assert host.engine.list_server_urls() == []


def test_a_model_of_another_shape_or_a_dead_server_needs_a_new_server_under_the_same_path(host: EngineHost) -> None:
    wide = str(write_checkpoint(host.folder / "wide", width=16))
    assert [host.complete(model) for model in (host.base, wide)] == ["text base", "text wide"]
    assert host.read_calls() == []
    link = host.folder / "pool" / f"engine-{socket.gethostname()}-0-model"
    assert link.resolve() == Path(wide)
    host.engine._servers[0].process.kill()
    host.engine._servers[0].process.wait()
    assert host.complete(host.base) == "text base"
    assert (host.engine.start_count, link.resolve()) == (3, Path(host.base))


def test_two_hosts_that_share_a_home_directory_have_their_own_model_and_log(
    host: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert host.complete(host.base) == "text base"
    monkeypatch.setattr(socket, "gethostname", lambda: "other")
    other = host.build_engine()
    try:
        assert _complete(other.serve(host.trained)[0]) == "text trained"
    finally:
        other.stop()
    pool = host.folder / "pool"
    assert {link.resolve() for link in pool.glob("engine-*-0-model")} == {Path(host.base), Path(host.trained)}
    assert len(list(pool.glob("engine-*-0.log"))) == 2


def test_the_first_server_starts_in_the_process_that_has_finished_its_imports(host: EngineHost) -> None:
    host.engine.prepare()
    host.engine.prepare()
    spare = host.engine._starter._spare.process
    assert spare is not None
    assert host.complete(host.base) == "text base"
    assert host.engine._servers[0].process.pid == spare.pid
    assert not list((host.folder / "pool").glob("spare-server-*"))
    wide = str(write_checkpoint(host.folder / "wide", width=16))
    assert host.complete(wide) == "text wide", "a later start uses a new process"
    assert host.engine._servers[0].process.pid != spare.pid


def test_a_spare_process_that_has_ended_or_has_another_environment_is_not_used(
    host: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.engine.prepare()
    spare = host.engine._starter._spare.process
    assert spare is not None
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert host.complete(host.base) == "text base"
    assert spare.poll() is not None, "it was stopped"
    host.engine.stop()
    host.engine.prepare()
    spare = host.engine._starter._spare.process
    assert spare is not None
    spare.kill()
    spare.wait()
    assert host.complete(host.base) == "text base"
    assert host.engine.start_count == 2


def test_a_start_that_takes_long_reports_its_stage(host: EngineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_engine, "REPORT_INTERVAL_S", 0.1)
    host.write_script(start_s=0.5)
    stages: list[str] = []
    host.engine.serve(host.base, stages.append)
    assert stages[0] == "the engine starts: importing (0 s)"


def test_a_training_gets_the_gpu_of_a_server_whose_start_was_cancelled(
    host: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_engine, "REPORT_INTERVAL_S", 0.1)
    host.write_script(start_s=30.0)

    def cancel(stage: str) -> None:
        raise Cancelled(stage)

    with pytest.raises(Cancelled):
        host.engine.serve(host.base, cancel)
    host.engine.release_gpus()
    assert host.engine.list_server_urls() == []


def test_only_one_server_can_be_lent(tmp_path: Path) -> None:
    starter = SubprocessStarter()
    engine = LocalEngine(GpuSettings(llm_data_parallel=2), [0, 1], starter, tmp_path)
    with pytest.raises(BadRequest, match="one server"):
        engine.lend("m")
    starter.close()


VLLM_OUTPUT = """\
INFO [api_server.py] vLLM API server version 0.24.0
INFO [gpu_model_runner.py] Starting to load model /pool/engine-0-model...
INFO [gpu_model_runner.py] Model loading took 0.25 GiB memory and 1.250000 seconds
INFO [monitor.py] torch.compile took 22.50 s in total
INFO [gpu_model_runner.py] Graph capturing finished in 3 secs, took 0.40 GiB
INFO [core.py] init engine (profile, create kv cache, warmup model) took 30.10 s (compilation: 22.50 s)
"""


def test_the_parts_and_the_stage_of_a_start_are_read_from_the_output_of_vllm() -> None:
    parts = {"weights_s": 1.25, "compile_s": 22.5, "graphs_s": 3.0, "engine_s": 30.1}
    assert read_start_parts(VLLM_OUTPUT) == parts
    lines = VLLM_OUTPUT.splitlines(keepends=True)
    stages = [find_start_stage("".join(lines[:number])) for number in range(len(lines))]
    assert stages == [
        *("importing", "starting the engine", "loading the weights", "compiling", "warming up", "finishing")
    ]
