"""The reasons for what was not approved, as a column: those that `POST /explain` gives, in the same order.

Owns the column. Leaves reasons to `models.explanation`: an applicant takes some milliseconds there, a thousand times
what a score takes.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
from msgspec import Struct

from batch.errors import BatchError
from batch.rows.cells import text_of
from models.artifact import Artifact
from models.explanation import MAX_INPUTS, Explainer
from models.reasons import Reason

TYPE = pa.list_(
    pa.struct({"feature": pa.string(), "text": pa.string(), "value": pa.string(), "log_odds": pa.float64()})
)


class ReasonsColumn:
    """Explains rows by one model."""

    def __init__(self, artifact: Artifact) -> None:
        inputs = len(artifact.schema.inputs)
        if inputs > MAX_INPUTS:
            raise BatchError(f"--explain: a model of {inputs:,} inputs is not explained; the limit is {MAX_INPUTS:,}")
        self._explainer = Explainer(artifact.schema, artifact.scorer().probabilities, artifact.background, artifact.tag)

    def of(self, rows: Iterable[Struct | None]) -> pa.Array:
        """The reasons of each row; none of one that is None, as it was approved."""
        return pa.array([_told(self._explainer.explain(row).reasons) if row is not None else [] for row in rows], TYPE)


def _told(reasons: Sequence[Reason]) -> list[dict[str, object]]:
    return [
        {
            "feature": reason.feature,
            "text": reason.text,
            "value": None if reason.value is None else text_of(reason.value),
            "log_odds": reason.log_odds,
        }
        for reason in reasons
    ]
