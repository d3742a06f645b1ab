"""The sections of the page: traffic, scores, columns and groups, each from its figures to HTML.

Owns their markup and words. Leaves drawings to charts, and the order of the sections to page. Every value from a record
or a dataset file is escaped here.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from models.deciding import APPROVE, DECLINE, REFER
from monitoring.drift.looking import ColumnDrift
from monitoring.findings.finding import Finding
from monitoring.report import charts
from monitoring.report.shapes import Column, Shape
from monitoring.report.traffic import Window, total

MOST_BARS = 60  # of traffic: more are too thin to point at
MOST_CATEGORIES = 7  # in one picture; the rest is added up
MUCH, LEAST_TOLD = 0.1, 0.005  # of a share: changes that are set in bold, and that are told at all
LEAST_TREND = 3  # windows that make a line
MINUS = "\u2212"


def moment(time: datetime) -> str:
    """A time for people.

    >>> moment(datetime(2026, 11, 27, 9, 5))
    '27 Nov 2026, 09:05 UTC'
    """
    return f"{time:%d %b %Y, %H:%M} UTC"


def traffic(windows: Sequence[Window], since: datetime, until: datetime) -> str:
    """The rows of the last week by decision."""
    step = _step(until - since)
    starts, at = [], since
    while at < until:
        starts.append(at)
        at += step
    columns, titles = [], []
    for start in starts:
        counts = total([window for window in windows if start <= window.start < start + step])
        columns.append([(kind, float(counts[kind])) for kind in (APPROVE, DECLINE, REFER)])
        titles.append(f"{moment(start)}: {counts.total():,} rows, {counts[APPROVE]:,} approved")
    counts = total([window for window in windows if window.start >= since])
    rows = counts.total()
    parts = [f"{counts[kind]:,} {word}" for kind, word in _DECIDED.items() if counts[kind]]
    about = f"{rows:,} rows from {moment(since)} to {moment(until)}: {', '.join(parts)}"
    keys = "".join(f'<span class="key-{kind}">{word}</span>' for kind, word in _DECIDED.items() if counts[kind])
    ticks = "".join(f"<span>{time:%d %b}</span>" for time in (since, since + (until - since) / 2, until))
    most = max(sum(height for _, height in parts) for parts in columns)
    return "".join(
        [
            f'<p class="legend">{keys}<b class="quiet">at most {most:,.0f} rows in {_length(step)}</b></p>',
            charts.stacked(columns, titles, about),
            f'<div class="ticks" aria-hidden="true">{ticks}</div>',
        ]
    )


_DECIDED = {APPROVE: "approved", DECLINE: "declined", REFER: "referred"}


def _step(whole: timedelta) -> timedelta:
    """The length of a bar: hours, several of them, or days."""
    return next(
        (timedelta(hours=hours) for hours in (1, 3, 6, 12) if whole / timedelta(hours=hours) <= MOST_BARS),
        timedelta(days=1),
    )


def _length(step: timedelta) -> str:
    hours = int(step.total_seconds() // 3600)
    return "an hour" if hours == 1 else "a day" if hours == 24 else f"{hours} hours"


def column(found: Column) -> str:
    """A card with the picture of a column, its verdict and its figures."""
    shape, drift = found.shape, found.drift
    chip = '<span class="chip bad">moved</span>' if found.moved else '<span class="chip good">steady</span>'
    kind = "card column moved" if found.moved else "card column"
    head = f"<header><h3>{escape(shape.column)}</h3>{chip if drift else ''}</header>"
    return f'<article class="{kind}">{head}{drawing(shape)}{_trend(found)}{_facts(drift) if drift else ""}</article>'


def _trend(found: Column) -> str:
    """PSI of each day with its bound, of a column that has moved; nothing before there are some days."""
    if not found.moved or len(found.history) < LEAST_TREND:
        return ""
    values = [psi for _, psi, _ in found.history]
    ends = f"from {found.history[0][0]:%d %b} to {found.history[-1][0]:%d %b}"
    told = ", ".join(f"{psi:.2f}" for psi in values)
    bound = found.history[-1][2]
    picture = charts.trend(values, bound, f"{found.shape.column}, PSI by day {ends}: {told}; bound {bound:.2f}")
    return f'<div>{picture}<p class="small quiet">PSI by day, {ends}</p></div>'


def _facts(drift: ColumnDrift) -> str:
    """The statistics of a column in words, and since when."""
    parts = [f"PSI {drift.psi:.2f}, bound {drift.psi_bound:.2f}"]
    if drift.ks is not None and drift.ks_bound is not None:
        parts.append(f"KS {drift.ks:.2f}, bound {drift.ks_bound:.2f}")
    for word, share, was in (
        ("missing", drift.nulls, drift.nulls_reference),
        ("unknown", drift.unknown, drift.unknown_reference),
    ):
        if round(share, 3) or round(was, 3):
            parts.append(f"{word} {share:.1%}, reference {was:.1%}")
    return f'<p class="facts small quiet">{"; ".join(parts)}</p>'


def drawing(shape: Shape) -> str:
    """A column as a picture: a histogram of a number, shares of categories."""
    return _histogram(shape) if shape.ticks else _shares(shape)


def _histogram(shape: Shape) -> str:
    titles = [
        f"{label}: {now:.1%}, reference {was:.1%}"
        for label, now, was in zip(shape.labels, shape.current, shape.reference, strict=True)
    ]
    about = f"{shape.column}, share of rows by value: " + "; ".join(titles)
    ticks = "".join(f"<span>{escape(end)}</span>" for end in shape.ticks)
    kind = "ticks each" if len(shape.ticks) == len(shape.labels) else "ticks"
    picture = charts.histogram(shape.reference, shape.current, titles, about)
    return f'<div>{picture}<div class="{kind}" aria-hidden="true">{ticks}</div></div>'


def _shares(shape: Shape) -> str:
    rows = list(zip(shape.labels, shape.reference, shape.current, strict=True))
    if len(rows) > MOST_CATEGORIES:
        ranked = sorted(rows, key=lambda row: -max(row[1], row[2], 10 * abs(row[2] - row[1])))
        kept, rest = ranked[: MOST_CATEGORIES - 1], ranked[MOST_CATEGORIES - 1 :]
        kept.sort(key=lambda row: shape.labels.index(row[0]))
        rows = [*kept, (f"{len(rest)} others", sum(row[1] for row in rest), sum(row[2] for row in rest))]
    top = max(max(was, now) for _, was, now in rows) or 1.0
    lines = []
    for label, was, now in rows:
        change = now - was
        told = f"{now:.0%}" + (f" ({_points(change)})" if abs(change) >= LEAST_TOLD else "")
        kind = "number much" if abs(change) >= MUCH else "number"
        name = escape(label)
        lines.append(
            f'<dt title="{name}">{name}</dt><dd>{charts.pair(was, now, top)}</dd><dd class="{kind}">{told}</dd>'
        )
    return f'<dl class="shares">{"".join(lines)}</dl>'


def _points(change: float) -> str:
    r"""A change in percentage points.

    >>> _points(0.123), _points(-0.05)
    ('+12', '\u22125')
    """
    return ("+" if change > 0 else MINUS) + f"{abs(change) * 100:.0f}"


def findings(found: Sequence[Finding]) -> str:
    """What is wrong now, and what to do; that nothing is, too."""
    if not found:
        return '<p class="card quietly">Nothing is wrong.</p>'
    rows = [
        f'<li class="card finding"><header><h3>{escape(one.subject)}</h3>'
        f'<span class="chip bad">{escape(one.code.replace("_", " "))}</span>'
        f'<span class="quiet small">since {moment(one.since)}</span></header>'
        f'<p>{_commands(one.message)}</p><p class="remedy">{_commands(one.remedy)}</p></li>'
        for one in found
    ]
    return f'<ul class="findings">{"".join(rows)}</ul>'


def _commands(text: str) -> str:
    """A sentence whose parts between backticks are commands or names.

    >>> _commands("run `make serve` & look")
    'run <code>make serve</code> &amp; look'
    """
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))
