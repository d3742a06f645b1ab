"""Time and memory of training on large tables: `python -m benchmarks.size --rows 10000 100000 1000000`.

Generates each table from a seed, with twenty columns of all types and an outcome drawn from a known logistic model, and
runs `python -m train` on it with the production network. Progress goes to standard error, the table in
Markdown to standard output. Everything is in a temporary folder, which is removed at the end.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from configs.dataset import Dataset, Source, Target
from configs.feature import Feature
from configs.gates import read_gates
from configs.model import read_model
from configs.policy import Costs

ROOT = Path(__file__).parents[1]
CATEGORIES = (2, 3, 4, 5, 6, 8, 12, 30)  # of each categorical column
INTEGERS = (3, 6, 50, 500, 10_000, 1_000_000)  # values of each integer column
NUMBERS = 6
MISSING = 0.1  # share of a nullable column; every third column is nullable
BATCH_ROWS = 50_000


def dataset(table: Path) -> Dataset:
    """The dataset file of a generated table."""
    kinds: list[dict[str, Any]] = [
        {"type": "categorical", "categories": tuple(f"value {code}" for code in range(size))} for size in CATEGORIES
    ]
    kinds += [{"type": "integer", "minimum": 0, "maximum": size - 1} for size in INTEGERS]
    kinds += [{"type": "number"}] * NUMBERS
    return Dataset(
        name="size",
        source=Source(path=str(table)),
        target=Target(column="outcome", event="event"),
        costs=Costs(missed_event=5, false_alarm=1),
        features=tuple(
            Feature(name=f"column {index}", nullable=index % 3 == 2, **kind) for index, kind in enumerate(kinds)
        ),
    )


def generate(made: Dataset, rows: int, seed: int) -> Iterator[dict[str, list[Any]]]:
    """Columns of up to `BATCH_ROWS` rows at a time, `None` where missing, for `rows` in total."""
    fixed = np.random.default_rng(seed)
    effects = [fixed.normal(0, 0.5, len(feature.categories) or 1) for feature in made.features]
    for start in range(0, rows, BATCH_ROWS):
        drawn = np.random.default_rng([seed, start])
        size = min(BATCH_ROWS, rows - start)
        logit = np.full(size, -1.0)
        columns: dict[str, list[Any]] = {}
        for feature, effect in zip(made.features, effects, strict=True):
            present = drawn.random(size) >= (MISSING if feature.nullable else 0)
            if feature.type == "categorical":
                codes = drawn.integers(len(effect), size=size)
                logit += np.where(present, effect[codes], 0)
                values: NDArray[Any] = np.array(feature.categories, dtype=object)[codes]
            elif feature.type == "integer":
                values = drawn.integers(int(feature.highest) + 1, size=size)
                logit += np.where(present, effect * (values / feature.highest * 2 - 1), 0)
            else:
                values = drawn.normal(0, 1, size)
                logit += np.where(present, effect * values, 0)
            cells = zip(values.tolist(), present.tolist(), strict=True)
            columns[feature.name] = [value if there else None for value, there in cells]
        happened = drawn.random(size) < 1 / (1 + np.exp(-logit))
        columns[made.target.column] = np.where(happened, made.target.event, "none").tolist()
        yield columns


def write(made: Dataset, rows: int, seed: int) -> None:
    """Write the table of `made`, batch by batch, in the format of its suffix."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    path = Path(made.source.path)
    batches = generate(made, rows, seed)
    first = next(batches)
    if path.suffix == ".parquet":
        schema = pa.table(first).schema
        with ParquetWriter(path, schema) as parquet:
            for columns in (first, *batches):
                parquet.write_table(pa.table(columns, schema=schema))
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(first)
        for columns in (first, *batches):
            writer.writerows(zip(*columns.values(), strict=True))


def run(home: Path, rows: int, options: argparse.Namespace) -> str:
    """Make a table of `rows`, train on it in a separate process, and return its line of the result."""
    made = dataset(home / f"table.{options.format}")
    write(made, rows, options.seed)
    config = read_model(options.model)
    (home / "dataset.yaml").write_bytes(msgspec.yaml.encode(made))
    (home / "model.yaml").write_bytes(msgspec.yaml.encode(config))
    # The model need not pass the gates; only time and memory matter.
    gates = replace(
        read_gates(),
        baseline=str(ROOT / read_gates().baseline),
        least_gain_over_baseline=-1.0,
        least_saving=-100.0,
        calibration_slope=(-99.0, 99.0),
    )
    (home / "gates.yaml").write_bytes(msgspec.yaml.encode(gates))
    command = ["-m", "train", "--dataset", "dataset.yaml", "--model", "model.yaml", "--gates", "gates.yaml"]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "BENTOML_HOME": str(home / "bentoml"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/runs.db",
    }
    started_s = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    for line in process.stderr:
        print(f"{time.perf_counter() - started_s:8.1f} s  {line}", end="", file=sys.stderr, flush=True)
    tag = process.stdout.read().strip()
    _, status, used = os.wait4(
        process.pid, 0
    )  # the usage of this child alone; getrusage gives the maximum over all children
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"training on {rows:,} rows ended with {process.returncode}")
    taken_s = time.perf_counter() - started_s
    auc = json.loads((home / "bentoml/models" / tag.replace(":", "/") / "metrics.json").read_text())["roc_auc"]
    size_mb = Path(made.source.path).stat().st_size / 1e6
    per_thousand_s = taken_s / rows * 1000
    return (
        f"| {rows:,} | {size_mb:.0f} | {taken_s:.0f} | {per_thousand_s:.3f} | {used.ru_maxrss / 1e6:.2f} | {auc:.3f} |"
    )


def main() -> None:
    """Train on each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, default=ROOT / "configs/models/001_production.yaml")
    options = parser.parse_args()
    lines = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as home:
            lines.append(run(Path(home), rows, options))
    print(f"{options.format}\n")
    print(
        "| rows | table, MB | seconds | seconds per 1,000 rows | peak memory, GB | ROC AUC |\n|---|---|---|---|---|---|"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
