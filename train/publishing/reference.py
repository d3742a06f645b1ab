"""The reference profile of a model: what served rows are compared with.

Owns which rows and columns are in it. Leaves profiling to `monitoring.profiles.profile`, comparing to
`monitoring.drift`.

Features are those of the training part, probabilities and decisions those of the test part: a model gives rows that it
was fitted to more extreme probabilities than rows that it has not seen, which would be drift from the first hour on.
"""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from models.deciding import APPROVE, DECLINE, REFER
from monitoring.profiles.profile import profile_columns
from monitoring.profiles.whylogs_compat import serialize
from train.rounding import to_digits
from train.stakes import stakes_of
from train.tables.table import Table


def reference_profile(
    dataset: Dataset, tag: str, training: Table, test: Table, probability: NDArray[np.float32]
) -> bytes:
    """The bytes of the profile; they do not depend on the clock.

    Args:
        dataset: the dataset file.
        tag: name and version of the model.
        training: the training part.
        test: the test part.
        probability: of its rows, `[rows]`, by the model.
    """
    stakes = stakes_of(dataset, test.arrays)
    decided = np.where(stakes.referred(probability), REFER, np.where(stakes.declined(probability), DECLINE, APPROVE))
    columns = {
        **training.columns,
        "probability": [to_digits(value) for value in probability.tolist()],  # processors differ in further digits
        "decision": decided,
    }
    return serialize(profile_columns(columns, tag, datetime.fromtimestamp(0, UTC)))
