"""The figures of a run, drawn from its numbers alone. A figure is returned, not shown and not saved."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from configs.dataset import Costs
from models.scorer import APPROVE, DECLINE
from train.evaluate import mean_cost
from train.fit import Epoch

mpl.use("Agg")  # files only, no window
SIZE_INCHES = (5.5, 4.2)
GREY = "0.65"


def _figure(title: str, x: str, y: str) -> Figure:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def learning_curves(epochs: Sequence[Epoch]) -> Figure:
    """Loss of training and validation part over the epochs."""
    figure = _figure("Learning curves", "epoch", "cross-entropy, nats")
    axes, numbers = figure.axes[0], [epoch.number for epoch in epochs]
    axes.plot(numbers, [epoch.training_loss for epoch in epochs], label="training")
    axes.plot(numbers, [epoch.validation_loss for epoch in epochs], label="validation (held-out folds)")
    axes.legend(frameon=False)
    return figure


def roc(target: NDArray[np.int64], probability: NDArray[np.float32], auc: float) -> Figure:
    """Receiver operating characteristic."""
    figure = _figure(f"ROC, AUC {auc:.3f}", "false-alarm rate", "share of events found")
    false_alarms, found, _ = roc_curve(target, probability)
    figure.axes[0].plot([0, 1], [0, 1], color=GREY, linestyle="--")
    figure.axes[0].plot(false_alarms, found)
    return figure


def precision_recall(target: NDArray[np.int64], probability: NDArray[np.float32]) -> Figure:
    """Precision over recall; the dashed line is the event's share."""
    figure = _figure("Precision and recall", "recall", "precision")
    precision, recall, _ = precision_recall_curve(target, probability)
    figure.axes[0].axhline(float(target.mean()), color=GREY, linestyle="--")
    figure.axes[0].plot(recall, precision)
    figure.axes[0].set_ylim(0, 1.02)
    return figure


def calibration(target: NDArray[np.int64], probability: NDArray[np.float32]) -> Figure:
    """Observed share of events over the predicted probability, in bins of equally many rows."""
    figure = _figure("Calibration", "predicted probability", "observed share of events")
    bins = max(2, min(10, len(target) // 20))
    observed, predicted = calibration_curve(target, probability, n_bins=bins, strategy="quantile")
    figure.axes[0].plot([0, 1], [0, 1], color=GREY, linestyle="--")
    figure.axes[0].plot(predicted, observed, marker="o")
    return figure


def scores(target: NDArray[np.int64], probability: NDArray[np.float32], threshold: float) -> Figure:
    """Distribution of the probability in each class, with the threshold."""
    figure = _figure("Scores by outcome", "probability of the event", "rows")
    bins = [float(edge) for edge in np.linspace(0, 1, 26)]
    figure.axes[0].hist(
        [probability[target == 0], probability[target == 1]], bins=bins, label=["no event", "event"], stacked=False
    )
    figure.axes[0].axvline(threshold, color="black", linestyle=":", label=f"threshold {threshold:.3f}")
    figure.axes[0].legend(frameon=False)
    return figure


def cost_over_threshold(
    target: NDArray[np.int64], probability: NDArray[np.float32], costs: Costs, threshold: float
) -> Figure:
    """Mean cost of a row at every threshold; the dotted line is the threshold that the costs imply."""
    figure = _figure("Cost", "threshold", "cost a row")
    thresholds = np.linspace(0, 1, 201)
    curve = [mean_cost(target, probability >= value, costs) for value in thresholds]
    figure.axes[0].plot(thresholds, curve)
    figure.axes[0].axvline(threshold, color="black", linestyle=":")
    return figure


def confusion(target: NDArray[np.int64], probability: NDArray[np.float32], threshold: float) -> Figure:
    """Rows by outcome and decision."""
    figure = _figure("Decisions", "decision", "outcome")
    counts = confusion_matrix(target, probability >= threshold)
    axes = figure.axes[0]
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if count > counts.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    axes.set_xticks([0, 1], [APPROVE, DECLINE])
    axes.set_yticks([0, 1], ["no event", "event"])
    return figure
