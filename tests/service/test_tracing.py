"""Spans, as a collector on the other end of a socket reads them."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

ARRIVED_S = 20


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[bytes] = []
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}/v1/traces"

    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.received]
        scopes = [
            scope for request in requests for resource in request.resource_spans for scope in resource.scope_spans
        ]
        return [span for scope in scopes for span in scope.spans]

    def wait_for(self, chosen) -> Span:
        deadline = time.monotonic() + ARRIVED_S
        while True:
            if found := [span for span in self.spans() if chosen(span)]:
                return found[0]
            assert time.monotonic() < deadline, [span.name for span in self.spans()]
            time.sleep(0.1)


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        right = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
        if right:
            self.server.received.append(body)
        self.send_response(200 if right else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector on a free loopback port."""
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_span_arrives_in_the_trace_of_the_caller_and_holds_no_value(trained, serve, collector, german_applicants):
    settings = {"SCORER_TRACING_ENDPOINT": collector.endpoint, "SCORER_TRACING_SAMPLE_RATE": "0"}
    service = serve(trained, OTEL_BSP_SCHEDULE_DELAY="100", **settings)
    applicant = german_applicants[0] | {"application_id": "private-traced"}
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with httpx.Client(base_url=service.url) as client:
        client.post(
            "/predict", json={"applicants": [applicant]}
        )  # at rate 0 a caller that has not sampled is not followed
        sampled = {"traceparent": f"00-{trace_id}-{parent_id}-01"}
        assert client.post("/predict", json={"applicants": [applicant]}, headers=sampled).status_code == 200
        assert client.get("/readyz", headers=sampled).status_code == 200
    span = collector.wait_for(lambda span: span.kind == Span.SPAN_KIND_SERVER)
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("POST /predict", trace_id, parent_id)
    attributes = {attribute.key: attribute.value for attribute in span.attributes}
    assert attributes["http.status_code"].int_value == 200
    service.stop()  # which sends the rest
    servers = [span for span in collector.spans() if span.kind == Span.SPAN_KIND_SERVER]
    assert len(servers) == 1, "probes and what nobody sampled are left out"
    sent = b"".join(collector.received).decode("latin-1")
    values = [value for value in applicant.values() if isinstance(value, str)]
    assert [value for value in (*values, *applicant) if value in sent] == []


def test_a_share_of_the_requests_is_traced_where_no_caller_decides(trained, serve, collector, german_applicants):
    settings = {"SCORER_TRACING_ENDPOINT": collector.endpoint, "SCORER_TRACING_SAMPLE_RATE": "1"}
    service = serve(trained, OTEL_BSP_SCHEDULE_DELAY="100", **settings)
    assert httpx.post(f"{service.url}/predict", json={"applicants": german_applicants[:1]}).status_code == 200
    assert collector.wait_for(lambda span: span.name == "POST /predict").kind == Span.SPAN_KIND_SERVER


def test_a_collector_that_is_not_there_harms_nobody(trained, serve, german_applicants):
    settings = {"SCORER_TRACING_ENDPOINT": "http://127.0.0.1:9/v1/traces", "SCORER_TRACING_SAMPLE_RATE": "1"}
    service = serve(trained, OTEL_BSP_SCHEDULE_DELAY="100", **settings)
    for _ in range(3):
        answer = httpx.post(f"{service.url}/predict", json={"applicants": german_applicants[:1]})
        assert answer.status_code == 200
        time.sleep(0.2)
    assert service.stop() == 0
