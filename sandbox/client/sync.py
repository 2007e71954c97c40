"""The blocking client, generated from `aio.py` by `python -m tests.client.generate_sync`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

from sandbox.client import protocol
from sandbox.client.batching import pass_results
from sandbox.client.connection import Progress
from sandbox.client.keyword_request import choose_request
from sandbox.client.protocol import Program, Submission
from sandbox.client.sync_service import ServiceClient
from sandbox.schema import ExecuteBatchResult, ExecuteResult, VerifyBatchResult, VerifyResult

if TYPE_CHECKING:
    from sandbox.client.request_fields import (
        ExecuteFields,
        HackFields,
        QualityFields,
        RewardFields,
        VerifyFields,
        VoteFields,
    )
    from sandbox.schema.hack import HackRequest, HackResult
    from sandbox.schema.quality import QualityRequest, QualityResult
    from sandbox.schema.quality_progress import QualityProgress
    from sandbox.schema.reward import RewardRequest, RewardResult
    from sandbox.schema.vote import VoteRequest, VoteResult


class Client(ServiceClient):
    """A client of the REST API that keeps its connections open.

    Use one client for many requests, from any thread, and close it.

        with Client() as client:
            result = client.execute(language="python", code="print(6 * 7)")
            result.stdout  # "42\\n"

    Arguments of the constructor, all optional:

    - `url`: URL of the service; default: the environment variable SANDBOX_URL, or else http://127.0.0.1:8080.
    - `api_key`: API key; default: the environment variable SANDBOX_API_KEY.
    - `timeout_s`: seconds to wait for an answer to each attempt.
    - `connections`: HTTP connections that may be open at one time.
    - `retries`: when to repeat requests that the service refuses, and connections that fail.
    - `transport`: an httpx transport to use instead of the network.

    Give a request as a model of `sandbox.schema`, as a mapping of the same shape, or as keyword arguments. Methods that
    send programs also take `idempotency_key`, which keeps a repeated request from running twice, and `timeout_s`, the
    seconds until the call raises AnswerTimeout, its retries included. They raise BadRequest for an invalid request,
    Refused if the service has no room for it, and InfrastructureError if the service fails.

    A client can be pickled; the copy opens connections of its own.
    """

    def execute(
        self,
        program: Program | None = None,
        *,
        idempotency_key: str = "",
        timeout_s: float | None = None,
        **fields: Unpack[ExecuteFields],
    ) -> ExecuteResult:
        """Run one program.

            result = client.execute(language="python", code="print(input()[::-1])", stdin="abc")
            result.stdout  # "cba\\n"

        - `language`, `code`: the program; both are required.
        - `stdin` or `stdin_base64`, `args`, `files`: its input.
        - `fetch_files`: files to return in `result.files` after the run.
        - `limits`: such as `{"cpu_time_s": 1, "memory_mb": 256}`.
        - `debug_checks`, `priority`: see `sandbox.schema.ExecuteRequest`.

        A program that fails raises no error: `result.status` says how it ended.
        """
        request = choose_request(program, fields)
        call = protocol.build_single_call("execute", request, ExecuteResult, idempotency_key)
        return self._send(call, timeout_s)

    def verify(
        self,
        submission: Submission | None = None,
        *,
        idempotency_key: str = "",
        timeout_s: float | None = None,
        **fields: Unpack[VerifyFields],
    ) -> VerifyResult:
        """Judge one program with its tests.

            double = "print(int(input()) * 2)"
            result = client.verify(language="python", code=double, tests=[{"stdin": "2", "expected": "4"}])
            result.accepted  # True

        - `language`, `code`: the program; both are required.
        - `tests`: required; for example `{"stdin": ..., "expected": ...}`, `{"args": ..., "expected": ...}` with an
          `entry_point`, `{"assert": ...}`, `{"pytest": ...}` or `{"command": ...}`.
        - `checker`: how to compare outputs, such as `{"type": "float", "relative": 1e-6}`; default: by tokens.
        - `limits`, `stop_on_failure`, `isolation`, `debug_checks`, `priority`: see `sandbox.schema.VerifyRequest`.
        """
        request = choose_request(submission, fields)
        call = protocol.build_single_call("verify", request, VerifyResult, idempotency_key)
        return self._send(call, timeout_s)

    def execute_batch(
        self, programs: Sequence[Program], *, idempotency_key: str = "", timeout_s: float | None = None
    ) -> list[ExecuteResult]:
        """Run many programs; return their results in the same order.

            results = client.execute_batch([{"language": "python", "code": f"print({n})"} for n in range(9)])

        Each program is a model or a mapping with the fields of `execute`.
        """
        call = protocol.build_batch_call("execute", programs, ExecuteBatchResult, idempotency_key)
        answer = self._send(call, timeout_s)
        return answer.results

    def verify_batch(
        self, submissions: Sequence[Submission], *, idempotency_key: str = "", timeout_s: float | None = None
    ) -> list[VerifyResult]:
        """Judge many programs; return their results in the same order.

            tests = [{"expected": "1"}]
            results = client.verify_batch([{"language": "python", "code": "print(1)", "tests": tests}] * 9)
            sum(result.accepted for result in results)  # 9

        Each submission is a model or a mapping with the fields of `verify`.
        """
        call = protocol.build_batch_call("verify", submissions, VerifyBatchResult, idempotency_key)
        answer = self._send(call, timeout_s)
        return answer.results

    def execute_stream(
        self,
        programs: Iterable[Program],
        *,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> Iterator[tuple[int, ExecuteResult]]:
        """Run many programs; yield each result with its index as soon as it is ready.

            for index, result in client.execute_stream({"language": "python", "code": "print(1)"} for _ in "abc"):
                print(index, result.stdout)

        - `programs`: any iterable, which is read only as fast as programs are sent.
        - `on_progress`: called with the number of results so far and the total, which is None if it is unknown.
        - `idempotency_key`: keeps programs of a repeated stream from running twice.
        """
        return self._connection.stream_results("execute", programs, ExecuteResult, on_progress, idempotency_key)

    @overload
    def verify_stream(
        self,
        submissions: Iterable[Submission],
        *,
        on_result: None = None,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> Iterator[tuple[int, VerifyResult]]: ...

    @overload
    def verify_stream(
        self,
        submissions: Iterable[Submission],
        *,
        on_result: Callable[[int, VerifyResult], object],
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> None: ...

    def verify_stream(
        self,
        submissions: Iterable[Submission],
        *,
        on_result: Callable[[int, VerifyResult], object] | None = None,
        on_progress: Progress | None = None,
        idempotency_key: str = "",
    ) -> Iterator[tuple[int, VerifyResult]] | None:
        """Judge many programs; yield each result with its index as soon as it is ready.

            submissions = [{"language": "python", "code": "print(1)", "tests": [{"expected": "1"}]}] * 3
            for index, result in client.verify_stream(submissions):
                print(index, result.accepted)

        - `submissions`: any iterable, which is read only as fast as submissions are sent.
        - `on_result`: called with each index and result, which are then not yielded.
        - `on_progress`, `idempotency_key`: as for `execute_stream`.
        """
        stream = self._connection.stream_results("verify", submissions, VerifyResult, on_progress, idempotency_key)
        if on_result is None:
            return stream
        pass_results(stream, on_result)
        return None

    def vote(
        self,
        request: VoteRequest | Mapping[str, Any] | None = None,
        *,
        idempotency_key: str = "",
        timeout_s: float | None = None,
        **fields: Unpack[VoteFields],
    ) -> VoteResult:
        """Run candidates on inputs; return the majority labels, the golden candidate and a labeled test set.

            candidates = [{"language": "python", "code": "print(int(input()) + 1)"}] * 3
            vote = client.vote(candidates=candidates, inputs=["1", "2"])
            [label.expected for label in vote.labels]  # ["2\\n", "3\\n"]

        - `candidates`, `inputs`: required; an input is a mapping, or a string for stdin.
        - `policy`: such as `"x-coder"` or `{"quorum": 0.6}`; others: see `sandbox.schema.vote.VoteRequest`.
        """
        return self._send(protocol.build_vote_call(choose_request(request, fields), idempotency_key), timeout_s)

    def quality(
        self,
        request: QualityRequest | Mapping[str, Any] | None = None,
        *,
        on_progress: Callable[[QualityProgress], object] | None = None,
        idempotency_key: str = "",
        timeout_s: float | None = None,
        **fields: Unpack[QualityFields],
    ) -> QualityResult:
        """Judge right and wrong programs on tests; return how well the tests tell them apart.

            tests = [{"stdin": "1", "expected": "2"}]
            report = client.quality(tests=tests, right=["print(int(input()) + 1)"], wrong=["print(2)"])
            report.tnr  # 0.0: the test does not notice the wrong program

        - `tests`, `right`: required; a program is a mapping, or a string of Python.
        - `wrong`: default: mutants of the first right one; others: see `sandbox.schema.quality.QualityRequest`.
        - `on_progress`: called with the number of judged programs, and the new rows of the matrix.
        """
        call = protocol.build_quality_call(choose_request(request, fields), idempotency_key)
        return self._connection.send_quality(call, on_progress, timeout_s)

    def hack(
        self,
        request: HackRequest | Mapping[str, Any] | None = None,
        *,
        idempotency_key: str = "",
        timeout_s: float | None = None,
        **fields: Unpack[HackFields],
    ) -> HackResult:
        """Return whether an input is valid and breaks the target.

            hack = client.hack(
                target={"language": "python", "code": "print(max(0, int(input())))"},
                references=[{"language": "python", "code": "print(int(input()))"}],
                input="-1",
            )
            hack.breaks  # True

        - `target`, `references`, and either `input` or `generator`, a program that prints it: required.
        - `validators`, `checker`, `limits`, `trusted_limits`: see `sandbox.schema.hack.HackRequest`.
        """
        return self._send(protocol.build_hack_call(choose_request(request, fields), idempotency_key), timeout_s)

    def hack_batch(
        self,
        requests: Sequence[HackRequest | Mapping[str, Any]],
        *,
        idempotency_key: str = "",
        timeout_s: float | None = None,
    ) -> list[HackResult]:
        """Judge many hacks, each as for `hack`; return their results in the same order.

            program = {"language": "python", "code": "print(input())"}
            client.hack_batch([{"target": program, "references": [program], "input": text} for text in "ab"])

        `breaks` is None if the service failed.
        """
        answer = self._send(protocol.build_hack_batch_call(requests, idempotency_key), timeout_s)
        return answer.results

    def reward(
        self,
        request: RewardRequest | Mapping[str, Any] | None = None,
        *,
        idempotency_key: str = "",
        timeout_s: float | None = None,
        **fields: Unpack[RewardFields],
    ) -> RewardResult:
        """Return the rewards of completions, in the same order.

            answers = ["```python\\nprint(4)\\n```", "No idea."]
            result = client.reward(completions=answers, tests=[[{"expected": "4"}]], policy="fraction")
            result.rewards  # [1.0, 0.0]

        - `completions`: required; texts, or chats.
        - `tests` or `tasks`: required; one list of tests per completion, or one for all.
        - `policy`, `extract`, `language`, `checker`, `limits` and others: see `sandbox.schema.reward.RewardRequest`.

        A reward is None if the service failed or the tests are unusable. `result.details` says why.
        """
        return self._send(protocol.build_reward_call(choose_request(request, fields), idempotency_key), timeout_s)
