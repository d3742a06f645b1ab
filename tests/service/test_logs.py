"""What the service's processes log as JSON: all of it, about which request, and nobody's data."""

import json
import shutil
from datetime import datetime

import grpc
import httpx
import pytest
from tritonclient.grpc import service_pb2_grpc

from tests.service.conftest import ANNOUNCEMENT, LINE
from tests.service.test_grpc import typed

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_every_line_is_one_object_with_request_and_trace(trained, serve, tmp_path, german_applicants):
    settings = {"SCORER_TRACING_ENDPOINT": "http://127.0.0.1:9/v1/traces", "SCORER_TRACING_SAMPLE_RATE": "0"}
    service = serve(trained, SCORER_LOG_FORMAT="json", SCORER_ACCESS_LOG="true", **settings)
    applicant = german_applicants[0] | {"application_id": "private-json"}
    body = {"applicants": [applicant, applicant | {"housing": "private-castle"}]}
    folder = tmp_path / "var" / "decisions"
    with httpx.Client(base_url=service.url, timeout=30) as client:
        assert client.post("/predict", json=body).status_code == 422
        shutil.rmtree(folder)
        folder.write_text("in the way")
        traced = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00", "x-request-id": "order 66"}
        body = {"applicants": [applicant]}
        assert client.post("/predict", json=body, headers=traced).status_code == 503
        made = client.post("/predict", json=body).headers["x-request-id"]
        folder.unlink()
        assert client.post("/predict", json=body).status_code == 200
        shutil.rmtree(folder)
        folder.write_text("in the way")
        with grpc.insecure_channel(service.grpc) as channel, pytest.raises(grpc.RpcError):
            service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(typed([applicant], id="order 67"), timeout=30)
        folder.unlink()
        client.get("/%E2%98%83%0Aforged")
    service.stop()

    said = service.log.read_text()
    lines = [json.loads(line) for line in said.splitlines()]
    for line in lines:
        assert {"time", "level", "logger", "message"} <= line.keys(), line
        assert line.keys() <= {"time", "level", "logger", "message", "request_id", "trace_id", "exception"}
        assert datetime.fromisoformat(line["time"]).tzinfo
    assert {"bentoml.serve", "bentoml.access", "bentoml.scorer", "monitoring.profiles.profiler"} <= {
        line["logger"] for line in lines
    }
    assert [line for line in lines if "Starting production" in line["message"]], "what starts the workers speaks so too"

    (asked,) = [line["message"] for line in lines if "forged" in line["message"]]
    assert "path=/%E2%98%83%0Aforged" in asked, "a line break that a caller sends stays inside its line"
    refused = [line for line in lines if "cannot be logged" in line["message"]]
    assert [line["request_id"] for line in refused] == ["order 66", "order 67"], (
        "an outage is told at once, and then now and then"
    )
    assert len(made) == 32, "who brings no id is told the one that was made"
    assert refused[0]["trace_id"] == TRACE
    started = [line for line in lines if line["message"].startswith("serving ")]
    assert started
    assert not any({"request_id", "trace_id"} & line.keys() for line in started)
    assert "private-" not in said


def test_text_is_what_it_was_but_for_the_announcement(service):
    """The end of the service is checked where it is stopped."""
    said, announcements = ANNOUNCEMENT.subn("", service.log.read_text())
    assert announcements == 1
    assert [line for line in said.splitlines() if not LINE.fullmatch(line)] == []
