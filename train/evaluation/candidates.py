"""A candidate of a comparison, a function; here the network of a model file, and the schemas that it is tried with.

A candidate learns everything from its training rows, including its calibration, and returns the calibrated probability
of the event for the test rows. None takes protected columns as inputs. Others are in `train.opponents`.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.model import ModelConfig
from models.schema import Schema
from train.export import torch_probabilities
from train.fit import fit
from train.tables.table import Table

Candidate = Callable[[Schema, Table, Table], NDArray[np.float32]]


def network(config: ModelConfig, schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """The network of a model file."""
    fitted = fit(schema, training, config)
    return torch_probabilities(schema, fitted.network, test.arrays)


def with_protected(schema: Schema) -> Schema:
    """The schema with no column protected, to measure the cost of leaving them out."""
    return _with_features(schema, protected=False)


def without_monotone(schema: Schema) -> Schema:
    """The schema with no feature held monotone, to measure the cost of holding them."""
    return _with_features(schema, monotone=None)


def _with_features(schema: Schema, **changes: Any) -> Schema:
    features = tuple(msgspec.structs.replace(feature, **changes) for feature in schema.dataset.features)
    return Schema(msgspec.structs.replace(schema.dataset, features=features))
