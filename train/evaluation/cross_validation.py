"""Repeated cross-validation: every candidate on the same folds, with intervals that account for overlapping folds.

Owns folds, held-out probabilities, and the tests. Leaves the candidates to `train.evaluation.candidates`, and the
verdicts to `train.gate`. Uses no rows other than those of the given table.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.model_selection import RepeatedStratifiedKFold
from threadpoolctl import threadpool_limits

from models.schema import Schema
from train.evaluate import evaluate
from train.evaluation.candidates import Candidate
from train.evaluation.results import Estimate, Metrics
from train.population import row_weights
from train.stakes import stakes_of
from train.tables.table import Table

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Folds:
    """One candidate over the folds.

    Attributes:
        metrics: on the test rows of each fold.
        by_repeat: `[repeats, rows]`, the probability of each row from the model that held it out in that repeat; NaN
            where none did, as of the first rows of a walk forward.
    """

    metrics: list[Metrics]
    by_repeat: NDArray[np.float64]

    @property
    def held_out(self) -> NDArray[np.float64]:
        """Each row's mean probability over the repeats, `[rows]`."""
        mean: NDArray[np.float64] = self.by_repeat.mean(axis=0)
        return mean

    def values(self, metric: str) -> NDArray[np.float64]:
        """One metric of each fold, `[folds]`."""
        return np.array([getattr(metrics, metric) for metrics in self.metrics], dtype=np.float64)


def folds_of(target: NDArray[np.int64], folds: int, repeats: int, seed: int = 0) -> list[Fold]:
    """Training and test rows of each of `folds` stratified folds, drawn `repeats` times."""
    splitter = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    return list(splitter.split(target, target))


def cross_validate(
    candidates: Mapping[str, tuple[Schema, Candidate]],
    table: Table,
    folds: list[Fold],
    report: Callable[[], None] = lambda: None,
    workers: int = 1,
) -> dict[str, Folds]:
    """Fit and evaluate every candidate on every fold.

    Args:
        candidates: by name, each with its schema.
        table: the rows to use.
        folds: of that table.
        report: called after each fold.
        workers: number of processes; 1 runs in this process.
    """
    tasks = [(candidates, table.rows(training), table.rows(test)) for training, test in folds]
    results_by_fold: list[dict[str, NDArray[np.float32]]] = []
    if workers == 1:
        for task in tasks:
            results_by_fold.append(_one_fold(task))
            report()
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            for probabilities in pool.map(_one_fold, tasks):
                results_by_fold.append(probabilities)
                report()
    result = {}
    for name, (schema, _) in candidates.items():
        dataset, stakes = schema.dataset, stakes_of(schema.dataset, table.arrays)
        seen = np.zeros(len(table.target), dtype=np.int64)
        by_repeat: list[NDArray[np.float64]] = []
        metrics: list[Metrics] = []
        for (_, test), probabilities in zip(folds, results_by_fold, strict=True):
            target = table.target[test]
            weights = row_weights(target, table.weight[test] if len(table.weight) else table.weight, dataset.prior)
            metrics.append(evaluate(target, probabilities[name], stakes.rows(test), weights))
            if not by_repeat or seen[test[0]] == len(by_repeat):
                by_repeat.append(np.full(len(table.target), np.nan))
            by_repeat[-1][test] = probabilities[name]
            seen[test] += 1
        result[name] = Folds(metrics, np.array(by_repeat))
    return result


def _one_fold(task: tuple[Mapping[str, tuple[Schema, Candidate]], Table, Table]) -> dict[str, NDArray[np.float32]]:
    candidates, training, test = task
    with threadpool_limits(1):  # threads of two libraries compete, and take ten times as long
        return {name: candidate(schema, training, test) for name, (schema, candidate) in candidates.items()}


def interval(values: NDArray[np.float64], folds: float, confidence: float) -> tuple[Estimate, float]:
    """Mean of `values` `[folds * repeats]` with the corrected resampled t interval, and the p value of a mean of zero.

    `folds` is the number of rows over that of those measured on, in a walk forward that of its mean step.

    The training parts of folds overlap, so the variance over folds is too small; Nadeau and Bengio (2003, "Inference
    for the generalization error") add the ratio of test to training rows, here `1 / (folds - 1)`.

    >>> found, p_value = interval(np.array([0.01, 0.03, 0.02, 0.02]), folds=4, confidence=0.9)
    >>> [round(value, 4) for value in (found.value, found.low, found.high, p_value)]
    [0.02, 0.0053, 0.0347, 0.0491]
    """
    mean = float(values.mean())
    spread = float(np.sqrt((1 / len(values) + 1 / (folds - 1)) * values.var(ddof=1)))
    if spread == 0:
        return Estimate(mean, mean, mean), 1.0 if mean == 0 else 0.0
    reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * spread
    p_value = float(2 * stats.t.sf(abs(mean) / spread, len(values) - 1))
    return Estimate(mean, mean - reach, mean + reach), p_value
