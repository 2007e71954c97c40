"""The fields of requests as types of keyword arguments. Only type checkers and editors read this module.

Generated from `sandbox.schema` by `python -m tests.client.generate_fields`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from sandbox.schema.checkers import Checker, EquivalenceChecker, ProgramChecker
from sandbox.schema.hack import HackGenerator, HackProgram, HackTask
from sandbox.schema.programs import Lane, ProgramInput
from sandbox.schema.quality import MutantOptions, QualityProgram, TimeMultipliers
from sandbox.schema.reward_policy import Extraction, Policy
from sandbox.schema.sessions import SessionLanguage, SessionLimits
from sandbox.schema.tests import AnyTest
from sandbox.schema.vote import Candidate
from sandbox.schema.vote_inputs import ValidatorProbe, VoteGenerator, VoteInput, VoteValidator
from sandbox.schema.vote_policy import VotePolicy
from sandbox.schema.wire import LimitsRequest
from sandbox.verify.checker_calibration import Damage


class LimitsFields(TypedDict, total=False):
    """The fields of `sandbox.schema.wire.LimitsRequest`."""

    cpu_time_s: float | None
    total_cpu_time_s: float | None
    wall_time_s: float | None
    memory_mb: int | None
    processes: int | None
    output_kb: int | None
    file_mb: int | None
    compile_cpu_time_s: float | None
    compile_wall_time_s: float | None


class ExecuteFields(TypedDict, total=False):
    """The fields of `sandbox.schema.programs.ExecuteRequest`."""

    stdin: str
    stdin_base64: str | bytes | None
    args: Sequence[str]
    files: Mapping[str, str | bytes]
    language: str
    code: str
    fetch_files: Sequence[str]
    limits: LimitsRequest | LimitsFields
    debug_checks: bool
    environment: str
    priority: Lane | Literal["rl", "default", "bulk"]


class CheckerFields(TypedDict, total=False):
    """`Checker` as a mapping."""

    type: Literal[
        "exact",
        "lines",
        "tokens",
        "float",
        "unordered_lines",
        "unordered_tokens",
        "case_insensitive",
        "json",
        "regex",
        "livecodebench",
        "apps",
        "codeforces",
        "code-judge",
        "sandbox-fusion",
        "humaneval",
        "program",
        "interactive",
    ]
    absolute: float
    relative: float
    search: bool
    ignore_case: bool
    multiline: bool
    dot_all: bool
    language: str
    code: str
    limits: LimitsRequest | LimitsFields
    full_score: float
    idle_time_s: float


class VerifyFields(TypedDict, total=False):
    """The fields of `sandbox.schema.submissions.VerifyRequest`."""

    language: str
    code: str
    tests: Sequence[AnyTest | Mapping[str, Any]]
    entry_point: str
    checker: Checker | CheckerFields
    limits: LimitsRequest | LimitsFields
    stop_on_failure: bool
    stop_after_timeouts: int | None
    isolation: Literal["separate", "shared"]
    debug_checks: bool
    environment: str
    priority: Lane | Literal["rl", "default", "bulk"]


class EquivalenceCheckerFields(TypedDict, total=False):
    """`EquivalenceChecker` as a mapping."""

    type: Literal[
        "exact",
        "lines",
        "tokens",
        "float",
        "unordered_lines",
        "unordered_tokens",
        "case_insensitive",
        "json",
        "livecodebench",
        "apps",
        "codeforces",
        "code-judge",
        "humaneval",
    ]
    absolute: float
    relative: float


class ProgramCheckerFields(TypedDict, total=False):
    """The fields of `sandbox.schema.checkers.ProgramChecker`."""

    type: Literal["program"]
    language: str
    code: str
    limits: LimitsRequest | LimitsFields
    full_score: float


class VotePolicyFields(TypedDict, total=False):
    """The fields of `sandbox.schema.vote_policy.VotePolicy`."""

    name: Literal["default", "x-coder"]
    quorum: float | None
    min_votes: int | None
    margin: int | None
    tie: Literal["none", "first", "smallest", "random"] | None
    weights: Literal["uniform", "confidence", "discrimination", "size", "declared", "loo_auc"] | None
    holdout_fraction: float | None
    seed: int | None
    one_vote_per_program: bool | None
    golden_tie: Literal["fastest", "first"] | None
    brute_disqualifies: bool | None
    brute_labels: bool | None
    proven_after: int | None


class VoteFields(TypedDict, total=False):
    """The fields of `sandbox.schema.vote.VoteRequest`."""

    candidates: Sequence[Candidate | Mapping[str, Any]]
    generators: Sequence[VoteGenerator | Mapping[str, Any]]
    inputs: Sequence[str | VoteInput | Mapping[str, Any]]
    validators: Sequence[VoteValidator | Mapping[str, Any]]
    probes: Sequence[ValidatorProbe | Mapping[str, Any]]
    return_inputs: bool
    checker: EquivalenceChecker | EquivalenceCheckerFields | ProgramChecker | ProgramCheckerFields | None
    checker_allows: Sequence[Damage | Literal["truncated", "permuted", "off_by_one"]]
    policy: str | VotePolicy | VotePolicyFields
    limits: LimitsRequest | LimitsFields
    trusted_limits: LimitsRequest | LimitsFields
    environment: str
    stop_after_timeouts: int | None
    priority: Lane | Literal["rl", "default", "bulk"]
    callback_url: str | None


class MutantOptionsFields(TypedDict, total=False):
    """The fields of `sandbox.schema.quality.MutantOptions`."""

    count: int
    seed: int
    operators: Sequence[str]


class TimeMultipliersFields(TypedDict, total=False):
    """The fields of `sandbox.schema.quality.TimeMultipliers`."""

    ac_to_time_limit: float
    time_limit_to_tle: float


class QualityFields(TypedDict, total=False):
    """The fields of `sandbox.schema.quality.QualityRequest`."""

    tests: Sequence[AnyTest | Mapping[str, Any]]
    language: str
    right: Sequence[str | QualityProgram | Mapping[str, Any]]
    wrong: Sequence[str | QualityProgram | Mapping[str, Any]]
    mutants: MutantOptions | MutantOptionsFields | None
    inputs: Sequence[str | ProgramInput | Mapping[str, Any]]
    sizes: Sequence[float]
    time_multipliers: TimeMultipliers | TimeMultipliersFields
    entry_point: str
    checker: Checker | CheckerFields
    limits: LimitsRequest | LimitsFields
    isolation: Literal["separate", "shared"]
    environment: str
    priority: Lane | Literal["rl", "default", "bulk"]


class HackProgramFields(TypedDict, total=False):
    """The fields of `sandbox.schema.hack.HackProgram`."""

    language: str
    code: str


class ProgramInputFields(TypedDict, total=False):
    """The fields of `sandbox.schema.programs.ProgramInput`."""

    stdin: str
    stdin_base64: str | bytes | None
    args: Sequence[str]
    files: Mapping[str, str | bytes]


class HackGeneratorFields(TypedDict, total=False):
    """The fields of `sandbox.schema.hack.HackGenerator`."""

    language: str
    code: str
    args: Sequence[str]
    seed: int | None


class HackFields(TypedDict, total=False):
    """The fields of `sandbox.schema.hack.HackRequest`."""

    target: HackProgram | HackProgramFields
    input: str | ProgramInput | ProgramInputFields | None
    generator: HackGenerator | HackGeneratorFields | None
    output: str | None
    validators: Sequence[HackProgram | Mapping[str, Any]]
    references: Sequence[HackProgram | Mapping[str, Any]]
    checker: EquivalenceChecker | EquivalenceCheckerFields | ProgramChecker | ProgramCheckerFields
    limits: LimitsRequest | LimitsFields
    trusted_limits: LimitsRequest | LimitsFields
    environment: str
    priority: Lane | Literal["rl", "default", "bulk"]


class PolicyFields(TypedDict, total=False):
    """The fields of `sandbox.schema.reward_policy.Policy`."""

    name: Literal["binary", "fraction", "x-coder", "weighted", "first-k", "hack"]
    k: int | None
    seed: int | None
    format_bonus: float
    max_length: int | None
    length_buffer: int
    length_penalty: float


class ExtractionFields(TypedDict, total=False):
    """The fields of `sandbox.schema.reward_policy.Extraction`."""

    which: Literal["last", "first", "longest", "all"]
    bare: Literal["none", "raw"]
    thinking_tag: str
    thinking_open: bool
    fence_open: bool
    prompt: Literal["separate", "included"]
    prompt_code: Literal["skip", "allow"]


class RewardFields(TypedDict, total=False):
    """The fields of `sandbox.schema.reward.RewardRequest`."""

    completions: Sequence[str | Sequence[Mapping[str, Any]] | None]
    prompts: Sequence[str | Sequence[Mapping[str, Any]] | None] | None
    tests: Sequence[Sequence[AnyTest | Mapping[str, Any]]] | None
    tests_index: Sequence[int] | None
    problems: Sequence[str] | None
    entry_point: str | Sequence[str]
    preamble: str | Sequence[str]
    weights: Sequence[Sequence[float]] | None
    tasks: Sequence[str] | None
    hacks: Sequence[HackTask | Mapping[str, Any]] | None
    suite: Literal["all", "smallest"]
    lengths: Sequence[int] | None
    policy: Literal["binary", "fraction", "x-coder", "weighted", "first-k", "hack"] | Policy | PolicyFields
    extract: Extraction | ExtractionFields
    language: str | Sequence[str]
    checker: Checker | CheckerFields
    limits: LimitsRequest | LimitsFields
    stop_after_timeouts: int | None
    isolation: Literal["separate", "shared"]
    environment: str
    priority: Lane | Literal["rl", "default", "bulk"]
    run: str | None
    step: int | None
    callback_url: str | None


class SessionLimitsFields(TypedDict, total=False):
    """The fields of `sandbox.schema.sessions.SessionLimits`."""

    cpu_time_s: float
    memory_mb: int
    processes: int
    disk_mb: int
    file_mb: int


class SessionFields(TypedDict, total=False):
    """The fields of `sandbox.schema.sessions.SessionRequest`."""

    language: SessionLanguage | Literal["python", "bash"]
    limits: SessionLimits | SessionLimitsFields
    ttl_s: float
    idle_ttl_s: float
    files: Mapping[str, str | bytes]
    variables: Mapping[str, str]
    metadata: Mapping[str, str]
    replay: bool
    wait_s: float
    environment: str
