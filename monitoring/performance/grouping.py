"""The performance by group: of audits, protected columns included, and of the categories of every other column.

Owns which groups there are. Leaves the figures to sample.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from configs.dataset import Dataset
from monitoring.performance.decisions import Decisions
from monitoring.performance.results import Group
from monitoring.performance.sample import Sample, estimated, realised
from monitoring.records.audits import group_finder

MISSING = "missing"  # the group of rows without a value


def columns_of(dataset: Dataset) -> list[str]:
    """The columns that group rows, or that costs are taken from."""
    grouping = [audit.column for audit in dataset.audit]
    grouping += [feature.name for feature in dataset.features if feature.type == "categorical"]
    return list(dict.fromkeys((*grouping, *dataset.costs.columns)))


def groups(dataset: Dataset, sample: Sample, decisions: Decisions, least: int, confidence: float) -> list[Group]:
    """The performance of each group with enough rows, as the dataset file orders them."""
    found = []
    for column, audited, name, member in _groupings(dataset, decisions):
        rows = int(member.sum())
        if rows < least:
            continue
        own = sample.rows(member)
        known = int(own.known.sum())
        by_outcome, by_probability = realised(own, least, confidence), estimated(own, least, confidence)
        found.append(Group(column, name, audited, rows, known, by_outcome, by_probability))
    return found


def _groupings(dataset: Dataset, decisions: Decisions) -> Iterator[tuple[str, bool, str, NDArray[np.bool_]]]:
    """Column, whether it is audited, name of the group, and its rows."""
    for audit in dataset.audit:
        values, codes = decisions.coded(audit.column)
        find = group_finder(audit)
        names = [find(value) for value in values]
        for name in sorted(set(names) - {""}):
            yield audit.column, True, name, _member(codes, [one == name for one in names])
    audited = {audit.column for audit in dataset.audit}
    for feature in dataset.features:
        if feature.type == "categorical" and feature.name not in audited:
            values, codes = decisions.coded(feature.name)
            for category in (*feature.categories, None):
                if category in values:
                    member = _member(codes, [one == category for one in values])
                    yield feature.name, False, MISSING if category is None else category, member


def _member(codes: NDArray[np.int32], wanted: list[bool]) -> NDArray[np.bool_]:
    return np.array(wanted, dtype=np.bool_)[codes]
