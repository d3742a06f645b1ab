"""Messages of `ModelInfer` to rows, and predictions to its answer.

Two readers follow one set of rules. The fast one reads valid requests of one row, looks at each field once and knows
every category by its bytes: 20 us for 20 tensors. Everything else goes to the general one, by way of tensors, which
reads any number of rows and reports each fault. A test compares the two.
"""

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from msgspec import Struct

from configs.dataset import RESERVED
from models.errors import Rejected
from models.prediction import Prediction
from models.validation import shown
from serving.v2.messages import Messages
from serving.v2.tensors import (
    NUMBERS,
    TEXT,
    Tensor,
    TensorDecoder,
    column,
    malformed,
    pack,
    text_of,
    unpack,
)
from serving.v2.wire_count import fields_of, has_more

FIELDS = {  # of `contents`, by datatype
    TEXT: "bytes_contents",
    "INT64": "int64_contents",
    "INT32": "int_contents",
    "FP64": "fp64_contents",
    "FP32": "fp32_contents",
}
SMALL_BYTES = 1 << 16  # in which no message is that becomes anything large
FIELDS_PER_TENSOR = 40  # beside its values: its name, shape, parameters and contents, and a share of the request's
CACHED_PREFIXES = 256  # of responses, by number of rows and requested outputs
NOT_FAST = (KeyError, ValueError, IndexError, TypeError, struct.error, msgspec.ValidationError)

Name = tuple[str, str]  # of a tensor, and its datatype
Reader = Callable[[Any], Any]


class GrpcCodec:
    """Reads requests and writes responses.

    Args:
        messages: the protocol's.
        decoder: makes rows of tensors.
        name: of the model.
        version: of the model.
    """

    def __init__(self, messages: Messages, decoder: TensorDecoder, name: str, version: str) -> None:
        self._request = messages["ModelInferRequest"]
        self._response = messages["ModelInferResponse"]
        self._decoder = decoder
        self._datatypes, self._outputs = decoder.outputs, tuple(decoder.outputs)
        self._model = {"model_name": name, "model_version": version}
        self._prefix = lru_cache(CACHED_PREFIXES)(self._make_prefix)
        self._raw, self._typed = fast_readers(decoder)
        self._fields = fields_of(self._request.DESCRIPTOR)
        within = FIELDS_PER_TENSOR * decoder.max_tensors
        fields = decoder.max_rows * len(decoder.schema.names) + within
        self._most_fields = (2 * fields, fields // within)  # half for the values, and half for the messages within

    def parse(self, body: bytes) -> Any:
        """The message; raises `Rejected`."""
        if len(body) > SMALL_BYTES and has_more(body, self._fields, *self._most_fields):
            raise Rejected(413, f"more values than {self._decoder.max_rows} rows have")
        try:
            return self._request.FromString(body)
        except DecodeError:
            raise malformed("not a ModelInferRequest: its bytes cannot be parsed") from None

    def rows(self, request: Any) -> list[Struct]:
        """Rows of the message; raises `Rejected`."""
        if len(request.inputs) > self._decoder.max_tensors:
            raise malformed(f"{len(request.inputs)} inputs; the model has {len(self._decoder.schema.names)}")
        applicant = self._read_fast(request)
        if applicant is not None:
            with suppress(msgspec.ValidationError, UnicodeEncodeError):  # the general reader reports why
                return self._decoder.convert([applicant])
        return self._decoder.decode(self._tensors(request))

    def _read_fast(self, request: Any) -> dict[str, Any] | None:
        """The applicant of a request of one row, if it is valid but for numbers out of range."""
        inputs, raws = request.inputs, request.raw_input_contents
        applicant: dict[str, Any] = {}
        try:
            if raws:
                for tensor, raw in zip(inputs, raws, strict=True):
                    name, shape = tensor.name, tensor.shape
                    applicant[name] = self._raw[name, tensor.datatype](raw)
                    if not shape[0] == shape[-1] == 1 or len(shape) > 2 or tensor.HasField("contents"):
                        return None
            else:
                for tensor in inputs:
                    name, shape = tensor.name, tensor.shape
                    applicant[name] = self._typed[name, tensor.datatype](tensor.contents)
                    if not shape[0] == shape[-1] == 1 or len(shape) > 2:
                        return None
        except NOT_FAST:
            return None
        return applicant if len(applicant) == len(inputs) else None

    def _tensors(self, request: Any) -> list[Tensor]:
        inputs, raws = request.inputs, request.raw_input_contents
        if raws and len(raws) != len(inputs):
            raise malformed(f"{len(raws)} raw_input_contents for {len(inputs)} inputs")
        tensors = []
        for index, tensor in enumerate(inputs):
            rows = self._decoder.rows_of(tensor.name, tensor.shape)
            values: Sequence[Any]
            if not raws:
                values = _contents(tensor, rows)
            elif tensor.HasField("contents"):
                raise malformed(f"input {shown(tensor.name)} has contents, and so has raw_input_contents; give one")
            else:
                values = unpack(tensor.name, tensor.datatype, raws[index], rows)
            tensors.append(Tensor(tensor.name, tensor.datatype, values))
        return tensors

    def outputs(self, request: Any) -> tuple[str, ...]:
        """The requested outputs; raises `Rejected`."""
        if not request.outputs:
            return self._outputs
        if len(request.outputs) > len(self._outputs):
            raise malformed(f"{len(request.outputs)} outputs are requested; there are {', '.join(self._outputs)}")
        return self._decoder.outputs_of([output.name for output in request.outputs])

    def answer(self, request: Any, names: tuple[str, ...], predictions: Sequence[Prediction]) -> bytes:
        """The bytes of the response: raw contents for a request with raw contents, typed ones for others.

        Protobuf messages can be concatenated, so the part that responses have in common is encoded once.
        """
        columns = {name: column(name, predictions) for name in names}
        if request.raw_input_contents:
            raws = [pack(self._datatypes[name], values) for name, values in columns.items()]
            prefix: bytes = self._prefix(len(predictions), names)
            return prefix + bytes(self._response(id=request.id, raw_output_contents=raws).SerializeToString())
        answer = self._response(**self._model, id=request.id)
        for name, values in columns.items():
            output = answer.outputs.add(name=name, datatype=self._datatypes[name], shape=[len(predictions)])
            elements = [value.encode() for value in values] if self._datatypes[name] == TEXT else values
            getattr(output.contents, FIELDS[self._datatypes[name]]).extend(elements)
        return bytes(answer.SerializeToString())

    def _make_prefix(self, rows: int, names: tuple[str, ...]) -> bytes:
        described = [{"name": name, "datatype": self._datatypes[name], "shape": [rows]} for name in names]
        return bytes(self._response(**self._model, outputs=described).SerializeToString())


def fast_readers(decoder: TensorDecoder) -> tuple[dict[Name, Reader], dict[Name, Reader]]:
    """How one element is read, by name and datatype of its tensor: from raw bytes, and from contents.

    They raise one of `NOT_FAST` for anything but one element, and for a word that is in no vocabulary.
    """
    raw: dict[Name, Reader] = {(RESERVED, TEXT): lambda raw: unpack(RESERVED, TEXT, raw, 1)[0]}
    typed: dict[Name, Reader] = {(RESERVED, TEXT): lambda contents: _one(contents.bytes_contents).decode()}
    for feature in decoder.schema.dataset.features:
        if feature.type == "categorical":
            raw[feature.name, TEXT] = {pack(TEXT, [word]): word for word in feature.categories}.__getitem__
            typed[feature.name, TEXT] = _word_reader({word.encode(): word for word in feature.categories})
        else:
            for datatype, letter in NUMBERS.items():
                raw[feature.name, datatype] = _number_reader(letter)
                typed[feature.name, datatype] = _element_reader(FIELDS[datatype])
    return raw, typed


def _one(elements: Any) -> Any:
    (element,) = elements
    return element


def _word_reader(words: dict[bytes, str]) -> Reader:
    return lambda contents: words[_one(contents.bytes_contents)]


def _number_reader(letter: str) -> Reader:
    unpack_one = struct.Struct(f"<{letter}").unpack
    return lambda raw: unpack_one(raw)[0]


def _element_reader(field: str) -> Reader:
    elements = attrgetter(field)
    return lambda contents: _one(elements(contents))


def _contents(tensor: Any, rows: int) -> list[Any]:
    field = FIELDS.get(tensor.datatype)
    if field is None:
        return [None] * rows  # refused later, for its datatype
    elements = getattr(tensor.contents, field)
    if len(elements) != rows:
        raise malformed(f"input {shown(tensor.name)} has {len(elements)} elements in {field}, and {rows} by its shape")
    return [text_of(element) for element in elements] if tensor.datatype == TEXT else list(elements)
