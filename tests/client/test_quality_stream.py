"""The streamed report of a test suite in the client: progress, then the report, a problem or a timeout."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.api.openapi.quality_examples import QUALITY_EXAMPLES
from sandbox.client import Client
from sandbox.errors import AnswerTimeout, BadRequest, InfrastructureError
from sandbox.schema.quality_progress import QualityLine, QualityProgress

PROGRESS = QualityLine.model_validate({"progress": QUALITY_EXAMPLES["QualityProgress"]}).model_dump_json()
REPORT = QualityLine.model_validate({"report": QUALITY_EXAMPLES["QualityResult"]}).model_dump_json()
PROBLEM = '{"problem":{"title":"x","status":422,"code":"bad-request","detail":"no such language"}}'
REQUEST = QUALITY_EXAMPLES["QualityRequest"]


def ask(*bodies: str, **options: Any) -> tuple[list[QualityProgress], Any]:
    """Answer the requests in turn with these bodies; return the progress and the report."""
    answers = iter(bodies)
    seen: list[QualityProgress] = []
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=next(answers)))
    with Client("http://service", transport=transport) as client:
        return seen, client.quality(REQUEST, on_progress=seen.append, **options)


def test_progress_comes_before_the_report_and_a_broken_answer_is_asked_for_again() -> None:
    seen, report = ask(f"{PROGRESS}\n{REPORT[:50]}", f"{PROGRESS}\n{REPORT}\n")
    assert [each.done for each in seen] == [1, 1]
    assert report.model_dump(exclude_unset=True).items() >= {"tnr": 1.0}.items()


@pytest.mark.parametrize(
    ("body", "options", "error"),
    [
        (f"{PROGRESS}\n{PROBLEM}\n", {}, BadRequest),
        ("{\n", {}, InfrastructureError),
        (f"{PROGRESS}\n", {"timeout_s": 0.0}, AnswerTimeout),
    ],
)
def test_what_ends_a_stream_is_raised(body: str, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(body, **options)
