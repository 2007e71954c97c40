"""Valid and invalid requests to sessions, generated from the OpenAPI document."""

from __future__ import annotations

import pytest
import schemathesis

from sandbox.client import Client
from tests.api.generated_requests import accept_too_large, check_every_operation

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_the_document_tells_of(client: Client, url: str, mode: schemathesis.GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=accept_too_large())
    # The generator cannot write tar archives.
    operations = schema.include(path_regex="^/sessions").exclude(path_regex="restore$")
    assert check_every_operation(operations, mode) > 5
    for session in client.sessions():
        client.attach_session(session.id).close()
