"""The session of one rollout: opened by the first tool call, judged from outside, and closed in any case."""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sandbox.client.call_text import render_call, shorten
from sandbox.client.sync_session import Session
from sandbox.errors import (
    BadRequest,
    Forbidden,
    InfrastructureError,
    NotFound,
    Refused,
    SandboxError,
    SessionEnded,
    Unauthorized,
)
from sandbox.rewards.case_formats import read_tests
from sandbox.rewards.policy import CompletionResult, Policy, score
from sandbox.schema import VerifyResult
from sandbox.schema.sessions import CallLimits, CallResult, SessionRequest, SessionVerifyRequest
from sandbox.trainers.lazy_clients import LazyClient
from sandbox.trainers.outage import OutagePolicy, ServiceLost

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
SERVICE_FAILURES = (Refused, InfrastructureError)
KEY_FAILURES = (Unauthorized, Forbidden)  # no rollout can succeed
JUDGE_FIELDS = ("file", "language", "entry_point", "checker", "hidden", "limits")


@dataclass(frozen=True, slots=True)
class RolloutOptions:
    """How a rollout's session is opened and judged.

    policy: how verdicts become a reward.
    outage: what happens while the service does not answer.
    session: fields of `POST /sessions`, such as limits and files.
    judge: fields of `POST /sessions/{id}/verify` other than tests, such as file and entry_point.
    call_limits: the limits of one tool call.
    max_output_chars: longer answers of a tool lose their middle.
    """

    policy: Policy
    outage: OutagePolicy
    session: Mapping[str, Any] = field(default_factory=dict)
    judge: Mapping[str, Any] = field(default_factory=dict)
    call_limits: Mapping[str, Any] = field(default_factory=dict)
    max_output_chars: int = 8_000


class SessionRollout:
    """Runs the tools of one rollout after the other. `start` begins the next one.

    If the service fails during a rollout, its reward is None, so that the model is not blamed. A session that its own
    code ended, for example by running out of memory, is judged as no answer.
    """

    def __init__(self, client: LazyClient, options: RolloutOptions) -> None:
        self._client, self._options = client, options
        self._tests: list[Any] = []
        self._entry_point = ""
        self._is_unjudgeable, self._is_ended_by_code = False, False
        self._lost: SandboxError | None = None
        self._open_session = _OpenSession()
        # Also runs when the interpreter exits, so that Ctrl-C and exceptions leave no session open.
        weakref.finalize(self, self._open_session.close)

    def start(self, tests: Any) -> None:
        """Begin a rollout that is judged with `tests`, in any format that reward functions read."""
        self._open_session.close()
        self._tests, self._entry_point = [], ""
        self._is_unjudgeable, self._is_ended_by_code, self._lost = False, False, None
        try:
            found = read_tests(tests)
        except BadRequest as error:
            logger.warning("a rollout has no reward, because its tests cannot be read: %s", error)
            self._is_unjudgeable = True
            return
        self._tests, self._entry_point = found.tests, found.entry_point

    def run_code(self, code: str) -> str:
        return self._render(self._use(lambda session: session.execute(code, limits=self._options.call_limits)))

    def run_command(self, command: str) -> str:
        return self._render(self._use(lambda session: session.command(command, limits=self._options.call_limits)))

    def read_file(self, path: str) -> str:
        content = self._use(lambda session: session.get_file(path))
        return shorten(content.decode(errors="replace"), self._options.max_output_chars)

    def write_file(self, path: str, content: str) -> str:
        data = content.encode(errors="replace")
        self._use(lambda session: session.put_file(path, data))
        return f"wrote {len(data)} bytes to {path}"

    def list_files(self, path: str = "") -> str:
        return "\n".join(file.path for file in self._use(lambda session: session.list_files(path)))

    def close(self) -> None:
        """Close the session, if one is open."""
        self._open_session.close()

    def judge(self) -> float | None:
        """Judge the session with the hidden tests, close it, and return the reward; None if the service failed."""
        try:
            return self._judge()
        finally:
            self._open_session.close()

    def _judge(self) -> float | None:
        session = self._open_session.session
        if self._lost is not None:
            raise self._lost
        if self._is_unjudgeable:
            return None
        if session is None or self._is_ended_by_code:
            return score(self._options.policy, CompletionResult(answered=False))
        fields = {"entry_point": self._entry_point, **self._options.judge}
        build_verify_request({"tests": self._tests, **fields})
        try:
            result = self._wait_for_service(lambda: session.verify(self._tests, **fields))
        except SandboxError as error:
            return self._score_refusal(error)
        return None if result is None else score(self._options.policy, _summarize(result))

    def _score_refusal(self, error: SandboxError) -> float | None:
        """Score a session that cannot be judged: as no answer, unless the service lost it or the options are wrong."""
        if type(error) is BadRequest:
            logger.info("a rollout has no answer: %s", error)
            return score(self._options.policy, CompletionResult(answered=False))
        if isinstance(error, SessionEnded | NotFound):
            logger.warning("a rollout has no reward, because its session was lost: %s", error)
            return None
        raise error

    def _use(self, call: Callable[[Session], Answer]) -> Answer:
        """Run a call on the session. If the service fails, remember that the rollout cannot be judged."""
        try:
            return call(self._get_session())
        except (*SERVICE_FAILURES, *KEY_FAILURES, SessionEnded) as error:
            if isinstance(error, (ServiceLost, *KEY_FAILURES)):
                self._lost = error  # trainers turn errors of tools into text for the model, so `judge` raises it
            if not self._is_ended_by_code:
                logger.warning("a rollout has no reward, because a tool call failed: %s", error)
                self._is_unjudgeable = True
            raise

    def _get_session(self) -> Session:
        if self._open_session.session is None:
            session = self._client.session(self._options.session)
            try:
                opened = self._wait_for_service(session.open)
            except SandboxError as error:
                self._lost = error  # also a refusal: the model has no part in the options of its session
                raise
            if opened is None:
                raise InfrastructureError("the service opens no session")
            self._open_session.hold(session)
        assert self._open_session.session is not None
        return self._open_session.session

    def _wait_for_service(self, call: Callable[[], Answer]) -> Answer | None:
        """Repeat a call that changes nothing while the service is unavailable, as long as the options say.

        Return None when the options say that rewards are None at once. Raises ServiceLost.
        """
        patience = None
        while True:
            try:
                return call()
            except SERVICE_FAILURES as error:
                patience = patience or self._options.outage.start_wait(self._client.url)
                pause_s = patience.compute_pause_s(error)
                if pause_s is None:
                    return None
                time.sleep(pause_s)

    def _render(self, result: CallResult) -> str:
        self._is_ended_by_code = self._is_ended_by_code or result.state == "lost"
        return render_call(result, self._options.max_output_chars)


class _OpenSession:
    """The session that is open, if any. A forked process does not close the sessions of its parent."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._owner_pid = 0

    def hold(self, session: Session) -> None:
        self.session, self._owner_pid = session, os.getpid()

    def close(self) -> None:
        session, self.session = self.session, None
        if session is None or self._owner_pid != os.getpid():
            return
        try:
            session.close()
        except SandboxError as error:
            logger.warning("session %s stays open until its idle time has passed: %s", session.id, error)


def build_options(policy: Policy | str | Mapping[str, Any], **fields: Any) -> RolloutOptions:
    """Build the options, and check those that the service would refuse later. Raises BadRequest.

    `fields` are those of `RolloutOptions` and of `OutagePolicy`, and `JUDGE_FIELDS`, which become a part of `judge`.
    """
    outage, fields = OutagePolicy.split_options(fields)
    judge = {name: fields.pop(name) for name in JUDGE_FIELDS if name in fields}
    fields["judge"] = {**fields.get("judge", {}), **judge}
    try:
        named = {"name": policy} if isinstance(policy, str) else policy
        built = TypeAdapter(Policy).validate_python(named)
        SessionRequest.model_validate(fields.get("session", {}))
        CallLimits.model_validate(fields.get("call_limits", {}))
    except ValidationError as error:
        raise BadRequest(f"invalid options of an environment: {error}") from None
    options = RolloutOptions(policy=built, outage=outage, **fields)
    build_verify_request({"tests": [{"stdin": ""}], **options.judge})
    return options


def build_verify_request(fields: Mapping[str, Any]) -> SessionVerifyRequest:
    """Check the fields of `POST /sessions/{id}/verify`. Raises BadRequest."""
    try:
        return SessionVerifyRequest.model_validate(fields)
    except ValidationError as error:
        raise BadRequest(f"invalid options of an environment: {error}") from None


def _summarize(result: VerifyResult) -> CompletionResult:
    return CompletionResult(answered=True, verdicts=[test.verdict for test in result.tests])
