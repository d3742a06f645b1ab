"""Bodies of the Open Inference Protocol over REST: to tensors, and from predictions.

A body is JSON, or JSON followed by the raw bytes of some tensors (the binary tensor data extension); a header then says
where the JSON ends.
"""

from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from models.errors import Rejected
from models.prediction import Prediction
from models.request import parse
from models.validation import shown
from serving.v2.tensors import TEXT, Tensor, TensorDecoder, column, malformed, pack, unpack

LENGTH_HEADER = "inference-header-content-length"
BINARY_SIZE = "binary_data_size"  # parameter of an input or output: the number of its raw bytes
BINARY = "binary_data"  # parameter of a requested output: whether its data is to be raw bytes
BINARY_ALL = "binary_data_output"  # parameter of a request: what `binary_data` is where an output does not say
MAX_DIGITS = 12  # of that length
MARKS_PER_VALUE = 2  # of { [ and , : an element in a list of its own, and the comma after it
OBJECTS_PER_TENSOR = 40  # of what the slow parser reads: a tensor, its parameters, and what is of them all

Element = str | int | float | bool | None
Parameters = dict[str, Any] | None  # MLServer's and KServe's clients write what is optional as null


class Input(Struct, gc=False):
    """One input tensor; its elements are in `data`, or in the bytes after the JSON."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters = None
    data: list[Element | list[Element]] | None = None


class Output(Struct, gc=False):
    """One requested output."""

    name: str
    parameters: Parameters = None


class InferRequest(Struct, gc=False):
    """The JSON of a request."""

    inputs: list[Input]
    id: str | None = None
    parameters: Parameters = None
    outputs: list[Output] | None = None


class RestCodec:
    """Reads requests and writes responses.

    Args:
        decoder: makes rows of tensors.
        name: of the model.
        version: of the model.
    """

    def __init__(self, decoder: TensorDecoder, name: str, version: str) -> None:
        self._decoder = decoder
        self._model = {"model_name": name, "model_version": version}
        self._json: msgspec.json.Decoder[InferRequest] = msgspec.json.Decoder(InferRequest)

    def parse(self, body: bytes, json_bytes: str | None) -> tuple[InferRequest, bytes]:
        """The JSON, whose length is in the header `json_bytes`, and the bytes after it; raises `Rejected`."""
        size = len(body)
        if json_bytes is not None:
            if not (json_bytes.isdecimal() and len(json_bytes) < MAX_DIGITS and int(json_bytes) <= len(body)):
                raise malformed(f"{LENGTH_HEADER} is {shown(json_bytes)}; it must be a part of the {len(body)} bytes")
            size = int(json_bytes)
        text = body[:size]
        # Python builds an object for each of these: five million empty ones would block the worker for a minute.
        values = (self._decoder.max_rows + 2) * self._decoder.max_tensors
        if sum(text.count(mark) for mark in (b"{", b"[", b",")) > MARKS_PER_VALUE * values:
            raise Rejected(413, f"more values than {self._decoder.max_rows} rows have")
        try:
            return self._json.decode(text), body[size:]
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            if text.count(b"{") > OBJECTS_PER_TENSOR * self._decoder.max_tensors:
                raise Rejected(413, f"more objects than a request of {self._decoder.max_rows} rows has") from None
            return _parsed(text), body[size:]  # Python's clients send NaN, which is not JSON but may be meant

    def rows(self, request: InferRequest, tail: bytes) -> list[Struct]:
        """Rows of `schema.row`; raises `Rejected`."""
        if len(request.inputs) > self._decoder.max_tensors:
            raise malformed(f"{len(request.inputs)} inputs; the model has {len(self._decoder.schema.names)}")
        tensors, at = [], 0
        for tensor in request.inputs:
            rows = self._decoder.rows_of(tensor.name, tensor.shape)
            size = (tensor.parameters or {}).get(BINARY_SIZE)
            values: Sequence[Any]
            if size is None:
                values = _elements(tensor, rows)
            elif type(size) is not int or not 0 <= size <= len(tail) - at or tensor.data is not None:
                raise malformed(
                    f"input {shown(tensor.name)} has {BINARY_SIZE} {shown(size)}; it must have no data, and so "
                    f"many bytes after the JSON, which ends where {LENGTH_HEADER} says"
                )
            else:
                values = unpack(tensor.name, tensor.datatype, tail[at : at + size], rows)
                at += size
            tensors.append(Tensor(tensor.name, tensor.datatype, values))
        if at != len(tail):
            raise malformed(f"{len(tail) - at} bytes after the JSON belong to no input")
        return self._decoder.decode(tensors)

    def outputs(self, request: InferRequest) -> dict[str, bool]:
        """The requested outputs, and whether each is sent as raw bytes; raises `Rejected`."""
        usual = (request.parameters or {}).get(BINARY_ALL, False) is True
        requested = (request.outputs or [])[: len(self._decoder.outputs) + 1]
        asked = {output.name: output.parameters or {} for output in requested}
        if any("classification" in parameters for parameters in asked.values()):
            raise malformed("classification is not supported; request the outputs themselves")
        names = self._decoder.outputs_of([output.name for output in requested])
        return {name: asked.get(name, {}).get(BINARY, usual) is True for name in names}

    def answer(
        self, request: InferRequest, names: dict[str, bool], predictions: Sequence[Prediction]
    ) -> tuple[bytes, int | None]:
        """The body, and the length of its JSON if raw bytes follow."""
        outputs, tail, datatypes = [], [], self._decoder.outputs
        for name, binary in names.items():
            values = column(name, predictions)
            output: dict[str, Any] = {"name": name, "datatype": datatypes[name], "shape": [len(values)]}
            if binary:
                tail.append(pack(datatypes[name], values))
                output["parameters"] = {BINARY_SIZE: len(tail[-1])}
            else:
                output["data"] = values
            outputs.append(output)
        response: dict[str, Any] = {**self._model, "outputs": outputs}
        if request.id is not None:
            response["id"] = request.id
        text = msgspec.json.encode(response)
        return b"".join([text, *tail]), len(text) if tail else None


def _parsed(text: bytes) -> InferRequest:
    """Read slowly, NaN and a byte order mark included; raises `Rejected` with what is wrong."""
    try:
        request = msgspec.convert(parse(text.removeprefix(BOM_UTF8)), InferRequest)
        (request.id or "").encode()  # the response repeats it
    except msgspec.ValidationError as error:
        raise malformed(f"not an inference request: {error}") from None
    except UnicodeEncodeError:  # "\ud800" is JSON and no text
        raise malformed("not an inference request: half a character in the id, or in the name of a member") from None
    return request


def _elements(tensor: Input, rows: int) -> list[Any]:
    """The elements in a tensor's `data`, which may have the shape or be flat."""
    if tensor.data is None:
        raise malformed(f"input {shown(tensor.name)} has no data")
    if len(tensor.data) != rows:
        raise malformed(f"input {shown(tensor.name)} has {len(tensor.data)} elements, and {rows} by its shape")
    elements = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in tensor.data]
    if tensor.datatype != TEXT and tensor.datatype.startswith("INT"):
        for value in elements:
            if isinstance(value, float) and not value.is_integer():
                raise malformed(f"input {shown(tensor.name)} is of {tensor.datatype}, and has a fraction")
    return elements
