"""What a study found, as Markdown and as a plot."""

import numpy as np
from matplotlib.figure import Figure

from train.evaluation.study import METRICS, TableResult, mean_ranks

TITLES = {"roc_auc": "ROC AUC", "brier": "Brier score", "cost": "cost per applicant"}
DIGITS = {"roc_auc": 4, "brier": 4, "cost": 3}
MARKS = {1: " ▼", 0: "", -1: " ▲"}  # of an opponent that ours is ahead of, or behind


def markdown(results: list[TableResult], ours: str) -> str:
    """The mean ranks, then each metric on each table."""
    ranks = mean_ranks(results)
    overall = {name: float(np.mean(list(by_metric.values()))) for name, by_metric in ranks.items()}
    names = sorted(ranks, key=lambda name: overall[name])
    lines = [
        f"| mean rank over {len(results)} tables | {' | '.join(TITLES.values())} | all | {ours} is ahead, behind |",
        "|---|" + "---|" * (len(METRICS) + 2),
    ]
    for name in names:
        verdicts = [each.standings[metric][name].verdict for each in results for metric in METRICS]
        won = "" if name == ours else f"{verdicts.count(1)}, {verdicts.count(-1)}"
        shown = " | ".join(f"{ranks[name][metric]:.2f}" for metric in METRICS)
        lines.append(f"| {_shown(name, ours)} | {shown} | {overall[name]:.2f} | {won} |")
    for metric, title in TITLES.items():
        heads = " | ".join(_shown(name, ours) for name in names)
        lines += ["", f"| {title} | rows | events | folds | {heads} |", "|---|" + "---|" * (len(names) + 3)]
        for each in results:
            cells = []
            for name in names:
                found = each.standings[metric][name]
                cells.append(f"{found.value:.{DIGITS[metric]}f}{MARKS[found.verdict]}")
            lines.append(f"| {each.table} | {each.rows:,} | {each.events:,} | {each.folds} | {' | '.join(cells)} |")
    lines += [
        "",
        f"▼ significantly worse than {ours}, ▲ significantly better: paired, p < 0.05 after Holm's correction",
    ]
    return "\n".join(lines)


def _shown(name: str, ours: str) -> str:
    return f"`{name}`" if name == ours else name


def plot(results: list[TableResult], ours: str) -> Figure:
    """How far every candidate is ahead of ours in ROC AUC, by the number of events of the table."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    results = sorted(results, key=lambda each: each.events)
    for name in results[0].standings["roc_auc"]:
        events = [each.events for each in results]
        ahead = [-each.standings["roc_auc"][name].ahead for each in results]
        axes.plot(events, ahead, marker="o", linewidth=3 if name == ours else 1, label=name)
    for each in results:
        above = ("data", "axes fraction")
        axes.annotate(each.table, (each.events, 1.01), xycoords=above, rotation=25, fontsize=7, va="bottom")
    axes.set_xscale("log")
    axes.set_xlabel("events in the table")
    axes.set_ylabel(f"ROC AUC less that of {ours}")
    figure.legend(fontsize=8, loc="outside right upper", frameon=False)
    return figure
