"""The outputs of V2: with a score where the dataset file has a scale for it, and as before where it has none."""

import json

import msgspec
import pytest

from configs.policy import ScoreScale
from models.errors import Rejected
from models.prediction import Prediction, ScoredPrediction
from models.schema import Schema
from serving.v2.grpc_codec import GrpcCodec
from serving.v2.messages import Messages
from serving.v2.rest_codec import Output, RestCodec
from serving.v2.tensors import TensorDecoder
from tests.models.tables import german_credit

SCORED = [ScoredPrediction(f"A-{i}", 0.25 * i, "refer", "m:1", 600 - i) for i in range(3)]
PLAIN = [Prediction(one.application_id, one.probability, one.decision, one.model) for one in SCORED]


def decoder_of(scale):
    return TensorDecoder(Schema(msgspec.structs.replace(german_credit(), score=scale)), 10)


@pytest.fixture(scope="module")
def scored():
    """Tensors of a dataset with a scale."""
    return decoder_of(ScoreScale(points=600, odds=50, double=20))


@pytest.fixture(scope="module")
def messages():
    """The protocol's."""
    return Messages()


@pytest.mark.parametrize("raw", [True, False])
def test_grpc_sends_the_score_as_raw_and_as_typed_contents(scored, messages, raw):
    codec = GrpcCodec(messages, scored, "m", "1")
    request = messages["ModelInferRequest"](raw_input_contents=[b"x"] if raw else [])
    answer = messages["ModelInferResponse"].FromString(codec.answer(request, codec.outputs(request), SCORED))
    assert [(one.name, one.datatype, list(one.shape)) for one in answer.outputs][-1] == ("score", "INT64", [3])
    if raw:
        assert memoryview(answer.raw_output_contents[-1]).cast("q").tolist() == [600, 599, 598]
    else:
        assert list(answer.outputs[-1].contents.int64_contents) == [600, 599, 598]


def test_rest_sends_the_score_as_a_number(scored):
    codec = RestCodec(scored, "m", "1")
    request = msgspec.json.decode(b'{"inputs": []}', type=type(codec.parse(b'{"inputs": []}', None)[0]))
    body, _ = codec.answer(request, codec.outputs(request), SCORED)
    outputs = {one["name"]: one for one in json.loads(body)["outputs"]}
    assert list(outputs) == ["probability", "decision", "application_id", "score"]
    assert outputs["score"] == {"name": "score", "datatype": "INT64", "shape": [3], "data": [600, 599, 598]}


def test_without_a_scale_there_is_no_such_output(messages):
    plain = decoder_of(None)
    rest, grpc = RestCodec(plain, "m", "1"), GrpcCodec(messages, plain, "m", "1")
    request, _ = rest.parse(b'{"inputs": []}', None)
    body, _ = rest.answer(request, rest.outputs(request), PLAIN)
    assert [one["name"] for one in json.loads(body)["outputs"]] == ["probability", "decision", "application_id"]
    with pytest.raises(Rejected, match="no output score; there are probability, decision, application_id"):
        rest.outputs(msgspec.structs.replace(request, outputs=[Output("score")]))
    asked = messages["ModelInferRequest"](outputs=[{"name": "score"}])
    with pytest.raises(Rejected, match="no output score"):
        grpc.outputs(asked)
    assert msgspec.json.encode(PLAIN[0]) == (
        b'{"application_id":"A-0","probability":0.0,"decision":"refer","model":"m:1"}'
    )
