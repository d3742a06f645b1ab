"""Stage split: divides the rows into training and test part, stratified by the target."""

import math

import numpy as np
from numpy.typing import NDArray

from configs.model import ModelConfig


def split(target: NDArray[np.int64], test: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of the training and of the test part, both ascending."""
    from sklearn.model_selection import train_test_split  # 2 s of imports, for this function alone

    rows = np.arange(len(target))
    training, testing = train_test_split(rows, test_size=test, random_state=seed, stratify=target)
    return np.sort(training), np.sort(testing)


def min_rows_per_class(config: ModelConfig) -> int:
    """Rows that each outcome needs for two of them in every fold of the training part, and two in the test part."""
    return math.ceil(max(2 * config.training.folds / (1 - config.split.test), 2 / config.split.test))
