"""The response for one applicant."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from configs.dataset import Dataset
from models.deciding import REFER, Decision


class Prediction(Struct, frozen=True, gc=False):
    """One element of the response of `POST /predict`, in the order of the request."""

    application_id: Annotated[str, Meta(description="as sent, or a UUIDv7")]
    probability: Annotated[float, Meta(ge=0, le=1, description="of the dataset's event, calibrated")]
    decision: Annotated[Decision, Meta(description="decline at or above the model's threshold")]
    model: Annotated[str, Meta(description="name and version of the model")]


class ScoredPrediction(Prediction, frozen=True, gc=False):
    """One element of the response of `POST /predict`, with a score, as the dataset file has a scale for it."""

    score: Annotated[int, Meta(description="points: the more, the lower the probability of the event")]


def prediction_type(dataset: Dataset) -> type[Prediction]:
    """The type of the responses of a dataset."""
    return Prediction if dataset.score is None else ScoredPrediction


def describe_decision(schema: dict[str, Any], dataset: Dataset) -> None:
    """Leave `refer` out of the JSON Schema of a response whose dataset never refers, or say when that happens."""
    decision = schema["properties"]["decision"]
    if dataset.refer is None:
        decision["enum"].remove(REFER)
        return
    band = f"from {dataset.refer.start:g} to below {dataset.refer.end:g}, where a person decides"
    decision["description"] = f"refer {band}; otherwise {decision.get('description', 'by the threshold')}"
