"""Tensors, however they come, get the verdict of `POST /predict`, in its words."""

import json
import struct

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from configs.dataset import RESERVED
from models.errors import Rejected
from models.request import RequestDecoder
from serving.v2.grpc_codec import FIELDS, GrpcCodec
from serving.v2.messages import Messages
from serving.v2.rest_codec import RestCodec
from serving.v2.tensors import NUMBERS, TensorDecoder, pack, unpack
from tests.models.applicants import body_of, broken_rows, good_rows, text_of

MAX_ROWS = 5
TRIES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MESSAGES = Messages()
EXTENSIONS = ("ModelConfig", "ModelStatistics", "RepositoryIndex")


@pytest.fixture
def rest(schema):
    return RestCodec(TensorDecoder(schema, MAX_ROWS), "m", "v")


@pytest.fixture
def grpc(schema):
    return GrpcCodec(MESSAGES, TensorDecoder(schema, MAX_ROWS), "m", "v")


def verdict(read):
    """The rows that `read` gives, without ids that were made up, or what it says is wrong."""
    try:
        rows = read()
    except Rejected as error:
        return error.status, [(fault.row, fault.field, fault.message) for fault in error.details]
    return [
        [getattr(row, name) for name in row.__struct_fields__ if name != RESERVED or not made_up(row.application_id)]
        for row in rows
    ]


def made_up(identifier):
    """Whether nobody gave it."""
    return len(identifier) == 36 and identifier[14] == "7"


def datatype(schema, name):
    """What a client would send it as."""
    feature = next((f for f in schema.dataset.features if f.name == name), None)
    return "FP64" if feature and feature.type != "categorical" else "BYTES"


def expressible(schema, pairs):
    """Whether /predict and tensors mean the same by these: an empty text and NaN are missing values in tensors."""
    nullable = {f.name for f in schema.dataset.features if f.nullable} | {RESERVED}
    return all(
        not value.startswith(("[", "{")) and not (json.loads(key) in nullable and value in ('""', "NaN"))
        for key, value in pairs
    )


def rest_body(schema, pairs):
    """A request of one row, put together as text, so that it can hold what no JSON library writes."""
    tensors = [
        f'{{"name": {key}, "shape": [1], "datatype": "{datatype(schema, json.loads(key))}", "data": [{value}]}}'
        for key, value in pairs
    ]
    return f'{{"inputs": [{", ".join(tensors)}]}}'.encode()


def asked(rest, body):
    """How REST reads a body of JSON."""
    return rest.rows(*rest.parse(body, None))


@pytest.mark.slow
@TRIES
@given(data=st.data())
def test_a_row_in_tensors_of_json_gets_the_verdict_of_predict(schema, rest, data):
    pairs = data.draw(good_rows(schema) | broken_rows(schema))
    assume(expressible(schema, pairs))
    as_predict = verdict(lambda: RequestDecoder(schema, MAX_ROWS).decode(body_of([text_of(pairs)])))
    assert verdict(lambda: asked(rest, rest_body(schema, pairs))) == as_predict


def message(schema, applicant, raw, number, shape=(1,), rows=1):
    """A request that repeats an applicant, with its numbers as `number`."""
    request = MESSAGES["ModelInferRequest"]()
    for name, value in applicant.items():
        kind = number if datatype(schema, name) == "FP64" else "BYTES"
        tensor = request.inputs.add(name=name, datatype=kind, shape=shape)
        if raw:
            request.raw_input_contents.append(pack(kind, [value] * rows))
        else:
            element = value.encode() if isinstance(value, str) else value
            getattr(tensor.contents, FIELDS[kind]).extend([element] * rows)
    return request


@pytest.mark.slow
@TRIES
@given(data=st.data())
def test_the_fast_reader_of_messages_agrees_with_the_general_one_and_with_predict(schema, grpc, data):
    pairs = data.draw(good_rows(schema) | broken_rows(schema, doubled=False))
    assume(expressible(schema, pairs))
    applicant = {json.loads(key): json.loads(value) for key, value in pairs if value != "null"}
    of_a_kind = {name: str if datatype(schema, name) == "BYTES" else (int, float) for name in applicant}
    assume(all(isinstance(v, of_a_kind[n]) and not isinstance(v, bool) for n, v in applicant.items()))
    try:
        json.dumps(applicant, ensure_ascii=False).encode()
        request = message(
            schema, applicant, data.draw(st.booleans()), "FP64", data.draw(st.sampled_from([[1], [1, 1]]))
        )
    except (UnicodeEncodeError, OverflowError):
        assume(False)
    thorough = verdict(lambda: grpc._decoder.decode(grpc._tensors(request)))
    assert verdict(lambda: grpc.rows(request)) == thorough
    numbers = {n: float(v) if datatype(schema, n) == "FP64" else v for n, v in applicant.items()}
    body = json.dumps({"applicants": [numbers]}).encode()
    assert thorough == verdict(lambda: RequestDecoder(schema, MAX_ROWS).decode(body))


@pytest.fixture
def applicant(schema):
    """A valid one."""
    return {
        f.name: f.categories[0] if f.type == "categorical" else float(int(max(f.lowest, 1)))
        for f in schema.dataset.features
    }


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("number", list(NUMBERS))
@pytest.mark.parametrize("rows", [1, 3])
def test_every_datatype_of_numbers_gives_the_same_row(schema, grpc, applicant, raw, number, rows):
    whole = {name: int(v) if number.startswith("INT") and v != str(v) else v for name, v in applicant.items()}
    assume_whole = {n: v for n, v in whole.items() if isinstance(v, str) or applicant[n] == v}
    request = message(schema, assume_whole, raw, number, (rows, 1), rows)
    body = json.dumps({"applicants": [applicant] * rows}).encode()
    assert verdict(lambda: grpc.rows(request)) == verdict(lambda: RequestDecoder(schema, MAX_ROWS).decode(body))
    assert (grpc._read_fast(request) is None) == (rows > 1)


def test_a_number_of_32_bits_becomes_the_double_that_it_is():
    (number,) = unpack("x", "FP32", struct.pack("<f", 0.1), 1)
    assert number == 0.10000000149011612


def test_an_empty_text_and_nan_are_missing_where_that_is_allowed(schema, grpc, rest, applicant):
    absent = {f.name: "" if f.type == "categorical" else float("nan") for f in schema.dataset.features if f.nullable}
    read = grpc.rows(message(schema, applicant | absent | {RESERVED: ""}, True, "FP64"))
    body = json.dumps({"applicants": [applicant | dict.fromkeys(absent)]}).encode()
    assert verdict(lambda: read) == verdict(lambda: RequestDecoder(schema, MAX_ROWS).decode(body))
    tensors = [
        {"name": n, "shape": [1, 1], "datatype": datatype(schema, n), "data": [[v]]}
        for n, v in (applicant | absent).items()
    ]
    assert verdict(lambda: asked(rest, json.dumps({"inputs": tensors}).encode())) == verdict(lambda: read)


def test_an_application_id_is_a_tensor_like_the_others(schema, grpc, applicant):
    (row,) = grpc.rows(message(schema, applicant | {RESERVED: "A-1 ž"}, True, "FP64"))
    assert row.application_id == "A-1 ž"
    status, faults = verdict(lambda: grpc.rows(message(schema, applicant | {RESERVED: "x" * 65}, True, "FP64")))
    assert (status, [field for _, field, _ in faults]) == (422, [RESERVED])


def in_first(**changes):
    """Change the first input."""

    def change(request):
        for name, value in changes.items():
            if name == "shape":
                request.inputs[0].shape[:] = value
            elif name == "raw":
                request.raw_input_contents[0] = value
            else:
                setattr(request.inputs[0], name, value)

    return change


def without_first(request):
    del request.inputs[0]
    del request.raw_input_contents[0]


def without_inputs(request):
    del request.inputs[:]
    del request.raw_input_contents[:]


def without_rows(request):
    for tensor in request.inputs:
        tensor.shape[:] = [0]
    request.raw_input_contents[:] = [b""] * len(request.inputs)


def with_first_twice(request):
    request.inputs.append(request.inputs[0])
    request.raw_input_contents.append(request.raw_input_contents[0])


BROKEN = {
    "not utf-8": (422, in_first(raw=b"\x02\x00\x00\x00\xff\xfe")),
    "too many rows": (413, in_first(shape=[MAX_ROWS + 1])),
    "no rows": (422, without_rows),
    "no inputs": (422, without_inputs),
    "twice": (422, with_first_twice),
    "missing": (422, without_first),
    "unknown": (422, in_first(name="nothing like it")),
    "torn": (400, in_first(raw=b"\x08\x00\x00\x00negativ")),
    "trailing": (400, in_first(raw=b"\x08\x00\x00\x00negativex")),
    "empty": (400, in_first(raw=b"")),
    "shape": (400, in_first(shape=[1, 2])),
    "negative": (400, in_first(shape=[-1])),
    "no shape": (400, in_first(shape=[])),
    "deep": (400, in_first(shape=[1, 1, 1])),
    "datatype": (400, in_first(datatype="FP16")),
    "unequal": (400, in_first(shape=[2], raw=b"\0" * 8)),
    "both": (400, lambda request: request.inputs[0].contents.bytes_contents.append(b"x")),
    "too few": (400, lambda request: request.raw_input_contents.pop()),
    "too many inputs": (400, lambda request: request.inputs.extend([request.inputs[0]] * 100)),
}


@pytest.mark.parametrize("way", BROKEN)
@pytest.mark.parametrize("schema", ["german_credit"], indirect=True)
def test_a_malformed_message_is_refused_with_the_reason(schema, grpc, applicant, way):
    request = message(schema, applicant, True, "FP64")
    status, damage = BROKEN[way]
    damage(request)
    assert verdict(lambda: grpc.rows(request))[0] == status


def test_each_bad_row_is_counted_and_the_first_twenty_faults_are_listed(schema, applicant):
    grpc = GrpcCodec(MESSAGES, TensorDecoder(schema, 100), "m", "v")
    name = next(f.name for f in schema.dataset.features if f.type == "categorical" and not f.protected)
    request = message(schema, applicant, False, "FP64", [30], 30)
    tensor = next(tensor for tensor in request.inputs if tensor.name == name)
    tensor.contents.bytes_contents[:] = [b"no such"] * 30
    status, faults = verdict(lambda: grpc.rows(request))
    assert (status, [row for row, *_ in faults]) == (422, list(range(20)))


@TRIES
@given(body=st.binary(max_size=300))
def test_bytes_that_are_no_message_are_refused(grpc, body):
    with pytest.raises(Rejected):
        grpc.rows(grpc.parse(body))


def test_the_fields_are_those_of_the_published_protocol():
    """Number, kind and name of each, against the messages that NVIDIA's client brings."""
    from tritonclient.grpc import service_pb2

    theirs = service_pb2.DESCRIPTOR

    def fields(message):
        for field in message.fields:
            kind = field.message_type.full_name if field.message_type else field.type
            yield message.full_name, field.name, field.number, kind, field.is_repeated, bool(field.containing_oneof)
        for nested in message.nested_types:
            yield from fields(nested)

    names = {name for call in MESSAGES.calls.values() for name in call} | {"InferParameter", "InferTensorContents"}
    for name in names:
        ours = MESSAGES.pool.FindMessageTypeByName(f"inference.{name}")
        assert list(fields(ours)) == list(fields(theirs.message_types_by_name[name]))
    calls = {
        m.name: (m.input_type.name, m.output_type.name) for m in theirs.services_by_name["GRPCInferenceService"].methods
    }
    assert MESSAGES.calls.items() <= calls.items()
    assert len(MESSAGES.calls) == 6 + len(EXTENSIONS)


def test_the_fields_of_the_extensions_are_among_tritons():
    """Ours are fewer: of each message those that make sense here, by Triton's names, numbers and kinds."""
    from tritonclient.grpc import model_config_pb2, service_pb2

    theirs = {**service_pb2.DESCRIPTOR.message_types_by_name, **model_config_pb2.DESCRIPTOR.message_types_by_name}
    todo, seen = [name for call in EXTENSIONS for name in MESSAGES.calls[call]], set()
    while todo:
        name = todo.pop()
        ours = MESSAGES.pool.FindMessageTypeByName(f"inference.{name}")
        for field in ours.fields:
            other = theirs[name].fields_by_name[field.name]
            assert (field.number, field.type, field.is_repeated) == (other.number, other.type, other.is_repeated)
            if field.enum_type:
                values = {value.name: value.number for value in other.enum_type.values}
                assert {value.name: value.number for value in field.enum_type.values}.items() <= values.items()
            if field.message_type and "." not in field.message_type.full_name.removeprefix("inference."):
                todo += {field.message_type.name} - seen
                seen.add(field.message_type.name)
    assert {"ModelConfig", "ModelInput", "ModelStatistics", "StatisticDuration"} <= seen


def test_the_compiled_messages_are_those_of_the_source(tmp_path):
    """Should this fail: `make environment` compiles anew what is older than its source."""
    import subprocess
    import sys

    from serving.v2.messages import COMPILED
    from tests.conftest import ROOT

    again = tmp_path / "inference.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", f"--descriptor_set_out={again}"]
    subprocess.run([*command, "serving/v2/inference.proto"], cwd=ROOT, check=True)
    assert again.read_bytes() == COMPILED.read_bytes()
