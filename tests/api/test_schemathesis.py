"""Valid and invalid requests generated from the OpenAPI document: no internal errors, no undocumented responses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from tests.api.fake_service import FakeService
from tests.api.threaded_server import serve_in_thread

# Invalid requests take long to generate, and lead to fewer kinds of responses.
EXAMPLES_BY_MODE = {schemathesis.GenerationMode.POSITIVE: 5, schemathesis.GenerationMode.NEGATIVE: 2}
STREAMING_PATH = "/live/events"
# Cases in which the fake service cannot answer like the real one.
UNSUPPORTED_PATHS = "^/(gpu|generate|train|evaluate|webhooks)"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
]

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore")]


def accept_too_large() -> schemathesis.Config:
    """Return a configuration that also accepts 413 for an invalid request: some are larger than a body may be."""
    config = schemathesis.Config()
    rejection = config.projects.get_default().checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]
    return config


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    logger = logging.getLogger("sandbox")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    settings = ApiSettings(home=tmp_path_factory.mktemp("api"), max_body_mb=1, request_timeout_s=20)
    with serve_in_thread(create_app(settings, FakeService())) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=accept_too_large())
        yield schema.exclude(path=STREAMING_PATH).exclude(path_regex=UNSUPPORTED_PATHS)
    logger.setLevel(level)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_the_document_tells_of(
    api: schemathesis.BaseSchema, mode: schemathesis.GenerationMode
) -> None:
    schemathesis.checks.load_all_checks()
    checks: Any = schemathesis.checks.CHECKS.get_by_names(CHECKS)
    faults, tried = [], 0
    for found in api.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # the document has been parsed

        @settings(
            max_examples=EXAMPLES_BY_MODE[mode],
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=checks)

        try:
            ask()
            tried += 1
        except Unsatisfiable:  # a route without input has no invalid request
            continue
        except (schemathesis.core.failures.FailureGroup, AssertionError) as error:
            faults.append(f"{operation.label}: {error}")
    assert not faults, "\n\n".join(faults)
    assert tried > 5
