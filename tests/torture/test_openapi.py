"""The OpenAPI document is true: what schemathesis makes of it is answered as it says, and nothing breaks."""

import time

import httpx
import hypothesis
import pytest

REPORT_S = 240  # until the watch, which has what nobody else wants of the processor, has written the first report


@pytest.fixture(scope="module")
def document(service):
    """The schema as schemathesis reads it, whose import takes a second."""
    import schemathesis

    deadline = time.monotonic() + REPORT_S
    while httpx.get(f"{service.url}/monitor").status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(1)
    return schemathesis.openapi.from_url(f"{service.url}/docs.json")


def test_the_service_answers_as_its_openapi_document_says(document, service, size):
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks as openapi

    checks = (
        *(not_a_server_error, openapi.status_code_conformance),
        *(openapi.content_type_conformance, openapi.response_schema_conformance),
    )
    asked = 0
    for found in document.get_all_operations():
        operation = found.ok()

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=size(20, 2000),
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            database=None,
        )
        def ask(case):
            nonlocal asked
            asked += 1
            answer = case.call(base_url=service.url)
            case.validate_response(answer, checks=checks)

        ask()
    assert asked > 20
