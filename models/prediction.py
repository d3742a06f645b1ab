"""The response for one applicant."""

from typing import Annotated

from msgspec import Meta, Struct

from models.scorer import Decision


class Prediction(Struct, frozen=True, gc=False):
    """One element of the response of `POST /predict`, in the order of the request."""

    application_id: Annotated[str, Meta(description="as sent, or a UUIDv7")]
    probability: Annotated[float, Meta(ge=0, le=1, description="of the dataset's event, calibrated")]
    decision: Annotated[Decision, Meta(description="decline at or above the model's threshold")]
    model: Annotated[str, Meta(description="name and version of the model")]
