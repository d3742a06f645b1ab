"""The type of an applicant for each validation library, derived from the dataset file.

Both types validate the same: the type, vocabulary and range of every value, and no unknown fields. Protected and
nullable features are optional. `field` names the attributes, because a column's name need not be an identifier.
"""

from typing import Annotated, Any, Literal

import msgspec
import pydantic

from configs.dataset import RESERVED, Dataset
from configs.feature import Feature

ARTIFACT = "BENCHMARK_ARTIFACT"  # the variable with the artifact's folder
MAX_ID_LENGTH = 64


def field(index: int) -> str:
    """The attribute of a row that holds feature number `index`.

    >>> field(3)
    'f3'
    """
    return f"f{index}"


def msgspec_row(dataset: Dataset) -> type[msgspec.Struct]:
    """An applicant for msgspec."""
    kinds = [_kind(feature, msgspec.Meta) for feature in dataset.features]
    fields: list[Any] = [
        (field(index), kind, None) if _optional(feature) else (field(index), kind)
        for index, (feature, kind) in enumerate(zip(dataset.features, kinds, strict=True))
    ]
    fields.append((RESERVED, Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)] | None, None))
    return msgspec.defstruct(
        "Applicant",
        fields,
        rename={field(index): feature.name for index, feature in enumerate(dataset.features)},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )


def pydantic_row(dataset: Dataset) -> type[pydantic.BaseModel]:
    """An applicant for pydantic."""
    fields: dict[str, Any] = {
        field(index): (
            _kind(feature, pydantic.Field),
            pydantic.Field(default=None if _optional(feature) else ..., alias=feature.name),
        )
        for index, feature in enumerate(dataset.features)
    }
    identifier = Annotated[str, pydantic.Field(min_length=1, max_length=MAX_ID_LENGTH)] | None
    fields[RESERVED] = (identifier, None)
    return pydantic.create_model("Applicant", __config__=pydantic.ConfigDict(extra="forbid"), **fields)


def _optional(feature: Feature) -> bool:
    return feature.protected or feature.nullable


def _kind(feature: Feature, bounds: Any) -> Any:
    """The type of one field; `bounds` is the library's way to state a range."""
    kind: Any
    if feature.type == "categorical":
        kind = Literal[feature.categories]
    else:
        number = int if feature.type == "integer" else float
        kind = Annotated[number, bounds(ge=number(feature.lowest), le=number(feature.highest))]
    return kind | None if _optional(feature) else kind
