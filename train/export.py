"""Stage export: converts the fitted network to one ONNX graph, and verifies it against PyTorch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.deciding import Thresholds, referred
from models.encoding import Encoder
from models.schema import Column, Schema, column
from models.scorer import EncodedScorer, Scorer
from train.errors import PipelineError
from train.evaluation.scoring import chunks
from train.network.credit_network import CreditNetwork
from train.network.onnx_graph import build_graphs
from train.stakes import stakes_of
from train.tables.table import Table

TOLERANCE = 1e-6  # largest difference allowed between the probabilities of PyTorch and ONNX Runtime
EDGE_ROWS = 200  # generated rows with unknown categories, missing values and extremes
BATCHES = (1, 2, 1000)
COMPARED_ROWS = 20_000  # of the table, evenly spread; a million at once take 58 GB and show nothing more


def export(schema: Schema, network: CreditNetwork, table: Table) -> tuple[bytes, bytes, float]:
    """The bytes of `model.onnx` and `encoded.onnx`, and the largest difference from PyTorch; raises if it is too large.

    Args:
        schema: the compiled dataset.
        network: the fitted network.
        table: rows for the comparison, sampled if there are many; generated edge cases are added.
    """
    if not network.is_monotone:
        raise PipelineError("a weight has a sign that a monotone feature forbids; train again: make train")
    model, encoded = (graph.SerializeToString(deterministic=True) for graph in build_graphs(schema, network))
    rows = len(table.target)
    sample = np.linspace(0, rows - 1, min(rows, COMPARED_ROWS)).astype(np.int64)
    feed = schema.feed_columns(table.rows(sample).columns)
    edges = edge_cases(schema, feed, np.random.default_rng(0))
    both = {name: np.concatenate([column, edges[name]]) for name, column in feed.items()}
    thresholds = stakes_of(schema.dataset, table.rows(sample).arrays).threshold
    if isinstance(thresholds, np.ndarray):  # an edge case is decided as one of the rows is
        thresholds = np.concatenate([thresholds, np.resize(thresholds, EDGE_ROWS)])
    worst = parity(schema, network, Scorer(model, schema), both, thresholds)
    if worst > TOLERANCE:
        raise PipelineError(f"ONNX Runtime and PyTorch differ by {worst:.1e}; at most {TOLERANCE:.0e} is allowed")
    if not same_bits(schema, model, encoded, both):
        raise PipelineError("model.onnx and encoded.onnx give different probabilities")
    return model, encoded, worst


def same_bits(schema: Schema, model: bytes, encoded: bytes, feed: dict[str, Column]) -> bool:
    """Whether the network alone and the whole graph give the same bits for every row of `feed`."""
    raw, alone = Scorer(model, schema), EncodedScorer(encoded, schema)
    for rows in chunks(len(next(iter(feed.values())))):
        part = {name: column[rows] for name, column in feed.items()}
        codes, numbers = Encoder(schema).columns(part)
        arrays: dict[str, NDArray[Any]] = {"codes": codes, "numbers": numbers}
        found = alone.probabilities({name: arrays[name] for name in alone.inputs})
        if found.tobytes() != raw.probabilities(part).tobytes():
            return False
    return True


def parity(
    schema: Schema, network: CreditNetwork, scorer: Scorer, feed: dict[str, Column], thresholds: Thresholds
) -> float:
    """The largest difference over `feed`, in several batch sizes and orders; infinite if a decision differs."""
    expected = torch_probabilities(schema, network, feed)
    rows, refer = len(expected), schema.dataset.refer
    by_row = np.broadcast_to(thresholds, rows)
    worst = 0.0
    for size in BATCHES:
        for order in (np.arange(rows), np.random.default_rng(size).permutation(rows)):
            for start in range(0, min(rows, 50 * size), size):
                part = order[start : start + size]
                found = scorer.probabilities({name: column[part] for name, column in feed.items()})
                worst = max(worst, float(np.abs(found - expected[part]).max()))
                declined = [each >= by_row[part] for each in (found, expected[part])]
                to_refer = [referred(each, refer) for each in (found, expected[part])]
                if (declined[0] != declined[1]).any() or (to_refer[0] != to_refer[1]).any():
                    return float("inf")
    return worst


def torch_probabilities(
    schema: Schema, network: CreditNetwork, columns: Mapping[str, NDArray[Any]]
) -> NDArray[np.float32]:
    """Probabilities by PyTorch, `[batch]`."""
    codes, numbers = Encoder(schema).columns(columns)
    network.eval()
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(codes[part]), torch.from_numpy(numbers[part])).numpy()
            for part in chunks(len(codes))
        ]
    return np.concatenate(parts)


def edge_cases(schema: Schema, feed: dict[str, Column], rng: np.random.Generator) -> dict[str, Column]:
    """Rows that the table lacks: unknown categories, missing values, and the limits of each range."""
    cases: dict[str, Column] = {}
    for feature in schema.inputs:
        pool: list[object]
        if feature.type == "categorical":
            pool = [*feature.categories, "", "no such category", "žluťoučký kůň"]
        else:
            pool = [feature.lowest, feature.highest, np.nan, 0.0, *feed[feature.name][:20, 0]]
        cases[feature.name] = column(feature, [pool[i] for i in rng.integers(len(pool), size=EDGE_ROWS)])
    return cases
