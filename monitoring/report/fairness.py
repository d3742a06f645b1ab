"""The section on audited groups: who is approved, and whether the model ranks them as well as others.

Owns its markup and words. Leaves counts to figures, and performance by group to `monitoring.performance`.
"""

from collections.abc import Sequence
from html import escape

from monitoring.performance.results import Figure, Performance
from monitoring.report import charts
from monitoring.report.figures import Group
from monitoring.report.performance import cell

FOUR_FIFTHS = 0.8  # of the most approved group: US guidelines (29 CFR 1607.4 D) look closer below it
HEADS = (
    ("group", ""),
    ("approved", "drawn"),
    ("share", "number"),
    ("rows", "number"),
    ("ratio", "number"),
    ("", ""),
    ("ROC AUC by outcomes", "number"),
)


def groups(found: Sequence[Group], performance: Performance | None) -> str:
    """The approvals of audited groups, and the ROC AUC of each where enough outcomes are known."""
    ranked = {(one.column, one.group): one.realised.get("roc_auc") for one in performance.groups} if performance else {}
    rows = "".join(_row(one, ranked.get((one.column, one.group))) for one in found)
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in HEADS)
    return (
        '<div class="scroll"><table><caption>Ratio: to the most approved group of the column.</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(one: Group, auc: Figure | None) -> str:
    chip = '<span class="chip warn">below 0.80</span>' if one.ratio < FOUR_FIFTHS else ""
    return (
        f'<tr><th scope="row">{escape(one.column)}: {escape(one.group)}</th>'
        f'<td class="drawn">{charts.share(one.approved, "approve")}</td><td class="number">{one.approved:.0%}</td>'
        f'<td class="number">{one.rows:,}</td><td class="number">{one.ratio:.2f}</td><td>{chip}</td>'
        f'<td class="number">{cell(auc)}</td></tr>'
    )
