"""Fairness by group: the approval rate and error rates of each group of an audit.

Owns the groups and their figures. Leaves the bounds to `train.gate`. The decisions come from held-out probabilities,
the groups from columns that need not be inputs of the model.

A rate over no rows is undefined, not 0: a group without a single event has no share of events approved. It is None in a
group, NaN in the arrays, and left out of the figures. So are groups with too few rows, and rates over too few: of one
event among sixty rows, 0% or 100% are approved, and every resample agrees.
"""

from functools import partial
from itertools import pairwise
from statistics import median_high

import numpy as np
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate, selection_rate
from numpy.typing import NDArray

from configs.dataset import Audit, Dataset
from models.schema import Values
from train.evaluation.estimate import percentile_estimate
from train.evaluation.paired import NO_GROUPS
from train.evaluation.resampling import resampled_cells
from train.evaluation.results import Estimate, Fairness, Group
from train.population import Weights, mean_of
from train.tables.table import Table

MISTAKES = (
    (1, 0),
    (2, 3),
)  # in the counts of a group: declined and approved without the event, approved and declined with


def audits_of(dataset: Dataset, table: Table) -> list[Audit]:
    """The audits of the dataset file, and one for each protected column that it leaves out.

    Who lists no groups is judged as well: by each category, or by the halves below and above the median.
    """
    audited = {audit.column for audit in dataset.audit}
    found = list(dataset.audit)
    for feature in dataset.features:
        if not feature.protected or feature.name in audited:
            continue
        if feature.type == "categorical":
            found.append(Audit(column=feature.name, groups={name: (name,) for name in feature.categories}))
            continue
        numbers = [value for value in table.columns[feature.name] if value is not None]
        if numbers:
            found.append(Audit(column=feature.name, edges=(float(median_high(numbers)),)))
    return found


def audit_groups(audit: Audit, values: Values) -> NDArray[np.object_]:
    """The group of each row, `[rows]`; empty where the value is missing or in no group.

    >>> audit_groups(Audit(column="age", edges=(25,)), [19, 25, None]).tolist()
    ['under 25', '25 and over', '']
    """
    if audit.edges:
        edges = [f"{edge:g}" for edge in audit.edges]
        names = [f"under {edges[0]}", *(f"{low} to {high}" for low, high in pairwise(edges))]
        names.append(f"{edges[-1]} and over")
        found = [
            "" if value is None or value != value else names[int(np.searchsorted(audit.edges, value, side="right"))]
            for value in values
        ]
    else:
        group_of = {category: name for name, categories in audit.groups.items() for category in categories}
        found = [group_of.get(value, "") for value in values]
    return np.array(found, dtype=object)


def fairness(
    audit: Audit,
    values: Values,
    target: NDArray[np.int64],
    declined: NDArray[np.bool_],
    least_rows: int,
    confidence: float,
    bootstrap: int,
    weights: Weights = None,
    customers: NDArray[np.int64] = NO_GROUPS,
    referred: NDArray[np.bool_] | None = None,
) -> Fairness:
    """The figures of one audit.

    Args:
        audit: the column and its groups.
        values: of that column, `[rows]`.
        target: `[rows]`, 1 where the event happened.
        declined: `[rows]`, who is not approved: an applicant who is referred counts as declined. A group that has to
            wait for a person more often than another is treated worse, and what the person decides is not known.
        least_rows: a smaller group is shown, but not used in the figures; nor is a rate over fewer rows of a group.
        confidence: of the intervals, which are percentiles over resamples within groups.
        bootstrap: number of resamples.
        weights: `[rows]`, what a row counts; None where all count alike.
        customers: `[rows]`, equal for the rows of one customer; empty where rows are independent.
        referred: `[rows]`, those of them who are referred, which is shown for each group.
    """
    member = audit_groups(audit, values)
    known = member != ""
    if not known.any():
        return Fairness(audit.column, [], None, None)
    target, declined, member = target[known], declined[known].astype(np.int64), member[known]
    to_person = np.zeros(len(known), dtype=np.bool_)[known] if referred is None else referred[known]
    counts = None if weights is None else weights[known]
    customers = customers[known] if len(customers) else customers
    # In fairlearn's terms, the event is the positive class and declined applicants are selected.
    rates = MetricFrame(
        metrics={"declined": selection_rate, "false alarm": false_positive_rate, "missed": false_negative_rate},
        y_true=target,
        y_pred=declined,
        sensitive_features=member,
        sample_params=None
        if counts is None
        else {rate: {"sample_weight": counts} for rate in ("declined", "false alarm", "missed")},
    ).by_group
    groups = []
    for name, row in rates.iterrows():
        of_group = target[member == name]
        outcomes = {"declined_without_event": int((of_group == 0).sum()), "approved_with_event": int(of_group.sum())}
        shares = {"declined_without_event": float(row["false alarm"]), "approved_with_event": float(row["missed"])}
        judged_group = len(of_group) >= least_rows
        groups.append(
            Group(
                str(name),
                len(of_group),
                float(1 - row["declined"]),
                **{share: value if outcomes[share] else None for share, value in shares.items()},
                judged=judged_group,
                few=tuple(share for share, count in outcomes.items() if judged_group and 0 < count < least_rows),
                referred=mean_of(to_person[member == name], None if counts is None else counts[member == name]),
            )
        )
    judged = [_cells(target[member == group.name], declined[member == group.name]) for group in groups if group.judged]
    if len(judged) < 2:
        return Fairness(audit.column, groups, None, None)
    rng = np.random.default_rng(0)
    drawn, whole = [], []
    for group in groups:
        if group.judged:
            rows = member == group.name
            own = None if counts is None else counts[rows]
            cell, of_customer = 2 * target[rows] + declined[rows], customers[rows] if len(customers) else customers
            drawn.append(resampled_cells(cell, 4, own, bootstrap, rng, of_customer))
            whole.append(np.bincount(cell, weights=own, minlength=4).astype(np.float64))
    enough = [[place for place, cell in enumerate(judged) if cell[list(kind)].sum() >= least_rows] for kind in MISTAKES]
    odds = partial(_odds_difference, enough=enough)
    approval_ratio, odds_difference = (
        _estimate(float(figure([cell[None] for cell in whole])[0]), figure(drawn), confidence)
        for figure in (_approval_ratio, odds)
    )
    return Fairness(audit.column, groups, approval_ratio, odds_difference)


def _estimate(value: float, resampled: NDArray[np.float64], confidence: float) -> Estimate | None:
    """The value with its percentile interval over the resamples in which it is defined; None where it is not itself."""
    if np.isnan(value):
        return None
    return percentile_estimate(value, resampled[~np.isnan(resampled)], confidence)


def _cells(target: NDArray[np.int64], declined: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of a group `[4]`: approved and declined without the event, then with it."""
    return np.bincount(2 * target + declined, minlength=4)


def _approval_ratio(groups: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Lowest over highest approval rate; each group is `[resamples, 4]`.

    It is 0 where nobody is approved: a model that declines everybody has to fail a gate.
    """
    rates = np.stack([(cell[:, 0] + cell[:, 2]) / cell.sum(axis=1) for cell in groups])
    ratio: NDArray[np.float64] = rates.min(axis=0) / np.maximum(rates.max(axis=0), 1e-12)
    return ratio


def _odds_difference(groups: list[NDArray[np.float64]], enough: list[list[int]]) -> NDArray[np.float64]:
    """The larger of two gaps between groups: in the rate declined without the event, or approved with it.

    Args:
        groups: each `[resamples, 4]`.
        enough: for each of `MISTAKES`, the groups with enough rows for that rate; the others are left out of its gap.

    NaN where neither gap has two groups.
    """
    gaps = [
        _gap([groups[place] for place in places], wrong, right) if len(places) > 1 else np.full(len(groups[0]), np.nan)
        for places, (wrong, right) in zip(enough, MISTAKES, strict=True)
    ]
    return _largest(gaps)


def _gap(groups: list[NDArray[np.float64]], wrong: int, right: int) -> NDArray[np.float64]:
    """Highest less lowest share of `wrong` among `wrong` and `right`; NaN where a resample has such rows in no two."""
    rates = []
    for cell in groups:
        rows = cell[:, wrong] + cell[:, right]
        rates.append(np.full(len(rows), np.nan))
        np.divide(cell[:, wrong], rows, out=rates[-1], where=rows > 0)
    gap = _largest(rates) + _largest([-rate for rate in rates])
    return np.where(np.sum(~np.isnan(rates), axis=0) < 2, np.nan, gap)


def _largest(values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The largest of several arrays, place by place; NaN only where all are."""
    largest: NDArray[np.float64] = np.fmax.reduce(values)
    return largest
