"""Stage split: divides the rows into training and test part.

Stratified by the target where the dataset file says no more. With `source.time` the newest rows are the test part, as a
model is used on applicants who come later; with `source.group` no customer has rows in both parts. With both, older
rows of the customers of the test part are in neither.
"""

import math

import numpy as np
from numpy.typing import NDArray

from configs.dates import iso
from configs.model import ModelConfig
from train.customers import of_these, part_of_customers
from train.errors import PipelineError
from train.tables.table import Table

LEAST_OF_EACH = 2  # rows of either outcome in either part, or nothing can be measured there


def split(target: NDArray[np.int64], test: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of the training and of the test part, both ascending, of rows that are independent of each other."""
    from sklearn.model_selection import train_test_split  # 2 s of imports, for this function alone

    rows = np.arange(len(target))
    training, testing = train_test_split(rows, test_size=test, random_state=seed, stratify=target)
    return np.sort(training), np.sort(testing)


def split_table(table: Table, test: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of the training and of the test part, both ascending, as time and customers allow.

    Args:
        table: the checked table.
        test: share of the rows that are to be tested on; with few dates or large customers the nearest that there is.
        seed: of what is drawn.
    """
    if len(table.time):
        in_test = table.time >= first_test_day(table.time, test)
    elif len(table.group):
        in_test = part_of_customers(table.target, table.group, test, np.random.default_rng(seed))
    else:
        return split(table.target, test, seed)
    in_training = ~of_these(table.group, in_test)
    for name, rows in (("training", in_training), ("test", in_test)):
        events = int(table.target[rows].sum())
        if min(events, int(rows.sum()) - events) < LEAST_OF_EACH:
            key = "source.time" if len(table.time) else "source.group"
            raise PipelineError(
                f"{key}: the {name} part has {events:,} events among {int(rows.sum()):,} rows, and {LEAST_OF_EACH} of "
                f"either outcome are needed; add rows, change split.test in the model file, or remove {key}"
            )
    return np.flatnonzero(in_training), np.flatnonzero(in_test)


def described(table: Table, training: NDArray[np.int64], test: NDArray[np.int64]) -> str:
    """What the parts are, beside their sizes, in words; empty where rows are drawn."""
    said = []
    if len(table.time):
        said.append(f"from {iso(int(table.time[test].min()))} on")
    if left := len(table.target) - len(training) - len(test):
        said.append(f"{left:,} older rows of their customers in neither")
    return f" ({', '.join(said)})" if said else ""


def first_test_day(days: NDArray[np.int64], test: float) -> int:
    """The day from which rows are the test part: the one that comes nearest to its share, and leaves three to train on.

    >>> first_test_day(np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]), 0.2)
    5
    """
    known, counts = np.unique(days, return_counts=True)
    before = np.cumsum(counts)[2:-1] / len(days)  # share of the rows before the fourth day, the fifth, …
    return int(known[3:][np.abs(before - (1 - test)).argmin()])


def min_rows_per_class(config: ModelConfig) -> int:
    """Rows that each outcome needs for two of them in every fold of the training part, and two in the test part."""
    return math.ceil(max(2 * config.training.folds / (1 - config.split.test), 2 / config.split.test))
