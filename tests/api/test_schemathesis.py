"""Valid and invalid requests generated from the OpenAPI document: no internal errors, no undocumented responses."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import schemathesis

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from tests.api.fake_service import FakeService
from tests.api.generated_requests import accept_too_large, check_every_operation
from tests.api.threaded_server import serve_in_thread

STREAMING_PATH = "/live/events"
# Cases in which the fake service cannot answer like the real one. tests/sessions has a real one for sessions.
UNSUPPORTED_PATHS = "^/(gpu|generate|train|evaluate|webhooks|sessions)"

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore")]


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
    assert check_every_operation(api, mode) > 5
