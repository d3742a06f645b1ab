"""What changed since the week before, in one sentence each.

Owns: which changes are told, and their words. A change is told if it is large enough to matter and larger than chance
explains: three standard errors of the difference of two shares.
"""

import math
from collections.abc import Mapping, Sequence

from models.deciding import APPROVE
from monitoring.report.shapes import Shape
from monitoring.report.traffic import Window, mean_of, total

LEAST_CHANGE = 0.03  # of a share: fewer points are told of no column
LEAST_GROWTH = 0.1  # of the rows
ERRORS = 3.0  # standard errors
MOST_COLUMNS = 4  # that are told; the section on drift has them all
NO_WEEK_BEFORE = "There is no earlier week to compare with yet."


def changes(
    now: Sequence[Window],
    before: Sequence[Window],
    shapes_now: Mapping[str, Shape],
    shapes_before: Mapping[str, Shape],
) -> list[str]:
    """The sentences, the most general first; shapes of the two weeks have the same bins."""
    rows, rows_before = sum(window.rows for window in now), sum(window.rows for window in before)
    if not rows or not rows_before:
        return [NO_WEEK_BEFORE] if rows else []
    return [
        *_versions(now, before),
        _traffic(rows, rows_before),
        *_approvals(now, before),
        *_probability(now, before),
        *_columns(shapes_now, shapes_before, rows, rows_before),
    ]


def _versions(now: Sequence[Window], before: Sequence[Window]) -> list[str]:
    new = sorted({window.model for window in now} - {window.model for window in before})
    return [f"New this week: {' and '.join(new)} decided." for _ in new[:1]]


def _traffic(rows: int, before: int) -> str:
    """The sentence on the number of rows.

    >>> _traffic(1200, 1000)
    '1,200 applicants were scored, 20% more than the week before.'
    """
    growth = rows / before - 1
    if abs(growth) < LEAST_GROWTH:
        return "As many applicants were scored as the week before."
    return (
        f"{rows:,} applicants were scored, {abs(growth):.0%} {'more' if growth > 0 else 'fewer'} than the week before."
    )


def _approvals(now: Sequence[Window], before: Sequence[Window]) -> list[str]:
    new, old = total(now), total(before)
    share, was = new[APPROVE] / new.total(), old[APPROVE] / old.total()
    if not differs(share, new.total(), was, old.total()):
        return [f"Approvals stayed at {share:.0%}."]
    return [f"Approvals {'rose' if share > was else 'fell'} from {was:.0%} to {share:.0%}."]


def _probability(now: Sequence[Window], before: Sequence[Window]) -> list[str]:
    new, old = mean_of(now), mean_of(before)
    if new is None or old is None or abs(new - old) < LEAST_CHANGE / 3:
        return []
    return [f"The mean probability {'rose' if new > old else 'fell'} from {old:.1%} to {new:.1%}."]


def _columns(now: Mapping[str, Shape], before: Mapping[str, Shape], rows: int, rows_before: int) -> list[str]:
    found = []
    for name, shape in now.items():
        old = before.get(name)
        if old is None or name in ("probability", "decision"):
            continue
        shares, were = (dict(zip(each.labels, each.current, strict=True)) for each in (shape, old))
        moved = {label: shares.get(label, 0.0) - were.get(label, 0.0) for label in {*shares, *were}}
        label = max(sorted(moved), key=lambda each: abs(moved[each]))
        share, was = shares.get(label, 0.0), were.get(label, 0.0)
        if abs(moved[label]) >= LEAST_CHANGE and differs(share, rows, was, rows_before):
            found.append((abs(moved[label]), f"{name}: {label} went from {was:.0%} to {share:.0%}."))
    return [sentence for _, sentence in sorted(found, reverse=True)[:MOST_COLUMNS]]


def differs(share: float, rows: int, other: float, other_rows: int) -> bool:
    """Whether two shares differ by more than chance, with the pooled standard error.

    >>> differs(0.70, 1000, 0.60, 1000), differs(0.70, 20, 0.60, 20), differs(0.0, 10, 0.0, 10)
    (True, False, False)
    """
    pooled = (share * rows + other * other_rows) / (rows + other_rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / other_rows))
    return abs(share - other) > ERRORS * error
