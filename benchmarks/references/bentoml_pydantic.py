"""BentoML as its documentation shows it: a batchable endpoint on pydantic rows, with limits on batch and latency."""

from typing import Any

import bentoml

from benchmarks.references.model import Model
from benchmarks.references.rows import pydantic_row

MODEL = Model.from_environment()
Row: Any = pydantic_row(MODEL.dataset)


@bentoml.service(name="reference", workers=1, logging={"access": {"enabled": False}})
class Reference:
    """The same model behind BentoML's own parsing, validation and dispatcher."""

    @bentoml.api(batchable=True, max_batch_size=1024, max_latency_ms=1000)  # type: ignore[untyped-decorator]  # BentoML's
    async def predict(self, applicants: list[Row]) -> list[dict[str, Any]]:
        """One batch."""
        return MODEL.predict(applicants)
