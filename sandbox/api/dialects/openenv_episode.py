"""An episode of OpenEnv's coding environment: a session runs the actions, and hidden tests give the reward."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from uuid import uuid4

from fastapi import Request
from pydantic import ConfigDict, Field

from sandbox.api.dependencies import get_context
from sandbox.api.dialects.dialect import PeerRequest, build_model, parse_model
from sandbox.api.responses import submit_and_wait
from sandbox.api.session_client import call_session, open_session
from sandbox.api.session_verify import build_submission, needs_files
from sandbox.errors import BadRequest, NotFound, SandboxError, SessionEnded
from sandbox.rewards.case_formats import read_tests
from sandbox.rewards.policy import CompletionResult, Policy, PolicyName, score
from sandbox.schema import VerifyResult
from sandbox.schema.sessions import (
    CallLimits,
    CallResult,
    SessionCall,
    SessionLimits,
    SessionRequest,
    SessionVerifyRequest,
)

IDLE_TTL_S = 3_600.0  # the session ends with its connection, so this is only for lost ones


class ResetOptions(PeerRequest):
    """The peer's fields, and the fields of this service that say how an episode is limited and judged."""

    seed: int | None = Field(None, ge=0)
    episode_id: str | None = Field(None, max_length=255)
    limits: SessionLimits = SessionLimits()
    call_limits: CallLimits = CallLimits()
    tests: Any = None
    entry_point: str = ""
    file: str | None = None
    policy: PolicyName = "binary"


class CodeAction(PeerRequest):
    """The peer's action. With `submit`, the episode ends, and the hidden tests give its reward."""

    model_config = ConfigDict(extra="forbid")

    code: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    submit: bool = False


class Episode:
    """The environment of one connection. `reset` starts an episode; without one, the first step does.

    `request` is the connection as a request that ends when the client disconnects.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._calls = get_context(request).sessions
        self._options = ResetOptions()
        self._judging: SessionVerifyRequest | None = None
        self._session_id = ""
        self._id, self._step_count, self._last_exit_code = str(uuid4()), 0, 0

    async def reset(self, data: dict[str, Any]) -> dict[str, Any]:
        """Close the last episode and start the next one. Raises BadRequest, or the errors of `open_session`."""
        options = parse_model(ResetOptions, data)
        judging = await asyncio.to_thread(_build_verify_request, options)
        await self.close()
        self._options, self._judging = options, judging
        self._id = options.episode_id or str(uuid4())
        self._step_count, self._last_exit_code = 0, 0
        await self._open()
        return render_observation("", "", 0)

    async def step(self, data: dict[str, Any]) -> dict[str, Any]:
        """Run an action. Raises BadRequest, or the errors of `call_session` and of a submission."""
        action = parse_model(CodeAction, data)
        if action.code is None and not action.submit:
            raise BadRequest("an action needs code", "code")
        if action.submit and self._judging is None:
            raise BadRequest("reset the environment with tests before you submit", "submit")
        if not self._session_id:
            await self._open()
        stdout, stderr = "", ""
        if action.code is not None:
            stdout, stderr = await self._run(action.code)
        reward = await self._judge() if action.submit and self._judging is not None else None
        return render_observation(stdout, stderr, self._last_exit_code, reward, done=action.submit)

    @property
    def state(self) -> dict[str, Any]:
        return {"episode_id": self._id, "step_count": self._step_count, "last_exit_code": self._last_exit_code}

    async def close(self) -> None:
        """Close the session, if one is open. One that has already ended is no error."""
        session_id, self._session_id = self._session_id, ""
        if session_id:
            with suppress(SessionEnded, NotFound):
                await call_session(self._calls, session_id, {"do": "close"})

    async def _open(self) -> None:
        wanted = SessionRequest(limits=self._options.limits, idle_ttl_s=IDLE_TTL_S, ttl_s=86_400)
        self._session_id = (await open_session(self._calls, self._request, wanted)).id

    async def _run(self, code: str) -> tuple[str, str]:
        call = build_model(SessionCall, code=code, limits=self._options.call_limits)
        fields = {"do": "execute", "call": call.model_dump(mode="json", exclude_defaults=True)}
        answer = await call_session(self._calls, self._session_id, fields)
        result = CallResult.model_validate(answer)
        self._step_count += 1
        self._last_exit_code = _get_exit_code(result)
        value = result.result.get("text/plain", "") if result.result else ""
        reason = result.reason or ("" if result.status.value in {"ok", "error"} else result.status.value)
        return result.stdout + value, result.stderr + (result.error.traceback if result.error else "") + reason

    async def _judge(self) -> float | None:
        """Return the reward of the episode's files or code; None if the service failed."""
        assert self._judging is not None
        archive, session_id = "", self._session_id
        if needs_files(self._judging):
            archive = (await call_session(self._calls, session_id, {"do": "snapshot"}))["content"]
        cells = (await call_session(self._calls, session_id, {"do": "cells"}))["code"]
        try:
            submission = await asyncio.to_thread(build_submission, self._judging, archive, cells)
        except BadRequest:  # the model has not written the file
            return score(Policy(self._options.policy), CompletionResult(answered=False))
        (result,) = await submit_and_wait(self._request, submission)
        if isinstance(result, SandboxError):
            raise result
        verdicts = [test.verdict for test in VerifyResult.model_validate_json(result).tests]
        return score(Policy(self._options.policy), CompletionResult(answered=True, verdicts=verdicts))


def render_observation(
    stdout: str, stderr: str, exit_code: int, reward: float | None = None, *, done: bool = False
) -> dict[str, Any]:
    """Render an observation as the peer's server does."""
    observation = {"stdout": stdout, "stderr": stderr, "exit_code": exit_code, "metadata": {}}
    return {"observation": observation, "reward": reward, "done": done}


def _build_verify_request(options: ResetOptions) -> SessionVerifyRequest | None:
    if options.tests is None:
        return None
    found = read_tests(options.tests)
    return build_model(
        SessionVerifyRequest,
        tests=found.tests,
        entry_point=options.entry_point or found.entry_point,
        file=options.file,
    )


def _get_exit_code(result: CallResult) -> int:
    return result.exit_code if result.exit_code is not None else int(result.status.value != "ok")
