"""Settings of GPU workers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from sandbox.config.queue import HostSettings


class GpuSettings(HostSettings):
    """Settings of `sandbox gpu-worker`."""

    url: str = Field("http://127.0.0.1:8080", description="URL of the service that judges programs for GPU jobs")
    gpus: str = Field(
        "0",
        description="GPUs that this host offers, such as 0,1; list one twice to share it, for models that leave room;"
        " empty: none, jobs run on the CPU",
    )
    gpu_workers: int = Field(1, ge=1, description="workers that share the GPUs evenly; each runs one job at a time")
    gpu_servers: int = Field(
        0,
        ge=0,
        description="how many of the workers only serve models, so that the others only train; 0: all do both",
    )
    gpu_python: str = Field(
        "", description="Python interpreter with torch, TRL and vLLM, for training and inference; empty: this one"
    )
    gpu_folder: str = Field(
        "", description="directory for models, data sets and jobs; empty: gpu below the home directory"
    )
    gpu_lease_s: float = Field(
        15.0, gt=0, description="time without a heartbeat after which a GPU worker counts as dead and loses its job"
    )
    gpu_attempts: int = Field(3, ge=1, description="workers that a job may lose before it fails")
    gpu_spare: bool = Field(
        True,
        description="keep a process ready that has imported vLLM while no server runs, and one that has imported TRL;"
        " the next server and the next training in one process start in them; each takes 1 to 1.5 GB of the host's"
        " memory",
    )
    llm_url: str = Field(
        "", description="OpenAI-compatible service for generation, such as http://host:8000/v1; empty: start a server"
    )
    llm_key: str = Field("", description="API key of that service")
    llm_module: str = Field(
        "vllm.entrypoints.openai.api_server", description="module that serves a model; it must accept vLLM's options"
    )
    llm_options: str = Field("", description="extra options for it, such as `--dtype bfloat16 --max-model-len 4096`")
    llm_tensor_parallel: int = Field(1, ge=1, description="GPUs over which one server spreads a model")
    llm_data_parallel: int = Field(1, ge=1, description="servers of the same model, which share the requests")
    llm_start_patience_s: float = Field(900.0, gt=0, description="how long a server may take to start")
    llm_sleep: bool = Field(
        True,
        description="keep the server in a GPU's memory, without weights, while a training uses that GPU, so that it"
        " is ready in seconds afterwards; false: stop it",
    )
    llm_requests: int = Field(512, ge=1, description="concurrent requests per server")
    ray_address: str = Field("", description="Ray cluster that verl trains on, such as auto; empty: a local one")

    @property
    def gpu_indices(self) -> list[int]:
        return [int(part) for part in self.gpus.split(",") if part.strip()]

    @property
    def effective_gpu_folder(self) -> Path:
        return Path(self.gpu_folder).absolute() if self.gpu_folder else self.home / "gpu"
