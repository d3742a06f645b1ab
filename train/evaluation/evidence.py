"""The evidence for gates and model card: figures with intervals, all from rows that the model has not seen.

Owns the figures. Leaves the bounds to `train.gate`. The test part gives the metrics of the published model; comparisons
and intervals come from folds of the training part.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from configs.dataset import Dataset
from configs.gates import Gates
from configs.model import ModelConfig
from models.schema import Schema
from models.scorer import Scorer
from train.calibration import calibrate
from train.evaluate import logit
from train.evaluation import resampling
from train.evaluation.candidates import network, with_protected, without_monotone
from train.evaluation.cross_validation import Folds, cross_validate, interval
from train.evaluation.estimate import percentile_estimate
from train.evaluation.fairness import audits_of, fairness
from train.evaluation.folding import plan
from train.evaluation.paired import NO_GROUPS, roc_auc_gain
from train.evaluation.referrals import profit, referrals
from train.evaluation.results import Estimate, Evidence, Importance, Shared, Unseen, Walk
from train.evaluation.savings import cost_alike, saving, saving_estimate
from train.evaluation.scoring import onnx_probabilities
from train.evaluation.vintages import by_vintage
from train.population import row_weights
from train.rounding import to_digits
from train.stakes import Stakes, stakes_of
from train.tables.table import Table
from train.validation.outcomes import outcomes_of
from train.validation.results import Behaviour
from train.version import evidence_settings

MODEL, BASELINE, PROTECTED = "this model", "baseline", "with the protected columns"
FREE = "without monotone features"
NO_WEIGHTS = np.zeros(0)
SHOWN = ("roc_auc", "cost", "brier", "log_loss", "ks", "calibration_slope")
SHUFFLES = 10  # per column, for its importance
MAX_ROWS = 20_000  # for folds and importance: enough for narrow intervals, and the folds take ten trainings


def gather_evidence(
    dataset: Dataset,
    config: ModelConfig,
    baseline: ModelConfig,
    gates: Gates,
    training: Table,
    importance: list[Importance],
    walks: list[Walk],
    reasons_kept: Estimate | None,
    unseen: Unseen,
    shared: Shared | None,
    behaviour: Behaviour | None,
    files: dict[str, str],
    report: Callable[[], None] = lambda: None,
    opened: tuple[Table, NDArray[np.float32]] | None = None,
) -> Evidence:
    """Compare `config` with the baseline on folds of `training`, and evaluate the held-out rows.

    Args:
        dataset: the dataset file.
        config: the model file.
        baseline: the model file that it has to beat.
        gates: folds, resamples, confidence.
        training: the training part.
        importance: of the columns, on the test part.
        walks: of the columns, over all values that are allowed.
        reasons_kept: by a training with another seed.
        unseen: the figures on the test part.
        shared: rows on both sides of the split.
        behaviour: of the graph.
        files: SHA-256 of the files of the workspace that all of it is about.
        report: called after each fold.
        opened: the test part, and the probability of each of its rows; for the figures by vintage.
    """
    training = sample(training)
    schema = Schema(dataset)
    candidates = {MODEL: (schema, partial(network, config))}
    if config != baseline:
        candidates[BASELINE] = (schema, partial(network, baseline))
    if any(feature.protected for feature in dataset.features):
        candidates[PROTECTED] = (with_protected(schema), partial(network, config))
    if any(feature.monotone for feature in schema.inputs):
        candidates[FREE] = (without_monotone(schema), partial(network, config))
    planned = plan(training, gates.folds, gates.repeats)
    found = cross_validate(candidates, training, planned.folds, report)
    held_out = found[MODEL].held_out
    compared, of_folds = partial(gain, found, folds=planned.a_repeat, gates=gates), planned.a_repeat
    known = ~np.isnan(held_out)  # in a walk forward, the first rows are only learned from
    measured, held_out = training.rows(np.flatnonzero(known)), held_out[known]
    counts = row_weights(measured.target, measured.weight, dataset.prior)
    stakes = stakes_of(dataset, measured.arrays)
    return Evidence(
        files=files,
        settings=evidence_settings(dataset, config, baseline, gates),
        folds=gates.folds,
        fold_roc_auc=found[MODEL].values("roc_auc").tolist(),
        candidates={
            name: {metric: interval(folds.values(metric), of_folds, gates.confidence)[0] for metric in SHOWN}
            for name, folds in found.items()
        },
        gain_over_baseline=compared(MODEL, BASELINE),
        cost_of_protection=compared(PROTECTED, MODEL),
        cost_of_monotone=compared(FREE, MODEL),
        **bootstrap_estimates(measured.target, held_out, stakes, gates, measured.weight, measured.group, dataset.prior),
        fairness=[
            fairness(
                audit,
                measured.columns[audit.column],
                measured.target,
                stakes.not_approved(held_out),
                gates.fairness.least_rows,
                gates.confidence,
                gates.bootstrap,
                counts,
                measured.group,
                stakes.referred(held_out),
            )
            for audit in audits_of(dataset, training)
        ],
        importance=importance,
        walks=walks,
        reasons_kept=reasons_kept,
        unseen=unseen,
        shared=shared,
        vintages=by_vintage([(measured, held_out, "folds"), *([(*opened, "test")] if opened else [])], dataset.prior),
        outcomes=outcomes_of(dataset, measured, held_out, gates.fairness.least_rows, gates.confidence, counts),
        behaviour=behaviour,
    )


def on_test_part(
    test: Table, ours: NDArray[np.floating], baseline: NDArray[np.floating] | None, dataset: Dataset, gates: Gates
) -> Unseen:
    """The figures on the test part, by the probabilities of the model and of the baseline, `[rows]` each."""
    stakes, group = stakes_of(dataset, test.arrays), test.group
    counts = row_weights(test.target, test.weight, dataset.prior)
    gained = None if baseline is None else roc_auc_gain(test.target, ours, baseline, gates.confidence, counts, group)
    return Unseen(
        rows=len(test.target),
        events=int(test.target.sum()),
        alike=cost_alike(test.target, stakes, counts),
        saving=saving_estimate(test.target, stakes.declined(ours), stakes, gates, counts, group, dataset.prior),
        gain_over_baseline=gained,
        referrals=referrals(test.target, ours, stakes, counts),
        profit=profit(test.target, ours, stakes, gates, counts, group, dataset.prior),
    )


def sample(table: Table) -> Table:
    """All rows, or `MAX_ROWS` of them, evenly spread."""
    rows = len(table.target)
    return table if rows <= MAX_ROWS else table.rows(np.linspace(0, rows - 1, MAX_ROWS).astype(np.int64))


def gain(found: dict[str, Folds], one: str, other: str, folds: float, gates: Gates) -> Estimate | None:
    """The gain in ROC AUC of `one` over `other`, paired over the folds; None if either was not compared."""
    if one not in found or other not in found:
        return None
    difference = found[one].values("roc_auc") - found[other].values("roc_auc")
    return interval(difference, folds, gates.confidence)[0]


def bootstrap_estimates(
    target: NDArray[np.int64],
    probability: NDArray[np.float64],
    stakes: Stakes,
    gates: Gates,
    weight: NDArray[np.float64] = NO_WEIGHTS,
    group: NDArray[np.int64] = NO_GROUPS,
    prior: float | None = None,
) -> dict[str, Estimate]:
    """ROC AUC, calibration slope and saving, with percentile intervals over resampled rows or customers."""
    logits, declined = logit(probability), stakes.declined(probability)
    whole = row_weights(target, weight, prior)
    values = {
        "roc_auc": float(roc_auc_score(target, probability, sample_weight=whole)),
        "calibration_slope": calibrate(logits, target, whole)[0],
        "saving": saving(target, declined, stakes, whole),
    }
    drawn: dict[str, list[float]] = {name: [] for name in values}
    for rows, counts in resampling.resamples_of(target, weight, group, prior, gates.bootstrap):
        outcome = target[rows]
        drawn["roc_auc"].append(resampling.roc_auc(outcome, probability[rows], counts))
        slope = resampling.calibration_slope(outcome, logits[rows], values["calibration_slope"], counts)
        drawn["calibration_slope"].append(slope)
        drawn["saving"].append(saving(outcome, declined[rows], stakes.rows(rows), counts))
    return {name: percentile_estimate(value, drawn[name], gates.confidence) for name, value in values.items()}


def permutation_importance(schema: Schema, scorer: Scorer, table: Table) -> list[Importance]:
    """The loss of ROC AUC when one column at a time is shuffled, the largest first."""
    rng = np.random.default_rng(0)
    table = sample(table)
    feed = schema.feed_columns(table.columns)
    counts = row_weights(table.target, table.weight, None)
    whole = roc_auc_score(table.target, onnx_probabilities(scorer, feed), sample_weight=counts)
    found = []
    for feature in schema.inputs:
        falls = [
            whole
            - resampling.roc_auc(table.target, onnx_probabilities(scorer, feed | {feature.name: shuffled}), counts)
            for shuffled in (rng.permutation(feed[feature.name]) for _ in range(SHUFFLES))
        ]
        found.append(Importance(feature.name, to_digits(float(np.mean(falls))), to_digits(float(np.std(falls)))))
    return sorted(found, key=lambda importance: -importance.mean)
