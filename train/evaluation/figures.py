"""The plots of a run, drawn from its numbers. Functions return figures; they do not show or save them."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from models.deciding import APPROVE, DECLINE, REFER
from train.evaluate import mean_cost
from train.evaluation.results import Estimate, Importance
from train.network.look import Look
from train.population import Weights, mean_of
from train.stakes import Stakes
from train.vintages import Vintage

mpl.use("Agg")  # files only, no window
SIZE_INCHES = (5.5, 4.2)
GREY = "0.65"


def _figure(title: str, x: str, y: str) -> Figure:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def learning_curves(looks: Sequence[Look]) -> Figure:
    """Training and validation loss over the steps."""
    figure = _figure("Learning curves", "step", "cross-entropy, nats")
    axes, steps = figure.axes[0], [look.step for look in looks]
    axes.plot(steps, [look.training_loss for look in looks], label="training")
    axes.plot(steps, [look.validation_loss for look in looks], label="validation (held-out folds)")
    axes.legend(frameon=False)
    return figure


def roc(target: NDArray[np.int64], probability: NDArray[np.float32], auc: float, weights: Weights = None) -> Figure:
    """Receiver operating characteristic."""
    figure = _figure(f"ROC, AUC {auc:.3f}", "false-alarm rate", "share of events found")
    false_alarms, found, _ = roc_curve(target, probability, sample_weight=weights)
    figure.axes[0].plot([0, 1], [0, 1], color=GREY, linestyle="--")
    figure.axes[0].plot(false_alarms, found)
    return figure


def precision_recall(target: NDArray[np.int64], probability: NDArray[np.float32], weights: Weights = None) -> Figure:
    """Precision over recall; the dashed line is the event's share."""
    figure = _figure("Precision and recall", "recall", "precision")
    precision, recall, _ = precision_recall_curve(target, probability, sample_weight=weights)
    figure.axes[0].axhline(mean_of(target, weights), color=GREY, linestyle="--")
    figure.axes[0].plot(recall, precision)
    figure.axes[0].set_ylim(0, 1.02)
    return figure


def calibration(target: NDArray[np.int64], probability: NDArray[np.float32], weights: Weights = None) -> Figure:
    """Observed share of events over predicted probability, in bins of equal size."""
    figure = _figure("Calibration", "predicted probability", "observed share of events")
    observed, predicted = calibration_points(target, probability, weights)
    figure.axes[0].plot([0, 1], [0, 1], color=GREY, linestyle="--")
    figure.axes[0].plot(predicted, observed, marker="o")
    return figure


def scores(target: NDArray[np.int64], probability: NDArray[np.float32], stakes: Stakes) -> Figure:
    """Distribution of the probability in each class, with the threshold and the band that is referred."""
    figure = _figure("Scores by outcome", "probability of the event", "rows")
    bins = [float(edge) for edge in np.linspace(0, 1, 26)]
    figure.axes[0].hist(
        [probability[target == 0], probability[target == 1]], bins=bins, label=["no event", "event"], stacked=False
    )
    if not isinstance(stakes.threshold, np.ndarray):
        label = f"threshold {stakes.threshold:.3f}"
        figure.axes[0].axvline(stakes.threshold, color="black", linestyle=":", label=label)
    if stakes.refer:
        figure.axes[0].axvspan(stakes.refer.start, stakes.refer.end, color=GREY, alpha=0.3, label="referred")
    figure.axes[0].legend(frameon=False)
    return figure


def cost_over_threshold(
    target: NDArray[np.int64], probability: NDArray[np.float32], stakes: Stakes, weights: Weights = None
) -> Figure:
    """Mean cost per row at every threshold; dotted: the threshold that the costs imply, or the cost at those of all."""
    figure = _figure("Cost", "threshold", "cost per row")
    thresholds = np.linspace(0, 1, 201)
    curve = [mean_cost(target, probability >= value, stakes, weights) for value in thresholds]
    figure.axes[0].plot(thresholds, curve)
    if isinstance(stakes.threshold, np.ndarray):
        found = mean_cost(target, stakes.declined(probability), stakes, weights)
        figure.axes[0].axhline(found, color="black", linestyle=":", label="by each applicant's own threshold")
        figure.axes[0].legend(frameon=False)
    else:
        figure.axes[0].axvline(stakes.threshold, color="black", linestyle=":")
    return figure


def confusion(target: NDArray[np.int64], probability: NDArray[np.float32], stakes: Stakes) -> Figure:
    """Rows by outcome and decision."""
    figure = _figure("Decisions", "decision", "outcome")
    decisions = [APPROVE, DECLINE, *([REFER] if stakes.refer else [])]
    decided = np.where(stakes.referred(probability), 2, stakes.declined(probability))
    counts = np.bincount(len(decisions) * target + decided, minlength=2 * len(decisions)).reshape(2, -1)
    axes = figure.axes[0]
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if count > counts.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(decisions)), decisions)
    axes.set_yticks([0, 1], ["no event", "event"])
    return figure


def gain(target: NDArray[np.int64], probability: NDArray[np.float32], weights: Weights = None) -> Figure:
    """Share of events found over the share of applicants, those with the highest probabilities first."""
    figure = _figure("Gain", "share of applicants, the riskiest first", "share of events found")
    order = np.argsort(-probability, kind="stable")
    counts = np.ones(len(target)) if weights is None else weights[order]
    events = counts * target[order]
    found, applicants = (np.concatenate([[0.0], np.cumsum(of) / of.sum()]) for of in (events, counts))
    figure.axes[0].plot([0, 1], [0, 1], color=GREY, linestyle="--")
    figure.axes[0].plot(applicants, found)
    return figure


def permutation_importance(importance: Sequence[Importance]) -> Figure:
    """Loss of ROC AUC when a column is shuffled, the most important column on top."""
    figure = _figure("Permutation importance", "ROC AUC lost", "")
    shown = importance[:20][::-1]
    figure.axes[0].barh(
        [found.feature for found in shown], [found.mean for found in shown], xerr=[found.deviation for found in shown]
    )
    figure.axes[0].tick_params(axis="y", labelsize=7)
    return figure


def leaderboard(names: Sequence[str], values: Sequence[Estimate], metric: str) -> Figure:
    """A metric of each candidate with its interval, the best on top."""
    figure = _figure("Leaderboard", metric, "")
    order = np.argsort([value.value for value in values])
    for place, index in enumerate(order):
        value = values[index]
        reach = [[value.value - value.low], [value.high - value.value]]
        figure.axes[0].errorbar([value.value], [place], xerr=reach, fmt="o", color="C0", capsize=3)
    figure.axes[0].set_yticks(range(len(order)), [names[index] for index in order])
    return figure


def vintages(found: Sequence[Vintage]) -> Figure:
    """Observed share of events, with its interval, and mean probability of each vintage; filled in the test part."""
    figure = _figure("Vintages", "when applicants applied", "share of events")
    axes = figure.axes[0]
    for place, vintage in enumerate(found):
        share = vintage.observed
        reach = [[share - vintage.observed_low], [vintage.observed_high - share]]
        filled = "C0" if vintage.part == "test" else "white"
        axes.errorbar([place], [share], yerr=reach, fmt="o", color="C0", markerfacecolor=filled, capsize=2)
    axes.plot(range(len(found)), [vintage.expected for vintage in found], color="C1", label="mean probability")
    axes.plot([], [], "o", color="C0", label="observed, 90% interval; filled: test part")
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(found)), [vintage.name for vintage in found], rotation=90, fontsize=7)
    axes.legend(frameon=False)
    return figure


def calibration_points(
    target: NDArray[np.int64], probability: NDArray[np.float32], weights: Weights
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Observed shares of events and mean predicted probabilities, in bins with as many rows each, ascending."""
    bins = max(2, min(10, len(target) // 20))
    if weights is None:
        observed, predicted = calibration_curve(target, probability, n_bins=bins, strategy="quantile")
        return observed, predicted
    parts = [part for part in np.array_split(np.argsort(probability, kind="stable"), bins) if len(part)]
    means = [[mean_of(of[part], weights[part]) for part in parts] for of in (target, probability)]
    return np.array(means[0]), np.array(means[1])


def all_of(
    target: NDArray[np.int64],
    probability: NDArray[np.float32],
    stakes: Stakes,
    looks: Sequence[Look],
    importance: Sequence[Importance],
    weights: Weights = None,
) -> dict[str, Figure]:
    """Every figure of one model on its test rows, by name."""
    return {
        "learning_curves": learning_curves(looks),
        "roc": roc(target, probability, float(roc_auc_score(target, probability, sample_weight=weights)), weights),
        "precision_recall": precision_recall(target, probability, weights),
        "calibration": calibration(target, probability, weights),
        "scores": scores(target, probability, stakes),
        "gain": gain(target, probability, weights),
        "cost": cost_over_threshold(target, probability, stakes, weights),
        "confusion": confusion(target, probability, stakes),
        "permutation_importance": permutation_importance(importance),
    }


def points(
    target: NDArray[np.int64], probability: NDArray[np.float32], stakes: Stakes, weights: Weights = None
) -> dict[str, dict[str, Any]]:
    """The points of the curves for `dvc plots`, by name."""
    false_alarms, found, _ = roc_curve(target, probability, sample_weight=weights)
    precision, recall, _ = precision_recall_curve(target, probability, sample_weight=weights)
    observed, predicted = calibration_points(target, probability, weights)
    thresholds = np.linspace(0, 1, 101)
    cost = [mean_cost(target, probability >= value, stakes, weights) for value in thresholds]
    return {
        "roc": {"false_alarm_rate": false_alarms, "events_found": found},
        "precision_recall": {
            "recall": recall[::-1],
            "precision": precision[::-1],
        },  # `dvc plots` draws from left to right
        "calibration": {"predicted": predicted, "observed": observed},
        "cost": {"threshold": thresholds, "cost": cost},
    }


def svg(figure: Figure) -> bytes:
    """The figure as an SVG file; the same figure gives the same bytes."""
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "credit-scorer"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()
