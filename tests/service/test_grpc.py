"""The Open Inference Protocol over gRPC, asked by an unmodified tritonclient, by bare gRPC where that cannot err."""

import asyncio
import random
import re
import time

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from google.protobuf.descriptor_pool import DescriptorPool
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from tests.service.tensors import inputs

MODEL = "german_credit"
SERVICE = "inference.GRPCInferenceService"


@pytest.fixture(scope="module")
def v2(service):
    """An unmodified client."""
    with triton.InferenceServerClient(service.grpc) as client:
        yield client


@pytest.fixture(scope="module")
def channel(service):
    """A connection without a client around it."""
    with grpc.insecure_channel(service.grpc) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    """The calls as they are."""
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture(scope="module")
def predicted(client, german_applicants):
    """What /predict says of 200 applicants."""
    return client.post("/predict", json={"applicants": german_applicants[::5]}).json()


def typed(applicants, **more):
    """A request with typed contents."""
    request = service_pb2.ModelInferRequest(model_name=MODEL, **more)
    for name in applicants[0]:
        values = [applicant[name] for applicant in applicants]
        text = isinstance(values[0], str)
        tensor = request.inputs.add(name=name, datatype="BYTES" if text else "FP64", shape=[len(values)])
        if text:
            tensor.contents.bytes_contents.extend(value.encode() for value in values)
        else:
            tensor.contents.fp64_contents.extend(values)
    return request


def raw(applicants):
    """The same with raw contents."""
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    for tensor in inputs(triton, applicants):
        request.inputs.append(tensor._get_tensor())
        request.raw_input_contents.append(tensor._get_content())
    return request


def test_the_service_and_the_model_are_described(v2, client, trained):
    assert v2.is_server_live()
    assert v2.is_server_ready()
    assert v2.get_server_metadata(as_json=True) == client.get("/v2").json()
    name, version = trained.tag.split(":")
    for asked in ("", version):
        assert v2.is_model_ready(name, asked)
        described = v2.get_model_metadata(name, asked)
        over_rest = client.get(f"/v2/models/{name}").json()
        for side in ("inputs", "outputs"):
            tensors = [{"name": t.name, "datatype": t.datatype, "shape": [*t.shape]} for t in getattr(described, side)]
            assert tensors == over_rest[side]
        assert (described.name, [*described.versions], described.platform) == (name, [version], over_rest["platform"])


@pytest.mark.parametrize("columns", [True, False])
def test_raw_contents_get_the_scores_of_predict_bit_for_bit(v2, german_applicants, predicted, columns, count):
    before = count("scorer_predictions_total")
    outputs = [triton.InferRequestedOutput(name) for name in ("decision", "probability")]
    result = v2.infer(MODEL, inputs(triton, german_applicants[::5], columns), outputs=outputs, request_id="r 1")
    assert result.as_numpy("probability").tolist() == [row["probability"] for row in predicted]
    assert result.as_numpy("decision").tolist() == [row["decision"].encode() for row in predicted]
    assert result.get_response().id == "r 1"
    assert [output.name for output in result.get_response().outputs] == ["decision", "probability"]
    assert count("scorer_predictions_total") - before == 200


def test_typed_contents_get_them_and_a_typed_answer(stub, german_applicants, predicted):
    answer = stub.ModelInfer(typed(german_applicants[::5], id="r 2"))
    by_name = {output.name: output for output in answer.outputs}
    assert [*by_name["probability"].contents.fp64_contents] == [row["probability"] for row in predicted]
    decisions = [word.decode() for word in by_name["decision"].contents.bytes_contents]
    assert decisions == [row["decision"] for row in predicted]
    assert (answer.id, len(answer.raw_output_contents)) == ("r 2", 0)


def test_rows_alone_get_the_same_bits(stub, german_applicants, predicted):
    for row in range(0, 200, 8):
        for request in (raw([german_applicants[5 * row]]), typed([german_applicants[5 * row]])):
            answer = triton.InferResult(stub.ModelInfer(request))
            output = answer.get_output("probability")
            given = answer.as_numpy("probability") if request.raw_input_contents else output.contents.fp64_contents
            assert list(given) == [predicted[row]["probability"]]


def test_rows_count_as_grpc_and_ids_come_back(v2, client, example):
    result = v2.infer(MODEL, inputs(triton, [example | {"application_id": "private-ž"}]))
    assert result.as_numpy("application_id").tolist() == ["private-ž".encode()]
    assert 'protocol="grpc"' in client.get("/metrics").text


def test_asyncio_clients_work(service, example, client):
    probability = client.post("/predict", json={"applicants": [example]}).json()[0]["probability"]

    async def ask():
        async with triton_aio.InferenceServerClient(service.grpc) as asking:
            assert await asking.is_model_ready(MODEL)
            results = await asyncio.gather(*(asking.infer(MODEL, inputs(triton, [example])) for _ in range(50)))
            return [result.as_numpy("probability")[0] for result in results]

    assert asyncio.run(ask()) == [probability] * 50


def refused(call, *arguments, **options):
    """The error of a call that must not succeed."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value


def test_a_wrong_value_is_named_with_row_field_and_what_is_allowed(v2, example):
    bad = [example, example | {"checking_account": "rich", "duration_months": -3}]
    with pytest.raises(InferenceServerException) as caught:
        v2.infer(MODEL, inputs(triton, bad))
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert caught.value.message() == (
        "2 values refused; nothing was scored: row 1, checking_account = rich: must be one of: negative, 0_to_200, "
        "200_or_more, none; row 1, duration_months = -3: must be at least 1"
    )


def first(request, **changes):
    """Change the first input."""
    for name, value in changes.items():
        if name == "shape":
            request.inputs[0].shape[:] = value
        else:
            setattr(request.inputs[0], name, value)


WRONG = {
    "model": (
        StatusCode.NOT_FOUND,
        "Request for unknown model: x",
        lambda request: setattr(request, "model_name", "x"),
    ),
    "version": (StatusCode.NOT_FOUND, "no version 1", lambda request: setattr(request, "model_version", "1")),
    "datatype": (StatusCode.INVALID_ARGUMENT, "has datatype FP16", lambda request: first(request, datatype="FP16")),
    "shape": (StatusCode.INVALID_ARGUMENT, r"shape \[1, 2\]", lambda request: first(request, shape=[1, 2])),
    "rows": (StatusCode.RESOURCE_EXHAUSTED, "at most 10000", lambda request: first(request, shape=[10_001])),
    "missing": (
        StatusCode.INVALID_ARGUMENT,
        "is missing",
        lambda request: (request.inputs.pop(0), request.raw_input_contents.pop(0)),
    ),
    "twice": (
        StatusCode.INVALID_ARGUMENT,
        "given twice",
        lambda request: (
            request.inputs.append(request.inputs[0]),
            request.raw_input_contents.append(request.raw_input_contents[0]),
        ),
    ),
    "unknown": (
        StatusCode.INVALID_ARGUMENT,
        "did you mean checking_account",
        lambda request: first(request, name="checking_acount"),
    ),
    "output": (StatusCode.INVALID_ARGUMENT, "no output x", lambda request: request.outputs.add(name="x")),
}


@pytest.mark.parametrize("way", WRONG)
def test_a_wrong_request_has_the_right_status_and_says_what_is_wrong(stub, example, way):
    status, said, damage = WRONG[way]
    request = raw([example])
    damage(request)
    error = refused(stub.ModelInfer, request)
    assert error.code() == status
    assert re.search(said, error.details())


def test_a_message_over_the_limit_is_refused_and_the_connection_lives(stub, example):
    request = raw([example])
    request.raw_input_contents.append(b"x" * (17 << 20))
    assert refused(stub.ModelInfer, request).code() == StatusCode.RESOURCE_EXHAUSTED
    assert stub.ModelInfer(raw([example])).outputs


def test_many_faults_in_long_words_still_reach_the_client(stub, example):
    """Headers have a limit, and a word in Chinese is spelled threefold there."""
    bad = {name: "申" * 200 if isinstance(value, str) else value for name, value in example.items()}
    error = refused(stub.ModelInfer, raw([bad] * 5))
    assert error.code() == StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("20 values refused")


def test_a_deadline_that_has_passed_is_kept_and_nothing_is_scored(stub, example, count):
    before = count("scorer_predictions_total")
    request = typed([example] * 5000)
    error = refused(stub.ModelInfer, request, timeout=1e-3)  # over while its rows are read
    assert error.code() == StatusCode.DEADLINE_EXCEEDED
    request.parameters["timeout"].int64_param = 1  # microseconds: over before its rows are looked at
    error = refused(stub.ModelInfer, request)
    assert (error.code(), error.details()) == (StatusCode.DEADLINE_EXCEEDED, "took too long")
    assert count("scorer_predictions_total") == before


def test_mutated_bytes_are_the_callers_fault(channel, example):
    ask = channel.unary_unary(f"/{SERVICE}/ModelInfer")
    dice = random.Random(1)
    whole = [raw([example]).SerializeToString(), typed([example] * 2).SerializeToString()]
    codes = set()
    for _ in range(3000):
        body = bytearray(dice.choice(whole))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(body))
            dice.choice(
                [
                    lambda body=body, at=at: body.__setitem__(at, dice.randrange(256)),
                    lambda body=body, at=at: body.__delitem__(slice(at, at + dice.randint(1, 20))),
                    lambda body=body, at=at: body.insert(at, dice.randrange(256)),
                ]
            )()
        try:
            ask(bytes(body))
        except grpc.RpcError as error:
            codes.add(error.code())
    expected = {StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND}
    assert expected <= codes <= {*expected, StatusCode.RESOURCE_EXHAUSTED, StatusCode.DEADLINE_EXCEEDED}


def test_reflection_lists_the_calls_and_describes_their_messages(channel):
    found = ProtoReflectionDescriptorDatabase(channel)
    assert {SERVICE, "grpc.health.v1.Health"} <= set(found.get_services())
    pool = DescriptorPool(found)
    calls = pool.FindServiceByName(SERVICE).methods
    extensions = {"ModelConfig", "ModelStatistics", "RepositoryIndex"}
    assert {call.name for call in calls} - extensions == {
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelInfer",
    }
    (infer,) = [call for call in calls if call.name == "ModelInfer"]
    assert infer.input_type.fields_by_name["raw_input_contents"].number == 7
    for service in found.get_services():
        assert pool.FindServiceByName(service).methods


def test_reflection_answers_by_its_newer_name(channel):
    from grpc_reflection.v1alpha import reflection_pb2

    ask = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    (answer,) = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    assert SERVICE in {service.name for service in answer.list_services_response.service}


def test_health_answers_a_check(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert refused(health.Check, health_pb2.HealthCheckRequest(service="x")).code() == StatusCode.NOT_FOUND


def test_an_unknown_call_is_unimplemented(channel):
    assert refused(channel.unary_unary(f"/{SERVICE}/ModelTrain"), b"").code() == StatusCode.UNIMPLEMENTED


def test_compressed_messages_are_taken(v2, example):
    result = v2.infer(MODEL, inputs(triton, [example]), compression_algorithm="gzip")
    assert result.as_numpy("probability").dtype == np.float64


def test_clients_may_ask_every_second_whether_we_are_there(service, example):
    """By keepalive pings on an idle connection; a server that does not want them hangs up after three."""
    options = [
        ("grpc.keepalive_time_ms", 1_100),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    seen = []
    with grpc.insecure_channel(service.grpc, options=options) as channel:
        channel.subscribe(seen.append)
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert stub.ModelInfer(raw([example])).outputs
        time.sleep(7)
        assert stub.ModelInfer(raw([example])).outputs
    assert seen.count(grpc.ChannelConnectivity.READY) == 1
    assert grpc.ChannelConnectivity.TRANSIENT_FAILURE not in seen
