"""From probabilities to decisions: approve, decline, and refer where the dataset file has a band for that.

Owns the rule, for one applicant, for the rows of a batch and for the columns of a table: all three give the same
decision, because each of their steps is one operation on doubles. Leaves the keys to `configs.policy`.

The threshold follows from the costs. Where they are multiples of an applicant's own numbers, each applicant has a
threshold, worked out from what the decision log holds of it: so a replay decides as the service did.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from configs.policy import Refer, threshold_of
from models.schema import Schema

Decision = Literal["approve", "decline", "refer"]
APPROVE: Decision = "approve"
DECLINE: Decision = "decline"
REFER: Decision = "refer"

Thresholds = float | NDArray[np.float64]  # of everyone, or `[rows]`


def decide(probability: float, threshold: float, refer: Refer | None = None) -> Decision:
    """Refer within the band, its start included; otherwise decline at or above the threshold.

    >>> decide(0.2, 1 / 6), decide(0.1, 1 / 6), decide(0.1, 1 / 6, Refer(start=0.1, end=0.2))
    ('decline', 'approve', 'refer')
    """
    if refer is not None and refer.start <= probability < refer.end:
        return REFER
    return DECLINE if probability >= threshold else APPROVE


class DecisionRule:
    """How probabilities are decided.

    Args:
        schema: the compiled dataset.

    Attributes:
        threshold: of everyone; None where each applicant has its own.
        refer: the band in which a person decides, if there is one.
        is_plain: whether one threshold is all there is to it.
    """

    def __init__(self, schema: Schema) -> None:
        dataset = schema.dataset
        self._costs = dataset.costs
        self.threshold = dataset.threshold
        self.refer = dataset.refer
        self.is_plain = self.threshold is not None and self.refer is None
        self._columns = dataset.costs.columns
        features = {feature.name: feature for feature in dataset.features}
        self._values_of = schema.values_of([features[name] for name in self._columns])

    def of_rows(self, probabilities: Sequence[float], rows: Sequence[Struct]) -> list[Decision]:
        """The decision on each of the rows of the schema, in order."""
        if self.threshold is not None:
            threshold, refer = self.threshold, self.refer
            return [decide(probability, threshold, refer) for probability in probabilities]
        thresholds = self._thresholds_of_rows(rows).tolist()
        return [decide(*one, self.refer) for one in zip(probabilities, thresholds, strict=True)]

    def of_row(self, probability: float, row: Struct) -> Decision:
        """The decision on one row of the schema."""
        return self.of_rows([probability], [row])[0]

    def thresholds(self, columns: Mapping[str, NDArray[Any]]) -> Thresholds:
        """The thresholds for a table of columns, `[rows]` each."""
        if self.threshold is not None:
            return self.threshold
        found: NDArray[np.float64] = threshold_of(*self._costs.amounts(columns.__getitem__))
        return found

    def _thresholds_of_rows(self, rows: Sequence[Struct]) -> NDArray[np.float64]:
        values = np.array(list(map(self._values_of, rows)), dtype=np.float64).T  # [columns, rows]
        return np.asarray(self.thresholds(dict(zip(self._columns, values, strict=True))))


def referred(probability: NDArray[np.floating[Any]], refer: Refer | None) -> NDArray[np.bool_]:
    """Which rows are for a person to decide, `[rows]`.

    >>> referred(np.array([0.1, 0.15, 0.2]), Refer(start=0.1, end=0.2)).tolist()
    [True, True, False]
    """
    if refer is None:
        return np.zeros(len(probability), dtype=np.bool_)
    doubles = probability.astype(np.float64)
    found: NDArray[np.bool_] = (doubles >= refer.start) & (doubles < refer.end)
    return found
