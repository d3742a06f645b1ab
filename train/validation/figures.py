"""The plots of what a validator looks at, drawn from `evidence.json` and `stability.json`.

Functions return figures; they do not show or save them. Blue and orange, which differ to colour-blind eyes too.
"""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from models.schema import MISSING_TEXT
from train.validation.results import Behaviour, Decile, Effect, Interaction, Outcomes, Segment, Sensitivity, Stability

mpl.use("Agg")  # files only, no window
SIZE_INCHES = (5.5, 4.2)
PANEL_INCHES, PANELS_WIDE = (3.1, 2.3), 3
ROW_INCHES = 0.24  # of a figure with a row for each of several names
GREY, DENSITY = "0.65", "0.88"
SMALL = 7.5  # points
SHOWN = 20  # rows of a figure, at most
LONG = 22  # characters of a category, at most
FEW = 6  # values of a number that are ticks of their own
DENSITY_HEIGHT = 0.3  # of the tallest bar


def all_of(outcomes: Outcomes, behaviour: Behaviour, threshold: float | None) -> dict[str, Figure]:
    """Every figure of one model, by name; without a threshold where each applicant has one of their own."""
    drawn = {
        "calibration_by_decile": calibration_by_decile(outcomes.deciles, threshold),
        "lift": lift(outcomes.deciles),
        "segments": segments(outcomes.segments),
        "partial_dependence": effects(behaviour.effects, threshold),
        "interactions": interactions(behaviour.interactions),
        "sensitivity": sensitivity(behaviour.sensitivities),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def calibration_by_decile(deciles: Sequence[Decile], threshold: float | None) -> Figure:
    """Observed share of events over the mean probability of each decile, with intervals."""
    figure, axes = _figure("Calibration by decile, held out", "mean predicted probability", "observed share of events")
    observed = np.array([[part.observed.value, part.observed.low, part.observed.high] for part in deciles])
    reach = np.abs(observed[:, 1:].T - observed[:, 0])
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="calibrated")
    axes.errorbar([part.predicted for part in deciles], observed[:, 0], yerr=reach, fmt="o", capsize=3, label="decile")
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle=":", label=f"threshold {threshold:.3f}")
    top = 1.05 * max(float(observed.max()), *(part.predicted for part in deciles))
    axes.set(xlim=(0, min(1.0, top)), ylim=(0, min(1.0, top)))
    axes.legend(frameon=False, fontsize=SMALL, loc="lower right")
    return figure


def lift(deciles: Sequence[Decile]) -> Figure:
    """The share of events in each decile over that in all rows, the riskiest decile first."""
    figure, axes = _figure(
        "Lift by decile, held out", "decile, the riskiest first", "share of events over that of all rows"
    )
    numbers = range(1, len(deciles) + 1)
    axes.bar(numbers, [part.lift for part in deciles])
    axes.axhline(1, color="black", linestyle=":", label="all rows")
    for number, part in zip(numbers, deciles, strict=True):
        axes.text(number, part.lift, f"{part.lift:.2f}", ha="center", va="bottom", fontsize=SMALL)
    axes.set_xticks(list(numbers))
    axes.legend(frameon=False, fontsize=SMALL)
    return figure


def segments(found: Sequence[Segment]) -> Figure | None:
    """The observed share of events of the largest groups, with the predicted one."""
    shown = sorted(found, key=lambda segment: -segment.rows)[: 2 * SHOWN]
    if not shown:
        return None
    shown.sort(key=lambda segment: (segment.grouping, segment.name))
    figure, axes = _rows("Largest segments, held out", "share of events", len(shown))
    shown.reverse()
    places = np.arange(len(shown))
    observed = np.array([[one.observed.value, one.observed.low, one.observed.high] for one in shown])
    reach, off = np.abs(observed[:, 1:].T - observed[:, 0]), np.array([one.off for one in shown])
    for rows, colour, label in ((~off, "C0", "observed"), (off, "C1", "observed, apart from predicted")):
        bars = axes.errorbar(observed[rows, 0], places[rows], xerr=reach[:, rows], fmt="o", color=colour, capsize=2)
        bars.set_label(label)
    axes.plot([one.predicted for one in shown], places, "|", color="black", markersize=9, label="predicted")
    names = [f"{_short(one.grouping)}: {_short(one.name)} ({one.rows:,})" for one in shown]
    axes.set_yticks(places, names, fontsize=SMALL)
    figure.legend(frameon=False, fontsize=SMALL, loc="outside lower center", ncols=3)
    return figure


def effects(found: Sequence[Effect], threshold: float | None) -> Figure | None:
    """Partial dependence, individual curves and the density of the data, a panel for each column."""
    if not found:
        return None
    deep = -(-len(found) // PANELS_WIDE)
    width, height = PANEL_INCHES
    figure = Figure(figsize=(PANELS_WIDE * width, deep * height + 0.4), layout="constrained")
    grid = figure.subplots(deep, PANELS_WIDE, squeeze=False, sharey=True)
    dotted = "" if threshold is None else " threshold (dotted),"
    figure.suptitle(f"Partial dependence (blue), applicants (grey),{dotted} density of the rows (bars)", fontsize=9)
    figure.supylabel("probability of the event", fontsize=9)
    for axes, one in zip(grid.flat, found, strict=False):
        _panel(axes, one, threshold)
    for axes in list(grid.flat)[len(found) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, one: Effect, threshold: float | None) -> None:
    categories = isinstance(one.values[0], str)
    values = np.arange(len(one.values)) if categories else np.array(one.values)
    places = values if categories else np.array(one.places)
    step = float(np.diff(places).min()) if len(places) > 1 else 1.0
    heights = DENSITY_HEIGHT * np.array(one.density) / max(one.density)
    axes.bar(places, heights, 0.9 * step, color=DENSITY, zorder=0)
    curves = np.array(one.curves)
    if categories:
        axes.plot(np.tile(values, len(curves)), curves.ravel(), ".", color=GREY, markersize=3, zorder=1)
        axes.plot(values, one.mean, "D", color="C0", markersize=5, zorder=2)
        names = [_short(str(value)) if value != MISSING_TEXT else "missing" for value in one.values]
        axes.set_xticks(values, names, rotation=35, ha="right", rotation_mode="anchor")
    else:
        lines = np.stack([np.tile(values, (len(curves), 1)), curves], axis=2)
        axes.add_collection(LineCollection(list(lines), colors=GREY, linewidths=0.5, zorder=1))
        axes.plot(values, one.mean, color="C0", linewidth=2, zorder=2)
        axes.set_xlabel(_short(one.unit), fontsize=SMALL)
        if len(values) <= FEW:
            axes.set_xticks(values)
    if one.missing is not None:
        axes.axhline(one.missing, color="C1", linestyle="--", linewidth=1, label="missing")
        axes.legend(frameon=False, fontsize=6)
    if threshold is not None:
        axes.axhline(threshold, color="black", linestyle=":", linewidth=0.8)
    axes.set_title(_short(one.feature), fontsize=9)
    axes.tick_params(labelsize=6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(0, 1)


def interactions(found: Sequence[Interaction]) -> Figure | None:
    """The strength of the strongest interactions, of a column with all others and of pairs."""
    with_all = [one for one in found if len(one.features) == 1][: SHOWN // 2]
    pairs = [one for one in found if len(one.features) == 2][: SHOWN // 2]
    if not with_all:
        return None
    shown = [*with_all, *pairs][::-1]
    figure, axes = _rows("Interactions, with Friedman's H", "strength, log-odds", len(shown))
    colours = ["C0" if len(one.features) == 1 else "C1" for one in shown]
    axes.barh(range(len(shown)), [one.strength for one in shown], color=colours)
    for place, one in enumerate(shown):
        axes.text(one.strength, place, f" H {one.h:.2f}", va="center", fontsize=SMALL)
    axes.set_yticks(range(len(shown)), [" and ".join(map(_short, one.features)) for one in shown], fontsize=SMALL)
    axes.margins(x=0.15)
    axes.barh([0], [0], color="C0", label="with all others")
    axes.barh([0], [0], color="C1", label="pair")
    axes.legend(frameon=False, fontsize=SMALL, loc="lower right")
    return figure


def sensitivity(found: Sequence[Sensitivity]) -> Figure | None:
    """The share of decisions that an error in a column changes."""
    shown = found[:SHOWN][::-1]
    if not shown:
        return None
    figure, axes = _rows("Errors in one column", "share of decisions that change", len(shown))
    axes.barh(range(len(shown)), [one.flips for one in shown])
    axes.set_yticks(range(len(shown)), [f"{_short(one.feature)}: {_short(one.error)}" for one in shown], fontsize=SMALL)
    return figure


def stability(found: Stability) -> Figure:
    """ROC AUC and cost of each seed, the model's own marked."""
    figure, axes = _figure("Trained with other seeds, held out", "ROC AUC", "cost per applicant")
    first, *others = found.seeds
    axes.plot([one.roc_auc for one in others], [one.cost for one in others], "o", color="C0", label="another seed")
    axes.plot([first.roc_auc], [first.cost], "D", color="C1", label="the model's own seed")
    axes.legend(frameon=False, fontsize=SMALL)
    return figure


def _figure(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _rows(title: str, x: str, rows: int) -> tuple[Figure, Axes]:
    """A figure with a row for each of several names."""
    figure, axes = _figure(title, x, "")
    figure.set_size_inches(SIZE_INCHES[0] + 1.5, max(2.2, 1.3 + ROW_INCHES * rows))
    axes.set_ylim(-0.7, rows - 0.3)
    return figure, axes


def _short(text: str) -> str:
    """A name as it is drawn: of some length, and without formulas, which Matplotlib finds between two dollars."""
    return (text if len(text) <= LONG else f"{text[: LONG - 1]}…").replace("$", r"\$")
