"""The three extensions that Triton's clients use, asked by an unmodified tritonclient in the order of perf_analyzer."""

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from tests.service.conftest import until
from tests.service.tensors import inputs

MODEL = "german_credit"


@pytest.fixture(scope="module", params=["http", "grpc"])
def triton(service, request):
    """The module of a client, and a client whose answers are JSON."""
    module = triton_http if request.param == "http" else triton_grpc
    address = f"127.0.0.1:{service.port}" if request.param == "http" else service.grpc
    more = {"network_timeout": 60} if request.param == "http" else {}
    with module.InferenceServerClient(address, **more) as client:
        yield module, client


def json_of(triton) -> dict:
    """The options of a call that answers in JSON over gRPC as it does over HTTP."""
    return {} if triton[0] is triton_http else {"as_json": True}


def config_of(triton, *arguments) -> dict:
    answer = triton[1].get_model_config(*arguments, **json_of(triton))
    return answer if triton[0] is triton_http else answer["config"]


def statistics_of(triton, *arguments) -> dict:
    (model,) = triton[1].get_inference_statistics(*arguments, **json_of(triton))["model_stats"]
    return model


@pytest.mark.parametrize("version", [False, True])
def test_the_configuration_agrees_with_the_metadata(triton, trained, version):
    _, client = triton
    arguments = trained.tag.split(":") if version else [MODEL]
    config = config_of(triton, *arguments)
    described = client.get_model_metadata(MODEL, **json_of(triton))
    assert (config["name"], config["platform"], config["backend"]) == (MODEL, described["platform"], "onnxruntime")
    assert config["max_batch_size"] == 10_000
    assert config["default_model_filename"] == "model.onnx"
    assert (trained.folder / "model.onnx").is_file()
    spelled = {"BYTES": "TYPE_STRING", "INT64": "TYPE_INT64", "FP64": "TYPE_FP64"}
    for ours, theirs in (("input", "inputs"), ("output", "outputs")):
        types = {tensor["name"]: tensor["data_type"] for tensor in config[ours]}
        assert types == {tensor["name"]: spelled[tensor["datatype"]] for tensor in described[theirs]}
        assert {tuple(int(size) for size in tensor["dims"]) for tensor in config[ours]} == {(1,)}
    assert "dynamic_batching" in config


def test_an_input_that_is_optional_may_be_left_out(triton, german_applicants):
    module, client = triton
    optional = {tensor["name"] for tensor in config_of(triton, MODEL)["input"] if tensor.get("optional")}
    assert optional == {"personal_status_sex", "age_years", "foreign_worker"}
    applicant = {name: value for name, value in german_applicants[0].items() if name not in optional}
    assert client.infer(MODEL, inputs(module, [applicant])).as_numpy("probability").shape == (1,)


def test_statistics_count_the_rows_and_batches_between_two_calls(triton, german_applicants):
    """As perf_analyzer does: statistics, inferences of a size, statistics; the difference is what it reports."""
    module, client = triton
    before = statistics_of(triton, MODEL)
    for _ in range(4):
        client.infer(MODEL, inputs(module, german_applicants[:8]))
    until(lambda: int(statistics_of(triton)["inference_count"]) >= int(before["inference_count"]) + 32)
    after = statistics_of(triton, MODEL, before["version"])
    assert int(after["inference_count"]) - int(before["inference_count"]) == 32
    assert 1 <= int(after["execution_count"]) - int(before["execution_count"]) <= 4
    for name in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"):
        found = after["inference_stats"][name]
        assert int(found.get("count", 0)) >= int(before["inference_stats"][name].get("count", 0))
    assert int(after["inference_stats"]["queue"]["count"]) == int(after["execution_count"])


def test_the_index_has_the_model_that_is_served(triton, trained):
    module, client = triton
    answer = client.get_model_repository_index(**json_of(triton))
    (model,) = answer if module is triton_http else answer["models"]
    assert f"{model['name']}:{model['version']}" == trained.tag
    assert model["state"] == "READY"


@pytest.mark.parametrize("ask", ["get_model_config", "get_inference_statistics"])
def test_a_model_that_is_not_served_is_refused_by_name(triton, ask):
    for arguments, message in ((["nope"], "unknown model: nope"), ([MODEL, "7"], f"no version 7 of {MODEL}")):
        with pytest.raises(InferenceServerException, match=message):
            getattr(triton[1], ask)(*arguments)


def test_the_server_names_its_extensions(triton):
    extensions = triton[1].get_server_metadata(**json_of(triton))["extensions"]
    assert {"binary_tensor_data", "model_configuration", "statistics", "model_repository"} == set(extensions)


def test_the_index_over_rest_may_ask_for_what_is_ready_and_says_what_it_takes(client, trained):
    path = "/v2/repository/index"
    for content in (b"", b"{}", b'{"ready": true}', b'{"ready": false}'):
        (model,) = client.post(path, content=content).json()
        assert model["version"] == trained.tag.split(":")[1]
    for content in (b"[]", b'{"ready": 1}'):
        assert client.post(path, content=content).status_code == 400


def test_what_perf_analyzer_asks_before_it_measures_is_answered(triton, german_applicants):
    """Its first calls: live, ready, metadata, configuration; then batches of the size that the configuration allows."""
    module, client = triton
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    limit = config_of(triton, MODEL)["max_batch_size"]
    rows = [german_applicants[index % 1000] for index in range(limit)]
    scored = client.infer(MODEL, inputs(module, rows)).as_numpy("probability")
    assert scored.shape == (limit,)
    assert np.isfinite(scored).all()
    with pytest.raises(InferenceServerException, match="at most 10000"):
        client.infer(MODEL, inputs(module, [*rows, rows[0]]))
