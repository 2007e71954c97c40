"""The configuration of a run, `recipe.json` in its folder. The same recipe and seed give the same run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sandbox.errors import BadRequest

RUN_CONFIG_FILE = "recipe.json"
Style = Literal["codeforces", "leetcode", "atcoder"]


_NEWER_FIELDS = ("generators", "validators", "sizes", "checkers", "brutes", "mutants", "statements")
# `sandbox synth new --thorough` sets these.
THOROUGH: dict[str, Any] = {
    "generators": 2,
    "validators": 3,
    "sizes": 6,
    "checkers": 2,
    "brutes": 2,
    "mutants": 30,
    "min_mutation_score": 0.5,
}


class RunConfig(BaseModel):
    """The configuration of a run.

    The default style weights are those of the paper. The other defaults give a run small enough to inspect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: Path | None = Field(
        None, description="JSON lines with a `code` field: programs that provide the seed features"
    )
    statements: Path | None = Field(
        None,
        description="JSON lines with a `statement` field: tasks to use instead of examples; a right program as"
        " `solution` lets `study truth` measure the labels",
    )
    model: str = Field(min_length=1, description="name of the model on the OpenAI-compatible server")
    seed: int = Field(0, ge=0, lt=1 << 63)
    prompts: Path | None = Field(None, description="folder with files that replace the prompts of the same name")
    rounds: int = Field(2, ge=0, le=20, description="rounds of evolution")
    features_max: int = Field(10_000, ge=1, description="evolution stops at this many features")
    features_offered: int = Field(8, ge=2, le=64, description="number of features offered for each task")
    tasks: int = Field(8, ge=1)
    styles: dict[Style, float] = Field(default={"codeforces": 0.7, "leetcode": 0.15, "atcoder": 0.15}, min_length=1)
    generators: int = Field(1, ge=1, le=16, description="generators of inputs per task, which share the inputs")
    validators: int = Field(
        1, ge=1, le=16, description="validators per task; more than half of them must accept an input"
    )
    sizes: int = Field(
        0, ge=0, le=64, description="sizes of the sweep from 1 to the largest that the task allows; 0: no sweep"
    )
    checkers: int = Field(
        0, ge=0, le=16, description="checker programs asked for per task; 0: all tasks have one right output per input"
    )
    brutes: int = Field(
        0,
        ge=0,
        le=16,
        description="brute-force programs asked for per task; candidates that they contradict do not vote",
    )
    random_inputs: int = Field(6, ge=0, le=500)
    edge_inputs: int = Field(3, ge=0, le=250)
    stress_inputs: int = Field(2, ge=0, le=250)
    input_chars: int = Field(100_000, ge=1, description="longer inputs are dropped")
    solutions: int = Field(8, ge=1, le=256, description="candidate solutions per task")
    language: str = "python"
    temperature: float = Field(0.8, ge=0, le=10)
    max_tokens: int = Field(4_096, ge=1)
    solution_tokens: tuple[int, int] = Field((5, 16_000), description="shorter and longer solutions are dropped")
    policy: dict[str, Any] = Field(
        default={"golden_tie": "first"}, description="policy of the vote, with the recipe's seed"
    )
    mutants: int = Field(0, ge=0, le=512, description="mutants of the golden solution that measure the tests; 0: none")
    min_mutation_score: float = Field(
        0.0,
        ge=0,
        le=1,
        description="tasks whose tests fail a smaller share of the mutants are left out of the data set",
    )
    near_duplicate: float = Field(0.7, gt=0, le=1, description="Jaccard similarity from which a task counts as a copy")
    benchmarks: list[Path] = Field(default=[], description="files with texts that must not reappear as tasks")
    overlap_words: int = Field(
        10, ge=3, description="consecutive words shared with a benchmark that count as contamination"
    )

    @field_validator("styles")
    @classmethod
    def _check_weights(cls, styles: dict[Style, float]) -> dict[Style, float]:
        if min(styles.values()) < 0 or not sum(styles.values()):
            raise ValueError("weights must not be negative, and at least one must be positive")
        return styles

    @model_validator(mode="after")
    def _check_source(self) -> RunConfig:
        if (self.examples is None) == (self.statements is None):
            raise ValueError("give either examples or statements")
        if self.min_mutation_score and not self.mutants:
            raise ValueError("min_mutation_score needs mutants")
        return self

    def write(self, folder: Path) -> None:
        """Create the run's folder. Raises BadRequest if it has a different recipe."""
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / RUN_CONFIG_FILE).exists() and read_run_config(folder) != self:
            raise BadRequest(f"{folder / RUN_CONFIG_FILE} exists and differs; edit it, or choose another folder")
        (folder / RUN_CONFIG_FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def compute_fingerprint(self, *fields: str) -> str:
        """Return a hash of these fields, to detect changes since a stage was begun."""
        # A field that is newer than a run, and at its default, does not change what the run was begun with.
        newer = {name for name in _NEWER_FIELDS if getattr(self, name) == type(self).model_fields[name].default}
        chosen = self.model_dump(mode="json", include=set(fields) - newer)
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def read_run_config(folder: Path) -> RunConfig:
    """Read the recipe of a run's folder. Raises BadRequest."""
    try:
        return RunConfig.model_validate_json((folder / RUN_CONFIG_FILE).read_bytes())
    except OSError:
        raise BadRequest(f"{folder} is not a run; create one with `sandbox synth new {folder} ...`") from None
    except ValidationError as error:
        raise BadRequest(f"{folder / RUN_CONFIG_FILE}: {error}") from None
