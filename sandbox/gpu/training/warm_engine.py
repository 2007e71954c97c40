"""Let TRL generate with the worker's warm vLLM server on the same GPU.

Theory of operation. TRL's server mode sends weights by NCCL, which does not connect two processes on one GPU. So this
client writes them to a file in memory, and the server loads it over the old ones (`reload_weights`). Each weight has
the type that the server computes in. The server keeps its graphs, and TRL empties its cache after each update.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from safetensors.torch import save_file
from trl.generation import vllm_generation
from trl.generation.vllm_client import VLLMClient

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.weight_files import prepare_weights_dir

WEIGHTS_FILE = "model.safetensors"

# The name, type and shape of each tensor.
Metadata = list[tuple[str, str, list[int]]]


def install_warm_engine(job_dir: JobDir) -> None:
    """Make TRL use `WarmEngineClient` for the server at its URL."""

    class JobClient(WarmEngineClient):
        job = job_dir

    vllm_generation.VLLMClient = JobClient


class WarmEngineClient(VLLMClient):  # type: ignore[misc]
    """A client of a vLLM server on the same host that passes weights through a file."""

    job: JobDir

    def init_communicator(self, device: Any = 0) -> None:
        """Set the type of the weights: there is no connection to make."""
        served = str(self.get_server_info()["model_config"]["dtype"]).rpartition(".")[2]
        self._dtype = getattr(torch, served, torch.float32)

    def update_named_params(self, metadata: Metadata, named_params: Iterator[tuple[str, torch.Tensor]]) -> None:
        tensors = {name: tensor.to(self._dtype).cpu().contiguous() for name, tensor in named_params}
        directory = prepare_weights_dir(self.job, sum(tensor.nbytes for tensor in tensors.values()))
        save_file(tensors, directory / WEIGHTS_FILE)
        body = {"method": "reload_weights", "kwargs": {"weights_path": str(directory)}}
        self._post(f"{self.base_url}/collective_rpc", json=body)
        (directory / WEIGHTS_FILE).unlink()  # a killed training must not keep the memory
