"""What the service answers for one applicant."""

from typing import Annotated

from msgspec import Meta, Struct

from models.scorer import Decision


class Prediction(Struct, frozen=True, gc=False):
    """One element of the answer to `POST /predict`, in the order asked."""

    application_id: Annotated[str, Meta(description="as sent, or a UUIDv7")]
    probability: Annotated[float, Meta(ge=0, le=1, description="of the dataset's event, calibrated")]
    decision: Annotated[Decision, Meta(description="decline from the model's threshold upwards")]
    model: Annotated[str, Meta(description="name and version of the model that answered")]
