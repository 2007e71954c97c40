"""A submission: the programs that a client wants to run or judge, and the ticket for their results."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from sandbox import languages
from sandbox.errors import BadRequest, LanguageNotInstalled
from sandbox.languages import Language
from sandbox.schema import (
    AssertTest,
    ExecuteRequest,
    FunctionTest,
    InteractiveChecker,
    ProgramChecker,
    PytestTest,
    VerifyRequest,
)
from sandbox.schema.callbacks import Callback
from sandbox.schema.hack import HackRequest
from sandbox.schema.programs import Lane
from sandbox.schema.reward import RewardRequest
from sandbox.schema.submissions import SubmissionKind
from sandbox.schema.vote import VoteRequest

SubmissionRequest = ExecuteRequest | VerifyRequest | VoteRequest | HackRequest


@dataclass(frozen=True, slots=True)
class Submission:
    """Requests of one kind, and options for their results.

    A `durable` submission's results are stored for `/jobs`, and its ticket has no futures. Only a durable submission
    may have a `callback`. If `reward` is set, `requests` are its programs, and the result of the durable batch is its
    rewards; only then may `requests` be empty.
    """

    kind: SubmissionKind
    requests: Sequence[SubmissionRequest]
    durable: bool = False
    batch: bool = False
    idempotency_key: str = ""
    callback: Callback | None = None
    reward: RewardRequest | None = None

    @property
    def lane(self) -> Lane:
        return self.requests[0].priority if self.reward is None else self.reward.priority

    def check(self, missing_languages: frozenset[str]) -> None:
        """Raise BadRequest with the name of the invalid field if a request cannot run on any worker.

        Reward batches may contain programs in missing languages: the other programs still get rewards.
        """
        missing = missing_languages if self.reward is None else frozenset()
        for position, request in enumerate(self.requests):
            _check_request(request, f"items.{position}." if self.batch else "", missing)


@dataclass(frozen=True, slots=True)
class Ticket:
    """An accepted submission: its id, and for each item the future of its result as JSON bytes.

    A future fails with `errors.Cancelled` or another `errors.SandboxError`. Items of a batch have the ids
    `<id>.<index>`.
    """

    id: str
    results: list[Future[bytes]] = field(default_factory=list)
    client: str = ""


def _check_request(request: SubmissionRequest, prefix: str, missing: frozenset[str]) -> None:
    if isinstance(request, VoteRequest | HackRequest):
        for field, name in request.list_languages().items():
            _check_language(name, prefix + field, missing)
        return
    language = _check_language(request.language, prefix + "language", missing)
    if not isinstance(request, VerifyRequest):
        return
    if isinstance(request.checker, ProgramChecker | InteractiveChecker):
        _check_language(request.checker.language, f"{prefix}checker.language", missing)
    if not language.forked:
        for index, test in enumerate(request.tests):
            if isinstance(test, FunctionTest | AssertTest | PytestTest):
                raise BadRequest(
                    "function, assert, and pytest tests require the language python", field=f"{prefix}tests.{index}"
                )


def _check_language(name: str, field: str, missing: frozenset[str]) -> Language:
    try:
        language = languages.get_language(name)
    except BadRequest as error:
        error.field = field
        raise
    if language.name in missing:
        raise LanguageNotInstalled(
            f"{language.name} is not installed: run `sandbox images build {language.image}` on the workers' hosts, or, "
            "with the local engine, install its commands there",
            field,
        )
    return language
