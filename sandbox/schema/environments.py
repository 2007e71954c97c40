"""Environments: base images extended with packages and files, under names that submissions refer to."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from sandbox.schema.programs import Files
from sandbox.schema.wire import ENVIRONMENT_NAME_PATTERN, WireModel

MAX_PACKAGES = 200
MAX_FILE_BYTES = 16 << 20
ID_DIGITS = 32

BaseImage = Literal["python", "cpp", "js", "jvm", "compiled", "scripting"]
EnvironmentName = Annotated[str, Field(pattern=f"^{ENVIRONMENT_NAME_PATTERN}$")]


def _check_requirement(text: str) -> str:
    if text.startswith("-"):
        raise ValueError("must be a requirement such as `numpy==2.1`, not an option")
    if not text.isprintable():
        raise ValueError("must not contain control characters")
    return text


PipPackage = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_check_requirement)]
AptPackage = Annotated[str, Field(max_length=200, pattern=r"^[a-z0-9][a-z0-9+.:-]*(=[A-Za-z0-9.+:~-]+)?$")]


class EnvironmentRequest(WireModel):
    """What an environment adds to a base image."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"base": "python", "pip": ["roman==5.0"]}]})

    base: BaseImage = Field("python", description="the standard image to extend, one of `sandbox images list`")
    pip: list[PipPackage] = Field(
        default_factory=list,
        max_length=MAX_PACKAGES,
        description="Python packages, as `uv pip install` takes them; only with the base python. `./name.whl` is a file"
        " of `files`",
    )
    apt: list[AptPackage] = Field(default_factory=list, max_length=MAX_PACKAGES, description="Debian packages")
    files: Files = Field(
        default_factory=dict, description="files to put into /opt/environment, from which Python programs can import"
    )

    @model_validator(mode="after")
    def _check_content(self) -> EnvironmentRequest:
        if self.pip and self.base != "python":
            raise ValueError("pip: only environments with the base python have Python packages")
        if (size := sum(map(len, self.files.values()))) > MAX_FILE_BYTES:
            raise ValueError(f"files have {size} bytes in total, the maximum is {MAX_FILE_BYTES}")
        return self

    def compute_id(self) -> str:
        """Return the content id. Environments with the same packages and files have the same id."""
        files = {path: sha256(content).hexdigest() for path, content in self.files.items()}
        content = {"base": self.base, "pip": self.pip, "apt": self.apt, "files": files}
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:ID_DIGITS]


class EnvironmentInfo(WireModel):
    """An environment. A submission runs in the version that is current when it is accepted."""

    name: str
    id: str = Field(description="identifies the content; `<name>@<id>` names this version")
    base: str
    pip: list[str]
    apt: list[str]
    files: dict[str, int] = Field(description="sizes in bytes by path")
    updated_at: float = Field(description="Unix time in seconds")


class EnvironmentList(WireModel):
    environments: list[EnvironmentInfo]
