"""The schema: everything derived from a dataset file, compiled once.

Owns the row type that requests decode into, the arrays that the graph takes, and the OpenAPI schema.
Leaves decoding a request body to `models.request`, and the graph itself to `train.network.onnx_graph`.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType
from numpy.typing import NDArray

from configs.dataset import RESERVED, Dataset
from configs.feature import Feature

MAX_ID_LENGTH = 64  # characters of an application_id
MISSING_TEXT = ""  # a missing categorical value, in the table and at the graph's input

Column = NDArray[np.float32] | NDArray[np.object_]  # one input of the graph, `[batch, 1]`
Values = Sequence[Any] | NDArray[Any]  # `[batch]`, `None` where missing


def _kind(feature: Feature) -> Any:
    """The type of one field of a row; msgspec validates it while parsing."""
    kind: Any
    if feature.type == "categorical":
        kind = Literal[feature.categories]
    else:
        # JSON does not distinguish 6 from 6.0, so a whole number is a double that is a multiple of one.
        step = 1 if feature.type == "integer" else None
        kind = Annotated[float, Meta(ge=feature.lowest, le=feature.highest, multiple_of=step)]
    if feature.nullable:
        kind = kind | None
    return kind


def optional(feature: Feature, needed: Collection[str] = ()) -> bool:
    """Whether an applicant may omit the field: true of protected and nullable ones, but those `needed` to decide."""
    return (feature.protected or feature.nullable) and feature.name not in needed


class Schema:
    """A dataset file, compiled.

    Attributes:
        dataset: the file.
        inputs: the features that the model sees, in the dataset's order; without the protected ones.
        categorical: those of `inputs` with a vocabulary.
        numeric: those of `inputs` with a range.
        row: the msgspec type of one applicant; its attribute `f<i>` is feature number `i`.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.inputs = tuple(feature for feature in dataset.features if not feature.protected)
        self.categorical = tuple(feature for feature in self.inputs if feature.type == "categorical")
        self.numeric = tuple(feature for feature in self.inputs if feature.type != "categorical")
        self._attributes = {feature.name: f"f{index}" for index, feature in enumerate(dataset.features)}
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
            (self._attributes[feature.name], _kind(feature) | UnsetType, UNSET)
            if self.optional(feature)
            else (self._attributes[feature.name], _kind(feature))
            for feature in dataset.features
        ]
        self._kinds = [
            (features, self.values_of(features)) for features in (self.categorical, self.numeric) if features
        ]
        identifier = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
        fields.append((RESERVED, identifier | None | UnsetType, UNSET))
        self.row: type[Struct] = msgspec.defstruct(
            "Applicant",
            fields,
            rename={attribute: name for name, attribute in self._attributes.items()},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,  # a row holds only text and numbers, so it cannot be part of a cycle
        )

    def __reduce__(self) -> tuple[type["Schema"], tuple[Dataset]]:
        return Schema, (self.dataset,)  # the row type is made at run time, so another process has to make it again

    def optional(self, feature: Feature) -> bool:
        """Whether an applicant may omit the field; one that the costs are taken from it may not."""
        return optional(feature, self.dataset.costs.columns)

    def values_of(self, features: Sequence[Feature]) -> Callable[[Struct], tuple[Any, ...]]:
        """A function that returns the values of these features of a row."""
        attributes = [self._attributes[feature.name] for feature in features]
        if len(attributes) > 1:
            return attrgetter(*attributes)
        return lambda row: tuple(getattr(row, attribute) for attribute in attributes)

    def feed(self, rows: Sequence[Struct]) -> dict[str, Column]:
        """The graph's inputs for `rows`: by name, arrays of shape `[batch, 1]`, text as object, numbers as float32."""
        columns: dict[str, Column] = {}
        for features, values_of in self._kinds:
            values = list(zip(*map(values_of, rows), strict=True))
            for index, feature in enumerate(features):
                if feature.nullable:
                    values[index] = tuple(_present(feature, value) for value in values[index])
            # One array for all columns of a kind, each a slice of it: an array per column costs 1 us each.
            block = np.empty((len(features), len(rows), 1), dtype=_dtype(features[0]))
            block[:, :, 0] = values
            columns.update(zip((feature.name for feature in features), block, strict=True))
        return columns

    def feed_columns(self, table: Mapping[str, Values]) -> dict[str, Column]:
        """The graph's inputs for a table of columns, where `None` is a missing value."""
        return {feature.name: column(feature, table[feature.name]) for feature in self.inputs}

    def takes(self, applicant: dict[str, Any]) -> bool:
        """Whether msgspec makes a row of an applicant: a hundredth of the time that saying why not takes."""
        try:
            msgspec.convert(applicant, self.row)
        except (msgspec.ValidationError, UnicodeEncodeError):  # UnicodeEncodeError: half a character
            return False
        return True

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """The schema of one applicant in OpenAPI 3.0."""
        properties = {feature.name: _property(feature, self.optional(feature)) for feature in self.dataset.features}
        properties[RESERVED] = {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_ID_LENGTH,
            "nullable": True,
            "description": "your own reference; if it is missing, the service makes a UUIDv7",
        }
        return {
            "title": "Applicant",
            "type": "object",
            "properties": properties,
            "required": [feature.name for feature in self.dataset.features if not self.optional(feature)],
            "additionalProperties": False,
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every field of an applicant, features first."""
        return (*self._attributes, RESERVED)

    @cached_property
    def known(self) -> frozenset[str]:
        """The same names, to look one up in: a request may bring a million that are none of a thousand."""
        return frozenset(self.names)


def column(feature: Feature, values: Values) -> Column:
    """One input of the graph, shape `[batch, 1]`; a missing value is the empty text or NaN."""
    made: Column = np.empty((len(values), 1), dtype=_dtype(feature))
    made[:, 0] = [_present(feature, value) for value in values]
    return made


def _dtype(feature: Feature) -> Any:
    return np.object_ if feature.type == "categorical" else np.float32


def _present(feature: Feature, value: Any) -> Any:
    """The value, or the graph's spelling of a missing one."""
    if value is None or value is UNSET:
        return MISSING_TEXT if feature.type == "categorical" else math.nan
    return value


def _property(feature: Feature, may_be_absent: bool) -> dict[str, Any]:
    """JSON Schema of one feature."""
    notes = [feature.description]
    if feature.unit:
        notes.append(f"unit: {feature.unit}")
    if feature.protected:
        use = "optional" if may_be_absent else "its costs decide, so it is required"
        notes.append(f"protected: recorded and audited, never an input of the model; {use}")
    schema: dict[str, Any]
    if feature.type == "categorical":
        schema = {"type": "string", "enum": [*feature.categories]}
    else:
        schema = {"type": feature.type, "minimum": feature.lowest, "maximum": feature.highest}
        if feature.type == "integer":
            schema |= {"minimum": int(feature.lowest), "maximum": int(feature.highest)}
    if feature.nullable:
        schema["nullable"] = True
        if "enum" in schema:
            schema["enum"].append(None)
    return schema | {"description": "; ".join(note for note in notes if note)}
