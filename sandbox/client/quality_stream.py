"""The streamed report on a test suite: progress line by line, then the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from sandbox.client.deadline import Deadline
from sandbox.client.protocol import ApiCall, build_error_from_problem
from sandbox.client.retries import StreamAttempts
from sandbox.client.streams import BlockSplitter
from sandbox.errors import InfrastructureError

if TYPE_CHECKING:
    from sandbox.schema.quality import QualityResult
    from sandbox.schema.quality_progress import QualityProgress


class QualityStream:
    """The answer to one request. After a break, the whole request is sent again, with its idempotency key if any.

    Progress does not count as success of a connection, so that a request that never completes is not repeated forever.
    """

    method = "POST"

    def __init__(self, call: ApiCall[QualityResult], deadline: Deadline) -> None:
        self.path = call.path
        self.attempts = StreamAttempts(call.path)
        self.report: QualityResult | None = None
        self._call = call
        self._deadline = deadline
        self._splitter = BlockSplitter(b"\n")

    @property
    def ended(self) -> bool:
        return self.report is not None

    def start_request(self) -> tuple[Mapping[str, str], bytes | None]:
        """Return the headers and the body of the next request; drop a line that the last connection cut off."""
        self._splitter = BlockSplitter(b"\n")
        return {**self._call.headers, "Accept": "application/x-ndjson"}, self._call.body

    def parse_chunk(self, chunk: bytes) -> Iterator[QualityProgress]:
        """Yield the progress that this chunk completes, and keep the report.

        Raises AnswerTimeout, and the error that a problem describes.
        """
        from sandbox.schema.quality_progress import QualityLine

        for text in self._splitter.split(chunk):
            try:
                line = QualityLine.model_validate_json(text)
            except ValidationError as error:
                raise InfrastructureError(f"{self.path}: cannot parse a line of the service: {error}") from error
            if line.problem is not None:
                raise build_error_from_problem(line.problem)
            self.report = line.report
            if line.progress is not None:
                if not self._deadline.allows_pause(0.0):
                    raise self._deadline.build_error(f"{line.progress.done} of {line.progress.total} are judged")
                yield line.progress
