"""FastAPI, pydantic and ONNX Runtime, each request scored alone.

Run by uvicorn on uvloop and httptools, without access log. As FastAPI's documentation advises: an `async def`, because
nothing in it blocks, and a return type, so that pydantic's Rust core serialises the response.
"""

from typing import Any

import fastapi
import pydantic

from benchmarks.references.model import Model
from benchmarks.references.rows import pydantic_row

MODEL = Model.from_environment()
Row: Any = pydantic_row(MODEL.dataset)


class Envelope(pydantic.BaseModel):
    """The body."""

    model_config = pydantic.ConfigDict(extra="forbid")
    applicants: list[Row]


class Prediction(pydantic.BaseModel):
    """One element of the response."""

    application_id: str
    probability: float
    decision: str
    model: str


app = fastapi.FastAPI()


@app.post("/predict")
async def predict(envelope: Envelope) -> list[Prediction]:
    """One request."""
    return [Prediction.model_construct(**prediction) for prediction in MODEL.predict(envelope.applicants)]
