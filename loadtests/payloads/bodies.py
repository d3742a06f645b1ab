"""Bodies of HTTP requests: `/predict`, `/explain`, and inference over V2 as JSON tensors."""

from typing import Any

import msgspec

from loadtests.payloads.applicants import Applicant


class Answer(msgspec.Struct):
    """What of an answer is checked: whom it is about."""

    application_id: str


def envelope(applicants: list[Applicant]) -> bytes:
    """The body of `/predict` and `/explain`.

    >>> envelope([{"age": 30}])
    b'{"applicants":[{"age":30}]}'
    """
    return msgspec.json.encode({"applicants": applicants})


def tensors(applicant: Applicant) -> bytes:
    """The body of V2 inference for one applicant, a tensor per value; JSON has no NaN, so nulls are left out.

    >>> msgspec.json.decode(tensors({"age": 30, "sum": None}))
    {'inputs': [{'name': 'age', 'shape': [1], 'datatype': 'INT64', 'data': [30]}]}
    """
    inputs = [
        {"name": name, "shape": [1], "datatype": datatype(value), "data": [value]}
        for name, value in applicant.items()
        if value is not None
    ]
    return msgspec.json.encode({"inputs": inputs})


def datatype(value: Any) -> str:
    """The datatype of a value's tensor.

    >>> datatype("no"), datatype(3), datatype(0.5)
    ('BYTES', 'INT64', 'FP64')
    """
    if isinstance(value, str):
        return "BYTES"
    return "INT64" if isinstance(value, int) else "FP64"


def is_about(answer: bytes, applicants: list[Applicant]) -> bool:
    """Whether an answer is a list about these applicants, in their order.

    >>> is_about(b'[{"application_id": "a"}]', [{"application_id": "a"}]), is_about(b"[]", [{"application_id": "a"}])
    (True, False)
    """
    try:
        answers = msgspec.json.decode(answer, type=list[Answer])
    except msgspec.DecodeError:
        return False
    return [one.application_id for one in answers] == [one["application_id"] for one in applicants]


class Output(msgspec.Struct):
    """One output tensor."""

    name: str
    data: list[Any]


class Outputs(msgspec.Struct):
    """What of an answer over V2 is checked."""

    outputs: list[Output]


def is_inference_about(answer: bytes, applicant: Applicant) -> bool:
    """Whether an answer over V2 is about this applicant."""
    try:
        outputs = msgspec.json.decode(answer, type=Outputs).outputs
    except msgspec.DecodeError:
        return False
    return [applicant["application_id"]] in [one.data for one in outputs if one.name == "application_id"]
