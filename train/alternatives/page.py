"""What a person chooses from: the frontier as a table in Markdown, and as a plot."""

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from train.alternatives.frontier import most_cost
from train.alternatives.results import Option, Search
from train.evaluation.estimate import Estimate
from train.publishing.markdown import table

mpl.use("Agg")  # files only, no window
PANEL_INCHES = (5.2, 4.4)
FOUR_FIFTHS = 0.8  # 29 CFR 1607.4 D
GREY = "0.7"
SMALL = 7.5  # points
READING = """\
Of {options} options ({models} models at {thresholds} thresholds each, measured on {rows:,} rows that {folds} folds held
out {repeats} times) these cost at most {within:.0%} more than the cheapest, or no more than the model as it is, and
none beats them in cost and all ratios. The first is the model as it is, against which changes are. Ratios are lowest
over highest approval rate of the groups; intervals are at {confidence:.0%}. The best of many looks better than it is.
Nothing has been chosen: `python -m train choose NAME --why REASON`."""


def markdown(search: Search) -> str:
    """The options that are offered, the cheapest first after the model as it is."""
    first, *others = search.offered
    columns = [ratio.column for ratio in first.ratios]
    heads = ["name", "model", "approved", "cost", "change of cost"]
    heads += [head for column in columns for head in (f"ratio, `{column}`", "change")]
    rows = [_row(option) for option in (first, *sorted(others, key=lambda option: option.cost))]
    thresholds = sum(option.config == first.config and option.dropped == first.dropped for option in search.options)
    reading = READING.format(
        options=len(search.options),
        models=len(search.options) // thresholds,
        thresholds=thresholds,
        rows=search.rows,
        folds=search.folds,
        repeats=search.repeats,
        within=search.within,
        confidence=search.confidence,
    )
    return f"{table(heads, rows)}\n\n{reading}"


def _row(option: Option) -> tuple[str, ...]:
    cells = [option.name, option.what, f"{option.approved:.1%}", f"{option.cost:.3f}", _change(option.change)]
    for ratio in option.ratios:
        cells += [f"{ratio.ratio.value:.3f} ({ratio.ratio.low:.3f} to {ratio.ratio.high:.3f})", _change(ratio.change)]
    return tuple(cells)


def _change(estimate: Estimate) -> str:
    if estimate.low == estimate.high == 0:
        return ""
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def plot(search: Search) -> Figure:
    """Approval ratio over cost, a panel for each audit; the frontier with intervals and names."""
    audits = [ratio.column for ratio in search.options[0].ratios]
    figure = Figure(figsize=(PANEL_INCHES[0] * len(audits), PANEL_INCHES[1]), layout="constrained")
    for place, axes in enumerate(figure.subplots(1, len(audits), squeeze=False)[0]):
        _panel(axes, search, place)
        axes.set(title=f"Approval ratio, {audits[place]}".replace("$", r"\$"), xlabel="cost per applicant")
        axes.set_ylabel("lowest over highest approval rate")
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=SMALL, loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Axes, search: Search, place: int) -> None:
    first, on = search.options[0], [option for option in search.options if option.frontier]
    rest = [option for option in search.options if not option.frontier]
    axes.plot(
        [o.cost for o in rest], [o.ratios[place].ratio.value for o in rest], ".", color=GREY, label="other options"
    )
    ratios = [option.ratios[place].ratio for option in on]
    reach = [[one.value - one.low for one in ratios], [one.high - one.value for one in ratios]]
    costs, values = [option.cost for option in on], [one.value for one in ratios]
    axes.errorbar(costs, values, yerr=reach, fmt="o", color="C0", capsize=2, elinewidth=0.7, label="frontier, interval")
    for rank, (cost, value, name) in enumerate(sorted(zip(costs, values, [o.name for o in on], strict=True))):
        axes.annotate(name, (cost, value), (4, -10 if rank % 2 else 4), textcoords="offset points", fontsize=SMALL)
    axes.plot(
        [first.cost], [first.ratios[place].ratio.value], "D", color="C1", label=f"the model as it is ({first.name})"
    )
    axes.axhline(FOUR_FIFTHS, color="black", linestyle=":", linewidth=0.8, label="four fifths")
    near = most_cost([option.cost for option in search.options], search.within)
    axes.axvline(near, color=GREY, linestyle="--", linewidth=0.8, label="near the best in cost, to the left")
