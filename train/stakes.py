"""The stakes of the rows of a table: what each mistake costs in each of them, and how probabilities are decided.

Owns both for training, whose rows are in columns; a number stands for all rows alike. Leaves the rule to
`models.deciding`.

A referred row counts in every cost as its threshold would have it decided: what the person decides is not known, and a
model must not pass a gate by work that it leaves to others. `train.evaluation.referrals` says what they can gain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from configs.policy import Refer, threshold_of
from models.deciding import Thresholds, referred

Amounts = float | NDArray[np.float64]  # of everyone, or `[rows]`


@dataclass(frozen=True)
class Stakes:
    """Costs and decisions of some rows.

    Attributes:
        missed_event: the cost of approving a row with the event.
        false_alarm: the cost of declining a row without it.
        threshold: from which a row is declined.
        refer: the band of probabilities in which a person decides.
    """

    missed_event: Amounts
    false_alarm: Amounts
    threshold: Thresholds
    refer: Refer | None = None

    @property
    def differ(self) -> bool:
        """Whether the costs differ between rows, and so are known in the unit of a column."""
        return isinstance(self.missed_event, np.ndarray) or isinstance(self.false_alarm, np.ndarray)

    def rows(self, index: NDArray[Any]) -> "Stakes":
        """Those of the rows at `index`."""
        missed, alarm, threshold = (
            value[index] if isinstance(value, np.ndarray) else value
            for value in (self.missed_event, self.false_alarm, self.threshold)
        )
        return Stakes(missed, alarm, threshold, self.refer)

    def declined(self, probability: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which rows the threshold declines, `[rows]`, the referred ones among them too."""
        found: NDArray[np.bool_] = probability.astype(np.float64) >= self.threshold  # as the service compares
        return found

    def referred(self, probability: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which rows are for a person to decide, `[rows]`."""
        return referred(probability, self.refer)

    def not_approved(self, probability: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which rows the service does not approve, `[rows]`: declined or referred."""
        return self.declined(probability) | self.referred(probability)


def stakes_of(dataset: Dataset, columns: Mapping[str, NDArray[Any]]) -> Stakes:
    """The stakes of a table of columns, `[rows]` each.

    >>> from configs.policy import CostOf, Costs
    >>> import msgspec
    >>> dataset = msgspec.convert({"name": "a", "source": {"path": "a"}, "target": {"column": "t", "event": "e"},
    ...     "costs": {"missed_event": 5, "false_alarm": {"column": "x", "times": 0.5}},
    ...     "features": [{"name": "x", "type": "number", "minimum": 1}]}, Dataset)
    >>> found = stakes_of(dataset, {"x": np.array([2.0, 10.0])})
    >>> found.missed_event, found.false_alarm.tolist(), found.threshold.round(3).tolist()
    (5.0, [1.0, 5.0], [0.167, 0.5])
    """
    missed, alarm = dataset.costs.amounts(columns.__getitem__)
    threshold = dataset.threshold
    return Stakes(missed, alarm, threshold_of(missed, alarm) if threshold is None else threshold, dataset.refer)
