"""Tensors of the Open Inference Protocol: input tensors to typed rows, predictions to output tensors.

Owns datatypes, shapes and raw bytes. The schema decides which values are allowed, by the same rules and messages as in
`POST /predict`. Leaves to others: reading JSON (rest_codec) and protobuf (grpc_codec).
"""

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from configs.dataset import RESERVED
from models.application_ids import ApplicationIds
from models.errors import Detail, Rejected
from models.prediction import Prediction
from models.schema import Schema
from models.validation import MAX_DETAILS, all_faults, reject, shown

TEXT = "BYTES"
NUMBERS = {"INT64": "q", "INT32": "i", "FP64": "d", "FP32": "f"}  # and their letters in `struct`
LENGTH = struct.Struct("<I")  # in front of each element of BYTES
OUTPUTS = {"probability": "FP64", "decision": TEXT, "application_id": TEXT}
SCORE = {"score": "INT64"}  # of a dataset file that has a scale for it
INPUTS_PER_FEATURE = 2  # tensors that are read per feature; a request with more has duplicates


class Tensor(Struct, gc=False):
    """One input tensor; `values` are its elements in order, text as str."""

    name: str
    datatype: str
    values: Sequence[Any]


class TensorDecoder:
    """Makes rows of input tensors.

    Args:
        schema: the compiled dataset.
        max_rows: the most rows of one request.

    Attributes:
        outputs: the output tensors by name, each with its datatype.
    """

    def __init__(self, schema: Schema, max_rows: int) -> None:
        self.schema = schema
        self.outputs = OUTPUTS | (SCORE if schema.dataset.score else {})
        self.max_rows = max_rows
        self._identifiers = ApplicationIds()
        self.max_tensors = INPUTS_PER_FEATURE * len(schema.names)
        self._list = list[schema.row]  # type: ignore[name-defined]
        # In a tensor an empty text or NaN is a missing value.
        self._nullable = {feature.name for feature in schema.dataset.features if feature.nullable} | {RESERVED}

    def rows_of(self, name: str, shape: Sequence[int]) -> int:
        """The rows of a tensor of this shape; raises `Rejected`."""
        if not shape or shape[0] < 0 or list(shape[1:]) not in ([], [1]):
            raise malformed(f"input {shown(name)} has shape {list(shape)[:8]}; it must be [n] or [n, 1]")
        if shape[0] > self.max_rows:
            raise Rejected(413, f"{shape[0]} rows; at most {self.max_rows} in one request")
        return shape[0]

    def decode(self, tensors: Sequence[Tensor]) -> list[Struct]:
        """Rows of `schema.row`, each with an `application_id`; raises `Rejected`."""
        sizes = {len(tensor.values) for tensor in tensors}
        if len(sizes) > 1:
            counts = ", ".join(f"{shown(tensor.name)}: {len(tensor.values)}" for tensor in tensors[:MAX_DETAILS])
            raise malformed(f"all inputs must have the same number of rows; they have {counts}")
        if sizes == {0}:
            reject([Detail(row=None, field="inputs", value=[], message="must hold at least one row")])
        names = [tensor.name for tensor in tensors]
        columns = [self._present(tensor) for tensor in tensors]
        applicants = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)] or [{}]
        if len(set(names)) < len(names):
            self._refuse(applicants, names)
        try:
            return self.convert(applicants)
        except (msgspec.ValidationError, UnicodeEncodeError):
            self._refuse(applicants, ())
            raise  # the schema refuses what its own messages allow: a fault of ours

    def outputs_of(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The outputs of the response, in the order asked; all when none is named."""
        for name in asked:
            if name not in self.outputs:
                raise malformed(f"no output {shown(name)}; there are {', '.join(self.outputs)}")
        if len(set(asked)) < len(asked):
            raise malformed("an output is requested twice")
        return tuple(asked) or tuple(self.outputs)

    def convert(self, applicants: list[dict[str, Any]]) -> list[Struct]:
        """Rows of applicants by name; raises msgspec's error, or Python's, for a fault."""
        rows: list[Struct] = msgspec.convert(applicants, self._list)
        self._identifiers.complete(rows)
        for row in rows:
            if not row.application_id.isascii():  # type: ignore[attr-defined]
                row.application_id.encode()  # type: ignore[attr-defined] # raises for a lone surrogate
        return rows

    def _present(self, tensor: Tensor) -> Sequence[Any]:
        """The elements of a tensor, `None` where one is missing."""
        if tensor.datatype != TEXT and tensor.datatype not in NUMBERS:
            known = ", ".join((TEXT, *NUMBERS))
            raise malformed(f"input {shown(tensor.name)} has datatype {shown(tensor.datatype)}; it must be of {known}")
        if tensor.name not in self._nullable:
            return tensor.values
        # NaN alone is not equal to itself.
        return [None if value == "" or value != value else value for value in tensor.values]

    def _refuse(self, applicants: list[dict[str, Any]], names: Sequence[str]) -> None:
        """Refuse with every fault of every row, as `POST /predict` does."""
        doubled = sorted(name for name, times in Counter(names).items() if times > 1)
        if faults := all_faults(self.schema, (_Doubled(applicant, doubled) for applicant in applicants)):
            reject(faults)


class _Doubled(dict[str, Any]):
    """An applicant that knows which of its features were given twice."""

    def __init__(self, applicant: dict[str, Any], doubled: list[str]) -> None:
        super().__init__(applicant)
        self.doubled = doubled


def unpack(name: str, datatype: str, raw: bytes, rows: int) -> Sequence[Any]:
    """The elements in raw bytes; raises `Rejected` when these are not of `rows` elements.

    >>> unpack("age", "INT32", struct.pack("<2i", 41, 27), 2), unpack("job", "BYTES", bytes([2, 0, 0, 0]) + b"no", 1)
    ((41, 27), ['no'])
    """
    if datatype == TEXT:
        return _texts(name, raw, rows)
    if datatype not in NUMBERS:
        return [None] * rows  # refused later, for its datatype
    layout = f"<{rows}{NUMBERS[datatype]}"
    if len(raw) != struct.calcsize(layout):
        raise malformed(f"input {shown(name)} has {len(raw)} bytes; {rows} of {datatype} are {struct.calcsize(layout)}")
    return struct.unpack(layout, raw)


def _texts(name: str, raw: bytes, rows: int) -> list[str]:
    texts, at = [], 0
    for _ in range(rows):
        start = at + LENGTH.size
        if start > len(raw):
            break
        at = start + LENGTH.unpack_from(raw, at)[0]
        texts.append(text_of(raw[start:at]))
    if len(texts) != rows or at != len(raw):
        raise malformed(f"the {len(raw)} bytes of input {shown(name)} are not {rows} texts with their lengths")
    return texts


def text_of(element: bytes) -> str:
    """An element of BYTES as text; invalid UTF-8 becomes a text that is in no vocabulary and can still be shown."""
    return element.decode("utf-8", "surrogateescape")


def pack(datatype: str, values: Sequence[Any]) -> bytes:
    r"""Elements as raw bytes.

    >>> pack("BYTES", ["no"]), unpack("", "FP64", pack("FP64", [0.1]), 1)
    (b'\x02\x00\x00\x00no', (0.1,))
    """
    if datatype != TEXT:
        return struct.pack(f"<{len(values)}{NUMBERS[datatype]}", *values)
    elements = [value.encode() for value in values]
    return b"".join(LENGTH.pack(len(element)) + element for element in elements)


def column(name: str, predictions: Iterable[Prediction]) -> list[Any]:
    """One output of all predictions."""
    return [getattr(prediction, name) for prediction in predictions]


def malformed(message: str) -> Rejected:
    """The refusal of a request that does not have the form of the protocol."""
    return Rejected(400, message, "invalid_inference_request")
