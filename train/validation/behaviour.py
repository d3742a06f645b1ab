"""The graph by itself: effects, interactions and sensitivities of its columns, on training rows, without outcomes.

Owns which applicants and which columns are looked at, so that a model of a thousand columns takes seconds as well.
"""

from collections.abc import Sequence

import numpy as np

from models.schema import Schema
from train.evaluation.results import Importance
from train.evaluation.substitution import Applicants, Probabilities
from train.stakes import stakes_of
from train.tables.table import Table
from train.validation.effects import effect
from train.validation.interactions import interactions
from train.validation.results import Behaviour
from train.validation.sensitivity import sensitivity

COLUMNS = 20  # those whose shuffling costs most ROC AUC; a model with no more is looked at whole
GIVEN, ERRING, PAIRED = (
    100,
    400,
    50,
)  # applicants: for effects, for errors, and for interactions, which take their square


def behaviour(
    schema: Schema, probabilities: Probabilities, training: Table, importance: Sequence[Importance]
) -> Behaviour:
    """What the columns of a model do.

    Args:
        schema: the compiled dataset.
        probabilities: the graph, from inputs of shape `[batch, 1]` to probabilities `[batch]`.
        training: the rows that the model was trained on.
        importance: of every column, the most important first.
    """
    by_name = {feature.name: feature for feature in schema.inputs}
    features = [by_name[found.feature] for found in importance[:COLUMNS]]
    rows = [_some(training, count) for count in (GIVEN, ERRING, PAIRED)]
    given, erring, paired = (Applicants(schema.feed_columns(some.columns), probabilities) for some in rows)
    arrays, threshold = training.arrays, stakes_of(schema.dataset, rows[1].arrays).threshold
    effects = [effect(feature, arrays[feature.name], given) for feature in features]
    errors = [sensitivity(feature, arrays[feature.name], erring, threshold) for feature in features]
    return Behaviour(
        [found for found in effects if found],
        interactions([feature.name for feature in features], paired),
        sorted((found for found in errors if found), key=lambda found: -found.flips),
    )


def _some(table: Table, count: int) -> Table:
    """Rows of a table, evenly spread."""
    rows = len(table.target)
    return table.rows(np.linspace(0, rows - 1, min(rows, count)).astype(np.int64))
