"""Latency of `model.onnx` in ONNX Runtime, one thread: `python -m benchmarks.graph [tag]`.

From raw strings and numbers to the probability, on the rows of the table, repeated. Median and 99th percentile.
"""

import sys
import time
from pathlib import Path

import bentoml
import numpy as np

from configs.service import read_service
from models.artifact import Artifact
from train.check import check

ROWS = (1, 64, 1024)
CALLS = 500


def main() -> None:
    """Time the graph of the model in the store."""
    tag = sys.argv[1] if len(sys.argv) > 1 else read_service().model
    artifact = Artifact(Path(bentoml.models.get(tag).path), retrain="make train")
    schema, scorer = artifact.schema, artifact.scorer()
    feed = schema.feed_columns(check(schema.dataset, 1).columns)
    print(f"{artifact.tag}\n\n| rows | median, us | p99, us | median per row, us |\n|---|---|---|---|")
    for rows in ROWS:
        batch = {name: np.resize(column, (rows, 1)) for name, column in feed.items()}
        taken_us = []
        for _ in range(CALLS):
            started = time.perf_counter()
            scorer.probabilities(batch)
            taken_us.append((time.perf_counter() - started) * 1e6)
        median, p99 = np.percentile(taken_us[CALLS // 10 :], [50, 99])
        print(f"| {rows} | {median:.0f} | {p99:.0f} | {median / rows:.2f} |")


if __name__ == "__main__":
    main()
