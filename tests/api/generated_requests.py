"""Requests generated from the OpenAPI document, and the checks of their responses."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

# Invalid requests take long to generate, and lead to fewer kinds of responses.
EXAMPLES_BY_MODE = {schemathesis.GenerationMode.POSITIVE: 5, schemathesis.GenerationMode.NEGATIVE: 2}
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
]


def accept_too_large() -> schemathesis.Config:
    """Return a configuration that also accepts 413 for an invalid request: some are larger than a body may be."""
    config = schemathesis.Config()
    rejection = config.projects.get_default().checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]
    return config


def check_every_operation(api: schemathesis.BaseSchema, mode: schemathesis.GenerationMode) -> int:
    """Send valid or invalid requests to each operation, and return how many operations were tried."""
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
    return tried
