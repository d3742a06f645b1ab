"""The request and response types of BentoML's route: for its documents, its clients and the API page.

The schemas come from the dataset and from `models.prediction`. Bodies are read, checked and written by
`serving.http.predict`.
"""

from typing import Any

import bentoml
import msgspec
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from models.prediction import describe_decision, prediction_type
from models.schema import Schema

IODescriptor: Any = bentoml.IODescriptor


def described(name: str, schema: dict[str, Any]) -> type:
    """A type that pydantic takes as it is, and describes by `schema`."""

    def core(cls: type, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()

    def json(cls: type, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(schema)

    members = {"__get_pydantic_core_schema__": classmethod(core), "__get_pydantic_json_schema__": classmethod(json)}
    return type(name, (), members)


def request_type(schema: Schema, example: dict[str, Any], max_rows: int) -> type:
    """`{"applicants": [...]}`, with an example that succeeds when it is sent."""
    applicants = {
        "type": "array",
        "items": schema.json_schema,
        "minItems": 1,
        "maxItems": max_rows,
        "example": [example],
        "examples": [[example]],
    }
    listed = described("ApplicantList", applicants)
    made: type = create_model("Applicants", __base__=IODescriptor, applicants=(listed, ...))
    return made


def response_type(schema: Schema) -> type:
    """A JSON list of predictions."""
    kind = prediction_type(schema.dataset)
    (reference,), components = msgspec.json.schema_components([kind], ref_template="{name}")
    prediction = components[reference["$ref"]] | {"title": "Prediction"}
    describe_decision(prediction, schema.dataset)
    listed = described("PredictionList", {"type": "array", "items": prediction})

    def answer() -> None: ...

    answer.__annotations__["return"] = listed
    made: type = IODescriptor.from_output(answer)
    return made
