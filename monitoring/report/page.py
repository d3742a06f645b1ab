"""The page: what is wrong and what to do, then the figures from the general to the particular.

Owns the order and the head of the page. Leaves sections to sections, drawings to charts, the frame to document.
"""

from collections.abc import Sequence
from html import escape

from models.deciding import APPROVE
from monitoring.console import counted
from monitoring.drift.references import DECISION, PROBABILITY
from monitoring.report import sections
from monitoring.report.document import report
from monitoring.report.fairness import groups
from monitoring.report.figures import WEEK, Figures
from monitoring.report.latency import Latency
from monitoring.report.performance import NOTHING, performance
from monitoring.report.sections import moment
from monitoring.report.shapes import Column
from monitoring.report.traffic import mean_of, total

BATCHES = "Tables scored in batch"
LEGEND = '<p class="legend"><span class="key-now">last day</span><span class="key-before">reference</span></p>'


def page(figures: Figures) -> str:
    """The whole page, self-contained."""
    title = f"Monitor: {figures.model.tag}" if figures.model else "Monitor"
    body = f'<a class="skip" href="#main">Skip to the figures</a>{_head(figures, title)}{main(figures)}'
    return report(title, body)


def main(figures: Figures) -> str:
    """The part that changes from minute to minute."""
    if figures.model is None or figures.since is None or figures.until is None:
        waiting = f"{figures.status.pending:,} rows wait for their profile." if figures.status.pending else ""
        text = f"Nothing has been profiled yet. {waiting} A profile needs some rows: send requests and look again."
        wrong = _section("findings", "To do", sections.findings(figures.findings)) if figures.findings else ""
        scored = _section("batches", BATCHES, _list(figures.batches)) if figures.batches else ""
        return f'<main id="main" class="wrap"><section class="card"><p>{text}</p></section>{wrong}{scored}</main>'
    scores = next((column for column in figures.columns if column.shape.column == PROBABILITY), None)
    inputs = [column for column in figures.columns if column.shape.column not in (PROBABILITY, DECISION)]
    moved, steady = [one for one in inputs if one.moved], [one for one in inputs if not one.moved]
    week = figures.until - WEEK
    first = max(week, min(window.start for window in figures.windows))
    parts = [
        _section("findings", _count(figures), sections.findings(figures.findings)),
        _section("moved", "What moved", LEGEND + _columns(moved)) if moved else "",
        _section("now", "Now", _tiles(figures)),
        _section("changes", "Since the week before", _list(figures.changes)) if figures.changes else "",
        '<div class="pair">',
        _section(
            "traffic", "Traffic and decisions", sections.traffic(figures.windows, first, figures.until), card=True
        ),
        _section("scores", "Scores", LEGEND + sections.drawing(scores.shape), card=True) if scores else "",
        "</div>",
        _section("performance", "Performance", performance(figures.performance), card=True)
        if figures.performance
        else "",
        _section("columns", _others(moved), LEGEND + _columns(steady)) if steady else "",
        _section("groups", "Groups", groups(figures.groups, figures.performance), card=True) if figures.groups else "",
        _section("batches", BATCHES, _list(figures.batches)) if figures.batches else "",
        _section("problems", "Not shown", _list(figures.problems)) if figures.problems else "",
    ]
    return f'<main id="main" class="wrap">{"".join(parts)}{_foot(figures)}</main>'


def _head(figures: Figures, title: str) -> str:
    made = f'<time datetime="{figures.made_at.isoformat()}">{moment(figures.made_at)}</time>'
    links = '<nav aria-label="pages"><a href="model/card">model card</a><a href="console">console</a></nav>'
    inside = f'<h1>{escape(title)}</h1><span class="quiet">{made}</span>{links}'
    return f'<header class="bar"><div class="wrap">{inside}</div></header>'


def _section(name: str, title: str, content: str, *, card: bool = False) -> str:
    kind = ' class="card"' if card else ""
    head = f'<h2 id="{name}-title">{title}</h2>'
    return f'<section id="{name}"{kind} aria-labelledby="{name}-title">{head}{content}</section>'


def _tiles(figures: Figures) -> str:
    day = [window for window in figures.windows if figures.since and window.start >= figures.since]
    decided = total(day)
    mean = mean_of(day)
    tiles = [
        ("scored in the last day", f"{decided.total():,}", f"to {moment(figures.until)}" if figures.until else ""),
        ("approved", f"{decided[APPROVE] / max(1, decided.total()):.0%}", "of the last day"),
        (
            "mean probability",
            NOTHING if mean is None else f"{mean:.1%}",
            escape(figures.model.event) if figures.model else "",
        ),
        ("wait before scoring", *_waits(figures.latency)),
        ("waiting for a profile", f"{figures.status.pending:,}", f"of {figures.status.logged:,} logged"),
    ]
    cells = "".join(
        f'<div class="card tile"><dt>{name}</dt><dd>{value}<span class="small">{note}</span></dd></div>'
        for name, value, note in tiles
    )
    return f'<dl class="tiles">{cells}</dl>'


def _waits(found: Latency | None) -> tuple[str, str]:
    """The median wait of a batch, and that of the slowest in a hundred."""
    if found is None:
        return NOTHING, "no service has told"
    slow = "over a second" if found.p99_ms is None else f"{found.p99_ms:g} ms"
    return NOTHING if found.p50_ms is None else f"{found.p50_ms:g} ms", f"or less for half; 99%: {slow}"


def _others(moved: Sequence[Column]) -> str:
    return "What else applicants are like" if moved else "What applicants are like"


def _count(figures: Figures) -> str:
    number = len(figures.findings)
    return "To do" if number == 0 else f"To do: {counted(number, 'finding')}"


def _list(sentences: Sequence[str]) -> str:
    return f"<ul class='card'>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"


def _columns(found: Sequence[Column]) -> str:
    return f'<div class="grid">{"".join(map(sections.column, found))}</div>'


def _foot(figures: Figures) -> str:
    counts = figures.status
    rows = f"{counts.served:,} rows served, {counts.logged:,} logged, {counts.profiled:,} profiled"
    return f"<footer>{rows} in all. Times are in UTC.</footer>"
