"""Whether applicants would be told the same reasons by a model that differs only in the seed of its training.

A reason that chance put there is no reason. The model is trained once more with the next seed, and the applicants that
both decline are explained by both. Owns the measure. Leaves reasons to `models.reasons`, and the bound to `train.gate`.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from configs.model import ModelConfig
from models.explanation import MAX_INPUTS, Explainer
from models.schema import Schema
from models.scorer import Scorer
from train.evaluation.evidence import MAX_ROWS, sample
from train.evaluation.proportion import proportion
from train.evaluation.results import Estimate
from train.evaluation.scoring import onnx_probabilities
from train.fit import fit
from train.network.onnx_graph import build_graph
from train.publishing.background import background
from train.stakes import stakes_of
from train.tables.table import Table

DECLINED = 100  # applicants that both models decline
WIDE, FEW = 40, 20  # inputs from which an explanation takes long, and the applicants explained then
LEAST = 10  # applicants, for a share of them to mean anything


def reasons_kept(
    schema: Schema, config: ModelConfig, graph: bytes, training: Table, others: Table, confidence: float
) -> Estimate | None:
    """The share of declined applicants whose set of reasons a retraining keeps; None if few are declined.

    The interval is that of Clopper and Pearson (1934).

    Args:
        schema: the compiled dataset.
        config: the model file.
        graph: bytes of the model.
        training: the rows that it was trained on.
        others: rows that it was not trained on; their outcomes are not looked at.
        confidence: of the interval.
    """
    if len(schema.inputs) > MAX_INPUTS:
        return None
    if len(training.target) > MAX_ROWS:  # or a second training would take as long as the first
        training = sample(training)
        graph = retrained(schema, config, training, 0)
    again = retrained(schema, config, training)
    rows = declined_by_both(schema, [graph, again], sample(others))[: FEW if len(schema.inputs) > WIDE else DECLINED]
    if len(rows) < LEAST:
        return None
    told = [reasons_of(schema, model, training, rows) for model in (graph, again)]
    kept = sum(set(one) == set(other) for one, other in zip(*told, strict=True))
    return proportion(kept, len(rows), confidence)


def retrained(schema: Schema, config: ModelConfig, training: Table, seeds: int = 1) -> bytes:
    """The graph of the same training with a seed that lies `seeds` further."""
    other = msgspec.structs.replace(config.training, seed=config.training.seed + seeds)
    network = fit(schema, training, msgspec.structs.replace(config, training=other)).network
    graph: bytes = build_graph(schema, network).SerializeToString(deterministic=True)
    return graph


def declined_by_both(schema: Schema, models: Sequence[bytes], table: Table) -> list[Struct]:
    """The applicants of a table that every model declines, as rows of the schema."""
    feed = schema.feed_columns(table.columns)
    probabilities = np.array([onnx_probabilities(Scorer(model, schema), feed) for model in models])
    stakes = stakes_of(schema.dataset, table.arrays)
    places: NDArray[np.int64] = np.flatnonzero(stakes.declined(probabilities).all(axis=0))
    names = [feature.name for feature in schema.dataset.features]
    values = zip(*([table.columns[name][int(place)] for place in places] for name in names), strict=True)
    return [applicant(schema, dict(zip(names, row, strict=True))) for row in values]


def applicant(schema: Schema, values: dict[str, object]) -> Struct:
    """A row of the schema of the values of a table."""
    known = {name: value for name, value in values.items() if value is not None}
    return msgspec.convert(known | {"application_id": "-"}, schema.row)


def reasons_of(schema: Schema, model: bytes, training: Table, rows: Sequence[Struct]) -> list[list[str]]:
    """The features that each applicant, which the model declines, is told as reasons, the strongest first."""
    explainer = Explainer(schema, Scorer(model, schema).probabilities, background(schema, model, training), "-")
    return [[reason.feature for reason in explainer.explain(row).reasons] for row in rows]
