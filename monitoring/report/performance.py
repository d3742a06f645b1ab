"""The section on performance: by outcomes and as expected before they arrive, now and over time.

Owns its markup and words. Leaves the figures to `monitoring.performance`.
"""

from datetime import datetime
from html import escape

from monitoring.performance.results import Concept, Figure, Performance, Window
from monitoring.report import charts

NAMES = {
    "roc_auc": "ROC AUC",
    "gini": "Gini",
    "ks": "KS",
    "brier": "Brier score",
    "cost": "cost per applicant",
    "event_rate": "event rate",
    "approval_rate": "approval rate",
    "calibration": "events observed to expected",
    "calibration_slope": "calibration slope",
}
DRAWN = "roc_auc"
NOTHING = "\u2013"
MARGIN = 0.1  # of the range, above and below what is drawn
NO_OUTCOMES = (
    "No outcomes yet. Send them to POST /feedback as they become known; until then performance is estimated from the "
    "probabilities, which supposes that they are still right."
)


def performance(found: Performance) -> str:
    """The table of figures beside the reference, and ROC AUC over time."""
    told = "" if found.with_outcome else f"<p>{NO_OUTCOMES}</p>"
    rows = [_row(name, found) for name in NAMES if name in found.estimated or name in found.realised]
    heads = "".join(f'<th scope="col" class="number">{head}</th>' for head in ("reference", "estimated", "by outcomes"))
    counted = f"{found.rows:,} decisions, {found.with_outcome:,} with an outcome; intervals in brackets."
    table = (
        f'<div class="scroll"><table><caption>{counted}</caption><thead><tr><th scope="col">figure</th>{heads}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    return told + concept(found.concept) + over_time(found) + table


def concept(found: Concept | None) -> str:
    """A sentence on whether outcomes still follow the probabilities."""
    if found is None:
        return ""
    if not found.breach:
        return f"<p>Outcomes follow the probabilities (p = {found.p_value:.2g}).</p>"
    parts = [f"<b>Outcomes no longer follow the probabilities</b> (p = {found.p_value:.2g}"]
    parts.append(f", since {escape(found.since)})" if found.since else ")")
    if found.observed is not None and found.predicted is not None:
        parts.append(f": {found.observed:.1%} had the event where {found.predicted:.1%} were expected")
    return f"<p>{''.join(parts)}.</p>"


def over_time(found: Performance) -> str:
    """ROC AUC of each window: the estimate with its band, and dots by outcomes; nothing with fewer than two windows."""
    drawn = [(one, one.estimated.get(DRAWN, Figure()), one.realised.get(DRAWN, Figure())) for one in found.windows]
    known = [
        value for _, *pair in drawn for one in pair for value in (one.low, one.value, one.high) if value is not None
    ]
    if len(drawn) < 2 or not known:
        return ""
    low, high = min(known), max(known)
    pad = (high - low or 0.1) * MARGIN
    low, high = max(0.0, low - pad), min(1.0, high + pad)

    def tall(value: float | None) -> float:
        return ((value or 0.0) - low) / (high - low)

    begin, end = _time(drawn[0][0].since), _time(drawn[-1][0].until)

    def along(window: Window) -> float:
        middle = (_time(window.since).timestamp() + _time(window.until).timestamp()) / 2
        return (middle - begin.timestamp()) / (end.timestamp() - begin.timestamp())

    expected = [(along(window), one) for window, one, _ in drawn if one.value is not None]
    line = [(at, tall(one.value)) for at, one in expected]
    band = [(at, tall(one.low), tall(one.high)) for at, one in expected if one.low is not None]
    dots = [
        (along(window), tall(one.low), tall(one.value), tall(one.high))
        for window, _, one in drawn
        if one.value is not None and one.low is not None
    ]
    said = "; ".join(
        f"{window.since}: estimated {_number(one.value)}, by outcomes {_number(other.value)}"
        for window, one, other in drawn
    )
    picture = charts.over_time(line, band, dots, f"{NAMES[DRAWN]} over time. {said}")
    ticks = "".join(f"<span>{time:%d %b}</span>" for time in (begin, begin + (end - begin) / 2, end))
    keys = '<span class="key-now">estimated, with its interval</span><span class="key-dot">by outcomes</span>'
    scale = f'<b class="quiet">{NAMES[DRAWN]} from {low:.2f} to {high:.2f}</b>'
    return (
        f'<p class="legend">{keys}{scale}</p>{picture}<div class="ticks" aria-hidden="true">{ticks}</div>'
        '<p class="spaced"></p>'
    )


def _row(name: str, found: Performance) -> str:
    reference = found.reference.get(name)
    cells = [_number(reference), cell(found.estimated.get(name)), cell(found.realised.get(name))]
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row">{NAMES[name]}</th>{numbers}</tr>'


def cell(one: Figure | None) -> str:
    """A figure with its interval.

    >>> cell(Figure(0.8, 0.75, 0.85)), cell(None) == NOTHING
    ('0.800 <span class="quiet">[0.750, 0.850]</span>', True)
    """
    if one is None or one.value is None:
        return NOTHING
    interval = "" if one.low is None or one.high is None else f"[{one.low:.3f}, {one.high:.3f}]"
    return f'{one.value:.3f} <span class="quiet">{interval}</span>'


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
