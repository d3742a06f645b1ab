"""The Open Inference Protocol over REST, asked by an unmodified tritonclient, and by hand where that cannot err."""

import asyncio
import json

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.service.tensors import inputs

MODEL = "german_credit"


@pytest.fixture(scope="module")
def v2(service):
    """An unmodified client."""
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}", network_timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def predicted(client, german_applicants):
    """What /predict says of 200 applicants."""
    return client.post("/predict", json={"applicants": german_applicants[::5]}).json()


def body_of(applicant, **more):
    """A request of one applicant in JSON."""
    tensors = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in applicant.items()
    ]
    return {"inputs": tensors} | more


def test_the_service_and_the_model_are_described(v2, client, trained):
    assert v2.is_server_live()
    assert v2.is_server_ready()
    name, version = trained.tag.split(":")
    for asked in ("", version):
        assert v2.is_model_ready(name, asked)
        described = v2.get_model_metadata(name, asked)
        assert (described["name"], described["versions"]) == (name, [version])
    kinds = {"categorical": "BYTES", "integer": "INT64", "number": "FP64"}
    features = {feature["name"]: kinds[feature["type"]] for feature in client.get("/model").json()["features"]}
    assert {tensor["name"]: tensor["datatype"] for tensor in described["inputs"]} == features
    assert {tensor["name"]: tensor["datatype"] for tensor in described["outputs"]} == {
        "probability": "FP64",
        "decision": "BYTES",
        "application_id": "BYTES",
    }
    assert v2.get_server_metadata()["name"] == "credit-scorer"


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("binary", [True, False])
def test_scores_are_those_of_predict_bit_for_bit(v2, german_applicants, predicted, columns, binary, count, trained):
    before = count("scorer_predictions_total")
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("decision", "probability")]
    tensors = inputs(triton, german_applicants[::5], columns, binary_data=binary)
    result = v2.infer(MODEL, tensors, outputs=outputs, request_id="r 1")
    assert result.as_numpy("probability").tolist() == [row["probability"] for row in predicted]
    assert [bytes(word) if binary else word.encode() for word in result.as_numpy("decision")] == [
        row["decision"].encode() for row in predicted
    ]
    told = result.get_response()
    assert told["id"] == "r 1"
    assert f"{told['model_name']}:{told['model_version']}" == trained.tag
    assert [output["name"] for output in told["outputs"]] == ["decision", "probability"]
    assert count("scorer_predictions_total") - before == 200


def test_it_counts_as_v2(v2, client, example):
    v2.infer(MODEL, inputs(triton, [example]))
    assert 'protocol="v2"' in client.get("/metrics").text


def test_all_outputs_come_where_none_is_asked_for(v2, example):
    result = v2.infer(MODEL, inputs(triton, [example | {"application_id": "private-1"}] * 2))
    assert result.as_numpy("application_id").tolist() == [b"private-1"] * 2
    assert result.as_numpy("probability").shape == (2,)


def test_asyncio_clients_work(service, example, client):
    probability = client.post("/predict", json={"applicants": [example]}).json()[0]["probability"]

    async def ask():
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{service.port}") as asking:
            assert await asking.is_model_ready(MODEL)
            results = await asyncio.gather(*(asking.infer(MODEL, inputs(triton, [example])) for _ in range(20)))
            return [result.as_numpy("probability")[0] for result in results]

    assert asyncio.run(ask()) == [probability] * 20


def test_json_as_anybody_writes_it_works(client, example, trained):
    version = trained.tag.split(":")[1]
    url = f"/v2/models/{MODEL}/versions/{version}/infer"
    answer = client.post(url, json=body_of(example, id="7", outputs=[{"name": "probability"}])).json()
    (output,) = answer["outputs"]
    expected = client.post("/predict", json={"applicants": [example]}).json()[0]["probability"]
    assert output == {"name": "probability", "datatype": "FP64", "shape": [1], "data": [expected]}
    assert answer["id"] == "7"
    assert "id" not in client.post(url, json=body_of(example)).json()


HALF = r"\ud800"


@pytest.mark.parametrize(
    "broken",
    [
        f'{{"{HALF}": 1, "inputs": []}}',
        f'{{"id": "{HALF}", "inputs": INPUTS}}',
        f'{{"inputs": INPUTS, "parameters": {{"{HALF}": NaN}}, "{HALF}": 1}}',
        f'{{"inputs": [{{"{HALF}": 1}}]}}',
        f'{{"inputs": [{{"name": "{HALF}", "shape": [1], "datatype": "BYTES", "data": ["x"]}}]}}',
        f'{{"inputs": INPUTS, "outputs": [{{"name": "{HALF}"}}]}}',
        f'{{"inputs": INPUTS, "outputs": [{{"name": "probability", "parameters": {{"{HALF}": 1}}, "{HALF}": 2}}]}}',
    ],
)
def test_half_a_character_anywhere_is_a_fault_of_the_caller(client, example, broken):
    body = broken.replace("INPUTS", json.dumps(body_of(example)["inputs"]))
    answer = client.post(f"/v2/models/{MODEL}/infer", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert "connection" not in answer.headers
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("member", ["id", "parameters", "outputs", "inputs.parameters", "outputs.parameters"])
def test_an_optional_member_that_is_null_is_absent(client, example, member):
    """MLServer's and KServe's clients write out every member of theirs."""
    whole, _, inner = member.partition(".")
    body = body_of(example, outputs=[{"name": "probability"}])
    if inner:
        body[whole] = [one | {inner: None} for one in body[whole]]
    else:
        body[whole] = None
    answer = client.post(f"/v2/models/{MODEL}/infer", json=body)
    assert answer.status_code == 200, answer.text
    found = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert found["probability"] == [client.post("/predict", json={"applicants": [example]}).json()[0]["probability"]]
    assert len(found) == (3 if member == "outputs" else 1)


def test_protected_features_may_be_left_out(v2, german_applicants, client):
    features = client.get("/model").json()["features"]
    without = {f["name"]: german_applicants[0][f["name"]] for f in features if not f["protected"]}
    whole, part = (v2.infer(MODEL, inputs(triton, [row])) for row in (german_applicants[0], without))
    assert whole.as_numpy("probability") == part.as_numpy("probability")


WRONG = {
    "not json": (400, "invalid_json", lambda body: "{"),
    "no inputs": (400, "invalid_inference_request", lambda body: {"outputs": []}),
    "wrong kind": (400, "invalid_inference_request", lambda body: body | {"inputs": {}}),
    "datatype": (400, "invalid_inference_request", lambda body: first(body, datatype="FP16")),
    "shape": (400, "invalid_inference_request", lambda body: first(body, shape=[1, 2])),
    "elements": (400, "invalid_inference_request", lambda body: first(body, data=["negative"] * 2)),
    "no data": (400, "invalid_inference_request", lambda body: first(body, data=None)),
    "fraction": (400, "invalid_inference_request", lambda body: first(body, datatype="INT64", data=[1.5])),
    "bytes without end of json": (
        400,
        "invalid_inference_request",
        lambda body: first(body, parameters={"binary_data_size": 12}),
    ),
    "output": (400, "invalid_inference_request", lambda body: body | {"outputs": [{"name": "probabilities"}]}),
    "output twice": (400, "invalid_inference_request", lambda body: body | {"outputs": [{"name": "decision"}] * 2}),
    "classes": (
        400,
        "invalid_inference_request",
        lambda body: body | {"outputs": [{"name": "decision", "parameters": {"classification": 1}}]},
    ),
    "timeout": (504, "timeout", lambda body: body | {"parameters": {"timeout": 1}}),  # microseconds
    "missing": (422, "invalid_applicant", lambda body: {"inputs": body["inputs"][1:]}),
    "twice": (422, "invalid_applicant", lambda body: {"inputs": [*body["inputs"], body["inputs"][0]]}),
    "unknown": (422, "invalid_applicant", lambda body: first(body, name="checking_acount")),
    "category": (422, "invalid_applicant", lambda body: first(body, data=["rich"])),
    "number for text": (422, "invalid_applicant", lambda body: first(body, datatype="FP64", data=[1])),
    "rows": (413, "too_large", lambda body: first(body, shape=[10_001])),
}


def first(body, **changes):
    """The body with another first input; None takes a key away."""
    changed = {key: value for key, value in (body["inputs"][0] | changes).items() if value is not None}
    return body | {"inputs": [changed, *body["inputs"][1:]]}


@pytest.mark.parametrize("way", WRONG)
def test_a_wrong_request_gets_the_reason(client, example, way):
    status, code, change = WRONG[way]
    body = change(body_of(example))
    body = body if isinstance(body, str) else json.dumps(body)
    answer = client.post(f"/v2/models/{MODEL}/infer", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_faults_are_listed_as_predict_lists_them(client, example):
    bad = example | {"duration_months": -3, "checking_account": "rich"}
    told = client.post(f"/v2/models/{MODEL}/infer", json=body_of(bad))
    assert told.json() == client.post("/predict", json={"applicants": [bad]}).json()


@pytest.mark.parametrize("path", ["nope", f"{MODEL}/versions/1"])
def test_an_unknown_model_or_version_gets_the_known_ones(client, example, trained, path):
    for answer in (
        client.get(f"/v2/models/{path}"),
        client.get(f"/v2/models/{path}/ready"),
        client.post(f"/v2/models/{path}/infer", json=body_of(example)),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"]["message"].endswith(trained.tag.split(":")["versions" in path])


def test_a_client_of_the_binary_extension_can_print_what_is_wrong(v2, example):
    with pytest.raises(InferenceServerException, match=r"row 0, checking_account = rich: must be one of"):
        v2.infer(MODEL, inputs(triton, [example | {"checking_account": "rich"}]))
    with pytest.raises(InferenceServerException, match="Request for unknown model: nope"):
        v2.infer("nope", inputs(triton, [example]))


def test_tritonclient_can_print_what_is_wrong_without_binary_tensors(v2):
    assert not v2.is_model_ready("nope")
    with pytest.raises(InferenceServerException, match="Request for unknown model: nope"):
        v2.get_model_metadata("nope")


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999", "9" * 5000, "²", ""])
def test_a_wrong_length_of_the_json_is_refused(client, example, length):
    headers = {"inference-header-content-length": length.encode()}
    answer = client.post(f"/v2/models/{MODEL}/infer", json=body_of(example), headers=headers)
    assert answer.status_code == 400


def test_bytes_that_belong_to_no_input_are_refused(client, example):
    body = json.dumps(body_of(example)).encode()
    headers = {"inference-header-content-length": str(len(body))}
    assert client.post(f"/v2/models/{MODEL}/infer", content=body, headers=headers).status_code == 200
    assert client.post(f"/v2/models/{MODEL}/infer", content=body + b"\0", headers=headers).status_code == 400


def test_a_body_over_the_limit_is_refused(client):
    answer = client.post(f"/v2/models/{MODEL}/infer", content=b" " * (16 << 20) + b"{}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    many = b'{"inputs": [' + b"{}," * 2_000_000 + b"{}]}"
    assert client.post(f"/v2/models/{MODEL}/infer", content=many).status_code == 413


def test_numbers_of_32_bits_are_taken_exactly(v2, example):
    tensors = inputs(triton, [example])
    number = next(tensor for tensor in tensors if tensor.datatype() == "INT64")
    value = np.array([[example[number.name()]]], dtype=np.float32)
    narrow = triton.InferInput(number.name(), [1, 1], "FP32").set_data_from_numpy(value)
    both = [
        v2.infer(MODEL, [tensor if tensor is not number else one for tensor in tensors]) for one in (number, narrow)
    ]
    assert both[0].as_numpy("probability") == both[1].as_numpy("probability")
