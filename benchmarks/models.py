"""The model configs and two classics of scikit-learn on the same folds: `python -m benchmarks.models`.

Everything that is learnt, calibration included, is learnt inside the training part of a fold. The protected
columns are an input of no candidate. Prints a Markdown table; about 25 s a fold on one core for all five.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from configs.dataset import read_dataset
from configs.model import read_model
from models.graph import codes_and_numbers
from models.schema import Schema
from train.check import Table, check
from train.evaluate import Metrics, evaluate
from train.export import torch_probabilities
from train.fit import fit

Candidate = Callable[[Schema, Table, Table], NDArray[np.float32]]
CONFIGS = sorted(Path("configs/models").glob("*.yaml"))


def network(path: Path, schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """One of our configs."""
    fitted = fit(schema, training, read_model(path))
    return torch_probabilities(schema, fitted.network, schema.feed_columns(test.columns))


def classic(kind: str, schema: Schema, training: Table, test: Table) -> NDArray[np.float32]:
    """scikit-learn on one-hot categories and numbers, as its documentation does it."""
    parts = [np.hstack(codes_and_numbers(schema, schema.feed_columns(part.columns))) for part in (training, test)]
    categorical = len(schema.categorical)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), slice(0, categorical)), remainder=StandardScaler()
    )
    model = RandomForestClassifier(500, random_state=0) if kind == "forest" else LogisticRegression(max_iter=1000)
    fitted = make_pipeline(encode, model).fit(parts[0], training.target)
    return np.asarray(fitted.predict_proba(parts[1])[:, 1], dtype=np.float32)


CANDIDATES: dict[str, Candidate] = {
    **{path.stem: partial(network, path) for path in CONFIGS},
    "logistic regression (scikit-learn)": partial(classic, "linear"),
    "random forest, 500 trees (scikit-learn)": partial(classic, "forest"),
}


def one_fold(dataset_path: Path, fold: tuple[NDArray[np.int64], NDArray[np.int64]]) -> dict[str, tuple[Metrics, float]]:
    """Every candidate on one fold: its metrics on the test part, and seconds to fit and predict."""
    dataset = read_dataset(dataset_path)
    schema, table = Schema(dataset), check(dataset, 2)
    training, test = table.rows(fold[0]), table.rows(fold[1])
    results = {}
    for name, candidate in CANDIDATES.items():
        started_s = time.perf_counter()
        probability = candidate(schema, training, test)
        taken_s = time.perf_counter() - started_s
        results[name] = evaluate(test.target, probability, dataset.costs, dataset.threshold), taken_s
    return results


def main() -> None:
    """Run the folds on every core and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, default=Path("configs/datasets/german_credit.yaml"))
    parser.add_argument("--repeats", type=int, default=10, help="times ten folds")
    options = parser.parse_args()
    dataset = read_dataset(options.dataset)
    table = check(dataset, 2)
    splitter = RepeatedStratifiedKFold(n_splits=10, n_repeats=options.repeats, random_state=0)
    folds = list(splitter.split(table.target, table.target))
    with ProcessPoolExecutor() as pool:
        results = list(pool.map(partial(one_fold, options.dataset), folds))
    print(f"{len(folds)} folds of {dataset.name}, mean and standard deviation over the folds\n")
    print("| model | ROC AUC | cost an applicant | Brier score | seconds to fit |\n|---|---|---|---|---|")
    for name in CANDIDATES:
        metrics = [fold[name][0] for fold in results]
        cells = [
            f"{np.mean(values):.4f} ± {np.std(values):.3f}"
            for values in ([getattr(m, field) for m in metrics] for field in ("roc_auc", "cost", "brier"))
        ]
        print(f"| {name} | {' | '.join(cells)} | {np.median([fold[name][1] for fold in results]):.1f} |")
    everyone = np.mean([fold[CONFIGS[0].stem][0].cost_of_declining_all for fold in results])
    print(f"\nDeclining everyone costs {everyone:.2f} an applicant.")


if __name__ == "__main__":
    main()
